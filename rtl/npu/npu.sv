// SPDX-License-Identifier: Apache-2.0
// npu: the whole chip, all blocks wired up as docs/reference/machine.md, 1, says; nothing else is in here. Outside are the registers
// (AXI4-Lite, reduced to what the machine uses) and three AXI4 masters: fetch and load read, store writes. RREADY, WREADY and
// BREADY are constantly 1. Every output is a register of the block that drives it, or follows from its registers alone.

module npu #(
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
  parameter int Machine = 0  // digest of all of the machine's parameters that programs depend on; 0: programs for any machine only
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // registers
  input  logic                  csr_write_i,
  input  logic [11:0]           csr_write_offset_i,
  input  logic [31:0]           csr_write_data_i,
  output logic                  csr_written_o,
  input  logic                  csr_read_i,
  input  logic [11:0]           csr_read_offset_i,
  output logic                  csr_answered_o,
  output logic [31:0]           csr_data_o,
  // fetch
  output logic                  fetch_arvalid_o,
  output logic [39:0]           fetch_araddr_o,
  output logic [7:0]            fetch_arlen_o,
  output logic [12:0]           fetch_ar_bytes_o,
  input  logic                  fetch_arready_i,
  input  logic                  fetch_rvalid_i,
  input  logic [8*BusBytes-1:0] fetch_rdata_i,
  input  logic [1:0]            fetch_rresp_i,
  input  logic                  fetch_rlast_i,
  // load
  output logic                  load_arvalid_o,
  output logic [39:0]           load_araddr_o,
  output logic [7:0]            load_arlen_o,
  output logic [12:0]           load_ar_bytes_o,
  input  logic                  load_arready_i,
  input  logic                  load_rvalid_i,
  input  logic [8*BusBytes-1:0] load_rdata_i,
  input  logic [1:0]            load_rresp_i,
  input  logic                  load_rlast_i,
  // store
  output logic                  store_awvalid_o,
  output logic [39:0]           store_awaddr_o,
  output logic [7:0]            store_awlen_o,
  output logic [12:0]           store_aw_bytes_o,
  input  logic                  store_awready_i,
  output logic                  store_wvalid_o,
  output logic [8*BusBytes-1:0] store_wdata_o,
  output logic [BusBytes-1:0]   store_wstrb_o,
  output logic                  store_wlast_o,
  input  logic                  store_bvalid_i,
  input  logic [1:0]            store_bresp_i,
  // state
  output logic                  running_o,
  output logic                  interrupt_o,
  output logic                  quiet_o
);

  localparam int WordBytes = Rows > Columns ? Rows : Columns;

  // ---- Units, in the order of isa_pkg::unit_e ----

  localparam int Units = isa_pkg::UnitCount;
  localparam int Load = 0, Matrix = 1, Vector = 2, Store = 3;

  logic [Units-1:0] command_valid, done, chain, error;
  logic [512*Units-1:0] command;
  logic [2*Units-1:0] status;
  logic sequencer_quiet, load_quiet, matrix_quiet, array_quiet, vector_quiet, requantizer_quiet, store_quiet;
  logic [4:0] buffer_quiet;

  assign chain[Vector] = 1'b0;
  assign error[Matrix] = 1'b0;
  assign error[Vector] = 1'b0;
  assign status[2*Matrix +: 2] = 2'd0;  // busy as long as they have something in flight
  assign status[2*Vector +: 2] = 2'd0;
  assign quiet_o = sequencer_quiet && load_quiet && matrix_quiet && array_quiet && vector_quiet && requantizer_quiet &&
                   store_quiet && buffer_quiet == '1;

  logic [63:0] time_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) time_q <= '0;
    else time_q <= time_q + 64'd1;
  end

  sequencer #(
    .Rows                 (Rows),
    .Columns              (Columns),
    .BusBytes             (BusBytes),
    .BurstBytes           (BurstBytes),
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
  ) u_sequencer (
    .clk_i,
    .rst_ni,
    .time_i          (time_q),
    .csr_write_i,
    .csr_write_offset_i,
    .csr_write_data_i,
    .csr_written_o,
    .csr_read_i,
    .csr_read_offset_i,
    .csr_answered_o,
    .csr_data_o,
    .command_valid_o (command_valid),
    .command_o       (command),
    .done_i          (done),
    .chain_i         (chain),
    .error_i         (error),
    .status_i        (status),
    .arvalid_o       (fetch_arvalid_o),
    .araddr_o        (fetch_araddr_o),
    .arlen_o         (fetch_arlen_o),
    .ar_bytes_o      (fetch_ar_bytes_o),
    .arready_i       (fetch_arready_i),
    .rvalid_i        (fetch_rvalid_i),
    .rdata_i         (fetch_rdata_i),
    .rresp_i         (fetch_rresp_i),
    .rlast_i         (fetch_rlast_i),
    .running_o,
    .interrupt_o,
    .quiet_o         (sequencer_quiet)
  );

  // ---- load_dma ----

  localparam int ToActivation = 0, ToWeight = 1, ToVector = 2, ToParam = 3;  // as isa_pkg::buffer_e
  logic [3:0] load_write;
  logic [17:0] load_address;
  logic [8*WordBytes-1:0] load_data;

  load_dma #(
    .Rows        (Rows),
    .Columns     (Columns),
    .BusBytes    (BusBytes),
    .BurstBytes  (BurstBytes),
    .Outstanding (LoadOutstanding)
  ) u_load_dma (
    .clk_i,
    .rst_ni,
    .command_valid_i (command_valid[Load]),
    .command_i       (command[512*Load +: 512]),
    .done_o          (done[Load]),
    .chain_o         (chain[Load]),
    .error_o         (error[Load]),
    .status_o        (status[2*Load +: 2]),
    .arvalid_o       (load_arvalid_o),
    .araddr_o        (load_araddr_o),
    .arlen_o         (load_arlen_o),
    .ar_bytes_o      (load_ar_bytes_o),
    .arready_i       (load_arready_i),
    .rvalid_i        (load_rvalid_i),
    .rdata_i         (load_rdata_i),
    .rresp_i         (load_rresp_i),
    .rlast_i         (load_rlast_i),
    .write_o         (load_write),
    .write_address_o (load_address),
    .write_data_o    (load_data),
    .quiet_o         (load_quiet)
  );

  // ---- matrix_unit and pe_array ----

  logic activation_read, weight_read, sums_read, sums_write;
  logic [17:0] activation_address, weight_address, sums_read_address, sums_write_address;
  logic [8*Rows-1:0] activation_data;
  logic [8*Columns-1:0] weight_data;
  logic [32*Columns-1:0] sums_data, sums_write_data;
  logic array_weight_valid, array_activation_valid, array_switch, array_sums_valid;
  logic [9*Columns-1:0] array_weight;
  logic [9*Rows-1:0] array_activation;
  logic [32*Columns-1:0] array_sums;

  matrix_unit #(
    .Rows    (Rows),
    .Columns (Columns)
  ) u_matrix_unit (
    .clk_i,
    .rst_ni,
    .command_valid_i             (command_valid[Matrix]),
    .command_i                   (command[512*Matrix +: 512]),
    .done_o                      (done[Matrix]),
    .chain_o                     (chain[Matrix]),
    .activation_read_o           (activation_read),
    .activation_address_o        (activation_address),
    .activation_data_i           (activation_data),
    .weight_read_o               (weight_read),
    .weight_address_o            (weight_address),
    .weight_data_i               (weight_data),
    .accumulator_read_o          (sums_read),
    .accumulator_read_address_o  (sums_read_address),
    .accumulator_data_i          (sums_data),
    .accumulator_write_o         (sums_write),
    .accumulator_write_address_o (sums_write_address),
    .accumulator_write_data_o    (sums_write_data),
    .array_weight_valid_o        (array_weight_valid),
    .array_weight_o              (array_weight),
    .array_activation_valid_o    (array_activation_valid),
    .array_activation_switch_o   (array_switch),
    .array_activation_o          (array_activation),
    .array_sums_valid_i          (array_sums_valid),
    .array_sums_i                (array_sums),
    .quiet_o                     (matrix_quiet)
  );

  pe_array #(
    .Rows    (Rows),
    .Columns (Columns)
  ) u_pe_array (
    .clk_i,
    .rst_ni,
    .weight_valid_i      (array_weight_valid),
    .weight_i            (array_weight),
    .activation_valid_i  (array_activation_valid),
    .activation_switch_i (array_switch),
    .activation_i        (array_activation),
    .sums_valid_o        (array_sums_valid),
    .sums_o              (array_sums),
    .quiet_o             (array_quiet)
  );

  // ---- vector_unit and requantizer ----

  logic result_read, source_read, param_read, result_write, requantizer_valid, requantized;
  logic [17:0] result_address, source_address, param_address, result_write_address;
  logic [32*Columns-1:0] result_data;
  logic [8*Columns-1:0] source_data, param_data, result_write_data;
  logic [1:0] requantizer_rounding;
  logic [32*Lanes-1:0] requantizer_x, requantizer_multiplier, requantizer_y;
  logic [6*Lanes-1:0] requantizer_shift;

  vector_unit #(
    .Columns (Columns),
    .Lanes   (Lanes)
  ) u_vector_unit (
    .clk_i,
    .rst_ni,
    .command_valid_i          (command_valid[Vector]),
    .command_i                (command[512*Vector +: 512]),
    .done_o                   (done[Vector]),
    .accumulator_read_o       (result_read),
    .accumulator_address_o    (result_address),
    .accumulator_data_i       (result_data),
    .vector_read_o            (source_read),
    .vector_read_address_o    (source_address),
    .vector_data_i            (source_data),
    .param_read_o             (param_read),
    .param_address_o          (param_address),
    .param_data_i             (param_data),
    .vector_write_o           (result_write),
    .vector_write_address_o   (result_write_address),
    .vector_write_data_o      (result_write_data),
    .requantizer_valid_o      (requantizer_valid),
    .requantizer_rounding_o   (requantizer_rounding),
    .requantizer_x_o          (requantizer_x),
    .requantizer_multiplier_o (requantizer_multiplier),
    .requantizer_shift_o      (requantizer_shift),
    .requantizer_valid_i      (requantized),
    .requantizer_y_i          (requantizer_y),
    .quiet_o                  (vector_quiet)
  );

  requantizer #(
    .Lanes (Lanes)
  ) u_requantizer (
    .clk_i,
    .rst_ni,
    .valid_i      (requantizer_valid),
    .rounding_i   (requantizer_rounding),
    .x_i          (requantizer_x),
    .multiplier_i (requantizer_multiplier),
    .shift_i      (requantizer_shift),
    .valid_o      (requantized),
    .y_o          (requantizer_y),
    .quiet_o      (requantizer_quiet)
  );

  // ---- store_dma ----

  logic store_read;
  logic [17:0] store_address;
  logic [8*Columns-1:0] store_data;

  store_dma #(
    .Columns     (Columns),
    .BusBytes    (BusBytes),
    .BurstBytes  (BurstBytes),
    .Outstanding (StoreOutstanding)
  ) u_store_dma (
    .clk_i,
    .rst_ni,
    .command_valid_i  (command_valid[Store]),
    .command_i        (command[512*Store +: 512]),
    .done_o           (done[Store]),
    .chain_o          (chain[Store]),
    .error_o          (error[Store]),
    .status_o         (status[2*Store +: 2]),
    .vector_read_o    (store_read),
    .vector_address_o (store_address),
    .vector_data_i    (store_data),
    .awvalid_o        (store_awvalid_o),
    .awaddr_o         (store_awaddr_o),
    .awlen_o          (store_awlen_o),
    .aw_bytes_o       (store_aw_bytes_o),
    .awready_i        (store_awready_i),
    .wvalid_o         (store_wvalid_o),
    .wdata_o          (store_wdata_o),
    .wstrb_o          (store_wstrb_o),
    .wlast_o          (store_wlast_o),
    .bvalid_i         (store_bvalid_i),
    .bresp_i          (store_bresp_i),
    .quiet_o          (store_quiet)
  );

  // ---- Buffers ----

  scratchpad #(
    .WordBytes    (Rows),
    .Words        (ActivationWords),
    .Banks        (ActivationBanks),
    .ReadClients  (1),
    .WriteClients (1)
  ) u_activation_buffer (
    .clk_i,
    .rst_ni,
    .read_i          (activation_read),
    .read_address_i  (activation_address),
    .read_data_o     (activation_data),
    .write_i         (load_write[ToActivation]),
    .write_address_i (load_address),
    .write_data_i    (load_data[8*Rows-1:0]),
    .quiet_o         (buffer_quiet[0])
  );

  scratchpad #(
    .WordBytes    (Columns),
    .Words        (WeightWords),
    .Banks        (WeightBanks),
    .ReadClients  (1),
    .WriteClients (1)
  ) u_weight_buffer (
    .clk_i,
    .rst_ni,
    .read_i          (weight_read),
    .read_address_i  (weight_address),
    .read_data_o     (weight_data),
    .write_i         (load_write[ToWeight]),
    .write_address_i (load_address),
    .write_data_i    (load_data[8*Columns-1:0]),
    .quiet_o         (buffer_quiet[1])
  );

  scratchpad #(
    .WordBytes    (Columns),
    .Words        (VectorWords),
    .Banks        (VectorBanks),
    .ReadClients  (2),
    .WriteClients (2)
  ) u_vector_buffer (
    .clk_i,
    .rst_ni,
    .read_i          ({store_read, source_read}),
    .read_address_i  ({store_address, source_address}),
    .read_data_o     ({store_data, source_data}),
    .write_i         ({result_write, load_write[ToVector]}),
    .write_address_i ({result_write_address, load_address}),
    .write_data_i    ({result_write_data, load_data[8*Columns-1:0]}),
    .quiet_o         (buffer_quiet[2])
  );

  scratchpad #(
    .WordBytes    (Columns),
    .Words        (ParamWords),
    .Banks        (ParamBanks),
    .ReadClients  (1),
    .WriteClients (1)
  ) u_param_buffer (
    .clk_i,
    .rst_ni,
    .read_i          (param_read),
    .read_address_i  (param_address),
    .read_data_o     (param_data),
    .write_i         (load_write[ToParam]),
    .write_address_i (load_address),
    .write_data_i    (load_data[8*Columns-1:0]),
    .quiet_o         (buffer_quiet[3])
  );

  scratchpad #(
    .WordBytes    (4 * Columns),
    .Words        (AccumulatorWords),
    .Banks        (AccumulatorBanks),
    .ReadClients  (2),
    .WriteClients (1)
  ) u_accumulator_buffer (
    .clk_i,
    .rst_ni,
    .read_i          ({result_read, sums_read}),
    .read_address_i  ({result_address, sums_read_address}),
    .read_data_o     ({result_data, sums_data}),
    .write_i         (sums_write),
    .write_address_i (sums_write_address),
    .write_data_i    (sums_write_data),
    .quiet_o         (buffer_quiet[4])
  );

endmodule
