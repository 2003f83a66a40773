// SPDX-License-Identifier: Apache-2.0
// load_dma as an AXI4 master, at its pins, for tests/rtl/prove.py: any commands of which each run wants at least a byte, any memory that answers
// the bursts it was asked for, any stalls. Shown: an AR that waits stays as it is; bursts keep within BurstBytes, so within 4 KiB, and have the beats
// that their bytes need; at most Outstanding are unanswered.
module load_dma_axi #(
  parameter int Rows = 2,
  parameter int Columns = 2,
  parameter int BusBytes = 4,
  parameter int BurstBytes = 16,
  parameter int Outstanding = 2
) (
  input logic                  clk_i,
  input logic                  rst_ni,
  input logic                  command_valid_i,
  input logic [511:0]          command_i,
  input logic                  arready_i,
  input logic                  rvalid_i,
  input logic [8*BusBytes-1:0] rdata_i,
  input logic [1:0]            rresp_i,
  input logic                  rlast_i
);
  localparam int BusBits = $clog2(BusBytes);
  localparam int OffsetBits = $clog2(BurstBytes);
  localparam int CountBits = $clog2(Outstanding + 1);
  localparam int Places = Outstanding + ((Rows > Columns ? Rows : Columns) + BurstBytes - 1) / BurstBytes;  // while a word is no longer than a burst
  localparam int NumberBits = $clog2(4 * Places + 8);

  logic arvalid;
  logic [39:0] araddr;
  logic [7:0] arlen;
  logic [12:0] ar_bytes;
  load_dma #(.Rows(Rows), .Columns(Columns), .BusBytes(BusBytes), .BurstBytes(BurstBytes), .Outstanding(Outstanding)) dut (
    .clk_i, .rst_ni, .command_valid_i, .command_i, .done_o(), .chain_o(), .error_o(), .status_o(), .arvalid_o(arvalid), .araddr_o(araddr),
    .arlen_o(arlen), .ar_bytes_o(ar_bytes), .arready_i, .rvalid_i, .rdata_i, .rresp_i, .rlast_i, .write_o(), .write_address_o(), .write_data_o(),
    .quiet_o()
  );

  (* hierconn *) logic \dut.cuts_q , \dut.u_flights.past_reset_q ;
  (* hierconn *) logic [23:0] \dut.run_bytes , \dut.u_bursts.left ;
  (* hierconn *) logic [CountBits-1:0] \dut.flights ;
  (* hierconn *) logic [NumberBits-1:0] \dut.issued_q , \dut.answered_q ;

  logic [29:0] windows_end;                     // as in load_dma: bytes of a run that windows cover
  logic [15:0] windows;
  assign windows = command_i[isa_pkg::LoadWindowCountLsb +: 16];
  assign windows_end = {14'd0, windows - 16'd1} * {18'd0, command_i[isa_pkg::LoadWindowStepLsb +: 12]} +
                       {18'd0, command_i[isa_pkg::LoadWindowBytesLsb +: 12]} - {18'd0, 12'(-command_i[isa_pkg::LoadWindowOffsetLsb +: 12])};

  logic past_reset_q = 1'b0;
  logic ar_waits_q;
  logic [39:0] araddr_q;
  logic [7:0] arlen_q;
  logic [CountBits:0] unanswered_q;             // accepted
  always_ff @(posedge clk_i) past_reset_q <= 1'b1;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ar_waits_q <= 1'b0;
      unanswered_q <= '0;
    end else begin
      ar_waits_q <= arvalid && !arready_i;
      unanswered_q <= unanswered_q + (CountBits + 1)'(arvalid && arready_i) - (CountBits + 1)'(rvalid_i && rlast_i);
    end
  end
  always_ff @(posedge clk_i) begin
    araddr_q <= araddr;
    arlen_q <= arlen;
  end

  always_comb begin
    if (!past_reset_q) begin  // hierconn takes their first values away
      assume (!rst_ni && !\dut.u_flights.past_reset_q );
    end else begin
      assert (\dut.u_flights.past_reset_q );
    end
    if (rst_ni && past_reset_q) begin
      assume (!command_valid_i || (command_i[isa_pkg::LoadRunBytesLsb +: 24] != '0 && (windows == '0 || windows_end != '0)));
      assume (!rvalid_i || unanswered_q != '0);

      if (ar_waits_q) assert (arvalid && araddr == araddr_q && arlen == arlen_q);
      if (arvalid) begin
        assert (ar_bytes != '0 && 14'(araddr[OffsetBits-1:0]) + 14'(ar_bytes) <= 14'(BurstBytes));
        assert ({5'd0, arlen} == (13'(araddr[BusBits-1:0]) + ar_bytes - 13'd1) >> BusBits);
      end
      assert ((CountBits + 2)'(unanswered_q) + (CountBits + 2)'(arvalid) <= (CountBits + 2)'(Outstanding));

      // How that comes about.
      assert ((CountBits + 2)'(\dut.flights ) == (CountBits + 2)'(unanswered_q) + (CountBits + 2)'(arvalid));
      assert (NumberBits'(\dut.issued_q - \dut.answered_q ) == NumberBits'(\dut.flights ));
      if (\dut.cuts_q ) assert (\dut.run_bytes != '0 && \dut.u_bursts.left != '0);
    end
  end
endmodule
