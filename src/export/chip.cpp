// SPDX-License-Identifier: Apache-2.0
// What of an export depends on the machine alone.
#include <filesystem>
#include <sstream>

#include "base/text.hpp"
#include "export/parts.hpp"
#include "rtl_host/library.hpp"
#include "rtl_host/ports.hpp"
#include "rtl_host/sources.hpp"

namespace gemel {
namespace fs = std::filesystem;
namespace {

constexpr double IoShare = 0.3;  // of the clock, that what is outside needs on either side of the chip's registers

struct Chip {
  RtlParameters parameters;
  std::vector<std::pair<std::string, std::string>> expressions;  // parameters in order
  std::vector<PortSpec> ports;                                   // all of them, clk_i first
};

Chip chip_of(const Machine& machine, const char* block) {
  const BlockSpec& spec = block_spec(block);
  Chip chip;
  chip.parameters = spec.parameters(machine_parameters(machine));
  chip.expressions = spec.expressions;
  chip.ports = {{"clk_i", true, 1, "", 0, "1", ""}, {"rst_ni", true, 1, "", 0, "1", ""}};
  for (const PortSpec& port : spec.ports(chip.parameters)) chip.ports.push_back(port);
  chip.ports.push_back({"quiet_o", false, 1, "", 0, "1", ""});
  return chip;
}

// For a comment: one line, whatever a machine file says.
std::string on_one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text;
}

// Icarus 11 runs some processes `always_comb` of a chip this large for ever, in one moment of time, though nothing that they read changes;
// `always @*` it runs as it must. So it gets a text of its own. From the others its compiler is kept away by a file that is not there: it knows no
// $error while it elaborates, and a simulation that has begun would not end with $fatal either.
constexpr char NotForIcarus[] =
    "`ifdef __ICARUS__\n"
    "`include \"Icarus never comes to an end with always_comb: compile with -f icarus.f (README.md)\"\n"
    "`endif\n\n";

std::string without_always_comb(std::string text) {
  constexpr std::string_view Was = "always_comb", Is = "always @*";
  for (std::size_t at = text.find(Was); at != std::string::npos; at = text.find(Was, at)) text.replace(at, Was.size(), Is);
  return text;
}

// The name that tools know an AXI port by: m_axi_fetch_araddr of fetch_araddr_o.
std::string name_of_axi(const PortSpec& port) {
  if (port.name == "clk_i") return "aclk";
  if (port.name == "rst_ni") return "aresetn";
  if (port.name == "interrupt_o") return "irq";  // Verilator: `interrupt` is a word of C++
  const std::string name = port.name.substr(0, port.name.size() - 2);
  constexpr std::string_view Registers = "csr_";
  if (name.compare(0, Registers.size(), Registers) == 0) return "s_axi_" + name.substr(Registers.size());
  for (const std::string_view master : {"fetch_", "load_", "store_"}) {
    if (name.compare(0, master.size(), master) == 0) return "m_axi_" + name;
  }
  return name;
}

// A module without parameters around `block`. `name_of` names its ports.
template <class NameOf>
std::string wrapper(const Machine& machine, const Chip& chip, const char* top, const char* block, const char* what, NameOf name_of) {
  std::ostringstream out;
  out << "// SPDX-License-Identifier: Apache-2.0\n// " << top << ": " << what << " with the parameters of the machine " << on_one_line(machine.name)
      << ", and nothing else. Written by `gemel export`.\n\nmodule " << top << " (\n";
  for (std::size_t i = 0; i < chip.ports.size(); ++i) {
    const PortSpec& port = chip.ports[i];
    const std::string range = port.width == 1 ? "" : "[" + std::to_string(port.width - 1) + ":0] ";
    out << "  " << (port.input ? "input  logic " : "output logic ") << range << name_of(port) << (i + 1 < chip.ports.size() ? "," : "") << "\n";
  }
  out << ");\n\n  " << block << " #(\n";
  for (std::size_t i = 0; i < chip.expressions.size(); ++i) {
    const std::string& name = chip.expressions[i].first;
    out << "    ." << name << "(" << chip.parameters.at(name) << ")" << (i + 1 < chip.expressions.size() ? "," : "") << "\n";
  }
  out << "  ) u_" << block << " (\n";
  for (std::size_t i = 0; i < chip.ports.size(); ++i) {
    out << "    ." << chip.ports[i].name << "(" << name_of(chip.ports[i]) << ")" << (i + 1 < chip.ports.size() ? "," : "") << "\n";
  }
  out << "  );\n\n" << NotForIcarus << "endmodule\n";
  return out.str();
}

std::string constraints(const Machine& machine, const Chip& chip) {
  const double period = 1000.0 / machine.clock_mhz;
  const auto ports = [&](bool input) {
    std::string names;
    for (const PortSpec& port : chip.ports) {
      if (port.input == input && port.name != "clk_i") names += " \\\n  " + (port.width > 1 ? "{" + port.name + "[*]}" : port.name);
    }
    return "[get_ports [list" + names + "]]\n";
  };
  std::ostringstream out;
  out << "# SPDX-License-Identifier: Apache-2.0\n# Constraints of " << ExportedTop << ", times in ns: " << format_number(machine.clock_mhz)
      << " MHz, as the machine " << on_one_line(machine.name) << " says.\n"
      << "# The clock is what the simulator computes seconds with; whether a technology reaches it is for static timing analysis to say.\n"
      << "set period " << fixed(period, 4) << "\ncreate_clock -name clk -period $period [get_ports clk_i]\n\n"
      << "# Every output is a register or follows from registers alone. What is outside has " << fixed(100 * IoShare, 0)
      << " % of a clock on either side: set your own.\n"
      << "# rst_ni is asynchronous when it begins and must end synchronously to clk_i, by a synchronizer outside; so recovery is analysed.\n"
      << "set io_delay [expr {" << format_number(IoShare) << " * $period}]\n"
      << "set_input_delay $io_delay -clock clk " << ports(true) << "set_output_delay $io_delay -clock clk " << ports(false);
  return out.str();
}

std::string synthesis(const std::vector<std::string>& sources) {
  std::ostringstream out;
  out << "# SPDX-License-Identifier: Apache-2.0\n"
         "# Synthesis with Yosys (0.23 or newer), in this folder: yosys -q -s synth.ys\n"
         "# Leaves netlist.v, of simple gates and flip-flops with the memories as they are, and synth.txt, what it is made of.\n"
         "# Memories are scratchpads, rings of the DMAs and queues: one read and one write port each. A flow maps them to SRAM macros or RAM blocks.\n";
  for (const std::string& source : sources) out << "read_verilog -sv -Irtl/common " << source << "\n";
  out << "hierarchy -check -top " << ExportedTop << "\n"
      << "proc\nopt_clean\nsynth -run coarse:fine\nopt -fast -full\ntechmap\nopt -fast\n"
         "# With a standard-cell library: dfflibmap -liberty cells.lib; abc -liberty cells.lib -constr constraints.sdc\n"
         "abc -fast -g AND,NAND,OR,NOR,XOR,XNOR,MUX\nopt -fast\nclean -purge\ncheck\n"
         "tee -q -o synth.txt stat\nwrite_verilog -noattr netlist.v\n";
  return out.str();
}

}  // namespace

