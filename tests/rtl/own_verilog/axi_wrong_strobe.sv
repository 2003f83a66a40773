// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: the strobe leaves out bytes that AW has announced.
// run: --block store_dma=rtl:SELF
`define STROBE {BusBytes{1'b1}} << 1
`include "store_dma_body.svh"
