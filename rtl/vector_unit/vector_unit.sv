// SPDX-License-Identifier: Apache-2.0
// vector_unit: an issuer that emits one parameter read or one step per cycle, and a pipeline of 14 stages behind it, in which the
// requantizer (a neighbour behind registers) takes six; contract: src/blocks/vector_unit/vector_unit_ports.hpp, cycles:
// docs/reference/machine.md, 4. A step's stage k is k cycles after the cycle in which the issuer made it:
//   1 read | 2 read data | 3 zero point removed | 4 product | 5 sum over taps | 6 into the requantizer, with bias | 12 out of it |
//   13 zero point and clamp | 14 table | 15 write
// mul: of two steps the second multiplies by what the first has read, which is still in its register.
// add, sub: the first two steps send their results through; the sum of both enters in the third step's slot, six cycles later than
// a plain step would, and everything behind is six cycles later. pool_max: a delay line in place of the requantizer.
// Where an index chooses one of many registers, Verilator gets the index (a load or a store of its own) and synthesis gets enables and AND-OR
// selects, which Yosys would not find in a shift over all of them; the table is registers that all lanes look into, or a memory in every lane,
// whose read register is the stage's, which takes a fifth of the area of 256 registers to choose from. compute_test holds both against the model.
// A parameter word is written to its register 5 cycles after its read was issued. That is early enough for the first step of the
// next block and late enough for the last step of the block before.
`include "assertions.svh"

module vector_unit #(
  parameter int Columns = 16,
  parameter int Lanes = 16
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // command
  input  logic                  command_valid_i,
  input  logic [511:0]          command_i,
  output logic                  done_o,
  // buffers
  output logic                  accumulator_read_o,
  output logic [17:0]           accumulator_address_o,
  input  logic [32*Columns-1:0] accumulator_data_i,
  output logic                  vector_read_o,
  output logic [17:0]           vector_read_address_o,
  input  logic [8*Columns-1:0]  vector_data_i,
  output logic                  param_read_o,
  output logic [17:0]           param_address_o,
  input  logic [8*Columns-1:0]  param_data_i,
  output logic                  vector_write_o,
  output logic [17:0]           vector_write_address_o,
  output logic [8*Columns-1:0]  vector_write_data_o,
  // requantizer
  output logic                  requantizer_valid_o,
  output logic [1:0]            requantizer_rounding_o,
  output logic [32*Lanes-1:0]   requantizer_x_o,
  output logic [32*Lanes-1:0]   requantizer_multiplier_o,
  output logic [6*Lanes-1:0]    requantizer_shift_o,
  input  logic                  requantizer_valid_i,
  input  logic [32*Lanes-1:0]   requantizer_y_i,
  output logic                  quiet_o
);

  localparam int Slices = (Columns + Lanes - 1) / Lanes;
  localparam int SliceWidth = Slices > 1 ? $clog2(Slices) : 1;
  localparam int TableWords = (256 + Columns - 1) / Columns;
  localparam int SetWords = 9;                  // bias 4, multiplier 4, shift 1
  localparam int AddSets = 3;
  localparam int WordBits = 8 * Columns;
  localparam int SetBits = SetWords * WordBits;
  localparam int MultiplierLsb = 4 * WordBits;  // in a set
  localparam int ShiftLsb = 8 * WordBits;
  localparam int Feed = 5, AddFeed = 11;        // stages whose values enter the requantizer's registers
  localparam int Result = 12, AddResult = 18;
  localparam int Write = 14, AddWrite = 20;
  localparam int Places = AddWrite + 1;

  `GEMEL_PARAMETER(ColumnsLegal, Columns >= 1 && Columns <= 256)
  `GEMEL_PARAMETER(LanesLegal, Lanes >= 1 && Lanes <= Columns)

  // ---- The instruction. There is never a second ----

  logic [511:0] word_q;
  logic is_sums_q, is_add_q, is_sub_q, is_mul_q, is_max_q, is_depthwise_q, own_sets_q;
  // Words between: rows of the source; outputs and taps that are neighbours in x. The first tap's place in words of 1.
  logic [17:0] row_q, step_x_q, tap_x_q, first_q;

  always_ff @(posedge clk_i) begin
    if (command_valid_i) begin
      word_q <= command_i;
      is_sums_q <= command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeRequantize;
      is_add_q <= command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeAdd ||
                  command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeSub;
      is_sub_q <= command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeSub;
      is_mul_q <= command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeMul;
      is_max_q <= command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodePoolMax;
      is_depthwise_q <= command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeDepthwise;
      own_sets_q <= command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeDepthwise ||
                    ((command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeRequantize ||
                      command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodePoolSum ||
                      command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeMul) &&
                     !command_i[isa_pkg::VectorParamSharedLsb]);
      row_q <= 18'(command_i[isa_pkg::VectorSrcWidthLsb +: isa_pkg::VectorSrcWidthWidth]) *
               18'(command_i[isa_pkg::VectorPixelWordsLsb +: isa_pkg::VectorPixelWordsWidth]);
      step_x_q <= 18'(command_i[isa_pkg::VectorStrideXLsb +: isa_pkg::VectorStrideXWidth]) *
                  18'(command_i[isa_pkg::VectorPixelWordsLsb +: isa_pkg::VectorPixelWordsWidth]);
      tap_x_q <= 18'(command_i[isa_pkg::VectorDilationXLsb +: isa_pkg::VectorDilationXWidth]) *
                 18'(command_i[isa_pkg::VectorPixelWordsLsb +: isa_pkg::VectorPixelWordsWidth]);
      first_q <= 18'($signed(command_i[isa_pkg::VectorOriginYLsb +: isa_pkg::VectorOriginYWidth])) *
                 18'(command_i[isa_pkg::VectorSrcWidthLsb +: isa_pkg::VectorSrcWidthWidth]) +
                 18'($signed(command_i[isa_pkg::VectorOriginXLsb +: isa_pkg::VectorOriginXWidth]));
    end
  end
  assign requantizer_rounding_o = word_q[isa_pkg::VectorRoundingLsb +: isa_pkg::VectorRoundingWidth];

  // ---- Issue: one parameter read or step per cycle ----

  logic       issuing_q;
  logic       parameters;          // this cycle makes a parameter read
  logic       steps;               // this cycle makes a step
  logic [8:0] parameters_left_q;   // words before the next step
  logic [8:0] table_left_q;        // of them, of the table
  logic [7:0] parameter_index_q;
  logic [17:0] parameter_at_q;     // next word; of depthwise: first weight of the block
  logic [15:0] weight_at_q;        // from there to the tap's

  // The step: from the first tap of all, words to where it reads; place in the source; what is left, itself included.
  logic [17:0]           offset_q, ky_offset_q, pixel_offset_q, line_offset_q, plane_offset_q, block_offset_q;
  logic signed [23:0]    y_q, x_q, pixel_y_q, pixel_x_q;
  logic [7:0]            kx_left_q, ky_left_q, z_left_q;
  logic [13:0]           x_left_q, y_left_q;
  logic [11:0]           blocks_left_q;
  logic [SliceWidth-1:0] slice_q;
  logic [1:0]            phase_q;             // add, mul: first source, second source; add: none
  logic                  first_tap_q;
  logic [17:0]           sums_at_q, destination_q, block_destination_q;

  logic [17:0] step_y, tap_y, source, source_address;
  logic        resident, kx_ends, tap_ends, word_ends, line_ends, plane_ends, block_ends, job_ends;
  logic [7:0]  kernel_h, kernel_w;
  logic signed [23:0] origin_y, origin_x;

  // Constant during an instruction. Computed combinationally, because they are needed one cycle after the command, too early to have
  // been registered.
  assign step_y = 18'(word_q[isa_pkg::VectorStrideYLsb +: isa_pkg::VectorStrideYWidth]) * row_q;
  assign tap_y = 18'(word_q[isa_pkg::VectorDilationYLsb +: isa_pkg::VectorDilationYWidth]) * row_q;
  assign source = first_q * 18'(word_q[isa_pkg::VectorPixelWordsLsb +: isa_pkg::VectorPixelWordsWidth]) +
                  (phase_q[0] ? word_q[isa_pkg::VectorSrc1BaseLsb +: isa_pkg::VectorSrc1BaseWidth] :
                                word_q[isa_pkg::VectorSrc0BaseLsb +: isa_pkg::VectorSrc0BaseWidth]);
  assign source_address = source + offset_q;
  assign kernel_h = word_q[isa_pkg::VectorKernelHLsb +: isa_pkg::VectorKernelHWidth];
  assign kernel_w = word_q[isa_pkg::VectorKernelWLsb +: isa_pkg::VectorKernelWWidth];
  assign origin_y = 24'($signed(word_q[isa_pkg::VectorOriginYLsb +: isa_pkg::VectorOriginYWidth]));
  assign origin_x = 24'($signed(word_q[isa_pkg::VectorOriginXLsb +: isa_pkg::VectorOriginXWidth]));

  assign parameters = issuing_q && parameters_left_q != 9'd0;
  assign steps = issuing_q && parameters_left_q == 9'd0;
  assign resident = !y_q[23] && y_q < $signed(24'(word_q[isa_pkg::VectorSrcHeightLsb +: isa_pkg::VectorSrcHeightWidth])) &&
                    !x_q[23] && x_q < $signed(24'(word_q[isa_pkg::VectorSrcWidthLsb +: isa_pkg::VectorSrcWidthWidth])) &&
                    phase_q != 2'd2;
  assign kx_ends = kx_left_q == 8'd1;
  assign tap_ends = is_add_q ? phase_q == 2'd2 : is_mul_q ? phase_q == 2'd1 : is_sums_q || (kx_ends && ky_left_q == 8'd1);
  assign word_ends = tap_ends && slice_q == SliceWidth'(Slices - 1);
  assign line_ends = word_ends && x_left_q == 14'd1;
  assign plane_ends = line_ends && y_left_q == 14'd1;
  assign block_ends = plane_ends && z_left_q == 8'd1;
  assign job_ends = block_ends && blocks_left_q == 12'd1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      issuing_q <= 1'b0;
      accumulator_read_o <= 1'b0;
      vector_read_o <= 1'b0;
      param_read_o <= 1'b0;
    end else begin
      issuing_q <= command_valid_i || (issuing_q && !(steps && job_ends));
      accumulator_read_o <= steps && is_sums_q;
      vector_read_o <= steps && !is_sums_q && resident;
      param_read_o <= parameters || (steps && is_depthwise_q);
    end
  end

  always_ff @(posedge clk_i) begin
    accumulator_address_o <= sums_at_q;
    vector_read_address_o <= source_address;
    param_address_o <= parameters ? parameter_at_q : parameter_at_q + 18'(weight_at_q);
    if (command_valid_i) begin
      table_left_q <= command_i[isa_pkg::VectorTableLsb] ? 9'(TableWords) : '0;
      parameters_left_q <=
          (command_i[isa_pkg::VectorTableLsb] ? 9'(TableWords) : '0) +
          (command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeAdd ||
           command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeSub ? 9'(AddSets * SetWords) :
           command_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodePoolMax ? '0 : 9'(SetWords));
      parameter_index_q <= '0;
      parameter_at_q <= command_i[isa_pkg::VectorParamBaseLsb +: isa_pkg::VectorParamBaseWidth];
      weight_at_q <= '0;
      offset_q <= '0;
      ky_offset_q <= '0;
      pixel_offset_q <= '0;
      line_offset_q <= '0;
      plane_offset_q <= '0;
      block_offset_q <= '0;
      y_q <= 24'($signed(command_i[isa_pkg::VectorOriginYLsb +: isa_pkg::VectorOriginYWidth]));
      x_q <= 24'($signed(command_i[isa_pkg::VectorOriginXLsb +: isa_pkg::VectorOriginXWidth]));
      pixel_y_q <= 24'($signed(command_i[isa_pkg::VectorOriginYLsb +: isa_pkg::VectorOriginYWidth]));
      pixel_x_q <= 24'($signed(command_i[isa_pkg::VectorOriginXLsb +: isa_pkg::VectorOriginXWidth]));
      kx_left_q <= command_i[isa_pkg::VectorKernelWLsb +: isa_pkg::VectorKernelWWidth];
      ky_left_q <= command_i[isa_pkg::VectorKernelHLsb +: isa_pkg::VectorKernelHWidth];
      x_left_q <= command_i[isa_pkg::VectorOutWidthLsb +: isa_pkg::VectorOutWidthWidth];
      y_left_q <= command_i[isa_pkg::VectorOutHeightLsb +: isa_pkg::VectorOutHeightWidth];
      z_left_q <= command_i[isa_pkg::VectorOutPlanesLsb +: isa_pkg::VectorOutPlanesWidth];
      blocks_left_q <= command_i[isa_pkg::VectorBlocksLsb +: isa_pkg::VectorBlocksWidth];
      slice_q <= '0;
      phase_q <= '0;
      first_tap_q <= 1'b1;
      sums_at_q <= command_i[isa_pkg::VectorSrc0BaseLsb +: isa_pkg::VectorSrc0BaseWidth];
      destination_q <= command_i[isa_pkg::VectorDstBaseLsb +: isa_pkg::VectorDstBaseWidth];
      block_destination_q <= command_i[isa_pkg::VectorDstBaseLsb +: isa_pkg::VectorDstBaseWidth];
    end else if (parameters) begin
      parameters_left_q <= parameters_left_q - 9'd1;
      parameter_at_q <= parameter_at_q + 18'd1;
      parameter_index_q <= table_left_q == 9'd1 ? '0 : parameter_index_q + 8'd1;
      if (table_left_q != 9'd0) table_left_q <= table_left_q - 9'd1;
    end else if (steps) begin
      if (!tap_ends) begin
        if (is_add_q || is_mul_q) begin
          phase_q <= phase_q + 2'd1;
        end else begin
          first_tap_q <= 1'b0;
          weight_at_q <= weight_at_q + 16'd1;
          if (!kx_ends) begin
            offset_q <= offset_q + tap_x_q;
            x_q <= x_q + 24'(word_q[isa_pkg::VectorDilationXLsb +: isa_pkg::VectorDilationXWidth]);
            kx_left_q <= kx_left_q - 8'd1;
          end else begin
            offset_q <= ky_offset_q + tap_y;
            ky_offset_q <= ky_offset_q + tap_y;
            x_q <= pixel_x_q;
            y_q <= y_q + 24'(word_q[isa_pkg::VectorDilationYLsb +: isa_pkg::VectorDilationYWidth]);
            kx_left_q <= kernel_w;
            ky_left_q <= ky_left_q - 8'd1;
          end
        end
      end else begin  // the next slice, pixel or block begins with its first tap
        phase_q <= '0;
        first_tap_q <= 1'b1;
        weight_at_q <= '0;
        kx_left_q <= kernel_w;
        ky_left_q <= kernel_h;
        slice_q <= word_ends ? '0 : slice_q + 1'b1;
        if (!word_ends) begin
          offset_q <= pixel_offset_q;
          ky_offset_q <= pixel_offset_q;
          y_q <= pixel_y_q;
          x_q <= pixel_x_q;
        end else if (!line_ends) begin
          offset_q <= pixel_offset_q + step_x_q;
          ky_offset_q <= pixel_offset_q + step_x_q;
          pixel_offset_q <= pixel_offset_q + step_x_q;
          y_q <= pixel_y_q;
          x_q <= pixel_x_q + 24'(word_q[isa_pkg::VectorStrideXLsb +: isa_pkg::VectorStrideXWidth]);
          pixel_x_q <= pixel_x_q + 24'(word_q[isa_pkg::VectorStrideXLsb +: isa_pkg::VectorStrideXWidth]);
          x_left_q <= x_left_q - 14'd1;
        end else if (!plane_ends) begin
          offset_q <= line_offset_q + step_y;
          ky_offset_q <= line_offset_q + step_y;
          pixel_offset_q <= line_offset_q + step_y;
          line_offset_q <= line_offset_q + step_y;
          y_q <= pixel_y_q + 24'(word_q[isa_pkg::VectorStrideYLsb +: isa_pkg::VectorStrideYWidth]);
          pixel_y_q <= pixel_y_q + 24'(word_q[isa_pkg::VectorStrideYLsb +: isa_pkg::VectorStrideYWidth]);
          x_q <= origin_x;
          pixel_x_q <= origin_x;
          x_left_q <= word_q[isa_pkg::VectorOutWidthLsb +: isa_pkg::VectorOutWidthWidth];
          y_left_q <= y_left_q - 14'd1;
        end else begin
          y_q <= origin_y;
          pixel_y_q <= origin_y;
          x_q <= origin_x;
          pixel_x_q <= origin_x;
          x_left_q <= word_q[isa_pkg::VectorOutWidthLsb +: isa_pkg::VectorOutWidthWidth];
          y_left_q <= word_q[isa_pkg::VectorOutHeightLsb +: isa_pkg::VectorOutHeightWidth];
          if (!block_ends) begin
            offset_q <= plane_offset_q + word_q[isa_pkg::VectorPlaneWordsLsb +: isa_pkg::VectorPlaneWordsWidth];
            ky_offset_q <= plane_offset_q + word_q[isa_pkg::VectorPlaneWordsLsb +: isa_pkg::VectorPlaneWordsWidth];
            pixel_offset_q <= plane_offset_q + word_q[isa_pkg::VectorPlaneWordsLsb +: isa_pkg::VectorPlaneWordsWidth];
            line_offset_q <= plane_offset_q + word_q[isa_pkg::VectorPlaneWordsLsb +: isa_pkg::VectorPlaneWordsWidth];
            plane_offset_q <= plane_offset_q + word_q[isa_pkg::VectorPlaneWordsLsb +: isa_pkg::VectorPlaneWordsWidth];
            z_left_q <= z_left_q - 8'd1;
          end else begin
            offset_q <= block_offset_q + word_q[isa_pkg::VectorBlockStepLsb +: isa_pkg::VectorBlockStepWidth];
            ky_offset_q <= block_offset_q + word_q[isa_pkg::VectorBlockStepLsb +: isa_pkg::VectorBlockStepWidth];
            pixel_offset_q <= block_offset_q + word_q[isa_pkg::VectorBlockStepLsb +: isa_pkg::VectorBlockStepWidth];
            line_offset_q <= block_offset_q + word_q[isa_pkg::VectorBlockStepLsb +: isa_pkg::VectorBlockStepWidth];
            plane_offset_q <= block_offset_q + word_q[isa_pkg::VectorBlockStepLsb +: isa_pkg::VectorBlockStepWidth];
            block_offset_q <= block_offset_q + word_q[isa_pkg::VectorBlockStepLsb +: isa_pkg::VectorBlockStepWidth];
            z_left_q <= word_q[isa_pkg::VectorOutPlanesLsb +: isa_pkg::VectorOutPlanesWidth];
            blocks_left_q <= blocks_left_q - 12'd1;
            parameters_left_q <= own_sets_q ? 9'(SetWords) : '0;
            parameter_index_q <= '0;
            if (is_depthwise_q) parameter_at_q <= parameter_at_q + 18'(weight_at_q) + 18'd1;
          end
        end
        if (word_ends) begin
          sums_at_q <= sums_at_q + 18'd1;
          destination_q <= block_ends ?
              block_destination_q + word_q[isa_pkg::VectorDstBlockStepLsb +: isa_pkg::VectorDstBlockStepWidth] :
              destination_q + 18'(word_q[isa_pkg::VectorDstPixelStepLsb +: isa_pkg::VectorDstPixelStepWidth]);
        end
        if (block_ends) begin
          block_destination_q <=
              block_destination_q + word_q[isa_pkg::VectorDstBlockStepLsb +: isa_pkg::VectorDstBlockStepWidth];
        end
      end
    end
  end

  // ---- What travels with a step: bit k of a line belongs to what was issued k cycles ago ----

  logic [Feed:1]                set_q, table_q;        // parameter words
  logic [8*Feed-1:0]            index_q;               // stage k at 8*(k-1)
  logic [Feed:1]                step_q;
  logic [Feed-1:1]              inside_q, first_tap_line_q;
  logic [2*Feed-1:0]            phases_q;              // stage k at 2*(k-1)
  logic [Places:1]              ends_q;                // a step that ends its taps: a result
  logic [Places:1]              complete_q, last_q;    // of the word; of the instruction
  logic [SliceWidth*AddWrite-1:0] slices_q;            // stage k at SliceWidth*(k-1)
  logic [18*AddWrite-1:0]       destinations_q;        // stage k at 18*(k-1)
  logic [4:0]                   alive_q;               // cycles until the pipeline is empty

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      set_q <= '0;
      table_q <= '0;
      step_q <= '0;
      ends_q <= '0;
      alive_q <= '0;
    end else begin
      set_q <= {set_q[Feed-1:1], parameters && table_left_q == 9'd0};
      table_q <= {table_q[Feed-1:1], parameters && table_left_q != 9'd0};
      step_q <= {step_q[Feed-1:1], steps};
      // Behind stage 15 a plain instruction's steps still travel; to an add they would look like its own.
      ends_q <= command_valid_i ? '0 : {ends_q[Places-1:1], steps && tap_ends};
      if (issuing_q) alive_q <= is_add_q ? 5'(AddWrite + 1) : 5'(Write + 1);
      else if (alive_q != 5'd0) alive_q <= alive_q - 5'd1;
    end
  end
  always_ff @(posedge clk_i) begin
    index_q <= {index_q[8*(Feed-1)-1:0], parameter_index_q};
    inside_q <= {inside_q[Feed-2:1], resident || is_sums_q};
    first_tap_line_q <= {first_tap_line_q[Feed-2:1], first_tap_q};
    phases_q <= {phases_q[2*(Feed-1)-1:0], phase_q};
    complete_q <= {complete_q[Places-1:1], word_ends};
    last_q <= {last_q[Places-1:1], job_ends};
    slices_q <= {slices_q[SliceWidth*(AddWrite-1)-1:0], slice_q};
    destinations_q <= {destinations_q[18*(AddWrite-1)-1:0], destination_q};
  end

  // ---- Parameter registers ----

  logic [WordBits-1:0]            parameter3_q, parameter4_q, parameter5_q;
  logic [AddSets*SetBits-1:0]     sets_q;
  always_ff @(posedge clk_i) begin
    if (set_q[2] || table_q[2]) parameter3_q <= param_data_i;
    if (set_q[3] || table_q[3]) parameter4_q <= parameter3_q;
    if (set_q[4] || table_q[4]) parameter5_q <= parameter4_q;
`ifdef VERILATOR
    if (set_q[Feed]) sets_q[WordBits*index_q[8*(Feed-1) +: 8] +: WordBits] <= parameter5_q;
