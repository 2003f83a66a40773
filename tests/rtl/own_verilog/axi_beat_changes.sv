// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: data changes while its W beat waits.
// run: --block store_dma=rtl:SELF --set memory.w_stall_percent=99
`define BEAT_STAYS 1'b0
`include "store_dma_body.svh"
