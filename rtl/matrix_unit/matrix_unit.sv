// SPDX-License-Identifier: Apache-2.0
// matrix_unit: feeder and sink around pe_array, which is a neighbour behind registers; contract:
// src/blocks/matrix_unit/matrix_unit_ports.hpp, cycles: docs/reference/machine.md, 3. An instruction goes through three stations:
//   pending            waits until the weight walker is free
//   weight walker      loads the shadow weights of the next pass as soon as the pass before leaves them
//   activation walker  begins a pass when its weights are read and the pass before has lasted long enough
// and each of its rows down a track beside the array, until its sum is written. Both walkers count down what is left and move
// addresses by additions; the products that they add are made while an instruction moves from station to station.
`include "assertions.svh"

module matrix_unit #(
  parameter int Rows = 16,
  parameter int Columns = 16
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // command
  input  logic                  command_valid_i,
  input  logic [511:0]          command_i,
  output logic                  done_o,
  output logic                  chain_o,
  // buffers
  output logic                  activation_read_o,
  output logic [17:0]           activation_address_o,
  input  logic [8*Rows-1:0]     activation_data_i,
  output logic                  weight_read_o,
  output logic [17:0]           weight_address_o,
  input  logic [8*Columns-1:0]  weight_data_i,
  output logic                  accumulator_read_o,
  output logic [17:0]           accumulator_read_address_o,
  input  logic [32*Columns-1:0] accumulator_data_i,
  output logic                  accumulator_write_o,
  output logic [17:0]           accumulator_write_address_o,
  output logic [32*Columns-1:0] accumulator_write_data_o,
  // pe_array
  output logic                  array_weight_valid_o,
  output logic [9*Columns-1:0]  array_weight_o,
  output logic                  array_activation_valid_o,
  output logic                  array_activation_switch_o,
  output logic [9*Rows-1:0]     array_activation_o,
  input  logic                  array_sums_valid_i,
  input  logic [32*Columns-1:0] array_sums_i,
  output logic                  quiet_o
);

  localparam int Through = Rows + Columns;  // activation read to accumulator read
  localparam int TrackPlaces = Through + 4;
  localparam int RingPlaces = Through - 1;
  localparam int RingWidth = RingPlaces > 1 ? $clog2(RingPlaces) : 1;
  localparam int RowWidth = $clog2(Rows + 1);

  `GEMEL_PARAMETER(RowsLegal, Rows >= 1 && Rows <= 256)
  `GEMEL_PARAMETER(ColumnsLegal, Columns >= 1 && Columns <= 256)

  logic begins;  // a pass begins: its first row's read is on the wires in the next cycle
  logic takes;   // the pending instruction enters the weight walker

  // ---- Pending ----

  logic         pending_q;
  logic [511:0] pending_word_q;
  // Words between: rows of the tile; outputs and taps that are neighbours in x; act_base and the first tap's x.
  logic [17:0]  pending_row_q, pending_step_x_q, pending_tap_x_q, pending_base_q;
  logic [6:0]   pending_ones_q;     // see ones()

  // Which loops of an instruction have one turn only: {x, y, z, n, ky, kx, cb}. An instruction may be taken late in a cycle, so that there is
  // no time then to find whether a loop is in its last turn.
  /* verilator lint_off UNUSEDSIGNAL */  // of the word only the counts
  function automatic logic [6:0] ones(input logic [511:0] word);
  /* verilator lint_on UNUSEDSIGNAL */
    ones = {word[isa_pkg::MatrixOutWidthLsb +: isa_pkg::MatrixOutWidthWidth] == 14'd1,
            word[isa_pkg::MatrixOutHeightLsb +: isa_pkg::MatrixOutHeightWidth] == 14'd1,
            word[isa_pkg::MatrixOutPlanesLsb +: isa_pkg::MatrixOutPlanesWidth] == 8'd1,
            word[isa_pkg::MatrixCoutBlocksLsb +: isa_pkg::MatrixCoutBlocksWidth] == 12'd1,
            word[isa_pkg::MatrixKernelHLsb +: isa_pkg::MatrixKernelHWidth] == 8'd1,
            word[isa_pkg::MatrixKernelWLsb +: isa_pkg::MatrixKernelWWidth] == 8'd1,
            word[isa_pkg::MatrixCinBlocksLsb +: isa_pkg::MatrixCinBlocksWidth] == 14'd1};
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) pending_q <= 1'b0;
    else pending_q <= command_valid_i || (pending_q && !takes);
  end
  always_ff @(posedge clk_i) begin
    if (command_valid_i) begin
      pending_word_q <= command_i;
      pending_ones_q <= ones(command_i);
      pending_row_q <= 18'(command_i[isa_pkg::MatrixActWidthLsb +: isa_pkg::MatrixActWidthWidth]) *
                       18'(command_i[isa_pkg::MatrixPixelWordsLsb +: isa_pkg::MatrixPixelWordsWidth]);
      pending_step_x_q <= 18'(command_i[isa_pkg::MatrixStrideXLsb +: isa_pkg::MatrixStrideXWidth]) *
                          18'(command_i[isa_pkg::MatrixPixelWordsLsb +: isa_pkg::MatrixPixelWordsWidth]);
      pending_tap_x_q <= 18'(command_i[isa_pkg::MatrixDilationXLsb +: isa_pkg::MatrixDilationXWidth]) *
                         18'(command_i[isa_pkg::MatrixPixelWordsLsb +: isa_pkg::MatrixPixelWordsWidth]);
      pending_base_q <= command_i[isa_pkg::MatrixActBaseLsb +: isa_pkg::MatrixActBaseWidth] +
                        18'($signed(command_i[isa_pkg::MatrixOriginXLsb +: isa_pkg::MatrixOriginXWidth])) *
                        18'(command_i[isa_pkg::MatrixPixelWordsLsb +: isa_pkg::MatrixPixelWordsWidth]);
    end
  end

  // Where its first row is read, if it is in the tile; words between outputs and taps that are neighbours in y.
  logic [17:0] pending_address, pending_step_y, pending_tap_y;
  assign pending_address = pending_base_q +
                           18'($signed(pending_word_q[isa_pkg::MatrixOriginYLsb +: isa_pkg::MatrixOriginYWidth])) * pending_row_q;
  assign pending_step_y = 18'(pending_word_q[isa_pkg::MatrixStrideYLsb +: isa_pkg::MatrixStrideYWidth]) * pending_row_q;
  assign pending_tap_y = 18'(pending_word_q[isa_pkg::MatrixDilationYLsb +: isa_pkg::MatrixDilationYWidth]) * pending_row_q;

  // ---- Weight walker ----

  logic         loading_q, full_q;  // shadow weights: being read; all reads made. Neither: none
  logic         more_q;             // its instruction has passes whose weights are not being loaded yet
  logic         loads;              // begins with the next pass's weights
  logic         chain_next_q;
  logic [511:0] weight_word_q;
  logic [6:0]   weight_ones_q;
  logic [17:0]  weight_address_q, weight_step_x_q, weight_tap_x_q, weight_step_y_q, weight_tap_y_q;
  logic [RowWidth-1:0] rows_left_q;

  assign loads = !loading_q && (!full_q || begins) && (more_q || pending_q);
  assign takes = loads && !more_q;

  always_ff @(posedge clk_i) begin
    if (takes) begin
      weight_word_q <= pending_word_q;
      weight_ones_q <= pending_ones_q;
      weight_address_q <= pending_address;
      weight_step_x_q <= pending_step_x_q;
      weight_tap_x_q <= pending_tap_x_q;
      weight_step_y_q <= pending_step_y;
      weight_tap_y_q <= pending_tap_y;
    end
  end

  // Passes left, the one being loaded included; the least significant loop is the last.
  logic [11:0] load_n_q, load_n, more_n;        // more_*: of the instruction's next pass
  logic [7:0]  load_ky_q, load_ky, more_ky, load_kx_q, load_kx, more_kx;
  logic [13:0] load_cb_q, load_cb, more_cb;
  logic        load_cb_ends, load_kx_ends, load_ky_ends, load_is_last;
  assign load_cb_ends = load_cb_q == 14'd1;
  assign load_kx_ends = load_cb_ends && load_kx_q == 8'd1;
  assign load_ky_ends = load_kx_ends && load_ky_q == 8'd1;
  assign more_cb = load_cb_ends ? weight_word_q[isa_pkg::MatrixCinBlocksLsb +: isa_pkg::MatrixCinBlocksWidth] : load_cb_q - 14'd1;
  assign more_kx = load_kx_ends ? weight_word_q[isa_pkg::MatrixKernelWLsb +: isa_pkg::MatrixKernelWWidth] : load_kx_q - 8'(load_cb_ends);
  assign more_ky = load_ky_ends ? weight_word_q[isa_pkg::MatrixKernelHLsb +: isa_pkg::MatrixKernelHWidth] : load_ky_q - 8'(load_kx_ends);
  assign more_n = load_n_q - 12'(load_ky_ends);
  assign load_cb = takes ? pending_word_q[isa_pkg::MatrixCinBlocksLsb +: isa_pkg::MatrixCinBlocksWidth] : more_cb;
  assign load_kx = takes ? pending_word_q[isa_pkg::MatrixKernelWLsb +: isa_pkg::MatrixKernelWWidth] : more_kx;
  assign load_ky = takes ? pending_word_q[isa_pkg::MatrixKernelHLsb +: isa_pkg::MatrixKernelHWidth] : more_ky;
  assign load_n = takes ? pending_word_q[isa_pkg::MatrixCoutBlocksLsb +: isa_pkg::MatrixCoutBlocksWidth] : more_n;
  assign load_is_last = takes ? pending_ones_q[3:0] == '1 : more_cb == 14'd1 && more_kx == 8'd1 && more_ky == 8'd1 && more_n == 12'd1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      loading_q <= 1'b0;
      full_q <= 1'b0;
      more_q <= 1'b0;
      chain_next_q <= 1'b0;
      chain_o <= 1'b0;
      weight_read_o <= 1'b0;
    end else begin
      chain_next_q <= loads && load_is_last;
      chain_o <= chain_next_q;
      weight_read_o <= loading_q || loads;
      if (loading_q) begin
        loading_q <= rows_left_q != RowWidth'(1);
        full_q <= rows_left_q == RowWidth'(1);
      end else if (loads) begin
        loading_q <= Rows > 1;
        full_q <= Rows == 1;
        more_q <= !load_is_last;
      end else if (begins) begin
        full_q <= 1'b0;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (loads) begin
      load_n_q <= load_n;
      load_ky_q <= load_ky;
      load_kx_q <= load_kx;
      load_cb_q <= load_cb;
    end
    if (loading_q) begin
      rows_left_q <= rows_left_q - RowWidth'(1);
      weight_address_o <= weight_address_o - 18'd1;
    end else if (loads) begin
      rows_left_q <= RowWidth'(Rows - 1);
      // From a pass's last row to its first; the next pass lies behind.
      weight_address_o <= takes ?
                          pending_word_q[isa_pkg::MatrixWeightBaseLsb +: isa_pkg::MatrixWeightBaseWidth] + 18'(Rows - 1) :
                          weight_address_o + 18'(2 * Rows - 1);
    end
  end

  // Beside the read data: zero points.
  logic       weight_valid1_q, weight_unsigned0_q, weight_unsigned1_q;
  logic [8:0] weight_zero0_q, weight_zero1_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      weight_valid1_q <= 1'b0;
      array_weight_valid_o <= 1'b0;
    end else begin
      weight_valid1_q <= weight_read_o;
      array_weight_valid_o <= weight_valid1_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (takes) begin
      weight_unsigned0_q <= pending_word_q[isa_pkg::MatrixWeightUnsignedLsb];
      weight_zero0_q <= pending_word_q[isa_pkg::MatrixWeightZeroLsb +: isa_pkg::MatrixWeightZeroWidth];
    end
    weight_unsigned1_q <= weight_unsigned0_q;
    weight_zero1_q <= weight_zero0_q;
  end
  for (genvar c = 0; c < Columns; c++) begin : gen_weight
    logic [8:0] weight_q;
    always_ff @(posedge clk_i) begin
      if (weight_valid1_q) begin
        weight_q <= {!weight_unsigned1_q && weight_data_i[8*c + 7], weight_data_i[8*c +: 8]} - weight_zero1_q;
      end
    end
    assign array_weight_o[9*c +: 9] = weight_q;
  end

  // ---- Activation walker ----

  logic         free_q, free;       // no instruction: the registers below are loaded with the weight walker's, ready to begin
  logic         active_q;           // in the middle of a pass
  logic         emits;              // a row's read (or padding) is on the wires in the next cycle
  logic [1:0]   hold_q;             // cycles before another pass may begin: 3 from one to the next, for the accumulators
  logic [511:0] word_q;
  logic [17:0]  step_x_q, step_y_q, tap_x_q, tap_y_q;  // words between neighbouring outputs and taps

  // The next row: where it is read, its place in the tile, and what is left of the pass, itself included.
  logic [17:0]        address_q, line_address_q, plane_address_q;
  logic signed [23:0] y_q, x_q;
  logic [13:0]        x_left_q, y_left_q, x_left, y_left;
  logic [7:0]         z_left_q, z_left;
  logic [17:0]        accumulator_q, block_accumulator_q;
  logic               overwrite_q;
  // The pass: addresses of its first row and of those passes that begin the loops around it; what is left, itself included.
  logic [17:0]        tap_address_q, kx_address_q, ky_address_q, n_address_q;
  logic signed [23:0] tap_y_at_q, tap_x_at_q;
  logic [11:0]        n_left_q, n_left;
  logic [7:0]         ky_left_q, kx_left_q, ky_left, kx_left;
  logic [13:0]        cb_left_q, cb_left;
  logic               x_last_q, y_last_q, z_last_q, n_last_q, ky_last_q, kx_last_q, cb_last_q;  // one is left
  logic [6:0]         lasts_q, lasts;  // these, as ones() has them

  logic [13:0]        out_width, out_height;
  logic [7:0]         out_planes;
  logic               line_ends, plane_ends, pass_ends, cb_ends, kx_ends, ky_ends, job_ends;
  logic [17:0]        next_tap_address;
  logic signed [23:0] next_tap_y, next_tap_x, origin_y, origin_x;
  logic               resident;

  assign out_width = word_q[isa_pkg::MatrixOutWidthLsb +: isa_pkg::MatrixOutWidthWidth];
  assign out_height = word_q[isa_pkg::MatrixOutHeightLsb +: isa_pkg::MatrixOutHeightWidth];
  assign out_planes = word_q[isa_pkg::MatrixOutPlanesLsb +: isa_pkg::MatrixOutPlanesWidth];
  assign origin_y = 24'($signed(word_q[isa_pkg::MatrixOriginYLsb +: isa_pkg::MatrixOriginYWidth]));
  assign origin_x = 24'($signed(word_q[isa_pkg::MatrixOriginXLsb +: isa_pkg::MatrixOriginXWidth]));

  assign begins = full_q && !active_q && hold_q == 2'd0;
  assign emits = begins || active_q;
  assign line_ends = x_last_q;
  assign plane_ends = line_ends && y_last_q;
  assign pass_ends = plane_ends && z_last_q;
  assign cb_ends = cb_last_q;
  assign kx_ends = cb_ends && kx_last_q;
  assign ky_ends = kx_ends && ky_last_q;
  assign job_ends = pass_ends && ky_ends && n_last_q;
  assign free = emits ? job_ends : free_q;

  assign next_tap_address = !cb_ends ? tap_address_q + 18'd1 :
                            !kx_ends ? kx_address_q + tap_x_q :
                            !ky_ends ? ky_address_q + tap_y_q :
                            n_address_q + 18'(word_q[isa_pkg::MatrixActBlockStepLsb +: isa_pkg::MatrixActBlockStepWidth]);
  assign next_tap_x = !cb_ends ? tap_x_at_q : kx_ends ? origin_x :
                      tap_x_at_q + 24'(word_q[isa_pkg::MatrixDilationXLsb +: isa_pkg::MatrixDilationXWidth]);
  assign next_tap_y = !kx_ends ? tap_y_at_q : ky_ends ? origin_y :
                      tap_y_at_q + 24'(word_q[isa_pkg::MatrixDilationYLsb +: isa_pkg::MatrixDilationYWidth]);
  assign resident = !y_q[23] && y_q < $signed(24'(word_q[isa_pkg::MatrixActHeightLsb +: isa_pkg::MatrixActHeightWidth])) &&
                  !x_q[23] && x_q < $signed(24'(word_q[isa_pkg::MatrixActWidthLsb +: isa_pkg::MatrixActWidthWidth]));

  // What the next instruction brings with it.
  logic [511:0] new_word;
  logic [6:0]   new_ones;
  logic [17:0]  new_address;
  assign new_word = takes ? pending_word_q : weight_word_q;
  assign new_ones = takes ? pending_ones_q : weight_ones_q;
  assign new_address = takes ? pending_address : weight_address_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      free_q <= 1'b1;
      active_q <= 1'b0;
      hold_q <= 2'd0;
      activation_read_o <= 1'b0;
    end else begin
      free_q <= free;
      if (emits) active_q <= !pass_ends;
      hold_q <= begins ? 2'd2 : hold_q == 2'd0 ? 2'd0 : hold_q - 2'd1;
      activation_read_o <= emits && resident;
    end
  end

  // What is left in the next cycle. All the rest waits for what ends, so whether one is left is found a cycle ahead.
  always_comb begin
    x_left = x_left_q;
    y_left = y_left_q;
    z_left = z_left_q;
    n_left = n_left_q;
    ky_left = ky_left_q;
    kx_left = kx_left_q;
    cb_left = cb_left_q;
    if (emits) begin
      x_left = line_ends ? out_width : x_left_q - 14'd1;
      if (line_ends) y_left = plane_ends ? out_height : y_left_q - 14'd1;
      if (plane_ends) z_left = pass_ends ? out_planes : z_left_q - 8'd1;
      if (pass_ends) begin
        cb_left = cb_ends ? word_q[isa_pkg::MatrixCinBlocksLsb +: isa_pkg::MatrixCinBlocksWidth] : cb_left_q - 14'd1;
        kx_left = kx_ends ? word_q[isa_pkg::MatrixKernelWLsb +: isa_pkg::MatrixKernelWWidth] : kx_left_q - 8'(cb_ends);
        ky_left = ky_ends ? word_q[isa_pkg::MatrixKernelHLsb +: isa_pkg::MatrixKernelHWidth] : ky_left_q - 8'(kx_ends);
        n_left = n_left_q - 12'(ky_ends);
      end
    end
    lasts = {x_left == 14'd1, y_left == 14'd1, z_left == 8'd1, n_left == 12'd1, ky_left == 8'd1, kx_left == 8'd1, cb_left == 14'd1};
    if (free) begin
      x_left = new_word[isa_pkg::MatrixOutWidthLsb +: isa_pkg::MatrixOutWidthWidth];
      y_left = new_word[isa_pkg::MatrixOutHeightLsb +: isa_pkg::MatrixOutHeightWidth];
      z_left = new_word[isa_pkg::MatrixOutPlanesLsb +: isa_pkg::MatrixOutPlanesWidth];
      n_left = new_word[isa_pkg::MatrixCoutBlocksLsb +: isa_pkg::MatrixCoutBlocksWidth];
      ky_left = new_word[isa_pkg::MatrixKernelHLsb +: isa_pkg::MatrixKernelHWidth];
      kx_left = new_word[isa_pkg::MatrixKernelWLsb +: isa_pkg::MatrixKernelWWidth];
      cb_left = new_word[isa_pkg::MatrixCinBlocksLsb +: isa_pkg::MatrixCinBlocksWidth];
      lasts = new_ones;
    end
  end
  assign {x_last_q, y_last_q, z_last_q, n_last_q, ky_last_q, kx_last_q, cb_last_q} = lasts_q;
  always_ff @(posedge clk_i) begin
    if (free || emits) begin
      {x_left_q, y_left_q, z_left_q, n_left_q, ky_left_q, kx_left_q, cb_left_q} <= {x_left, y_left, z_left, n_left, ky_left, kx_left, cb_left};
      lasts_q <= lasts;
    end
  end

  always_ff @(posedge clk_i) begin
    activation_address_o <= address_q;
    if (free) begin
      word_q <= new_word;
      step_x_q <= takes ? pending_step_x_q : weight_step_x_q;
      tap_x_q <= takes ? pending_tap_x_q : weight_tap_x_q;
      step_y_q <= takes ? pending_step_y : weight_step_y_q;
      tap_y_q <= takes ? pending_tap_y : weight_tap_y_q;
      address_q <= new_address;
      line_address_q <= new_address;
      plane_address_q <= new_address;
      tap_address_q <= new_address;
      kx_address_q <= new_address;
      ky_address_q <= new_address;
      n_address_q <= new_address;
      y_q <= 24'($signed(new_word[isa_pkg::MatrixOriginYLsb +: isa_pkg::MatrixOriginYWidth]));
      x_q <= 24'($signed(new_word[isa_pkg::MatrixOriginXLsb +: isa_pkg::MatrixOriginXWidth]));
      tap_y_at_q <= 24'($signed(new_word[isa_pkg::MatrixOriginYLsb +: isa_pkg::MatrixOriginYWidth]));
      tap_x_at_q <= 24'($signed(new_word[isa_pkg::MatrixOriginXLsb +: isa_pkg::MatrixOriginXWidth]));
      accumulator_q <= new_word[isa_pkg::MatrixAccBaseLsb +: isa_pkg::MatrixAccBaseWidth];
      block_accumulator_q <= new_word[isa_pkg::MatrixAccBaseLsb +: isa_pkg::MatrixAccBaseWidth];
      overwrite_q <= !new_word[isa_pkg::MatrixAccumulateLsb];
    end else if (emits && pass_ends) begin  // the next pass: n, ky, kx, cb
      address_q <= next_tap_address;
      line_address_q <= next_tap_address;
      plane_address_q <= next_tap_address;
      tap_address_q <= next_tap_address;
      if (cb_ends) kx_address_q <= next_tap_address;
      if (kx_ends) ky_address_q <= next_tap_address;
      if (ky_ends) n_address_q <= next_tap_address;
      y_q <= next_tap_y;
      x_q <= next_tap_x;
      tap_y_at_q <= next_tap_y;
      tap_x_at_q <= next_tap_x;
      accumulator_q <= ky_ends ? accumulator_q + 18'd1 : block_accumulator_q;
      if (ky_ends) block_accumulator_q <= accumulator_q + 18'd1;
      overwrite_q <= ky_ends && !word_q[isa_pkg::MatrixAccumulateLsb];
    end else if (emits) begin  // the next row: z, y, x
      accumulator_q <= accumulator_q + 18'd1;
      if (!line_ends) begin
        address_q <= address_q + step_x_q;
        x_q <= x_q + 24'(word_q[isa_pkg::MatrixStrideXLsb +: isa_pkg::MatrixStrideXWidth]);
      end else begin
        x_q <= tap_x_at_q;
        if (!plane_ends) begin
          address_q <= line_address_q + step_y_q;
          line_address_q <= line_address_q + step_y_q;
          y_q <= y_q + 24'(word_q[isa_pkg::MatrixStrideYLsb +: isa_pkg::MatrixStrideYWidth]);
        end else begin
          address_q <= plane_address_q + word_q[isa_pkg::MatrixPlaneWordsLsb +: isa_pkg::MatrixPlaneWordsWidth];
          line_address_q <= plane_address_q + word_q[isa_pkg::MatrixPlaneWordsLsb +: isa_pkg::MatrixPlaneWordsWidth];
          plane_address_q <= plane_address_q + word_q[isa_pkg::MatrixPlaneWordsLsb +: isa_pkg::MatrixPlaneWordsWidth];
          y_q <= tap_y_at_q;
        end
      end
    end
  end

  // ---- The track: bit k of track_q: a row was emitted k+1 cycles ago ----

  logic [TrackPlaces-1:0] track_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) track_q <= '0;
    else track_q <= {track_q[TrackPlaces-2:0], emits};
  end

  // Up to the array: zero points and padding.
  logic       padding0_q, padding1_q, switch0_q, switch1_q, unsigned0_q, unsigned1_q;
  logic [8:0] zero0_q, zero1_q;
  always_ff @(posedge clk_i) begin
    padding0_q <= !resident;
    switch0_q <= begins;
    unsigned0_q <= word_q[isa_pkg::MatrixActUnsignedLsb];
    zero0_q <= word_q[isa_pkg::MatrixActZeroLsb +: isa_pkg::MatrixActZeroWidth];
    padding1_q <= padding0_q;
    switch1_q <= switch0_q;
    unsigned1_q <= unsigned0_q;
    zero1_q <= zero0_q;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) array_activation_valid_o <= 1'b0;
    else array_activation_valid_o <= track_q[1];
  end
  always_ff @(posedge clk_i) array_activation_switch_o <= switch1_q;
  for (genvar r = 0; r < Rows; r++) begin : gen_activation
    logic [8:0] activation_q;
    always_ff @(posedge clk_i) begin
      if (track_q[1]) begin
        activation_q <= padding1_q ? '0 :
                        {!unsigned1_q && activation_data_i[8*r + 7], activation_data_i[8*r +: 8]} - zero1_q;
      end
    end
    assign array_activation_o[9*r +: 9] = activation_q;
  end

  // Beside the array: a ring of as many places as cycles.
  logic [19:0]          ring_q [RingPlaces];  // last of the instruction, overwrite, accumulator word
  logic [RingWidth-1:0] ring_at_q;
  logic [19:0]          late_q;               // Through cycles after the row was emitted
  logic [17:0]          address1_q, address2_q;
  logic                 overwrite1_q, overwrite2_q, last1_q, last2_q, last3_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) ring_at_q <= '0;
    else ring_at_q <= ring_at_q == RingWidth'(RingPlaces - 1) ? '0 : ring_at_q + 1'b1;
  end
  always_ff @(posedge clk_i) begin
    late_q <= ring_q[ring_at_q];
    ring_q[ring_at_q] <= {job_ends, overwrite_q, accumulator_q};
  end
  always_ff @(posedge clk_i) begin
    accumulator_read_address_o <= late_q[17:0];
    address1_q <= late_q[17:0];
    address2_q <= address1_q;
    overwrite1_q <= late_q[18];
    overwrite2_q <= overwrite1_q;
    last1_q <= late_q[19];
    last2_q <= last1_q;
    last3_q <= last2_q;
    accumulator_write_address_o <= address2_q;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      accumulator_read_o <= 1'b0;
      accumulator_write_o <= 1'b0;
      done_o <= 1'b0;
    end else begin
      accumulator_read_o <= track_q[Through - 1] && !late_q[18];
      accumulator_write_o <= track_q[Through + 1];
      done_o <= track_q[Through + 2] && last3_q;
    end
  end
  for (genvar c = 0; c < Columns; c++) begin : gen_sum
    logic [31:0] sum_q;
    always_ff @(posedge clk_i) begin
      if (track_q[Through + 1]) begin
        sum_q <= array_sums_i[32*c +: 32] + (overwrite2_q ? '0 : accumulator_data_i[32*c +: 32]);
      end
    end
    assign accumulator_write_data_o[32*c +: 32] = sum_q;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      quiet_o <= 1'b1;
    end else begin
      quiet_o <= !(command_valid_i || pending_q || loading_q || full_q || track_q != '0 || weight_read_o || weight_valid1_q ||
                   array_weight_valid_o || chain_next_q || chain_o);
    end
  end

  // ---- Contract ----

  `GEMEL_ASSERT(AtMostTwoInside, !command_valid_i || !pending_q || takes)
  `GEMEL_ASSERT(ArrayKeepsItsLatency, array_sums_valid_i == track_q[Through + 1])

endmodule
