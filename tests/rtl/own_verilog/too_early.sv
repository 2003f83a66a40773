// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: answers a cycle too early.
// run: --block requantizer=check:SELF
`define LATENCY 5
`include "requantizer_body.svh"