ExportedFile icarus_file(const std::vector<ExportedFile>& files) {
  std::string text = "// SPDX-License-Identifier: Apache-2.0\n"
                     "// The files of files.f in one, with `always @*` instead of always_comb, which Icarus 11 runs for ever. Written by\n"
                     "// `gemel export`, for Icarus alone.\n";
  for (const ExportedFile& file : files) {
    if (file.path.size() < 3 || file.path.compare(file.path.size() - 3, 3, ".sv") != 0) continue;
    std::string part = file.text;
    const std::size_t guard = part.find(NotForIcarus);  // of the tops
    if (guard != std::string::npos) part.erase(guard, sizeof NotForIcarus - 1);
    text += without_always_comb(std::move(part));
  }
  return {"bench/icarus.sv", text};
}

std::vector<ExportedFile> chip_files(const Machine& machine) {
  const Chip chip = chip_of(machine, "npu");
  const fs::path rtl = own_rtl_folder();
  std::vector<ExportedFile> files;
  std::vector<std::string> sources;
  RtlRequest request;
  request.block = "npu_axi";  // which has `npu` in it
  const auto copy = [&](const fs::path& file) {
    const std::string path = "rtl/" + file.lexically_relative(rtl).generic_string();
    files.push_back({path, read_text_file(file, "E1003", "the source")});
    return path;
  };
  for (const std::string& file : sources_of(request).files) sources.push_back(copy(fs::path(file).lexically_normal()));
  for (const char* name : {"common/assertions.svh", "waivers.vlt"}) copy(rtl / name);
  const auto add_top = [&](const char* top, std::string text) {
    sources.push_back(std::string("rtl/") + top + ".sv");
    files.push_back({sources.back(), std::move(text)});
  };
  add_top(ExportedTop, wrapper(machine, chip, ExportedTop, "npu", "the chip `npu`", [](const PortSpec& port) { return port.name; }));
  const Chip axi = chip_of(machine, "npu_axi");
  add_top(ExportedAxiTop, wrapper(machine, axi, ExportedAxiTop, "npu_axi", "the chip behind AXI4 and AXI4-Lite, `npu_axi`,", name_of_axi));

  std::string list = "+incdir+rtl/common\n";
  for (const std::string& source : sources) list += source + "\n";
  files.push_back({"files.f", list});
  files.push_back({"constraints.sdc", constraints(machine, chip)});
  files.push_back({"synth.ys", synthesis(sources)});
  files.push_back({"machine.yaml", to_yaml(machine)});
  return files;
}

}  // namespace gemel
