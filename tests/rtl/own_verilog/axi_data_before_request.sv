// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: W beats come although no AW was accepted.
// run: --block store_dma=rtl:SELF
`define WAITS_FOR_AW 1'b0
`include "store_dma_body.svh"
