// SPDX-License-Identifier: Apache-2.0
// The folder of an export, and the page in it.
#include "export/export.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "export/parts.hpp"
#include "gemel/version.hpp"

namespace gemel {
namespace fs = std::filesystem;
namespace {

// Removes what was written unless kept: everything in the folder, and those that were made for it.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path) : path_(path) {
    std::error_code ignored;
    for (fs::path p = fs::absolute(path).lexically_normal(); !p.empty() && !fs::exists(p, ignored); p = p.parent_path()) made_ = p;
    make_output_folder(path);
  }
  ~NewFolder() {
    if (kept_) return;
    std::error_code ignored;
    if (!made_.empty()) {
      fs::remove_all(made_, ignored);
      return;
    }
    for (const auto& entry : fs::directory_iterator(path_, ignored)) fs::remove_all(entry.path(), ignored);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  void keep() { kept_ = true; }

 private:
  fs::path path_, made_;  // made_: the uppermost folder that was not there
  bool kept_ = false;
};

}  // namespace

void require_empty_folder(const std::string& folder) {
  std::error_code none;
  const fs::directory_iterator entries(folder, none);  // what is no folder, make_output_folder() will tell
  if (none || entries == fs::directory_iterator()) return;
  throw UserError("E1301", "the folder `" + folder + "` is not empty: `" + entries->path().filename().string() + "` is in it",
                  "an export is a folder of its own: choose another with --out, or empty this one");
}

ExportedFile readme_file(const Machine& machine, const ExportedRun* run) {
  const std::string clock = format_number(machine.clock_mhz);
  std::ostringstream out;
  out << "# " << ExportedTop << ": an NPU, for your own tools\n\nThe chip of the machine `" << machine.name << "` (" << machine.rows << "x" << machine.columns
      << ", " << clock << " MHz; `machine.yaml`), written by Gemel " << version() << (commit().empty() ? "" : " (" + commit() + ")")
      << ". Nothing outside of this folder is needed. All commands are for this folder. Licence: Apache-2.0 (https://www.apache.org/licenses/LICENSE-2.0).\n\n"
      << "| file | what |\n|---|---|\n"
      << "| `rtl/" << ExportedTop << ".sv` | the top: `npu` with this machine's parameters, and none of its own |\n"
      << "| `rtl/" << ExportedAxiTop << ".sv` | another top: the same chip behind AXI4 masters with all their signals and an AXI4-Lite slave |\n"
      << "| `rtl/` | the RTL in SystemVerilog, which Verilator 5.006, Icarus 11 and Yosys 0.23 read |\n"
      << "| `rtl/common/isa_pkg.gen.sv` | registers and instructions |\n"
      << "| `files.f` | all of it for a simulator or another tool, packages first (`-f files.f`) |\n"
      << "| `constraints.sdc` | clock, input and output delays |\n"
      << "| `synth.ys` | synthesis with Yosys: leaves `netlist.v` and `synth.txt` |\n";
  if (run != nullptr) {
    std::int64_t bytes = 0;
    for (const TensorData& output : run->result.outputs) bytes += output.bytes;
    out << "| `bench/memory.hex` | memory before the start: program, weights and inputs of `" << run->program.network() << "` |\n"
        << "| `bench/expected.hex` | what must be in memory when the program has halted: " << with_commas(bytes) << " bytes of output |\n"
        << "| `bench/workload.svh` | where that is, and the cycles: " << with_commas(run->result.cycles) << " |\n"
        << "| `bench/npu_memory.sv` | a memory with this machine's latency and bandwidth, and checks of the AXI ports |\n"
        << "| `bench/npu_bench.sv` | the testbench: plain SystemVerilog, no DPI, no classes |\n"
        << "| `bench.f` | all of it for a simulator |\n"
        << "| `icarus.f`, `bench/icarus.sv` | the same for Icarus, which runs `always_comb` of a chip this large for ever: `always @*` instead |\n\n"
        << "## Simulate\n\nIn any simulator: compile `-f bench.f`, top `npu_bench`, and run it in this folder. It says PASS, or FAIL with what is wrong;\n"
           "with FAIL the exit status is not 0. A wrong output is named with tensor, element, byte and address. `+vcd` leaves waves in `npu_bench.vcd`.\n\n"
           "Icarus Verilog 11 (what it is sorry about are processes that run more often than they must):\n\n"
           "    iverilog -g2012 -f icarus.f -s npu_bench -o npu_bench.vvp\n"
           "    vvp -n npu_bench.vvp\n\n"
           "Verilator 5.006 or newer (much faster; for `+vcd` add `--trace`):\n\n"
           "    verilator --binary --assert --timescale 1ns/1ps rtl/waivers.vlt -f bench.f --top-module npu_bench -o npu_bench\n"
           "    obj_dir/npu_bench\n\n"
           "The netlist of a synthesis has the same top: compile `netlist.v` with `bench/npu_memory.sv` and `bench/npu_bench.sv`.\n";
  }
  out << "\n## Synthesize\n\n    yosys -q -s synth.ys\n\n"
         "Memories stay memories in the netlist: map them to SRAM macros or RAM blocks. A library is given as the comment in `synth.ys` says.\n\n"
         "## The chip's ports\n\n"
         "Clock `clk_i`; asynchronous reset `rst_ni`, low, which must begin between two clocks and end synchronously. Every output is a\n"
         "register, or follows from registers alone.\n\n"
         "* Registers: `csr_write_i` or `csr_read_i` for one clock, with offset and data; `csr_answered_o` with `csr_data_o` two clocks\n"
         "  later. To start: program_base_low, program_base_high, program_bytes, then 1 into control. `running_o` is 1 while it runs.\n"
         "* Three AXI masters: `fetch` and `load` read, `store` writes. RREADY and BREADY would always be 1 and are left out. Bursts are\n"
         "  INCR, full beats of the bus; `*_bytes_o` beside each request is the number of bytes that count, from its address on.\n";
  out << "\n## The chip behind AXI\n\n`" << ExportedAxiTop
      << "` has ports for an interconnect or for verification components, under the names that tools know: `s_axi_*` is an\n"
         "AXI4-Lite slave of 4 KiB with 32-bit registers, `m_axi_fetch_*`, `m_axi_load_*` (both read) and `m_axi_store_*` (writes) are AXI4 masters,\n"
         "`aresetn` may end at any time. A program takes the same cycles as with `" << ExportedTop << "`. Offsets without a register are answered SLVERR.\n";
  if (run != nullptr) out << "\nMade with: `gemel export " << run->arguments << "`\n";
  return {"README.md", out.str()};
}

std::vector<std::string> export_chip(const Machine& machine, const ExportedRun* run, const std::string& folder,
                                     const std::function<bool()>& interrupted) {
  require_empty_folder(folder);
  std::vector<ExportedFile> files = chip_files(machine);
  if (run != nullptr) {
    files.push_back(icarus_file(files));
    for (ExportedFile& file : workload_files(machine, *run)) files.push_back(std::move(file));
  }
  files.push_back(readme_file(machine, run));
  NewFolder made(folder);
  std::vector<std::string> paths;
  for (const ExportedFile& file : files) {
    if (interrupted && interrupted()) throw Interrupted("interrupted while writing `" + folder + "`; nothing was left behind");
    const fs::path path = fs::path(folder) / file.path;
    std::error_code problem;
    fs::create_directories(path.parent_path(), problem);  // what is wrong, the next line tells
    write_file_atomically(path, file.text);
    paths.push_back(file.path);
  }
  made.keep();
  return paths;
}

}  // namespace gemel
