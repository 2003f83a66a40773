// SPDX-License-Identifier: Apache-2.0
// scratchpad: Words words of WordBytes bytes in Banks banks; contract: src/blocks/scratchpad/scratchpad_ports.hpp.
// A bank is one memory with one read and one write port; claims see to it that at most one client is at a port. What a
// client has read counts in the cycle behind the read: in any other nobody looks, as a memory may then show anything.
// Before its first read a client sees 0.
`include "assertions.svh"

module scratchpad #(
  parameter int WordBytes = 16,
  parameter int Words = 64,
  parameter int Banks = 2,
  parameter int ReadClients = 1,
  parameter int WriteClients = 1
) (
  input  logic                               clk_i,
  input  logic                               rst_ni,
  // read
  input  logic [ReadClients-1:0]             read_i,
  input  logic [18*ReadClients-1:0]          read_address_i,
  output logic [8*WordBytes*ReadClients-1:0] read_data_o,
  // write
  input  logic [WriteClients-1:0]            write_i,
  input  logic [18*WriteClients-1:0]         write_address_i,
  input  logic [8*WordBytes*WriteClients-1:0] write_data_i,
  output logic                               quiet_o
);

  localparam int Width = 8 * WordBytes;
  localparam int BankWords = Words / Banks;
  localparam int RowBits = BankWords > 1 ? $clog2(BankWords) : 1;

  `GEMEL_PARAMETER(WordsLegal, Words >= 1 && Words <= (1 << 18) && Words % Banks == 0)
  `GEMEL_PARAMETER(BanksLegal, Banks >= 1 && Banks <= 16)
  `GEMEL_PARAMETER(ClientsLegal, ReadClients >= 1 && ReadClients <= 2 && WriteClients >= 1 && WriteClients <= 2)

  // Bit b: the client's address lies in bank b; none beyond the last word.
  logic [Banks*ReadClients-1:0] read_hit;
  logic [Banks*WriteClients-1:0] write_hit;
  for (genvar k = 0; k < ReadClients; k++) begin : gen_read_hit
    if (2 ** RowBits == BankWords && RowBits < 18) begin : gen_bits
      assign read_hit[Banks*k +: Banks] = read_i[k] ? Banks'(1) << read_address_i[18*k + RowBits +: 18 - RowBits] : '0;
    end else begin : gen_thresholds
      logic [Banks:0] beyond;  // bit b: not before bank b
      assign beyond[0] = 1'b1;
      for (genvar b = 1; b <= Banks; b++) begin : gen_bank
        assign beyond[b] = {1'b0, read_address_i[18*k +: 18]} >= 19'(b * BankWords);
      end
      assign read_hit[Banks*k +: Banks] = read_i[k] ? beyond[Banks-1:0] & ~beyond[Banks:1] : '0;
    end
  end
  for (genvar k = 0; k < WriteClients; k++) begin : gen_write_hit
    if (2 ** RowBits == BankWords && RowBits < 18) begin : gen_bits
      assign write_hit[Banks*k +: Banks] = write_i[k] ? Banks'(1) << write_address_i[18*k + RowBits +: 18 - RowBits] : '0;
    end else begin : gen_thresholds
      logic [Banks:0] beyond;  // bit b: not before bank b
      assign beyond[0] = 1'b1;
      for (genvar b = 1; b <= Banks; b++) begin : gen_bank
        assign beyond[b] = {1'b0, write_address_i[18*k +: 18]} >= 19'(b * BankWords);
      end
      assign write_hit[Banks*k +: Banks] = write_i[k] ? beyond[Banks-1:0] & ~beyond[Banks:1] : '0;
    end
  end

  // ---- Banks: the last client of those that are there has the port ----

  logic [Width*Banks-1:0] read_data;  // what each bank has read last
  for (genvar b = 0; b < Banks; b++) begin : gen_bank
    logic             read, write;
    logic [17:0]      read_address, write_address;
    logic [RowBits-1:0] read_row, write_row;
    logic [Width-1:0] write_data;

    if (ReadClients == 1) begin : gen_one_reader
      assign read = read_hit[b];
      assign read_address = read_address_i;
    end else begin : gen_two_readers
      assign read = read_hit[b] | read_hit[Banks + b];
      assign read_address = read_hit[Banks + b] ? read_address_i[18 +: 18] : read_address_i[17:0];
    end
    if (WriteClients == 1) begin : gen_one_writer
      assign write = write_hit[b];
      assign write_address = write_address_i;
      assign write_data = write_data_i;
    end else begin : gen_two_writers
      assign write = write_hit[b] | write_hit[Banks + b];
      assign write_address = write_hit[Banks + b] ? write_address_i[18 +: 18] : write_address_i[17:0];
      assign write_data = write_hit[Banks + b] ? write_data_i[Width +: Width] : write_data_i[Width-1:0];
    end
    assign read_row = RowBits'(read_address - 18'(b * BankWords));
    assign write_row = RowBits'(write_address - 18'(b * BankWords));

    memory #(.Width(Width), .Words(BankWords)) u_memory (
      .clk_i,
      .write_i      (write),
      .write_row_i  (write_row),
      .write_data_i (write_data),
      .read_i       (read),
      .read_row_i   (read_row),
      .read_data_o  (read_data[Width*b +: Width])
    );
  end

  // ---- A client sees the bank that it has read last ----

  logic [Banks*ReadClients-1:0] chosen_q;  // one bit per client at most; none before the first read
  for (genvar k = 0; k < ReadClients; k++) begin : gen_client
    logic [Width-1:0] data;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        chosen_q[Banks*k +: Banks] <= '0;
      end else if (read_i[k]) begin
        chosen_q[Banks*k +: Banks] <= read_hit[Banks*k +: Banks];
      end
    end
    always_comb begin
      data = '0;
      for (int b = 0; b < Banks; b++) begin
        if (chosen_q[Banks*k + b]) data = read_data[Width*b +: Width];
      end
    end
    assign read_data_o[Width*k +: Width] = data;
  end

  // Nothing moves by itself.
  assign quiet_o = 1'b1;

  for (genvar b = 0; b < Banks; b++) begin : gen_check
    if (ReadClients == 2) begin : gen_readers
      `GEMEL_ASSERT(OneReaderPerBank, !(read_hit[b] && read_hit[Banks + b]))
    end
    if (WriteClients == 2) begin : gen_writers
      `GEMEL_ASSERT(OneWriterPerBank, !(write_hit[b] && write_hit[Banks + b]))
    end
  end
  for (genvar k = 0; k < ReadClients; k++) begin : gen_check_read
    `GEMEL_ASSERT(ReadInside, !read_i[k] || |read_hit[Banks*k +: Banks])
    for (genvar j = 0; j < WriteClients; j++) begin : gen_check_conflict
      `GEMEL_ASSERT(NoReadOfWhatIsWritten,
                    !(read_i[k] && write_i[j] && read_address_i[18*k +: 18] == write_address_i[18*j +: 18]))
    end
  end
  for (genvar k = 0; k < WriteClients; k++) begin : gen_check_write
    `GEMEL_ASSERT(WriteInside, !write_i[k] || |write_hit[Banks*k +: Banks])
  end

endmodule
