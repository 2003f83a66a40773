// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: answers a cycle too late.
// run: --block requantizer=check:SELF
`define LATENCY 7
`include "requantizer_body.svh"
