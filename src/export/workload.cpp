// SPDX-License-Identifier: Apache-2.0
// What of an export depends on the workload: memory before the start, what must be in it when the program has halted, and the testbench's
// header with both places.
#include <algorithm>
#include <cstring>
#include <sstream>

#include "base/error.hpp"
#include "base/text.hpp"
#include "export/parts.hpp"
#include "rtl_host/library.hpp"
#include "session/session.hpp"

namespace gemel {
namespace {

constexpr char Digits[] = "0123456789abcdef";
static_assert(Shape::MaxRank <= 8, "compare() in npu_bench.sv takes 8 dimensions");

// For a string of SystemVerilog that $display prints with %0s.
std::string literal(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < ' ' ? '?' : c;
  }
  return quoted + "\"";
}

// Memory in words of the bus, sparse: $readmemh with addresses.
class MemoryImage {
 public:
  MemoryImage(std::int64_t bytes, int bus_bytes)
      : bus_bytes_(static_cast<std::size_t>(bus_bytes)), words_((static_cast<std::size_t>(bytes) + bus_bytes_ - 1) / bus_bytes_),
        bytes_(words_ * bus_bytes_), touched_(words_, false) {}

  std::size_t words() const { return words_; }
  void put(std::uint64_t address, const std::vector<std::uint8_t>& bytes) {
    if (bytes.empty()) return;
    if (address > bytes_.size() || bytes.size() > bytes_.size() - address) throw InternalError("an image's segment lies outside of its memory");
    std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(address));
    const std::size_t first = address / bus_bytes_, last = (address + bytes.size() - 1) / bus_bytes_;
    std::fill(touched_.begin() + static_cast<std::ptrdiff_t>(first), touched_.begin() + static_cast<std::ptrdiff_t>(last) + 1, true);
  }
  std::string text() const {
    std::string out = "// Memory before the start, for $readmemh: words of " + std::to_string(bus_bytes_) + " bytes, the byte of the lowest address last.\n";
    bool follows = false;
    for (std::size_t w = 0; w < words_; ++w) {
      if (touched_[w]) {
        if (!follows) out += "@" + hex(w) + "\n";
        for (std::size_t b = bus_bytes_; b-- > 0;) {
          const std::uint8_t byte = bytes_[w * bus_bytes_ + b];
          out += Digits[byte >> 4];
          out += Digits[byte & 15];
        }
        out += '\n';
      }
      follows = touched_[w];
    }
    return out;
  }

 private:
  static std::string hex(std::size_t value) {
    std::string text;
    do {
      text.insert(text.begin(), Digits[value & 15]);
      value >>= 4;
    } while (value != 0);
    return text;
  }
  std::size_t bus_bytes_, words_;
  std::vector<std::uint8_t> bytes_;
  std::vector<bool> touched_;
};

struct Output {
  const ScheduleTensor& tensor;
  const TensorData& data;
};

// Outputs of the result, where they lie in memory.
std::vector<Output> outputs_of(const ExportedRun& run) {
  std::vector<Output> outputs;
  for (const TensorData& data : run.result.outputs) {
    const auto& tensors = run.program.inside().schedule.tensors;
    const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const ScheduleTensor& t) { return t.is_output && t.name == data.name; });
    if (found == tensors.end() || found->bytes != static_cast<std::int64_t>(data.data.size()) ||
        found->bytes != found->shape.elements()) {
      throw InternalError("output `" + data.name + "` is none of the program's");
    }
    outputs.push_back({*found, data});
  }
  return outputs;
}

std::string expected_text(const std::vector<Output>& outputs) {
  std::string out;
  for (const Output& output : outputs) {
    out += "// output " + literal(output.tensor.name) + ", " + to_string(output.tensor.type) + to_string(output.tensor.shape) + ", a byte a line\n";
    for (const std::uint8_t byte : output.data.data) {
      out += Digits[byte >> 4];
      out += Digits[byte & 15];
      out += '\n';
    }
  }
  return out;
}

