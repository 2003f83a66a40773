// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: the first of two W beats is marked as the last.
// run: --block store_dma=rtl:SELF
`define LAST 0
`include "store_dma_body.svh"
