// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: float, one of the four roundings, is left out.
// workload: every_rounding.yaml
// run: --block requantizer=check:SELF
`include "requantizer_body.svh"
