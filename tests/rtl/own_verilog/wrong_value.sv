// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: the first rounding of fixed_double is forgotten.
// run: --block requantizer=check:SELF
`define SUM 64'sd0
`include "requantizer_body.svh"
