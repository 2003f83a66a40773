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
  // BEGIN GEN ports (src/isa/ports_codegen.py)
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  csr_write_i,
  input  logic [11:0]           csr_write_offset_i,
  input  logic [31:0]           csr_write_data_i,
  output logic                  csr_written_o,
  input  logic                  csr_read_i,
  input  logic [11:0]           csr_read_offset_i,
  output logic                  csr_answered_o,
  output logic [31:0]           csr_data_o,
  output logic                  fetch_arvalid_o,
  output logic [39:0]           fetch_araddr_o,
  output logic [7:0]            fetch_arlen_o,
  output logic [12:0]           fetch_ar_bytes_o,
  input  logic                  fetch_arready_i,
  input  logic                  fetch_rvalid_i,
  input  logic [8*BusBytes-1:0] fetch_rdata_i,
  input  logic [1:0]            fetch_rresp_i,
  input  logic                  fetch_rlast_i,
  output logic                  load_arvalid_o,
  output logic [39:0]           load_araddr_o,
  output logic [7:0]            load_arlen_o,
  output logic [12:0]           load_ar_bytes_o,
  input  logic                  load_arready_i,
  input  logic                  load_rvalid_i,
  input  logic [8*BusBytes-1:0] load_rdata_i,
  input  logic [1:0]            load_rresp_i,
  input  logic                  load_rlast_i,
  output logic                  store_awvalid_o,
  output logic [39:0]           store_awaddr_o,
  output logic [7:0]            store_awlen_o,
  output logic [12:0]           store_aw_bytes_o,
  input  logic                  store_awready_i,
  output logic                  store_wvalid_o,
  output logic [8*BusBytes-1:0] store_wdata_o,
  output logic [BusBytes-1:0]   store_wstrb_o,
  output logic                  store_wlast_o,
  input  logic                  store_wready_i,
  input  logic                  store_bvalid_i,
  input  logic [1:0]            store_bresp_i,
  output logic                  running_o,
  output logic                  interrupt_o,
  output logic                  quiet_o
  // END GEN ports
);

  // Clocks since reset, for the sequencer, which counts by differences of it.
  logic [63:0] time_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) time_q <= '0;
    else time_q <= time_q + 64'd1;
  end

  // BEGIN GEN wiring (src/isa/ports_codegen.py)
  logic [3:0]                               sequencer_command_valid;
  logic [4*512-1:0]                         sequencer_command;
  logic                                     sequencer_quiet;
  logic                                     load_dma_done;
  logic                                     load_dma_chain;
  logic                                     load_dma_error;
  logic [1:0]                               load_dma_status;
  logic [3:0]                               load_dma_write;
  logic [17:0]                              load_dma_write_address;
  logic [8*(Rows>Columns?Rows:Columns)-1:0] load_dma_write_data;
  logic                                     load_dma_quiet;
  logic                                     matrix_unit_done;
  logic                                     matrix_unit_chain;
  logic                                     matrix_unit_activation_read;
  logic [17:0]                              matrix_unit_activation_address;
  logic                                     matrix_unit_weight_read;
  logic [17:0]                              matrix_unit_weight_address;
  logic                                     matrix_unit_accumulator_read;
  logic [17:0]                              matrix_unit_accumulator_read_address;
  logic                                     matrix_unit_accumulator_write;
  logic [17:0]                              matrix_unit_accumulator_write_address;
  logic [32*Columns-1:0]                    matrix_unit_accumulator_write_data;
  logic                                     matrix_unit_array_weight_valid;
  logic [9*Columns-1:0]                     matrix_unit_array_weight;
  logic                                     matrix_unit_array_activation_valid;
  logic                                     matrix_unit_array_activation_switch;
  logic [9*Rows-1:0]                        matrix_unit_array_activation;
  logic                                     matrix_unit_quiet;
  logic                                     pe_array_sums_valid;
  logic [32*Columns-1:0]                    pe_array_sums;
  logic                                     pe_array_quiet;
  logic                                     vector_unit_done;
  logic                                     vector_unit_accumulator_read;
  logic [17:0]                              vector_unit_accumulator_address;
  logic                                     vector_unit_vector_read;
  logic [17:0]                              vector_unit_vector_read_address;
  logic                                     vector_unit_param_read;
  logic [17:0]                              vector_unit_param_address;
  logic                                     vector_unit_vector_write;
  logic [17:0]                              vector_unit_vector_write_address;
  logic [8*Columns-1:0]                     vector_unit_vector_write_data;
  logic                                     vector_unit_requantizer_valid;
  logic [1:0]                               vector_unit_requantizer_rounding;
  logic [32*Lanes-1:0]                      vector_unit_requantizer_x;
  logic [32*Lanes-1:0]                      vector_unit_requantizer_multiplier;
  logic [6*Lanes-1:0]                       vector_unit_requantizer_shift;
  logic                                     vector_unit_quiet;
  logic                                     requantizer_valid;
  logic [32*Lanes-1:0]                      requantizer_y;
  logic                                     requantizer_quiet;
  logic                                     store_dma_done;
  logic                                     store_dma_chain;
  logic                                     store_dma_error;
  logic [1:0]                               store_dma_status;
  logic                                     store_dma_vector_read;
  logic [17:0]                              store_dma_vector_address;
  logic                                     store_dma_quiet;
  logic [8*Rows-1:0]                        activation_buffer_read_data;
  logic                                     activation_buffer_quiet;
  logic [8*Columns-1:0]                     weight_buffer_read_data;
  logic                                     weight_buffer_quiet;
  logic [8*Columns*2-1:0]                   vector_buffer_read_data;
  logic                                     vector_buffer_quiet;
  logic [8*Columns-1:0]                     param_buffer_read_data;
  logic                                     param_buffer_quiet;
  logic [8*4*Columns*2-1:0]                 accumulator_buffer_read_data;
  logic                                     accumulator_buffer_quiet;

  assign quiet_o = sequencer_quiet &&
                   load_dma_quiet &&
                   matrix_unit_quiet &&
                   pe_array_quiet &&
                   vector_unit_quiet &&
                   requantizer_quiet &&
                   store_dma_quiet &&
                   activation_buffer_quiet &&
                   weight_buffer_quiet &&
                   vector_buffer_quiet &&
                   param_buffer_quiet &&
                   accumulator_buffer_quiet;

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
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .time_i             (time_q),
    .csr_write_i        (csr_write_i),
    .csr_write_offset_i (csr_write_offset_i),
    .csr_write_data_i   (csr_write_data_i),
    .csr_written_o      (csr_written_o),
    .csr_read_i         (csr_read_i),
    .csr_read_offset_i  (csr_read_offset_i),
    .csr_answered_o     (csr_answered_o),
    .csr_data_o         (csr_data_o),
    .command_valid_o    (sequencer_command_valid),
    .command_o          (sequencer_command),
    .done_i             ({store_dma_done, vector_unit_done, matrix_unit_done, load_dma_done}),
    .chain_i            ({store_dma_chain, 1'd0, matrix_unit_chain, load_dma_chain}),
    .error_i            ({store_dma_error, 1'd0, 1'd0, load_dma_error}),
    .status_i           ({store_dma_status, 2'd0, 2'd0, load_dma_status}),
    .arvalid_o          (fetch_arvalid_o),
    .araddr_o           (fetch_araddr_o),
    .arlen_o            (fetch_arlen_o),
    .ar_bytes_o         (fetch_ar_bytes_o),
    .arready_i          (fetch_arready_i),
    .rvalid_i           (fetch_rvalid_i),
    .rdata_i            (fetch_rdata_i),
    .rresp_i            (fetch_rresp_i),
    .rlast_i            (fetch_rlast_i),
    .running_o          (running_o),
    .interrupt_o        (interrupt_o),
    .quiet_o            (sequencer_quiet)
  );

  load_dma #(
    .Rows        (Rows),
    .Columns     (Columns),
    .BusBytes    (BusBytes),
    .BurstBytes  (BurstBytes),
    .Outstanding (LoadOutstanding)
  ) u_load_dma (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .command_valid_i (sequencer_command_valid[0]),
    .command_i       (sequencer_command[512*0 +: 512]),
    .done_o          (load_dma_done),
    .chain_o         (load_dma_chain),
    .error_o         (load_dma_error),
    .status_o        (load_dma_status),
    .arvalid_o       (load_arvalid_o),
    .araddr_o        (load_araddr_o),
    .arlen_o         (load_arlen_o),
    .ar_bytes_o      (load_ar_bytes_o),
    .arready_i       (load_arready_i),
    .rvalid_i        (load_rvalid_i),
    .rdata_i         (load_rdata_i),
    .rresp_i         (load_rresp_i),
    .rlast_i         (load_rlast_i),
    .write_o         (load_dma_write),
    .write_address_o (load_dma_write_address),
    .write_data_o    (load_dma_write_data),
    .quiet_o         (load_dma_quiet)
  );

  matrix_unit #(
    .Rows    (Rows),
    .Columns (Columns)
  ) u_matrix_unit (
    .clk_i                       (clk_i),
    .rst_ni                      (rst_ni),
    .command_valid_i             (sequencer_command_valid[1]),
    .command_i                   (sequencer_command[512*1 +: 512]),
    .done_o                      (matrix_unit_done),
    .chain_o                     (matrix_unit_chain),
    .activation_read_o           (matrix_unit_activation_read),
    .activation_address_o        (matrix_unit_activation_address),
    .activation_data_i           (activation_buffer_read_data),
    .weight_read_o               (matrix_unit_weight_read),
    .weight_address_o            (matrix_unit_weight_address),
    .weight_data_i               (weight_buffer_read_data),
    .accumulator_read_o          (matrix_unit_accumulator_read),
    .accumulator_read_address_o  (matrix_unit_accumulator_read_address),
    .accumulator_data_i          (accumulator_buffer_read_data[8*4*Columns*0 +: 8*4*Columns]),
    .accumulator_write_o         (matrix_unit_accumulator_write),
    .accumulator_write_address_o (matrix_unit_accumulator_write_address),
    .accumulator_write_data_o    (matrix_unit_accumulator_write_data),
    .array_weight_valid_o        (matrix_unit_array_weight_valid),
    .array_weight_o              (matrix_unit_array_weight),
    .array_activation_valid_o    (matrix_unit_array_activation_valid),
    .array_activation_switch_o   (matrix_unit_array_activation_switch),
    .array_activation_o          (matrix_unit_array_activation),
    .array_sums_valid_i          (pe_array_sums_valid),
    .array_sums_i                (pe_array_sums),
    .quiet_o                     (matrix_unit_quiet)
  );

  pe_array #(
    .Rows    (Rows),
    .Columns (Columns)
  ) u_pe_array (
    .clk_i               (clk_i),
    .rst_ni              (rst_ni),
    .weight_valid_i      (matrix_unit_array_weight_valid),
    .weight_i            (matrix_unit_array_weight),
    .activation_valid_i  (matrix_unit_array_activation_valid),
    .activation_switch_i (matrix_unit_array_activation_switch),
    .activation_i        (matrix_unit_array_activation),
    .sums_valid_o        (pe_array_sums_valid),
    .sums_o              (pe_array_sums),
    .quiet_o             (pe_array_quiet)
  );

  vector_unit #(
    .Columns (Columns),
    .Lanes   (Lanes)
  ) u_vector_unit (
    .clk_i                    (clk_i),
    .rst_ni                   (rst_ni),
    .command_valid_i          (sequencer_command_valid[2]),
    .command_i                (sequencer_command[512*2 +: 512]),
    .done_o                   (vector_unit_done),
    .accumulator_read_o       (vector_unit_accumulator_read),
    .accumulator_address_o    (vector_unit_accumulator_address),
    .accumulator_data_i       (accumulator_buffer_read_data[8*4*Columns*1 +: 8*4*Columns]),
    .vector_read_o            (vector_unit_vector_read),
    .vector_read_address_o    (vector_unit_vector_read_address),
    .vector_data_i            (vector_buffer_read_data[8*Columns*0 +: 8*Columns]),
    .param_read_o             (vector_unit_param_read),
    .param_address_o          (vector_unit_param_address),
    .param_data_i             (param_buffer_read_data),
    .vector_write_o           (vector_unit_vector_write),
    .vector_write_address_o   (vector_unit_vector_write_address),
    .vector_write_data_o      (vector_unit_vector_write_data),
    .requantizer_valid_o      (vector_unit_requantizer_valid),
    .requantizer_rounding_o   (vector_unit_requantizer_rounding),
    .requantizer_x_o          (vector_unit_requantizer_x),
    .requantizer_multiplier_o (vector_unit_requantizer_multiplier),
    .requantizer_shift_o      (vector_unit_requantizer_shift),
    .requantizer_valid_i      (requantizer_valid),
    .requantizer_y_i          (requantizer_y),
    .quiet_o                  (vector_unit_quiet)
  );

  requantizer #(
    .Lanes (Lanes)
  ) u_requantizer (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .valid_i      (vector_unit_requantizer_valid),
    .rounding_i   (vector_unit_requantizer_rounding),
    .x_i          (vector_unit_requantizer_x),
    .multiplier_i (vector_unit_requantizer_multiplier),
    .shift_i      (vector_unit_requantizer_shift),
    .valid_o      (requantizer_valid),
    .y_o          (requantizer_y),
    .quiet_o      (requantizer_quiet)
  );

  store_dma #(
    .Columns     (Columns),
    .BusBytes    (BusBytes),
    .BurstBytes  (BurstBytes),
    .Outstanding (StoreOutstanding)
  ) u_store_dma (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .command_valid_i  (sequencer_command_valid[3]),
    .command_i        (sequencer_command[512*3 +: 512]),
    .done_o           (store_dma_done),
    .chain_o          (store_dma_chain),
    .error_o          (store_dma_error),
    .status_o         (store_dma_status),
    .vector_read_o    (store_dma_vector_read),
    .vector_address_o (store_dma_vector_address),
    .vector_data_i    (vector_buffer_read_data[8*Columns*1 +: 8*Columns]),
    .awvalid_o        (store_awvalid_o),
    .awaddr_o         (store_awaddr_o),
    .awlen_o          (store_awlen_o),
    .aw_bytes_o       (store_aw_bytes_o),
    .awready_i        (store_awready_i),
    .wvalid_o         (store_wvalid_o),
    .wdata_o          (store_wdata_o),
    .wstrb_o          (store_wstrb_o),
    .wlast_o          (store_wlast_o),
    .wready_i         (store_wready_i),
    .bvalid_i         (store_bvalid_i),
    .bresp_i          (store_bresp_i),
    .quiet_o          (store_dma_quiet)
  );

  scratchpad #(
    .WordBytes    (Rows),
    .Words        (ActivationWords),
    .Banks        (ActivationBanks),
    .ReadClients  (1),
    .WriteClients (1)
  ) u_activation_buffer (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .read_i          (matrix_unit_activation_read),
    .read_address_i  (matrix_unit_activation_address),
    .read_data_o     (activation_buffer_read_data),
    .write_i         (load_dma_write[0]),
    .write_address_i (load_dma_write_address),
    .write_data_i    (load_dma_write_data[8*Rows-1:0]),
    .quiet_o         (activation_buffer_quiet)
  );

  scratchpad #(
    .WordBytes    (Columns),
    .Words        (WeightWords),
    .Banks        (WeightBanks),
    .ReadClients  (1),
    .WriteClients (1)
  ) u_weight_buffer (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .read_i          (matrix_unit_weight_read),
    .read_address_i  (matrix_unit_weight_address),
    .read_data_o     (weight_buffer_read_data),
    .write_i         (load_dma_write[1]),
    .write_address_i (load_dma_write_address),
    .write_data_i    (load_dma_write_data[8*Columns-1:0]),
    .quiet_o         (weight_buffer_quiet)
  );

  scratchpad #(
    .WordBytes    (Columns),
    .Words        (VectorWords),
    .Banks        (VectorBanks),
    .ReadClients  (2),
    .WriteClients (2)
  ) u_vector_buffer (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .read_i          ({store_dma_vector_read, vector_unit_vector_read}),
    .read_address_i  ({store_dma_vector_address, vector_unit_vector_read_address}),
    .read_data_o     (vector_buffer_read_data),
    .write_i         ({vector_unit_vector_write, load_dma_write[2]}),
    .write_address_i ({vector_unit_vector_write_address, load_dma_write_address}),
    .write_data_i    ({vector_unit_vector_write_data, load_dma_write_data[8*Columns-1:0]}),
    .quiet_o         (vector_buffer_quiet)
  );

  scratchpad #(
    .WordBytes    (Columns),
    .Words        (ParamWords),
    .Banks        (ParamBanks),
    .ReadClients  (1),
    .WriteClients (1)
  ) u_param_buffer (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .read_i          (vector_unit_param_read),
    .read_address_i  (vector_unit_param_address),
    .read_data_o     (param_buffer_read_data),
    .write_i         (load_dma_write[3]),
    .write_address_i (load_dma_write_address),
    .write_data_i    (load_dma_write_data[8*Columns-1:0]),
    .quiet_o         (param_buffer_quiet)
  );

  scratchpad #(
    .WordBytes    (4*Columns),
    .Words        (AccumulatorWords),
    .Banks        (AccumulatorBanks),
    .ReadClients  (2),
    .WriteClients (1)
  ) u_accumulator_buffer (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .read_i          ({vector_unit_accumulator_read, matrix_unit_accumulator_read}),
    .read_address_i  ({vector_unit_accumulator_address, matrix_unit_accumulator_read_address}),
    .read_data_o     (accumulator_buffer_read_data),
    .write_i         (matrix_unit_accumulator_write),
    .write_address_i (matrix_unit_accumulator_write_address),
    .write_data_i    (matrix_unit_accumulator_write_data),
    .quiet_o         (accumulator_buffer_quiet)
  );
  // END GEN wiring

endmodule
