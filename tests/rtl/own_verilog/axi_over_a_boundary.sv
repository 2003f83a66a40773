// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: a burst crosses a multiple of 4,096 bytes.
// run: --block store_dma=rtl:SELF
`define ADDRESS 40'd4092
`define BYTES 13'd8
`include "store_dma_body.svh"
