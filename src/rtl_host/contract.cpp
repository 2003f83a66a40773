// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/contract.hpp"

#include <algorithm>
#include <sstream>

#include "rtl_host/ports.hpp"

namespace gemel {
namespace {

std::string padded(const std::string& text, std::size_t width) {
  return text.size() < width ? text + std::string(width - text.size(), ' ') : text;
}

// Columns as wide as their widest cell; the last one ragged.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i) line += " " + (i + 1 < row.size() ? padded(row[i], widths[i] + 1) : row[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

// The array's `pe`: no block of its own at run time (it is seen at the ports of pe_array), so it has no row in ports.toml.
const BlockSpec& pe_spec() {
  static const BlockSpec spec = {
      "pe", "pe", [](const RtlParameters&) { return RtlParameters{}; },
      [](const RtlParameters&) {
        return std::vector<PortSpec>{{"load_i", true, 1, "", 0, "1", "replaces the shadow weight at the end of this cycle"},
                                     {"weight_i", true, 9, "load_i", 0, "9", "signed"},
                                     {"switch_i", true, 1, "", 0, "1", "from this cycle on the weight is the shadow weight as it was"},
                                     {"activation_i", true, 9, "", 0, "9", "signed"},
                                     {"sum_i", true, 32, "", 0, "32", "from the pe above, signed"},
                                     {"sum_o", false, 32, "", 0, "32", "to the pe below, signed"}};
      },
      {},
      "Contract: sum_o(t+1) = sum_i(t) + activation_i(t) * w(t), 9 bits times 9 bits signed, 32-bit two's complement, wraps.\n"
      "w(t) is the shadow weight of the last cycle up to t with switch_i. load_i replaces the shadow at the end of its cycle;\n"
      "switch_i in the same cycle takes the old one. A datapath: no control, no reset, no valid."};
  return spec;
}

const BlockSpec& spec_of(const std::string& block) { return block == pe_spec().name ? pe_spec() : block_spec(block); }

// Blocks have a reset and tell when they are quiet; the `pe` is a datapath inside one.
bool is_datapath(const BlockSpec& spec) { return &spec == &pe_spec(); }

std::string counts_under(const PortSpec& port) {
  if (port.valid.empty()) return "always";
  return port.valid + (port.delay > 0 ? ", " + std::to_string(port.delay) + " cycle later" : "");
}

std::string range(const std::string& width) {
  if (width == "1") return "";
  const bool number = std::all_of(width.begin(), width.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (number) return "[" + std::to_string(std::stoi(width) - 1) + ":0]";
  return "[" + width + "-1:0]";
}

}  // namespace

std::string explain_ports(const std::string& block, const Machine& machine) {
  const BlockSpec& spec = spec_of(block);
  const RtlParameters values = spec.parameters(machine_parameters(machine));
  std::ostringstream out;
  out << "block " << block << ": module `" << spec.module << "`\n\n" << spec.contract << "\n";
  if (!values.empty()) out << "Parameters, on machine `" << machine.name << "`:\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, expression] : spec.expressions) rows.push_back({name, std::to_string(values.at(name)), expression});
  out << table(rows) << (rows.empty() ? "" : "\n") << "Ports (every output is a register; flat packed vectors, element i at [i*width +: width]):\n";
  rows = {{"port", "bits", "as expression", "counts under", "meaning"},
          {"clk_i", "1", "1", "always", "rising edge"}};
  if (!is_datapath(spec)) rows.push_back({"rst_ni", "1", "1", "always", "reset, active low, asynchronous"});
  for (const PortSpec& p : spec.ports(values)) {
    rows.push_back({p.name, std::to_string(p.width), p.width_text, counts_under(p), p.meaning});
  }
  if (!is_datapath(spec)) rows.push_back({"quiet_o", "1", "1", "always", "another clock with unchanged inputs would change nothing outside; 0 is always safe"});
  out << table(rows) << "\n`gemel new-block " << block << "` writes a file to begin with.\n";
  return out.str();
}

std::string skeleton_file_name(const std::string& block) { return std::string(spec_of(block).module) + ".sv"; }

std::string skeleton(const std::string& block, const Machine& machine) {
  const BlockSpec& spec = spec_of(block);
  const bool datapath = is_datapath(spec);
  const RtlParameters values = spec.parameters(machine_parameters(machine));
  std::vector<PortSpec> ports = {{"clk_i", true, 1, "", 0, "1", ""}};
  if (!datapath) ports.push_back({"rst_ni", true, 1, "", 0, "1", "asynchronous, active low"});
  for (const PortSpec& p : spec.ports(values)) ports.push_back(p);
  if (!datapath) ports.push_back({"quiet_o", false, 1, "", 0, "1", "1: nothing outside would change without new inputs; 0 is always safe"});
  std::size_t width = 0;
  for (const PortSpec& p : ports) width = std::max(width, range(p.width_text).size());

  std::ostringstream out;
  out << "// " << spec.module << ": an own implementation of Gemel's block `" << block << "`. It answers nothing yet: outputs stay 0.\n";
  out << "// The contract (`gemel explain --ports " << block << "`):\n";
  std::istringstream contract(spec.contract);
  for (std::string line; std::getline(contract, line);) out << "//" << (line.empty() ? "" : "   ") << line << "\n";
  out << "module " << spec.module << (spec.expressions.empty() ? " (\n" : " #(\n");
  for (std::size_t i = 0; i < spec.expressions.size(); ++i) {
    const auto& [name, expression] = spec.expressions[i];
    out << "  parameter int " << name << " = " << values.at(name) << (i + 1 < spec.expressions.size() ? "," : "") << "  // " << expression
        << "\n";
  }
  if (!spec.expressions.empty()) out << ") (\n";
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const PortSpec& p = ports[i];
    out << "  " << (p.input ? "input  logic " : "output logic ") << padded(range(p.width_text), width) << " " << p.name
        << (i + 1 < ports.size() ? "," : "") << (p.meaning.empty() ? "" : "  // " + p.meaning) << "\n";
  }
  std::string zeros;
  for (const PortSpec& p : ports) {
    if (!p.input) zeros += "      " + p.name + " <= " + (p.width == 1 && p.name == "quiet_o" ? "1'b0" : "'0") + ";\n";
  }
  out << ");\n\n  // Every output is a register.\n";
  if (datapath) {
    out << "  always_ff @(posedge clk_i) begin\n      // Here: what the block does.\n" << zeros << "  end\n";
  } else {
    out << "  always_ff @(posedge clk_i or negedge rst_ni) begin\n    if (!rst_ni) begin\n"
        << zeros << "    end else begin\n      // Here: what the block does.\n" << zeros << "    end\n  end\n";
  }
  out << "\nendmodule\n";
  return out.str();
}

}  // namespace gemel
