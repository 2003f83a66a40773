// SPDX-License-Identifier: Apache-2.0
// A group's plan, as results tell it.
#include "compiler/lower.hpp"

namespace gemel::compiler {
namespace {

// Loops outermost first; those that run once are left out.
void add_loop(LayerMapping& m, const char* name, bool more_than_once) {
  if (more_than_once) m.loops.emplace_back(name);
}

bool several_tiles(const LayerMapping& m) { return m.tile[0] < m.output[0] || m.tile[1] < m.output[1] || m.tile[2] < m.output[2]; }

LayerMapping of_array(const ConvShape& s, const ConvPlan& p, const Machine& machine) {
  LayerMapping m;
  m.unit = static_cast<int>(isa::Unit::Matrix);
  m.first_channel = s.first_channel;
  m.channels = s.cout;
  m.output = {s.n, s.oh, s.ow, s.cout};
  m.tile = {p.tile_n, p.tile_h, p.tile_w, std::min<std::int64_t>(s.cout, std::int64_t{p.store_blocks} * machine.columns)};
  m.accumulated_channels = std::min<std::int64_t>(s.cout, std::int64_t{p.acc_blocks} * machine.columns);
  for (const Chunk& k : p.chunks) {
    const std::int64_t channels = p.window ? s.cin : std::min<std::int64_t>(s.cin, std::int64_t{k.ncb} * machine.rows);
    const std::array<std::int64_t, 3> part = {k.nky, p.window ? s.kernel_w : k.nkx, channels};
    if (part[0] * part[1] * part[2] > m.reduction[0] * m.reduction[1] * m.reduction[2]) m.reduction = part;
  }
  const bool channels = p.store_blocks < p.cout_blocks;
  if (p.weights_outer) add_loop(m, "channels", channels);
  add_loop(m, "tiles", several_tiles(m));
  if (!p.weights_outer) add_loop(m, "channels", channels);
  add_loop(m, "reduction", p.chunks.size() > 1);
  if (p.weights_outer) m.resident.emplace_back("weights");
  if (!p.act_chunked && !(p.weights_outer && channels)) m.resident.emplace_back("activations");
  if (p.params_resident) m.resident.emplace_back("parameters");
  return m;
}

LayerMapping of_window(const WindowShape& s, const WindowPlan& p, const Machine& machine, bool tiles_outer) {
  LayerMapping m;
  m.unit = static_cast<int>(isa::Unit::Vector);
  m.first_channel = s.first_channel;
  m.channels = s.out.c - s.first_channel;
  m.output = {s.out.n, s.out.h, s.out.w, m.channels};
  m.tile = {p.tile_n, p.tile_h, p.tile_w, std::min<std::int64_t>(m.channels, std::int64_t{p.blocks} * machine.columns)};
  const bool channels = m.tile[3] < m.channels;
  if (!tiles_outer) add_loop(m, "channels", channels);
  add_loop(m, "tiles", several_tiles(m));
  if (tiles_outer) add_loop(m, "channels", channels);
  if (s.op == isa::Opcode::Depthwise && (p.params_resident || !tiles_outer || !channels)) m.resident.emplace_back("weights");
  if (p.params_resident) m.resident.emplace_back("parameters");
  return m;
}

}  // namespace

std::vector<LayerMapping> Lowerer::mapping(int index) {
  const GroupPlan& p = plan(index);
  std::vector<LayerMapping> parts;
  if (lowering(layer_of(index).op()).lower == &Lowerer::lower_elementwise) {
    LayerMapping m;
    m.unit = static_cast<int>(isa::Unit::Vector);
    const Tensor& output = network_.output_of(layer_of(index));
    m.channels = output.nhwc().c;
    m.output = {1, 1, ceil_div(output.bytes(), machine_.columns), machine_.columns};
    m.tile = {1, 1, p.window.tile_w, machine_.columns};
    add_loop(m, "tiles", several_tiles(m));
    m.resident.emplace_back("parameters");
    parts.push_back(std::move(m));
  } else {
    if (p.on_array) parts.push_back(of_array(p.conv_shape, p.conv, machine_));
    if (!p.on_array || p.split) parts.push_back(of_window(p.window_shape, p.window, machine_, p.beside && !p.split));
  }
  parts.back().beside = p.beside;
  return parts;
}

}  // namespace gemel::compiler
