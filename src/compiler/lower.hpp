// SPDX-License-Identifier: Apache-2.0
// Lowering: groups of layers to operations in sequential order, with all addresses, and the constants they read. A job is
// a tile from its loads to its store; what a job leaves in vector_buffer or the accumulators nobody needs afterwards, so jobs
// of neighbouring groups may later be interleaved.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>

#include "compiler/conv.hpp"
#include "compiler/graph.hpp"
#include "compiler/operation.hpp"
#include "compiler/weight_parts.hpp"
#include "gemel/layer.hpp"

namespace gemel::compiler {

// Bytes that must lie in memory before the start, in one piece from `base` on.
class Constants {
 public:
  Constants(std::uint64_t base, std::uint64_t align, bool with_bytes)
      : base_(base), align_(align), end_(base), with_bytes_(with_bytes) {}
  // Address of `bytes` new bytes. `fill` writes them (they are 0 before); without it they are only an address.
  std::uint64_t add(std::int64_t bytes, const std::function<void(std::uint8_t*)>& fill);
  void reserve(std::int64_t bytes) { data_.reserve(static_cast<std::size_t>(bytes)); }
  std::uint64_t base() const { return base_; }
  std::uint64_t end() const { return end_; }
  bool with_bytes() const { return with_bytes_; }
  std::vector<std::uint8_t> take() { return std::move(data_); }

 private:
  std::uint64_t base_, align_, end_;
  bool with_bytes_;
  std::vector<std::uint8_t> data_;
};

// Where elements of a layer's second input go that are its weights.
struct ComputedWeights {
  int layer = 0;
  std::uint64_t address = 0;
  std::vector<std::int32_t> source;  // for each byte from there on: the element; -1: none, which is the zero point
};

struct Job {
  int first = 0, end = 0;  // operations
  int group = 0;
  int part = 0;  // 1: the vector unit's part of a group that both work on
};

// Tiling of an operator that works on windows of vector_buffer: pooling, mean, depthwise convolution.
struct WindowPlan {
  bool feasible = false;
  bool free_vector = false;
  int tile_n = 1, tile_h = 1, tile_w = 1, blocks = 1;
  bool params_resident = false;
  std::int64_t source_words = 0;  // of the largest tile
  std::int64_t cycles = 0, vector_cycles = 0, load_cycles = 0, store_cycles = 0;
};

struct WindowShape {
  isa::Opcode op = isa::Opcode::PoolMax;
  Nhwc in, out;
  int kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;
  int first_channel = 0;  // depthwise: those below are the array's
  bool has_table = false;
};

struct GroupPlan {
  bool on_array = false;  // conv
  bool split = false;     // conv and window: a depthwise layer's first channels on the array, the others on the vector unit
  bool halves = false;    // split: each part has half of param_buffer; else the array's part keeps its few
  bool leave_out_zeros = false;  // on the array, tiles of zeros: where an instruction more costs less (weight_parts.hpp)
  ConvShape conv_shape;
  ConvPlan conv;
  WindowShape window_shape;
  WindowPlan window;
  std::int64_t cycles = 0;
  bool beside = false;    // may run concurrently with the group before it: uses only the vector unit, and fits in the words that group does not use
  // param_words: param_buffer words held by this group and the earlier groups of its step (an array group holds at most half).
  // param_varies: the group allocates and frees words while it runs.
  std::int64_t param_words = 0;
  bool param_varies = false;
};

// How the machine runs an operator: a row of the table in lowering.cpp.
struct OpLowering;

class Lowerer {
 public:
  // plan() and lower() end in Interrupted once `*interrupted` is set.
  Lowerer(const Network& network, const Machine& machine, const Graph& graph, const std::atomic<bool>* interrupted = nullptr);

  // Plans all groups, anew, as if the machine were this one: itself, or one that has less of something. False if the lesser one cannot run a layer;
  // UserError if the machine itself cannot.
  bool plan_for(const Machine& machine);
  // The cheapest way found; UserError if there is none.
  const GroupPlan& plan(int group);
  // Other ways that only a look at the neighbours can judge (depthwise layers), and one of them chosen.
  const std::vector<GroupPlan>& alternatives(int group) const { return alternatives_[static_cast<std::size_t>(group)]; }
  // Of a group that runs on the array alone: plans with the best tilings, best first, the present one among them; 32 or `most`.
  std::vector<GroupPlan> finalists(int group, std::size_t most = ~std::size_t{0}) const;
  // The plan with the next best tilings of its parts, each alone; more of them where `wide`.
  std::vector<GroupPlan> variants(const GroupPlan& plan, bool wide = false) const;
  // How the group runs, unit by unit.
  std::vector<LayerMapping> mapping(int group);
  // The tiles of its weights on the array, after it has been lowered.
  WeightTiles weight_tiles(int group);
  int groups() const { return static_cast<int>(plans_.size()); }
  // The first and the last group of the same part of the program among a group and its neighbours.
  int first_near(int group) const { return group > 0 && same_part(group - 1, group) ? group - 1 : group; }
  int last_near(int group) const { return group + 1 < groups() && same_part(group, group + 1) ? group + 1 : group; }
  void choose(int group, const GroupPlan& plan) { *plans_[static_cast<std::size_t>(group)] = plan; }
  // Equal for groups that do the same in the same way.
  std::vector<std::int64_t> signature(int group);
  // Decides whether the group runs beside the one before it, which must be settled.
  void settle(int group);
  // Emits a group's operations as jobs. Needs plan() of all groups, and the places of tensors.
  void lower(int group, const MemoryMap& memory, Constants& constants);
  // From here on groups may have the words that those before kept (their weights and parameters).
  void begin_step();
  // From here on groups belong to another program: the buffers hold nothing.
  void begin_part();
  // Forgets what was lowered, not what was planned.
  void reset();

