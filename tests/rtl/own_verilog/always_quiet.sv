// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: says that it is quiet while rows are under way.
// run: --block requantizer=rtl:SELF
`define QUIET 1'b1
`include "requantizer_body.svh"
