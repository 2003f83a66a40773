// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: results of the lanes are exchanged.
// run: --block requantizer=check:SELF
`define LANE(i) (Lanes - 1 - i)
`include "requantizer_body.svh"
