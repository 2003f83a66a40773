// SPDX-License-Identifier: Apache-2.0
// The parsers under fuzzing; see targets.hpp.
#include "fuzz/targets.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "config/digest.hpp"
#include "config/load.hpp"
#include "isa/schedule.hpp"
#include "network/safetensors.hpp"
#include "network/scalesim.hpp"
#include "network/workload.hpp"
#include "ops/ops.hpp"

namespace gemel::fuzz {
namespace {

// Networks above this are loaded without their numbers, so that runs stay short.
constexpr std::int64_t MostWeights = 1 << 16;

void promise(bool kept, const char* what) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

std::string text(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// Every error must be the user's, and its text must be printable.
template <class Action>
void guarded(Action action) {
  try {
    action();
  } catch (const UserError& error) {
    promise(!error.diagnostics().empty(), "an error says what is wrong");
    for (const Diagnostic& d : error.diagnostics())
      promise(!to_string(d).empty() && d.code.size() == 5, "a message has a text and a code");
  }
}

void check_network(const Network& n, bool with_numbers) {
  promise(!n.layers.empty() && !n.inputs.empty() && !n.outputs.empty(), "a network has inputs, layers and outputs");
  std::vector<bool> made(n.tensors.size(), false);
  for (const int i : n.inputs) made.at(i) = true;
  for (const Layer& l : n.layers) {
    std::vector<Shape> shapes;
    for (const int i : l.inputs) {
      promise(made.at(i), "a layer reads what was made before");
      shapes.push_back(n.tensors[i].shape);
    }
    promise(!made.at(l.output), "a tensor is made once");
    made[l.output] = true;
    const Tensor& out = n.tensors[l.output];
    const auto rule = ops::output_shape(l, shapes, out.shape);
    promise(rule.ok() && rule.shape == out.shape, "shapes obey the rules of the operators");
    promise(out.zero_point >= min_value(out.type) && out.zero_point <= max_value(out.type) && out.scale > 0, "a scale and a zero point");
    promise(l.clamp_min <= l.clamp_max && l.clamp_min >= min_value(out.type) && l.clamp_max <= max_value(out.type), "a clamp");
    promise(l.sum_bytes >= 0 && l.sum_bytes <= 4 && (l.sum_bytes == 0 || l.weights() != nullptr), "bytes of sums, where there are sums");
    promise(out.shape.innermost() % l.out_bytes() == 0, "as many channels as bytes of sums");
    const int fixed = l.sum_bytes > 0 ? 0 : ops::info(l.op()).requant_entries;
    const auto entries = static_cast<std::size_t>(fixed == ops::PerChannel ? out.shape.innermost() : fixed);
    promise(l.requant.multiplier.size() == entries && l.requant.shift.size() == entries, "a multiplier per channel");
    for (std::size_t i = 0; i < entries; ++i)
      promise(l.requant.multiplier[i] >= 0 && l.requant.shift[i] >= -31 && l.requant.shift[i] <= 30, "multipliers and shifts in range");
    if (with_numbers && l.weights() != nullptr)
      promise(static_cast<std::int64_t>(l.weights()->bytes.size()) == (l.has_computed_weights() ? 0 : n.weights(l)), "weights of the layer's shape");
    if (with_numbers && ops::info(l.op()).constants != nullptr) {
      Layer kept = l;
      for (const ops::ConstantTensor& constant : ops::info(l.op()).constants(kept, n.tensors[l.inputs.at(0)], out)) {
        const auto count = std::visit([](const auto* values) { return static_cast<std::int64_t>(values->size()); }, constant.values);
        promise(count == Shape(constant.shape).elements() || (count == 0 && !constant.required), "constants of the layer's shape");
      }
    }
  }
}

template <class Load>
void load_network(Load load) {
  guarded([&] {
    LoadOptions options;
    options.timing_only = true;
    const Network timing = load(options);
    check_network(timing, false);
    if (timing.weights() <= MostWeights) {
      options.timing_only = false;
      check_network(load(options), true);
    }
    options.timing_only = true;
    options.batch = 3;
    check_network(load(options), false);  // or UserError: it cannot be taken to another batch
  });
}

// The checksum of schedule files, written again.
class Checksum {
 public:
  void add(const void* data, std::size_t size) {
    const auto* next = static_cast<const std::uint8_t*>(data);
    word(size);
    std::uint64_t part = 0;
    std::size_t i = 0;
    for (; i < size; ++i) {
      part |= std::uint64_t{next[i]} << (8 * (i % 8));
      if (i % 8 == 7) word(part), part = 0;
    }
    word(part);
  }
  std::string hex() const {
    char digits[24];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(state_));
    return digits;
  }

 private:
  void word(std::uint64_t w) {
    state_ = (state_ ^ w) * 0x9e3779b97f4a7c15u;
    state_ ^= state_ >> 32;
  }
  std::uint64_t state_ = 0x67656d656cu;
};

// The same file with its checksum right, or nothing if it is no container with a description.
std::string sealed(const std::uint8_t* data, std::size_t size) {
  try {
    const auto file = safetensors::File::from_bytes(data, size, "x");
    const auto version = file.metadata().find("gemel_schedule"), description = file.metadata().find("schedule");
    if (version == file.metadata().end() || description == file.metadata().end()) return {};
    Checksum sum;
    sum.add(version->second.data(), version->second.size());
    sum.add(description->second.data(), description->second.size());
    safetensors::Writer writer;
    for (const auto& [key, value] : file.metadata()) writer.set_metadata(key, value);
    for (const auto& view : file.tensors()) {
      sum.add(view.name.data(), view.name.size());
      sum.add(view.data, view.bytes);
      writer.add(view.name, view.dtype, view.shape, view.data);
    }
    writer.set_metadata("checksum", sum.hex());
    return writer.bytes();
  } catch (const UserError&) {
    return {};
  }
}

}  // namespace

void machine_yaml(const std::uint8_t* data, std::size_t size) {
  guarded([&] {
    const Machine machine = parse_machine(text(data, size), "fuzz.yaml");
    const std::string written = to_yaml(machine);
    promise(machine_digest(parse_machine(written, "again.yaml")) == machine_digest(machine), "a machine survives being written");
    for (int b = 0; b < BufferCount; ++b)
      promise(machine.words(static_cast<Buffer>(b)) >= machine.buffer(static_cast<Buffer>(b)).banks, "a word in every bank");
  });
}

void workload_yaml(const std::uint8_t* data, std::size_t size) {
  const std::string yaml = text(data, size);
  load_network([&](const LoadOptions& options) { return load_workload_text(yaml, "fuzz.yaml", options); });
}

void table_csv(const std::uint8_t* data, std::size_t size) {
  const std::string csv = text(data, size);
  load_network([&](const LoadOptions& options) { return scalesim::load_table_text(csv, "fuzz.csv", options); });
}

void safetensors_file(const std::uint8_t* data, std::size_t size) {
  guarded([&] {
    const auto file = safetensors::File::from_bytes(data, size, "fuzz.safetensors");
    safetensors::Writer writer;
    for (const auto& [key, value] : file.metadata()) writer.set_metadata(key, value);
    for (const auto& view : file.tensors()) {
      promise(file.find(view.name) == &view, "a tensor is found by its name");
      writer.add(view.name, view.dtype, view.shape, view.data);  // reads all of its bytes
    }
    const std::string written = writer.bytes();
    const auto again = safetensors::File::from_bytes(written.data(), written.size(), "again");
    promise(again.metadata() == file.metadata() && again.tensors().size() == file.tensors().size(), "a file survives being written");
    for (const auto& view : file.tensors()) {
      const auto* copy = again.find(view.name);
      promise(copy && copy->dtype == view.dtype && copy->shape == view.shape && copy->bytes == view.bytes &&
                  (view.bytes == 0 || std::memcmp(copy->data, view.data, view.bytes) == 0), "a tensor survives being written");
    }
  });
}

void schedule_file(const std::uint8_t* data, std::size_t size) {
  guarded([&] { Schedule::from_bytes(data, size, "fuzz.gemel"); });
  const std::string bytes = sealed(data, size);
  if (bytes.empty()) return;
  guarded([&] {
    const Schedule schedule = Schedule::from_bytes(bytes.data(), bytes.size(), "fuzz.gemel");
    const std::string written = schedule.bytes();
    promise(Schedule::from_bytes(written.data(), written.size(), "again.gemel").bytes() == written, "a schedule survives being written");
  });
}

}  // namespace gemel::fuzz
