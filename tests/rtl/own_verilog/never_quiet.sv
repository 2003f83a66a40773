// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: never says that it is quiet: slower, but right.
// run: --block requantizer=check:SELF
`define QUIET 1'b0
`include "requantizer_body.svh"
