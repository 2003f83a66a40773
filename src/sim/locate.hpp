// SPDX-License-Identifier: Apache-2.0
// Which element of which tensor a beat on a port belongs to, for reports of differences. Nothing extra is recorded for it: beats of a
// port come in program order, so the number of a beat gives its instruction; the program is followed from there to the
// store that takes the value to memory (or from the load that fetched it), and the schedule knows what lies there.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/machine.hpp"
#include "isa/schedule.hpp"
#include "rtl_host/block.hpp"

namespace gemel {

struct Element {
  int tensor = -1;         // in schedule.tensors
  std::int64_t index = 0;  // dense NHWC
};

struct Location {
  std::int64_t instruction = -1;   // in the program; -1: not known
  std::optional<Element> element;  // none: padding, a constant, or nothing of a tensor
};

class Locator {
 public:
  Locator(const Machine& machine, const Schedule& schedule);

  // The beat's byte `byte`; `number`: beats of this kind before it in the run.
  Location of_beat(const CarriedBeat& beat, std::int64_t byte, std::int64_t number) const;
  // What a scratchpad answers to the instruction that reads.
  Location of_read(Buffer buffer, std::uint32_t word, std::int64_t byte, std::uint32_t reader) const;

 private:
  using Found = std::optional<Element>;

  // The value in word and lane: of what instruction i left in the accumulators (or i, a requantization, takes from there), of what i wrote into
  // vector_buffer, of what store i reads, of what load i wrote.
  Found of_sum(std::size_t i, std::int64_t word, std::int64_t lane) const;
  Found of_result(std::size_t i, std::int64_t word, std::int64_t lane) const;
  Found of_stored(std::size_t i, std::int64_t word, std::int64_t lane) const;
  Found of_loaded(std::size_t i, std::int64_t word, std::int64_t lane) const;
  Found of_row(std::size_t i, std::int64_t row, std::int64_t lane) const;  // of the requantizer
  Found of_store_beat(std::size_t i, std::int64_t beat, std::int64_t byte) const;
  Found at_output(int layer, std::uint64_t address) const;
  Found at_input(int layer, std::uint64_t address) const;

  std::int64_t beats(std::size_t i, Carries carries) const;
  const isa::Instruction& at(std::size_t i) const { return program_[i]; }

  const Machine& machine_;
  const Schedule& schedule_;
  std::vector<isa::Instruction> program_;
};

// Bursts in which store_dma writes what the instruction stores.
std::int64_t store_bursts(const isa::Store& store, const Machine& machine);

// "element [0, 3, 5, 17] of tensor `conv2` (int8)"
std::string to_string(const Element& element, const Schedule& schedule);
std::string element_text(const Shape& shape, std::int64_t index);  // "[0, 3, 5, 17]"

}  // namespace gemel