  static const OpLowering& lowering(Op op);

  std::vector<Operation> operations;
  std::vector<Job> jobs;
  std::function<void()> at_end_of_job;     // may take the operations and jobs, which leaves both empty; empty: nobody does
  std::vector<std::int64_t> weight_bytes, tiles_left_out, macs_left_out;  // per layer
  std::vector<ComputedWeights> computed_weights;

 private:
  struct Dimension {
    std::int64_t count, stride;
  };
  struct ActTile {
    std::int64_t base = 0, words = 0;
    int z = 1, y0 = 0, height = 1, x0 = 0, width = 1;  // rows and columns of the input that it holds
    int first_word = 0, pixel_words = 1;               // words [first_word, first_word + pixel_words) of each pixel
  };
  struct Areas {  // of vector_buffer
    Ring source, temporary, output;
  };

  bool same_part(int a, int b) const { return graph_.groups[static_cast<std::size_t>(a)].part == graph_.groups[static_cast<std::size_t>(b)].part; }
  static Areas areas(const Machine& machine, bool with_add);
  // Of the machine that is planned for.
  Capacity capacity(bool with_add) const;
  std::int64_t vector_words() const;
  static std::vector<std::int64_t> key(const ConvShape& shape);
  ConvPlan plan_conv_cached(const ConvShape& shape, const Capacity& capacity);
  const ZeroTiles& zero_tiles(int group, bool window);
  const Layer& layer_of(int group) const { return network_.layers[static_cast<std::size_t>(graph_.groups[static_cast<std::size_t>(group)].main.layer)]; }
  void plan_weighted(int group, GroupPlan& plan);
  void plan_pool(int group, GroupPlan& plan);
  void plan_mean(int group, GroupPlan& plan);
  void plan_elementwise(int group, GroupPlan& plan);
  WindowShape window_shape(int group) const;
  WindowPlan plan_window(const WindowShape& shape, const Capacity& capacity) const;
  // All that fit, best first.
  std::vector<WindowPlan> window_plans(const WindowShape& shape, const Capacity& capacity, bool free_vector) const;
  [[noreturn]] void refuse(const Layer& layer, const GroupPlan& plan) const;
  void heed_interrupt(const Layer& layer) const;

  void begin_job(int group, int part);
  void add_alternatives(int index, const GroupPlan& plan);
  // Divided as `plan` is, both parts with tiles of the same shape; best first.
  std::vector<GroupPlan> split_plans(const GroupPlan& plan, std::size_t most) const;
  static std::int64_t split_cycles(const GroupPlan& plan);
  void end_job();
  Operation& emit(const isa::Instruction& instruction, int layer);
  void transfer(int layer, bool write, Buffer buffer, std::int64_t word, std::uint64_t address, std::int64_t run, std::int64_t group,
                std::vector<Dimension> dimensions, bool tracked);
  std::int64_t load_constant(int layer, Buffer buffer, std::uint64_t address, std::int64_t words, std::int64_t slot = 0);

  class ConvEmitter;
  class WindowEmitter;
  void lower_weighted(int group);
  void lower_conv(int group);
  ActTile load_activations(int layer, const ConvShape& s, const ConvPlan& p, const Tile& tile, const Chunk& part,
                           std::uint64_t address, int zero_point, std::int64_t slot);
  void lower_window(int group);
  void lower_elementwise(int group);
  isa::Vector elementwise_instruction(const Layer& layer, std::int64_t words) const;

  std::uint64_t add_sets(const Stage& stage, const std::function<void(std::uint8_t*)>& fill_sets, std::int64_t words);
  std::uint64_t requantize_sets(const Stage& stage, int first_block, int blocks, bool depthwise);
  std::uint64_t sum_sets(const Stage& stage, int first_block, int blocks);
  // `bias`: of the last set.
  std::uint64_t shared_sets(const Stage& stage, const std::vector<std::int32_t>& multiplier, const std::vector<int>& shift, std::int32_t bias = 0);

  const Network& network_;
  const Machine& machine_;
  const Machine* planned_;  // for this one plans are made
  const Graph& graph_;
  const std::atomic<bool>* interrupted_;
  const MemoryMap* memory_ = nullptr;
  Constants* constants_ = nullptr;
  std::vector<std::unique_ptr<GroupPlan>> plans_;
  std::vector<std::vector<GroupPlan>> alternatives_;
  std::map<std::vector<std::int64_t>, ConvPlan> cache_;
  std::map<std::pair<int, bool>, ZeroTiles> zero_tiles_;  // by group, without and with windows
  Ring activation_, weight_, accumulator_, param_;
  Areas plain_, with_add_;
};

struct OpLowering {
  Op op;
  const char* runs_on;        // a cell of docs/reference/operators.md
  isa::Opcode opcode;         // of the vector unit
  // Members of Lowerer; nullptr for a view, which shares the memory of its input and needs no instruction, and
  // for what runs on the host (ops::OpInfo::on_host).
  void (Lowerer::*plan)(int group, GroupPlan& plan);  // fills the plan; UserError if there is no way
  void (Lowerer::*lower)(int group);                  // emits the jobs

  // Sets of parameters that all channels share.
  int shared_sets() const { return isa::reads(opcode).shared == isa::Sharing::Never ? 0 : isa::reads(opcode).sets; }
};

}  // namespace gemel::compiler
