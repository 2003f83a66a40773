// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: a sequencer that answers no access to its registers.
// run: --block sequencer=rtl:SELF
module sequencer #(
  parameter int Rows = 16,  // rows
  parameter int Columns = 16,  // columns
  parameter int BusBytes = 16,  // bus_bytes
  parameter int BurstBytes = 256,  // burst_bytes
  parameter int QueueDepth = 8,  // queue_depth
  parameter int PrefetchInstructions = 16,  // prefetch_instructions
  parameter int ActivationWords = 8192,  // activation_words
  parameter int WeightWords = 4096,  // weight_words
  parameter int VectorWords = 8192,  // vector_words
  parameter int ParamWords = 256,  // param_words
  parameter int AccumulatorWords = 1024,  // accumulator_words
  parameter int ActivationBanks = 8,  // activation_banks
  parameter int WeightBanks = 4,  // weight_banks
  parameter int VectorBanks = 8,  // vector_banks
  parameter int ParamBanks = 4,  // param_banks
  parameter int AccumulatorBanks = 4,  // accumulator_banks
  parameter int Machine = 0  // machine
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,  // asynchronous, active low
  input  logic [63:0]           time_i,  // clocks since whenever: what cycles and counters are counted by
  input  logic                  csr_write_i,  // a register is written
  input  logic [11:0]           csr_write_offset_i,  // its offset in bytes
  input  logic [31:0]           csr_write_data_i,  // its value
  output logic                  csr_written_o,  // the write has taken effect
  input  logic                  csr_read_i,  // a register is read
  input  logic [11:0]           csr_read_offset_i,  // its offset in bytes
  output logic                  csr_answered_o,  // the answer, two cycles after csr_read_i
  output logic [31:0]           csr_data_o,  // the value of the register
  output logic [3:0]            command_valid_o,  // one bit per unit: starts an instruction
  output logic [4*512-1:0]      command_o,  // one instruction per unit
  input  logic [3:0]            done_i,  // one bit per unit: complete
  input  logic [3:0]            chain_i,  // one bit per unit: the next may start
  input  logic [3:0]            error_i,  // one bit per unit: ended in a memory error
  input  logic [7:0]            status_i,  // two bits per unit: what it waits for
  output logic                  arvalid_o,  // a burst is asked for; held until arready_i
  output logic [39:0]           araddr_o,  // byte address of the burst, not aligned
  output logic [7:0]            arlen_o,  // beats of the burst less one
  output logic [12:0]           ar_bytes_o,  // bytes wanted, from the address on
  input  logic                  arready_i,  // memory accepts a burst
  input  logic                  rvalid_i,  // a beat of read data; always taken
  input  logic [8*BusBytes-1:0] rdata_i,  // data of the beat
  input  logic [1:0]            rresp_i,  // 0 okay, 2 memory error
  input  logic                  rlast_i,  // last beat of its burst
  output logic                  running_o,  // a program runs
  output logic                  interrupt_o,  // the program has ended, and interrupts are enabled
  output logic                  quiet_o  // 1: nothing outside would change without new inputs; 0 is always safe
);

  // Every output is a register.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      csr_written_o <= '0;
      csr_answered_o <= '0;
      csr_data_o <= '0;
      command_valid_o <= '0;
      command_o <= '0;
      arvalid_o <= '0;
      araddr_o <= '0;
      arlen_o <= '0;
      ar_bytes_o <= '0;
      running_o <= '0;
      interrupt_o <= '0;
      quiet_o <= 1'b0;
    end else begin
      // Here: what the block does.
      csr_written_o <= '0;
      csr_answered_o <= '0;
      csr_data_o <= '0;
      command_valid_o <= '0;
      command_o <= '0;
      arvalid_o <= '0;
      araddr_o <= '0;
      arlen_o <= '0;
      ar_bytes_o <= '0;
      running_o <= '0;
      interrupt_o <= '0;
      quiet_o <= 1'b0;
    end
  end

endmodule
