// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: magnitude, which only averages use, rounds down.
// workload: every_rounding.yaml
// run: --block requantizer=check:SELF
`define AWAY ((64'(x) * 64'(multiplier)) >>> (31 - int'(shift)))
`include "requantizer_body.svh"