`endif
  end
`ifdef VERILATOR
  logic [TableWords*WordBits-1:0] lookup_q;
  always_ff @(posedge clk_i) begin
    if (table_q[Feed]) lookup_q[WordBits*index_q[8*(Feed-1) +: 8] +: WordBits] <= parameter5_q;
  end
`else
  for (genvar w = 0; w < AddSets * SetWords; w++) begin : gen_set_word
    always_ff @(posedge clk_i) begin
      if (set_q[Feed] && index_q[8*(Feed-1) +: 8] == 8'(w)) sets_q[WordBits*w +: WordBits] <= parameter5_q;
    end
  end
  // Where the table has a byte's result: word and place in it.
  localparam int TableBits = TableWords > 1 ? $clog2(TableWords) : 1;
  localparam int PlaceBits = Columns > 1 ? $clog2(Columns) : 1;
  function automatic logic [TableBits+PlaceBits-1:0] table_place(input logic [7:0] value);
    table_place = (TableBits + PlaceBits)'(value);
    if (Columns == 1) begin
      table_place = {TableBits'(value), PlaceBits'(0)};
    end else if (2 ** PlaceBits != Columns) begin
      for (int w = 1; w < TableWords; w++) begin
        if (value >= 8'(w * Columns)) table_place = {TableBits'(w), PlaceBits'(value - 8'(w * Columns))};
      end
    end
  endfunction
`endif

  // ---- Lanes ----

  logic [SliceWidth-1:0] feed_slice, write_slice;
  logic                  sends, third, result, result13_q, writes;
  logic [1:0]            feed_set;
  logic                  unsigned2, weight_unsigned;
  logic [9:0]            zero2, weight_zero, clamp_min, clamp_max, dst_zero;
  logic signed [9:0]     low, high;
  logic [8*Lanes-1:0]    byte14;

  assign third = is_add_q && ends_q[AddFeed];
  assign sends = third || (step_q[Feed] && !is_max_q && (is_add_q ? phases_q[2*(Feed-1) +: 2] != 2'd2 : ends_q[Feed]));
  assign feed_slice = third ? slices_q[SliceWidth*(AddFeed-1) +: SliceWidth] : slices_q[SliceWidth*(Feed-1) +: SliceWidth];
  assign feed_set = third ? 2'd2 : is_add_q ? phases_q[2*(Feed-1) +: 2] : 2'd0;
  assign result = is_add_q ? ends_q[AddResult] : ends_q[Result];
  assign writes = is_add_q ? ends_q[AddWrite] : ends_q[Write];
  assign write_slice = is_add_q ? slices_q[SliceWidth*(AddWrite-1) +: SliceWidth] :
                                  slices_q[SliceWidth*(Write-1) +: SliceWidth];

  assign unsigned2 = phases_q[2] ? word_q[isa_pkg::VectorSrc1UnsignedLsb] : word_q[isa_pkg::VectorSrc0UnsignedLsb];
  assign zero2 = is_max_q ? '0 :
                 phases_q[2] ? 10'($signed(word_q[isa_pkg::VectorSrc1ZeroLsb +: isa_pkg::VectorSrc1ZeroWidth])) :
                               10'($signed(word_q[isa_pkg::VectorSrc0ZeroLsb +: isa_pkg::VectorSrc0ZeroWidth]));
  assign weight_unsigned = word_q[isa_pkg::VectorWeightUnsignedLsb];
  assign weight_zero = 10'($signed(word_q[isa_pkg::VectorWeightZeroLsb +: isa_pkg::VectorWeightZeroWidth]));
  assign clamp_min = 10'($signed(word_q[isa_pkg::VectorClampMinLsb +: isa_pkg::VectorClampMinWidth]));
  assign clamp_max = 10'($signed(word_q[isa_pkg::VectorClampMaxLsb +: isa_pkg::VectorClampMaxWidth]));
  assign dst_zero = is_max_q ? '0 : 10'($signed(word_q[isa_pkg::VectorDstZeroLsb +: isa_pkg::VectorDstZeroWidth]));
  assign low = clamp_min - dst_zero;
  assign high = clamp_max - dst_zero;

  always_ff @(posedge clk_i) result13_q <= result;

  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    // In the last slice the last lanes may have no column: they read the first slice's, and send zeros.
    localparam bit AlwaysUsed = (Slices - 1) * Lanes + i < Columns;
    logic                  used5;
    logic [SliceWidth-1:0] safe5;
    if (AlwaysUsed) begin : gen_used
      assign safe5 = feed_slice;
      assign used5 = 1'b1;
    end else begin : gen_unused
      assign used5 = feed_slice != SliceWidth'(Slices - 1);
      assign safe5 = used5 ? feed_slice : '0;
    end

    // 3, 4, 5: the sum over taps. Without slices the indices below are constants.
    logic signed [9:0] value3_q, weight3_q;
    logic [31:0]       sum3_q, term4_q, sum5_q, start4;
    if (Slices == 1) begin : gen_whole
      always_ff @(posedge clk_i) begin
        if (step_q[2]) begin
          value3_q <= {{2{!unsigned2 && vector_data_i[8*i + 7]}}, vector_data_i[8*i +: 8]} - zero2;
          weight3_q <= is_mul_q ? value3_q : is_depthwise_q ?
              {{2{!weight_unsigned && param_data_i[8*i + 7]}}, param_data_i[8*i +: 8]} - weight_zero : 10'd1;
          if (is_sums_q) sum3_q <= accumulator_data_i[32*i +: 32];
        end
      end
    end else begin : gen_sliced
      logic [SliceWidth-1:0] slice2, safe2;
      assign slice2 = slices_q[SliceWidth +: SliceWidth];
      assign safe2 = AlwaysUsed || slice2 != SliceWidth'(Slices - 1) ? slice2 : '0;
      always_ff @(posedge clk_i) begin
        if (step_q[2]) begin
          value3_q <=
              {{2{!unsigned2 && vector_data_i[8*(Lanes*safe2 + i) + 7]}}, vector_data_i[8*(Lanes*safe2 + i) +: 8]} - zero2;
          weight3_q <= is_mul_q ? value3_q : is_depthwise_q ?
              {{2{!weight_unsigned && param_data_i[8*(Lanes*safe2 + i) + 7]}}, param_data_i[8*(Lanes*safe2 + i) +: 8]} -
              weight_zero : 10'd1;
          if (is_sums_q) sum3_q <= accumulator_data_i[32*(Lanes*safe2 + i) +: 32];
        end
      end
    end
`ifndef VERILATOR
    logic signed [19:0] product3;
    assign product3 = value3_q * weight3_q;
`endif
    assign start4 = !first_tap_line_q[4] ? sum5_q : is_max_q ? 32'h8000_0000 : '0;
    always_ff @(posedge clk_i) begin
      if (step_q[3]) begin
        term4_q <= is_sums_q ? sum3_q : is_add_q ? {{2{value3_q[9]}}, value3_q, 20'd0} :
`ifdef VERILATOR
                   32'($signed(value3_q)) * 32'($signed(weight3_q));
`else
                   $unsigned(32'(product3));  // of 10 x 10 bits, as in pe.sv
`endif
      end
      if (step_q[4]) begin
        sum5_q <= !inside_q[4] ? start4 :
                  !is_max_q ? start4 + term4_q :
                  $signed(term4_q) > $signed(start4) ? term4_q : start4;
      end
    end

    // 6: the requantizer's registers. add: the first result waits for the second.
    logic [31:0] operand_q, multiplier_q, first_result_q, joined;
    logic [5:0]  shift_q;
    // Of the set that is fed: bias, multiplier, shift.
    logic [31:0] bias5, multiplier5;
    logic [5:0]  shift5;
`ifdef VERILATOR
    assign bias5 = sets_q[SetBits*feed_set + 32*(Lanes*safe5 + i) +: 32];
    assign multiplier5 = sets_q[SetBits*feed_set + MultiplierLsb + 32*(Lanes*safe5 + i) +: 32];
    assign shift5 = sets_q[SetBits*feed_set + ShiftLsb + 8*(Lanes*safe5 + i) +: 6];
`else
    always_comb begin
      bias5 = '0;
      multiplier5 = '0;
      shift5 = '0;
      for (int s = 0; s < AddSets; s++) begin
        for (int n = 0; n < Slices; n++) begin
          if (Lanes*n + i < Columns) begin
            bias5 |= {32{feed_set == 2'(s) && safe5 == SliceWidth'(n)}} & sets_q[SetBits*s + 32*(Lanes*n + i) +: 32];
            multiplier5 |= {32{feed_set == 2'(s) && safe5 == SliceWidth'(n)}} & sets_q[SetBits*s + MultiplierLsb + 32*(Lanes*n + i) +: 32];
            shift5 |= {6{feed_set == 2'(s) && safe5 == SliceWidth'(n)}} & sets_q[SetBits*s + ShiftLsb + 8*(Lanes*n + i) +: 6];
          end
        end
      end
    end
`endif
    assign joined = is_sub_q ? first_result_q - requantizer_y_i[32*i +: 32] : first_result_q + requantizer_y_i[32*i +: 32];
    always_ff @(posedge clk_i) begin
      if (is_add_q && ends_q[AddFeed-1]) first_result_q <= requantizer_y_i[32*i +: 32];
      if (sends) begin
        if (used5) begin
          operand_q <= (third ? joined : sum5_q) + bias5;
          multiplier_q <= multiplier5;
          shift_q <= shift5;
        end else begin
          operand_q <= '0;
          multiplier_q <= '0;
          shift_q <= '0;
        end
      end
    end
    assign requantizer_x_o[32*i +: 32] = operand_q;
    assign requantizer_multiplier_o[32*i +: 32] = multiplier_q;
    assign requantizer_shift_o[6*i +: 6] = shift_q;

    // pool_max: from 5 to 12. Of a window without any tap inside the result is 0.
    logic [9*(Result-Feed)-1:0] maxima_q;
    always_ff @(posedge clk_i) begin
      if (is_max_q) maxima_q <= {maxima_q[9*(Result-Feed-1)-1:0], sum5_q[31] && !sum5_q[8] ? 9'd0 : sum5_q[8:0]};
    end

    // 13, 14
    logic signed [31:0] y12;
    logic [7:0]         byte13_q, byte14_q;
    assign y12 = is_max_q ? 32'($signed(maxima_q[9*(Result-Feed-1) +: 9])) : requantizer_y_i[32*i +: 32];
    always_ff @(posedge clk_i) begin
      if (result) byte13_q <= y12 < 32'(low) ? clamp_min[7:0] : y12 > 32'(high) ? clamp_max[7:0] : y12[7:0] + dst_zero[7:0];
`ifdef VERILATOR
      if (result13_q) byte14_q <= word_q[isa_pkg::VectorTableLsb] ? lookup_q[8*byte13_q +: 8] : byte13_q;
`else
      if (result13_q) byte14_q <= byte13_q;
`endif
    end
`ifdef VERILATOR
    assign byte14[8*i +: 8] = byte14_q;
`else
    logic [WordBits-1:0] lookup [TableWords];
    logic [WordBits-1:0] looked_up14_q;
    logic [TableBits-1:0] word13;
    logic [PlaceBits-1:0] place13, place14_q;
    assign {word13, place13} = table_place(byte13_q);
    always_ff @(posedge clk_i) begin
      if (table_q[Feed]) lookup[TableBits'(index_q[8*(Feed-1) +: 8])] <= parameter5_q;
      if (result13_q) looked_up14_q <= lookup[word13];
      if (result13_q) place14_q <= place13;
    end
    assign byte14[8*i +: 8] = word_q[isa_pkg::VectorTableLsb] ? looked_up14_q[8*place14_q +: 8] : byte14_q;
`endif
  end

  // ---- 15: the word ----

  for (genvar c = 0; c < Columns; c++) begin : gen_byte
    logic [7:0] byte_q;
    always_ff @(posedge clk_i) begin
      if (writes && write_slice == SliceWidth'(c / Lanes)) byte_q <= byte14[8*(c % Lanes) +: 8];
    end
    assign vector_write_data_o[8*c +: 8] = byte_q;
  end
  always_ff @(posedge clk_i) begin
    vector_write_address_o <= is_add_q ? destinations_q[18*(AddWrite-1) +: 18] : destinations_q[18*(Write-1) +: 18];
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      requantizer_valid_o <= 1'b0;
      vector_write_o <= 1'b0;
      done_o <= 1'b0;
      quiet_o <= 1'b1;
    end else begin
      requantizer_valid_o <= sends;
      vector_write_o <= writes && (is_add_q ? complete_q[AddWrite] : complete_q[Write]);
      done_o <= is_add_q ? ends_q[AddWrite+1] && last_q[AddWrite+1] : ends_q[Write+1] && last_q[Write+1];
      quiet_o <= !(command_valid_i || issuing_q || alive_q != 5'd0 || done_o);
    end
  end

  // ---- Contract ----

  `GEMEL_ASSERT(OneInstructionAtATime, !command_valid_i || (!issuing_q && alive_q == 5'd0))
  `GEMEL_ASSERT(RequantizerKeepsItsLatency, !result || is_max_q || requantizer_valid_i)

endmodule
