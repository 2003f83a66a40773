// SPDX-License-Identifier: Apache-2.0
// A result as bytes, for pickles: every field in turn, by one list of fields for both directions. Bytes are read by the version of Gemel that
// wrote them, and by no other.
#pragma once
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "gemel/gemel.hpp"

namespace gemel::python {

class Writer {
 public:
  void raw(void* data, std::size_t size) { bytes.append(static_cast<const char*>(data), size); }
  void length(std::size_t& n) { raw(&n, sizeof n); }
  std::string bytes;
};

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  void raw(void* data, std::size_t size) {
    if (size > bytes_.size() - at_) throw std::invalid_argument("the pickle of a result is cut off");
    std::memcpy(data, bytes_.data() + at_, size);
    at_ += size;
  }
  // No vector or text has more elements than bytes are left.
  void length(std::size_t& n) {
    raw(&n, sizeof n);
    if (n > bytes_.size() - at_) throw std::invalid_argument("the pickle of a result is damaged");
  }
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  const std::string& bytes_;
  std::size_t at_ = 0;
};

template <typename Archive, typename T>
std::enable_if_t<std::is_arithmetic_v<T>> field(Archive& a, T& value) {
  a.raw(&value, sizeof value);
}
template <typename Archive>
void field(Archive& a, std::string& text) {
  std::size_t n = text.size();
  a.length(n);
  text.resize(n);
  a.raw(text.data(), n);
}
template <typename Archive, typename T, std::size_t N>
void field(Archive& a, std::array<T, N>& values);
template <typename Archive, typename A, typename B>
void field(Archive& a, std::pair<A, B>& pair);
template <typename Archive>
void field(Archive& a, LayerMapping& mapping);
template <typename Archive>
void field(Archive& a, LayerResult& layer);
template <typename Archive>
void field(Archive& a, TraceEvent& event);
template <typename Archive>
void field(Archive& a, TraceWait& wait);
template <typename Archive>
void field(Archive& a, TensorData& tensor);

template <typename Archive, typename T>
void field(Archive& a, std::vector<T>& values) {
  std::size_t n = values.size();
  a.length(n);
  values.resize(n);
  if constexpr (std::is_arithmetic_v<T>) {
    if (n > 0) a.raw(values.data(), n * sizeof(T));
  } else {
    for (T& value : values) field(a, value);
  }
}
template <typename Archive, typename T, std::size_t N>
void field(Archive& a, std::array<T, N>& values) {
  for (T& value : values) field(a, value);
}
template <typename Archive, typename A, typename B>
void field(Archive& a, std::pair<A, B>& pair) {
  field(a, pair.first);
  field(a, pair.second);
}
template <typename Archive, typename... Fields>
void fields(Archive& a, Fields&... each) {
  (field(a, each), ...);
}

template <typename Archive>
void field(Archive& a, LayerMapping& m) {
  fields(a, m.unit, m.beside, m.first_channel, m.channels, m.output, m.tile, m.reduction, m.accumulated_channels, m.loops, m.resident);
}
template <typename Archive>
void field(Archive& a, WeightTiles& t) {
  fields(a, t.count, t.zero, t.left_out);
}
template <typename Archive>
void field(Archive& a, LayerResult& l) {
  fields(a, l.inputs, l.output, l.kernel, l.stride, l.dilation, l.padding, l.groups, l.name, l.op, l.macs,
         l.weight_bytes, l.weight_tiles, l.mapping, l.fused_into, l.first_cycle,
         l.last_cycle, l.rounds, l.array_cycles, l.load_bytes, l.store_bytes, l.predicted_cycles, l.counters, l.compared);
}
template <typename Archive>
void field(Archive& a, TraceEvent& e) {
  fields(a, e.unit, e.layer, e.start, e.end, e.instruction, e.opcode, e.bytes, e.posts, e.counted, e.busy, e.wait_request, e.wait_other);
}
template <typename Archive>
void field(Archive& a, TraceWait& w) {
  fields(a, w.unit, w.layer, w.cause, w.first, w.cycles);
}
template <typename Archive>
void field(Archive& a, TensorData& t) {
  fields(a, t.name, t.shape, t.type, t.scale, t.zero_point, t.bytes, t.data);
}
template <typename Archive>
void field(Archive& a, Result& r) {
  fields(a, r.network, r.machine, r.batch, r.clock_mhz, r.rows, r.columns, r.timing_only, r.engine, r.rounds, r.starts, r.cycles, r.counters, r.macs,
         r.array_cycles, r.load_bytes, r.store_bytes, r.fetch_bytes, r.load_bursts, r.store_bursts, r.fetch_bursts, r.instructions, r.host_bytes,
         r.layers, r.layers_note,
         r.trace, r.trace_waits, r.outputs, r.tensors, r.blocks, r.differences, r.compile_seconds, r.build_rtl_seconds, r.simulate_seconds, r.golden_seconds,
         r.peak_memory_mib, r.images, r.accuracy, r.float_accuracy, r.settings, r.version, r.commit, r.machine_digest, r.network_digest, r.program_digest,
         r.seed);
}

}  // namespace gemel::python
