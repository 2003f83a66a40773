// SPDX-License-Identifier: Apache-2.0
// Lowering of elementwise layers (two sources, or a table), whose tensors are plain rows of words.
#include "base/error.hpp"
#include "compiler/lower.hpp"

namespace gemel::compiler {

// All but the places of operands, result and parameters, and the table.
isa::Vector Lowerer::elementwise_instruction(const Layer& layer, std::int64_t words) const {
  const bool pair = layer.inputs.size() == 2;
  const Tensor& a = network_.input_of(layer, 0);
  isa::Vector v;
  v.opcode = lowering(layer.op()).opcode;
  v.rounding = pair ? static_cast<int>(layer.requant.rounding) : 0;
  v.param_shared = 1;
  v.src0_unsigned = a.type == ElementType::UInt8;
  v.blocks = 1;
  v.dst_pixel_step = 1;
  v.pixel_words = 1;
  v.src_height = 1;
  v.src_width = static_cast<int>(words);
  v.out_width = static_cast<int>(words);
  if (pair) {
    const Tensor& b = network_.input_of(layer, 1);
    v.src1_unsigned = b.type == ElementType::UInt8;
    v.src0_zero = a.zero_point;
    v.src1_zero = b.zero_point;
    v.dst_zero = network_.output_of(layer).zero_point;
    v.clamp_min = layer.clamp_min;
    v.clamp_max = layer.clamp_max;
  } else {
    v.clamp_min = min_value(a.type);
    v.clamp_max = max_value(a.type);
  }
  return v;
}

void Lowerer::lower_elementwise(int index) {
  const Group& g = graph_.groups[index];
  const Layer& layer = network_.layers[g.main.layer];
  const Tensor& a = network_.tensors[layer.inputs[0]];
  const int tag = g.main.layer, columns = machine_.columns, operands = static_cast<int>(layer.inputs.size());
  const std::int64_t bytes = a.bytes(), words = ceil_div(bytes, columns);
  const WindowPlan& plan = this->plan(index).window;
  const std::int64_t tile = plan.tile_w;
  Areas own;
  if (plan.free_vector) {
    const std::int64_t most = vector_words() / (operands + 1);
    own = {Ring(0, most * operands), Ring(most * operands, 0), Ring(most * operands, most)};
  }
  Areas& areas = plan.free_vector ? own : plain_;

  std::vector<std::int32_t> multiplier = layer.requant.multiplier;
  std::vector<int> shift = layer.requant.shift;
  if (layer.op() == Op::Table) {  // x unchanged: 2^30/2^31 * 2^1
    multiplier = {1 << 30};
    shift = {1};
  }
  const auto sets_of_layer = static_cast<std::size_t>(lowering(layer.op()).shared_sets());
  multiplier.resize(sets_of_layer, 0);  // a network without numbers has none
  shift.resize(sets_of_layer, 0);
  const std::int64_t set_count = (g.main.has_table ? table_words(machine_) : 0) + SetWords * static_cast<std::int64_t>(multiplier.size());
  const std::uint64_t sets = shared_sets(g.main, multiplier, shift, layer.requant.bias);
  param_.prepare(set_count);
  const std::int64_t base = load_constant(tag, Buffer::Param, sets, set_count);
  if (base < 0) throw InternalError("no room left in param_buffer");
  const auto move = [&](bool write, std::int64_t word, std::uint64_t address, std::int64_t first, std::int64_t count) {
    const std::int64_t from = first * columns, to = std::min(bytes, (first + count) * columns);
    const std::int64_t whole = (to - from) / columns * columns;
    const auto at = address + static_cast<std::uint64_t>(from);
    const int layer_tag = write ? g.last_layer : tag;
    if (whole > 0) transfer(layer_tag, write, Buffer::Vector, word, at, whole, columns, {}, true);
    if (from + whole < to) {
      const std::int64_t rest = to - from - whole;
      transfer(layer_tag, write, Buffer::Vector, word + whole / columns, at + static_cast<std::uint64_t>(whole), rest, rest, {}, true);
    }
  };
  for (std::int64_t first = 0; first < words; first += tile) {
    begin_job(index, 0);
    if (first == 0) --jobs.back().first;  // the parameters' load belongs to the first job
    const std::int64_t count = std::min(tile, words - first);
    std::int64_t source[2] = {0, 0};
    for (int i = 0; i < operands; ++i) {
      source[i] = areas.source.take(count);
      if (source[i] < 0) throw InternalError("no room left in vector_buffer");
      move(false, source[i], memory_->address[layer.inputs[static_cast<std::size_t>(i)]], first, count);
    }
    const std::int64_t result = areas.output.take(count);
    if (result < 0) throw InternalError("no room left in vector_buffer");
    isa::Vector v = elementwise_instruction(layer, count);
    v.table = g.main.has_table;
    v.src0_base = static_cast<int>(source[0]);
    v.src0_last = static_cast<int>(source[0] + count - 1);
    if (operands == 2) {
      v.src1_base = static_cast<int>(source[1]);
      v.src1_last = static_cast<int>(source[1] + count - 1);
    }
    v.dst_base = static_cast<int>(result);
    v.dst_last = static_cast<int>(result + count - 1);
    v.param_base = static_cast<int>(base);
    v.param_last = static_cast<int>(base + set_count - 1);
    emit(v, tag);
    move(true, result, memory_->address[g.output], first, count);
    for (int i = 0; i < operands; ++i) areas.source.release(source[i]);
    areas.output.release(result);
    end_job();
  }
}

}  // namespace gemel::compiler
