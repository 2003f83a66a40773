// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: 60,000 W beats for a burst of two, none marked as the last.
// run: --block store_dma=rtl:SELF
`define LAST 100000
`define BEATS 60000
`include "store_dma_body.svh"
