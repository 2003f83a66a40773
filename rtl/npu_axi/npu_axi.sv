// SPDX-License-Identifier: Apache-2.0
// npu_axi: the chip behind complete AXI4 ports, for a system on a chip or a verification component; docs/reference/machine.md, 9.
//   registers  an AXI4-Lite slave (axi_lite_registers)
//   masters    npu's own signals, at the same time, with AXI4's others beside them, which are constant
//   reset      begins asynchronously and ends synchronously (reset_synchronizer)
// Bursts have at most BurstBytes and never cross a multiple of it, so never 4 KiB; their beats are full width, the first may begin within the
// bus. AW comes when the whole burst is there. ARUSER and AWUSER tell how many of a burst's bytes count, for whoever wants to know.

`include "assertions.svh"

module npu_axi #(
  parameter int Rows = 16,
  parameter int Columns = 16,
  parameter int Lanes = 16,
  parameter int BusBytes = 16,
  parameter int BurstBytes = 256,
  parameter int LoadOutstanding = 16,
  parameter int StoreOutstanding = 16,
  parameter int QueueDepth = 8,
  parameter int PrefetchInstructions = 16,
  parameter int ActivationWords = 64,
  parameter int WeightWords = 64,
  parameter int VectorWords = 64,
  parameter int ParamWords = 64,
  parameter int AccumulatorWords = 64,
  parameter int ActivationBanks = 1,
  parameter int WeightBanks = 1,
  parameter int VectorBanks = 1,
  parameter int ParamBanks = 1,
  parameter int AccumulatorBanks = 1,
  parameter int Machine = 0,  // digest of all of the machine's parameters that programs depend on; 0: programs for any machine only
  parameter int IdBits = 1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // registers
  input  logic                  csr_awvalid_i,
  output logic                  csr_awready_o,
  input  logic [11:0]           csr_awaddr_i,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [2:0]            csr_awprot_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic                  csr_wvalid_i,
  output logic                  csr_wready_o,
  input  logic [31:0]           csr_wdata_i,
  input  logic [3:0]            csr_wstrb_i,
  output logic                  csr_bvalid_o,
  input  logic                  csr_bready_i,
  output logic [1:0]            csr_bresp_o,
  input  logic                  csr_arvalid_i,
  output logic                  csr_arready_o,
  input  logic [11:0]           csr_araddr_i,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [2:0]            csr_arprot_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic                  csr_rvalid_o,
  input  logic                  csr_rready_i,
  output logic [31:0]           csr_rdata_o,
  output logic [1:0]            csr_rresp_o,
  // instructions
  output logic                  fetch_arvalid_o,
  input  logic                  fetch_arready_i,
  output logic [IdBits-1:0]     fetch_arid_o,
  output logic [39:0]           fetch_araddr_o,
  output logic [7:0]            fetch_arlen_o,
  output logic [2:0]            fetch_arsize_o,
  output logic [1:0]            fetch_arburst_o,
  output logic                  fetch_arlock_o,
  output logic [3:0]            fetch_arcache_o,
  output logic [2:0]            fetch_arprot_o,
  output logic [3:0]            fetch_arqos_o,
  output logic [3:0]            fetch_arregion_o,
  output logic [12:0]           fetch_aruser_o,
  input  logic                  fetch_rvalid_i,
  output logic                  fetch_rready_o,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [IdBits-1:0]     fetch_rid_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [8*BusBytes-1:0] fetch_rdata_i,
  input  logic [1:0]            fetch_rresp_i,
  input  logic                  fetch_rlast_i,
  // loads
  output logic                  load_arvalid_o,
  input  logic                  load_arready_i,
  output logic [IdBits-1:0]     load_arid_o,
  output logic [39:0]           load_araddr_o,
  output logic [7:0]            load_arlen_o,
  output logic [2:0]            load_arsize_o,
  output logic [1:0]            load_arburst_o,
  output logic                  load_arlock_o,
  output logic [3:0]            load_arcache_o,
  output logic [2:0]            load_arprot_o,
  output logic [3:0]            load_arqos_o,
  output logic [3:0]            load_arregion_o,
  output logic [12:0]           load_aruser_o,
  input  logic                  load_rvalid_i,
  output logic                  load_rready_o,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [IdBits-1:0]     load_rid_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [8*BusBytes-1:0] load_rdata_i,
  input  logic [1:0]            load_rresp_i,
  input  logic                  load_rlast_i,
  // stores
  output logic                  store_awvalid_o,
  input  logic                  store_awready_i,
  output logic [IdBits-1:0]     store_awid_o,
  output logic [39:0]           store_awaddr_o,
  output logic [7:0]            store_awlen_o,
  output logic [2:0]            store_awsize_o,
  output logic [1:0]            store_awburst_o,
  output logic                  store_awlock_o,
  output logic [3:0]            store_awcache_o,
  output logic [2:0]            store_awprot_o,
  output logic [3:0]            store_awqos_o,
  output logic [3:0]            store_awregion_o,
  output logic [12:0]           store_awuser_o,
  output logic                  store_wvalid_o,
  input  logic                  store_wready_i,
  output logic [8*BusBytes-1:0] store_wdata_o,
  output logic [BusBytes-1:0]   store_wstrb_o,
  output logic                  store_wlast_o,
  input  logic                  store_bvalid_i,
  output logic                  store_bready_o,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [IdBits-1:0]     store_bid_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [1:0]            store_bresp_i,
  // program
  output logic                  running_o,
  output logic                  interrupt_o,
  output logic                  quiet_o
);

  localparam logic [2:0] Size = 3'($clog2(BusBytes));
  localparam logic [1:0] Ascending = 2'b01;
  // Neither cached nor buffered: B says that the bytes are where everybody reads them, and the interrupt follows the last B.
  localparam logic [3:0] Modifiable = 4'b0010;
  localparam logic [2:0] Data = 3'b010;         // neither secure nor privileged

  logic rst_n;
  reset_synchronizer u_reset (
    .clk_i,
    .rst_ni,
    .rst_no (rst_n)
  );

  // ---- Registers ----

  logic csr_write, csr_written, csr_read, csr_answered, csr_quiet, npu_quiet;
  logic [11:0] csr_write_offset, csr_read_offset;
  logic [31:0] csr_write_data, csr_data;
  axi_lite_registers u_registers (
    .clk_i,
    .rst_ni             (rst_n),
    .awvalid_i          (csr_awvalid_i),
    .awready_o          (csr_awready_o),
    .awaddr_i           (csr_awaddr_i),
    .wvalid_i           (csr_wvalid_i),
    .wready_o           (csr_wready_o),
    .wdata_i            (csr_wdata_i),
    .wstrb_i            (csr_wstrb_i),
    .bvalid_o           (csr_bvalid_o),
    .bready_i           (csr_bready_i),
    .bresp_o            (csr_bresp_o),
    .arvalid_i          (csr_arvalid_i),
    .arready_o          (csr_arready_o),
    .araddr_i           (csr_araddr_i),
    .rvalid_o           (csr_rvalid_o),
    .rready_i           (csr_rready_i),
    .rdata_o            (csr_rdata_o),
    .rresp_o            (csr_rresp_o),
    .csr_write_o        (csr_write),
    .csr_write_offset_o (csr_write_offset),
    .csr_write_data_o   (csr_write_data),
    .csr_read_o         (csr_read),
    .csr_read_offset_o  (csr_read_offset),
    .csr_data_i         (csr_data),
    .quiet_o            (csr_quiet)
  );

  // ---- What of the masters is constant ----

  assign fetch_arid_o = '0;
  assign fetch_arsize_o = Size;
  assign fetch_arburst_o = Ascending;
  assign fetch_arlock_o = 1'b0;
  assign fetch_arcache_o = Modifiable;
  assign fetch_arprot_o = Data;
  assign fetch_arqos_o = '0;
  assign fetch_arregion_o = '0;
  assign fetch_rready_o = 1'b1;  // a burst is asked for when there is room for its answer

  assign load_arid_o = '0;
  assign load_arsize_o = Size;
  assign load_arburst_o = Ascending;
  assign load_arlock_o = 1'b0;
  assign load_arcache_o = Modifiable;
  assign load_arprot_o = Data;
  assign load_arqos_o = '0;
  assign load_arregion_o = '0;
  assign load_rready_o = 1'b1;  // a burst is asked for when there is room for its answer

  assign store_awid_o = '0;
  assign store_awsize_o = Size;
  assign store_awburst_o = Ascending;
  assign store_awlock_o = 1'b0;
  assign store_awcache_o = Modifiable;
  assign store_awprot_o = Data;
  assign store_awqos_o = '0;
  assign store_awregion_o = '0;
  assign store_bready_o = 1'b1;  // a burst is asked for when there is room for its answer

  // ---- The chip ----

  npu #(
    .Rows                 (Rows),
    .Columns              (Columns),
    .Lanes                (Lanes),
    .BusBytes             (BusBytes),
    .BurstBytes           (BurstBytes),
    .LoadOutstanding      (LoadOutstanding),
    .StoreOutstanding     (StoreOutstanding),
    .QueueDepth           (QueueDepth),
    .PrefetchInstructions (PrefetchInstructions),
    .ActivationWords      (ActivationWords),
    .WeightWords          (WeightWords),
    .VectorWords          (VectorWords),
    .ParamWords           (ParamWords),
    .AccumulatorWords     (AccumulatorWords),
    .ActivationBanks      (ActivationBanks),
    .WeightBanks          (WeightBanks),
    .VectorBanks          (VectorBanks),
    .ParamBanks           (ParamBanks),
    .AccumulatorBanks     (AccumulatorBanks),
    .Machine              (Machine)
  ) u_npu (
    .clk_i              (clk_i),
    .rst_ni             (rst_n),
    .csr_write_i        (csr_write),
    .csr_write_offset_i (csr_write_offset),
    .csr_write_data_i   (csr_write_data),
    .csr_written_o      (csr_written),
    .csr_read_i         (csr_read),
    .csr_read_offset_i  (csr_read_offset),
    .csr_answered_o     (csr_answered),
    .csr_data_o         (csr_data),
    .fetch_arvalid_o    (fetch_arvalid_o),
    .fetch_araddr_o     (fetch_araddr_o),
    .fetch_arlen_o      (fetch_arlen_o),
    .fetch_ar_bytes_o   (fetch_aruser_o),
    .fetch_arready_i    (fetch_arready_i),
    .fetch_rvalid_i     (fetch_rvalid_i),
    .fetch_rdata_i      (fetch_rdata_i),
    .fetch_rresp_i      (fetch_rresp_i),
    .fetch_rlast_i      (fetch_rlast_i),
    .load_arvalid_o     (load_arvalid_o),
    .load_araddr_o      (load_araddr_o),
    .load_arlen_o       (load_arlen_o),
    .load_ar_bytes_o    (load_aruser_o),
    .load_arready_i     (load_arready_i),
    .load_rvalid_i      (load_rvalid_i),
    .load_rdata_i       (load_rdata_i),
    .load_rresp_i       (load_rresp_i),
    .load_rlast_i       (load_rlast_i),
    .store_awvalid_o    (store_awvalid_o),
    .store_awaddr_o     (store_awaddr_o),
    .store_awlen_o      (store_awlen_o),
    .store_aw_bytes_o   (store_awuser_o),
    .store_awready_i    (store_awready_i),
    .store_wvalid_o     (store_wvalid_o),
    .store_wdata_o      (store_wdata_o),
    .store_wstrb_o      (store_wstrb_o),
    .store_wlast_o      (store_wlast_o),
    .store_wready_i     (store_wready_i),
    .store_bvalid_i     (store_bvalid_i),
    .store_bresp_i      (store_bresp_i),
    .running_o          (running_o),
    .interrupt_o        (interrupt_o),
    .quiet_o            (npu_quiet)
  );
  assign quiet_o = npu_quiet && csr_quiet;

  // The registers' side of the contract that axi_lite_registers counts on.
  logic [1:0] writes_q, reads_q;
  always_ff @(posedge clk_i or negedge rst_n) begin
    if (!rst_n) begin
      writes_q <= 2'b00;
      reads_q <= 2'b00;
    end else begin
      writes_q <= {writes_q[0], csr_write};
      reads_q <= {reads_q[0], csr_read};
    end
  end
  `GEMEL_ASSERT(WritesTakeTwoCycles, csr_written == writes_q[1])
  `GEMEL_ASSERT(ReadsTakeTwoCycles, csr_answered == reads_q[1])

endmodule