std::string header(const Machine& m, const ExportedRun& run, const ProgramImage& image, const std::vector<Output>& outputs, std::size_t words) {
  std::ostringstream out;
  const auto integer = [&](const char* name, std::int64_t value) { out << "localparam int " << name << " = " << value << ";\n"; };
  const auto hex = [](std::uint64_t value, int bits) {
    std::ostringstream text;
    text << bits << "'h" << std::hex << value;
    return text.str();
  };
  std::int64_t bytes = 0;
  for (const Output& output : outputs) bytes += output.tensor.bytes;
  out << "// SPDX-License-Identifier: Apache-2.0\n// What npu_bench knows of machine and workload. Written by `gemel export`.\n";
  out << "localparam Title = " << literal(image.network + " on " + m.name) << ";\n";
  out << "localparam real ClockNs = " << fixed(1000.0 / m.clock_mhz, 4) << ";\n";
  integer("BusBytes", m.bus_bytes);
  integer("BurstBytes", m.burst_bytes);
  integer("ReadLatency", m.read_latency_cycles);
  integer("WriteLatency", m.write_latency_cycles);
  integer("MillibytesPerCycle", m.millibytes_per_cycle());
  integer("Queue", m.memory_queue);
  integer("JitterCycles", m.jitter_cycles);
  integer("JitterSeed", m.jitter_seed);
  integer("ArStallPercent", m.stall_percent.ar);
  integer("RStallPercent", m.stall_percent.r);
  integer("AwStallPercent", m.stall_percent.aw);
  integer("WStallPercent", m.stall_percent.w);
  integer("BStallPercent", m.stall_percent.b);
  integer("StallSeed", m.stall_seed);
  integer("MemoryWords", static_cast<std::int64_t>(words));
  out << "localparam logic [63:0] ProgramBase = " << hex(image.base, 64) << ";\n";
  out << "localparam logic [31:0] ProgramBytes = " << hex(image.bytes, 32) << ";\n";
  out << "localparam longint Cycles = 64'sd" << run.result.cycles << ";\n";
  integer("ExpectedBytes", bytes);
  out << "\n// Every output, from bench/expected.hex.\ntask automatic compare_outputs;\n";
  std::int64_t first = 0;
  for (const Output& output : outputs) {
    const ScheduleTensor& t = output.tensor;
    std::string shape = t.shape.rank() == 0 ? "32'd1" : "";
    for (const std::int64_t length : t.shape) shape += (shape.empty() ? "" : ", ") + hex(static_cast<std::uint64_t>(length), 32);
    out << "  compare(" << literal(t.name) << ", " << hex(t.address, 64) << ", " << first << ", " << t.bytes << ", " << std::max(t.shape.rank(), 1)
        << ", 256'({" << shape << "}), 1'b" << (t.type == ElementType::Int8 ? 1 : 0) << ");\n";
    first += t.bytes;
  }
  out << "endtask\n";
  return out.str();
}

}  // namespace

void require_exportable(const Program& program, const Machine& machine) {
  std::string host;
  for (const ScheduleLayer& layer : program.inside().schedule.layers) {
    if (layer.on_host) host += (host.empty() ? "" : ", ") + ("`" + layer.name) + "` (`" + to_string(layer.op) + "`)";
  }
  if (!host.empty()) {
    throw UserError("E1302", "`" + program.network() + "` has layers that run on the host, and a testbench has none: " + host,
                    "leave them out of the workload; what they read is then its output");
  }
  if (machine.memory_kind != MemoryKind::Ideal) {
    throw UserError("E1303", "the testbench has an ideal memory, and machine `" + machine.name + "` another, so that a program would take other cycles",
                    "export with --set memory.kind=ideal, or without a workload");
  }
}

std::vector<ExportedFile> workload_files(const Machine& machine, const ExportedRun& run) {
  const ProgramImage image = run.program.image();
  MemoryImage memory(image.memory_bytes, machine.bus_bytes);
  for (const ProgramImage::Segment& segment : image.segments) memory.put(segment.address, segment.bytes);
  const Schedule& schedule = run.program.inside().schedule;
  for (const auto& [tensor, bytes] : schedule.stored_inputs) memory.put(schedule.tensors[static_cast<std::size_t>(tensor)].address, bytes);
  const std::vector<Output> outputs = outputs_of(run);
  const std::string rtl = own_rtl_folder();
  std::vector<ExportedFile> files;
  for (const char* name : {"npu_memory.sv", "npu_bench.sv"}) {
    files.push_back({std::string("bench/") + name, read_text_file(rtl + "/bench/" + name, "E1003", "the source")});
  }
  files.push_back({"bench/workload.svh", header(machine, run, image, outputs, memory.words())});
  files.push_back({"bench/memory.hex", memory.text()});
  files.push_back({"bench/expected.hex", expected_text(outputs)});
  const std::string bench = "+incdir+bench\nbench/npu_memory.sv\nbench/npu_bench.sv\n";
  files.push_back({"bench.f", "-f files.f\n" + bench});
  files.push_back({"icarus.f", "+incdir+rtl/common\nbench/icarus.sv\n" + bench});
  return files;
}

}  // namespace gemel
