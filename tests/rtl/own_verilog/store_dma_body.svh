// SPDX-License-Identifier: Apache-2.0
// A store_dma that, for its first instruction, writes two beats from address 0 on and then does nothing more. It keeps AXI but for what its
// includer defines: ADDRESS and BYTES of AW, AW_STAYS (0: for one cycle only), WAITS_FOR_AW (0: W comes at once), LAST (index of the beat
// that is marked), BEATS (how many come), STROBE, BEAT_STAYS (0: data changes while it waits).
`ifndef ADDRESS
  `define ADDRESS 40'd0
`endif
`ifndef BYTES
  `define BYTES 13'(2 * BusBytes)
`endif
`ifndef AW_STAYS
  `define AW_STAYS 1'b1
`endif
`ifndef WAITS_FOR_AW
  `define WAITS_FOR_AW 1'b1
`endif
`ifndef LAST
  `define LAST 1
`endif
`ifndef BEATS
  `define BEATS 2
`endif
`ifndef STROBE
  `define STROBE '1
`endif
`ifndef BEAT_STAYS
  `define BEAT_STAYS 1'b1
`endif
module store_dma #(
  parameter int Columns = 16,
  parameter int BusBytes = 16,
  parameter int BurstBytes = 256,
  parameter int Outstanding = 16
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  command_valid_i,
  input  logic [511:0]          command_i,
  output logic                  done_o,
  output logic                  chain_o,
  output logic                  error_o,
  output logic [1:0]            status_o,
  output logic                  vector_read_o,
  output logic [17:0]           vector_address_o,
  input  logic [8*Columns-1:0]  vector_data_i,
  output logic                  awvalid_o,
  output logic [39:0]           awaddr_o,
  output logic [7:0]            awlen_o,
  output logic [12:0]           aw_bytes_o,
  input  logic                  awready_i,
  output logic                  wvalid_o,
  output logic [8*BusBytes-1:0] wdata_o,
  output logic [BusBytes-1:0]   wstrb_o,
  output logic                  wlast_o,
  input  logic                  wready_i,
  input  logic                  bvalid_i,
  input  logic [1:0]            bresp_i,
  output logic                  quiet_o
);

  localparam int BusBits = $clog2(BusBytes);

  logic        begun_q, accepted_q;
  logic [31:0] beat_q;

  assign done_o = 1'b0;
  assign chain_o = 1'b0;
  assign error_o = 1'b0;
  assign status_o = 2'd0;
  assign vector_read_o = 1'b0;
  assign vector_address_o = '0;
  assign awaddr_o = `ADDRESS;
  assign aw_bytes_o = `BYTES;
  assign awlen_o = 8'((13'(awaddr_o[BusBits-1:0]) + aw_bytes_o - 13'd1) >> BusBits);
  assign wlast_o = beat_q == `LAST;
  assign wstrb_o = `STROBE;
  assign quiet_o = 1'b0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      begun_q <= 1'b0;
      accepted_q <= 1'b0;
      awvalid_o <= 1'b0;
      wvalid_o <= 1'b0;
      wdata_o <= '0;
      beat_q <= '0;
    end else begin
      if (command_valid_i) begun_q <= 1'b1;
      if (command_valid_i && !begun_q) awvalid_o <= `WAITS_FOR_AW;
      if (awvalid_o && (awready_i || !`AW_STAYS)) awvalid_o <= 1'b0;
      if (awvalid_o && awready_i) accepted_q <= 1'b1;
      if (!`BEAT_STAYS) wdata_o <= wdata_o + 1'b1;
      if (wvalid_o && wready_i) beat_q <= beat_q + 32'd1;
      wvalid_o <= (accepted_q || (begun_q && !`WAITS_FOR_AW)) && beat_q + 32'(wvalid_o && wready_i) < `BEATS;
    end
  end

endmodule
