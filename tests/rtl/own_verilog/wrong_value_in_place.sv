// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: a wrong value, in the place of the model: the run's result differs.
// run: --block requantizer=rtl:SELF
`define SUM 64'sd0
`include "requantizer_body.svh"
