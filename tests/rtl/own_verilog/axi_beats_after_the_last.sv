// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: a third W beat for a burst of two.
// run: --block store_dma=rtl:SELF
`define BEATS 3
`include "store_dma_body.svh"
