// SPDX-License-Identifier: Apache-2.0
// npu_bench: the chip of one machine beside a memory with one program in it: starts the program as a driver would, and compares cycles and
// outputs with what Gemel has computed. Ends with a line that begins with PASS (exit status 0) or FAIL (not 0).
// workload.svh, written by `gemel export`, has the machine's parameters, where things are in memory, and what is expected.
//   +vcd   waves of everything in npu_bench.vcd (Verilator: built with --trace)
`timescale 1ns / 1ps

module npu_bench;

  `include "workload.svh"

  // What of the register map (rtl/common/isa_pkg.gen.sv) is used here. An access takes one clock; a read answers two clocks later.
  localparam int MostFailures = 5;                         // that are shown of each output
  localparam longint MostCycles = 2 * Cycles + 10000;  // before the program counts as hanging

  logic                  clk = 1'b0, rst_n = 1'b1;
  logic                  csr_write = 1'b0, csr_written, csr_read = 1'b0, csr_answered;
  logic [11:0]           csr_write_offset = '0, csr_read_offset = '0;
  logic [31:0]           csr_write_data = '0, csr_data;
  logic                  fetch_arvalid, fetch_arready, fetch_rvalid, fetch_rlast;
  logic [39:0]           fetch_araddr;
  logic [7:0]            fetch_arlen;
  logic [12:0]           fetch_ar_bytes;
  logic [8*BusBytes-1:0] fetch_rdata;
  logic [1:0]            fetch_rresp;
  logic                  load_arvalid, load_arready, load_rvalid, load_rlast;
  logic [39:0]           load_araddr;
  logic [7:0]            load_arlen;
  logic [12:0]           load_ar_bytes;
  logic [8*BusBytes-1:0] load_rdata;
  logic [1:0]            load_rresp;
  logic                  store_awvalid, store_awready, store_wvalid, store_wready, store_wlast, store_bvalid;
  logic [39:0]           store_awaddr;
  logic [7:0]            store_awlen;
  logic [12:0]           store_aw_bytes;
  logic [8*BusBytes-1:0] store_wdata;
  logic [BusBytes-1:0]   store_wstrb;
  logic [1:0]            store_bresp;
  logic                  running, interrupt, quiet;
  int                    memory_failures;

  gemel_npu u_npu (
    .clk_i              (clk),
    .rst_ni             (rst_n),
    .csr_write_i        (csr_write),
    .csr_write_offset_i (csr_write_offset),
    .csr_write_data_i   (csr_write_data),
    .csr_written_o      (csr_written),
    .csr_read_i         (csr_read),
    .csr_read_offset_i  (csr_read_offset),
    .csr_answered_o     (csr_answered),
    .csr_data_o         (csr_data),
    .fetch_arvalid_o    (fetch_arvalid),
    .fetch_araddr_o     (fetch_araddr),
    .fetch_arlen_o      (fetch_arlen),
    .fetch_ar_bytes_o   (fetch_ar_bytes),
    .fetch_arready_i    (fetch_arready),
    .fetch_rvalid_i     (fetch_rvalid),
    .fetch_rdata_i      (fetch_rdata),
    .fetch_rresp_i      (fetch_rresp),
    .fetch_rlast_i      (fetch_rlast),
    .load_arvalid_o     (load_arvalid),
    .load_araddr_o      (load_araddr),
    .load_arlen_o       (load_arlen),
    .load_ar_bytes_o    (load_ar_bytes),
    .load_arready_i     (load_arready),
    .load_rvalid_i      (load_rvalid),
    .load_rdata_i       (load_rdata),
    .load_rresp_i       (load_rresp),
    .load_rlast_i       (load_rlast),
    .store_awvalid_o    (store_awvalid),
    .store_awaddr_o     (store_awaddr),
    .store_awlen_o      (store_awlen),
    .store_aw_bytes_o   (store_aw_bytes),
    .store_awready_i    (store_awready),
    .store_wvalid_o     (store_wvalid),
    .store_wdata_o      (store_wdata),
    .store_wstrb_o      (store_wstrb),
    .store_wlast_o      (store_wlast),
    .store_wready_i     (store_wready),
    .store_bvalid_i     (store_bvalid),
    .store_bresp_i      (store_bresp),
    .running_o          (running),
    .interrupt_o        (interrupt),
    .quiet_o            (quiet)
  );

  npu_memory #(
    .BusBytes       (BusBytes),
    .BurstBytes     (BurstBytes),
    .Words          (MemoryWords),
    .ReadLatency    (ReadLatency),
    .WriteLatency   (WriteLatency),
    .MillibytesPerCycle (MillibytesPerCycle),
    .Queue          (Queue),
    .JitterCycles   (JitterCycles),
    .JitterSeed     (JitterSeed),
    .ArStallPercent (ArStallPercent),
    .RStallPercent  (RStallPercent),
    .AwStallPercent (AwStallPercent),
    .WStallPercent  (WStallPercent),
    .BStallPercent  (BStallPercent),
    .StallSeed      (StallSeed)
  ) u_memory (
    .clk_i            (clk),
    .rst_ni           (rst_n),
    .fetch_arvalid_i  (fetch_arvalid),
    .fetch_araddr_i   (fetch_araddr),
    .fetch_arlen_i    (fetch_arlen),
    .fetch_ar_bytes_i (fetch_ar_bytes),
    .fetch_arready_o  (fetch_arready),
    .fetch_rvalid_o   (fetch_rvalid),
    .fetch_rdata_o    (fetch_rdata),
    .fetch_rresp_o    (fetch_rresp),
    .fetch_rlast_o    (fetch_rlast),
    .load_arvalid_i   (load_arvalid),
    .load_araddr_i    (load_araddr),
    .load_arlen_i     (load_arlen),
    .load_ar_bytes_i  (load_ar_bytes),
    .load_arready_o   (load_arready),
    .load_rvalid_o    (load_rvalid),
    .load_rdata_o     (load_rdata),
    .load_rresp_o     (load_rresp),
    .load_rlast_o     (load_rlast),
    .store_awvalid_i  (store_awvalid),
    .store_awaddr_i   (store_awaddr),
    .store_awlen_i    (store_awlen),
    .store_aw_bytes_i (store_aw_bytes),
    .store_awready_o  (store_awready),
    .store_wvalid_i   (store_wvalid),
    .store_wdata_i    (store_wdata),
    .store_wstrb_i    (store_wstrb),
    .store_wlast_i    (store_wlast),
    .store_wready_o   (store_wready),
    .store_bvalid_o   (store_bvalid),
    .store_bresp_o    (store_bresp),
    .failures_o       (memory_failures)
  );

  always #(ClockNs / 2.0) clk = !clk;

  // ---- Cycles: those in which the program runs ----

  longint cycles = 0;
  always @(posedge clk) if (running === 1'b1) cycles <= cycles + 1;

  // ---- Registers. What is driven here changes at falling clocks, between those at which the chip looks ----

  task automatic write_register(input logic [11:0] offset, input logic [31:0] data);
    csr_write = 1'b1;
    csr_write_offset = offset;
    csr_write_data = data;
    @(negedge clk);
    csr_write = 1'b0;
  endtask

  task automatic read_register(input logic [11:0] offset, output logic [31:0] data);
    csr_read = 1'b1;
    csr_read_offset = offset;
    @(negedge clk);
    csr_read = 1'b0;
    for (int waited = 0; csr_answered !== 1'b1 && waited < 16; waited++) @(negedge clk);
    if (csr_answered !== 1'b1) fail($sformatf("register 0x%h does not answer", offset));
    data = csr_data;
    @(negedge clk);
  endtask

  // ---- Verdict ----

  int failures = 0;
  logic [7:0] expected [0:ExpectedBytes-1];

  task automatic fail(input string what);
    failures = failures + 1;
    $display("FAIL: %0s", what);
  endtask

  function automatic logic [7:0] byte_at(input longint address);
    byte_at = u_memory.memory[int'(address / 64'(BusBytes))][8*int'(address % 64'(BusBytes)) +: 8];
  endfunction

  // Bytes from `address` on against expected[first...]. `shape` has the lengths of `rank` dimensions, 32 bits each, the last one lowest.
  task automatic compare(input string name, input longint address, input int first, input int bytes, input int rank, input logic [255:0] shape,
                         input logic is_signed);
    logic [7:0] is, must;
    int wrong, rest, length;
    string element;
    wrong = 0;
    for (int i = 0; i < bytes; i++) begin
      is = byte_at(address + longint'(i));
      must = expected[first + i];
      if (is !== must) begin
        wrong = wrong + 1;
        if (wrong <= MostFailures) begin
          element = "";
          rest = i;
          for (int d = 0; d < rank; d++) begin
            length = int'(shape[32*d +: 32]);
            if (d == 0) element = $sformatf("%0d", rest % length);
            else element = $sformatf("%0d, %0s", rest % length, element);
            rest = rest / length;
          end
          if (is_signed) begin
            fail($sformatf("output `%0s`, element [%0s], byte %0d at 0x%h: is %0d (0x%h), must be %0d (0x%h)", name, element, i,
                           40'(address) + 40'(i), $signed(is), is, $signed(must), must));
          end else begin
            fail($sformatf("output `%0s`, element [%0s], byte %0d at 0x%h: is %0d (0x%h), must be %0d (0x%h)", name, element, i,
                           40'(address) + 40'(i), is, is, must, must));
          end
        end
      end
    end
    if (wrong > MostFailures) fail($sformatf("output `%0s`: %0d of %0d bytes are wrong", name, wrong, bytes));
  endtask

  logic [31:0] low, high;

  initial begin
    if ($test$plusargs("vcd")) begin
      $dumpfile("npu_bench.vcd");
      $dumpvars(0, npu_bench);
    end
    for (int w = 0; w < MemoryWords; w++) u_memory.memory[w] = '0;
    $readmemh("bench/memory.hex", u_memory.memory);
    $readmemh("bench/expected.hex", expected);
    // Reset begins before the first clock and ends between two.
    #(ClockNs / 4.0) rst_n = 1'b0;
    repeat (4) @(negedge clk);
    rst_n = 1'b1;
    repeat (4) @(negedge clk);
    write_register(12'h008, ProgramBase[31:0]);
    write_register(12'h00c, ProgramBase[63:32]);
    write_register(12'h010, ProgramBytes);
    write_register(12'h000, 32'd1);
    repeat (16) if (running !== 1'b1) @(negedge clk);
    if (running !== 1'b1) fail("the program does not start");
    while (running === 1'b1 && cycles < MostCycles) @(negedge clk);
    if (running === 1'b1) begin
      fail($sformatf("the program still runs after %0d cycles", cycles));
    end else begin
      read_register(12'h018, low);
      if (low != 32'd0) begin
        read_register(12'h01c, high);
        fail($sformatf("the chip has stopped with error %0d at instruction %0d (isa_pkg::error_e)", low, high));
      end
      read_register(12'h028, low);
      read_register(12'h02c, high);
      if (cycles != Cycles) fail($sformatf("the program took %0d cycles, must take %0d", cycles, Cycles));
      if ({high, low} != 64'(cycles)) fail($sformatf("the chip has counted %0d cycles, but took %0d", {high, low}, cycles));
      compare_outputs;
    end
    if (memory_failures != 0) fail($sformatf("rules of AXI or of the memory broken: %0d", memory_failures));
    if (failures == 0) begin
      $display("PASS: %0s: %0d cycles, %0d bytes of output as expected", Title, cycles, ExpectedBytes);
      $finish;
    end else begin
      $display("FAIL: %0s: %0d failures", Title, failures);
      $fatal(1, "npu_bench has failed");
    end
  end

endmodule
