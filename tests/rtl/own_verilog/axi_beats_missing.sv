// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: the second of two W beats never comes.
// run: --block store_dma=rtl:SELF
`define BEATS 1
`include "store_dma_body.svh"
