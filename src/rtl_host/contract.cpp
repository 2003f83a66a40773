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
  const BlockSpec& spec = block_spec(block);
  const RtlParameters values = spec.parameters(machine_parameters(machine));
  std::ostringstream out;
  out << "block " << block << ": module `" << spec.module << "`\n\n" << spec.contract << "\n";
  out << "Parameters, on machine `" << machine.name << "`:\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, expression] : spec.expressions) rows.push_back({name, std::to_string(values.at(name)), expression});
  out << table(rows) << "\nPorts (every output is a register; flat packed vectors, element i at [i*width +: width]):\n";
  rows = {{"port", "bits", "as expression", "counts under", "meaning"},
          {"clk_i", "1", "1", "always", "rising edge"},
          {"rst_ni", "1", "1", "always", "reset, active low, asynchronous"}};
  for (const PortSpec& p : spec.ports(values)) {
    rows.push_back({p.name, std::to_string(p.width), p.width_text, counts_under(p), p.meaning});
  }
  rows.push_back({"quiet_o", "1", "1", "always", "another clock with unchanged inputs would change nothing outside; 0 is always safe"});
  out << table(rows) << "\n`gemel new-block " << block << "` writes a file to begin with.\n";
  return out.str();
}

std::string skeleton_file_name(const std::string& block) { return std::string(block_spec(block).module) + ".sv"; }

std::string skeleton(const std::string& block, const Machine& machine) {
  const BlockSpec& spec = block_spec(block);
  const RtlParameters values = spec.parameters(machine_parameters(machine));
  const std::vector<PortSpec> ports = spec.ports(values);
  std::ostringstream out;
  out << "// " << spec.module << ": an own implementation of Gemel's block `" << block << "`. It answers nothing yet: outputs stay 0.\n";
  out << "// The contract (`gemel explain --ports " << block << "`):\n";
  std::istringstream contract(spec.contract);
  for (std::string line; std::getline(contract, line);) out << "//" << (line.empty() ? "" : "   ") << line << "\n";
  out << "module " << spec.module << " #(\n";
  for (std::size_t i = 0; i < spec.expressions.size(); ++i) {
    const auto& [name, expression] = spec.expressions[i];
    out << "  parameter int " << name << " = " << values.at(name) << (i + 1 < spec.expressions.size() ? "," : "") << "  // " << expression
        << "\n";
  }
  out << ") (\n";
  std::size_t width = 0;
  for (const PortSpec& p : ports) width = std::max(width, range(p.width_text).size());
  const auto declare = [&](bool input, const std::string& vector, const std::string& name, bool last, const std::string& comment) {
    out << "  " << (input ? "input  logic " : "output logic ") << padded(vector, width) << " " << name << (last ? "" : ",")
        << (comment.empty() ? "" : "  // " + comment) << "\n";
  };
  declare(true, "", "clk_i", false, "");
  declare(true, "", "rst_ni", false, "asynchronous, active low");
  for (const PortSpec& p : ports) declare(p.input, range(p.width_text), p.name, false, p.meaning);
  declare(false, "", "quiet_o", true, "1: nothing outside would change without new inputs; 0 is always safe");
  out << ");\n\n  // Every output is a register.\n  always_ff @(posedge clk_i or negedge rst_ni) begin\n    if (!rst_ni) begin\n";
  for (const PortSpec& p : ports) {
    if (!p.input) out << "      " << p.name << " <= '0;\n";
  }
  out << "      quiet_o <= 1'b0;\n    end else begin\n      // Here: what the block does.\n";
  for (const PortSpec& p : ports) {
    if (!p.input) out << "      " << p.name << " <= '0;\n";
  }
  out << "      quiet_o <= 1'b0;\n    end\n  end\n\nendmodule\n";
  return out.str();
}

}  // namespace gemel
