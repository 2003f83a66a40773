// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: an AW does not stay until it is accepted.
// run: --block store_dma=rtl:SELF --set memory.aw_stall_percent=99
`define AW_STAYS 1'b0
`include "store_dma_body.svh"
