// SPDX-License-Identifier: Apache-2.0
// Scratch memory of the kernels: one growing piece per thread and slot, so that an instruction does not allocate.
#include <array>
#include <cstdlib>
#include <memory>
#include <new>

#include "kernels/tables.hpp"

namespace gemel::kernel_tables {
namespace {

constexpr std::int64_t Alignment = 64;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

struct Piece {
  std::unique_ptr<void, Free> memory;
  std::int64_t bytes = 0;
};

}  // namespace

void* scratch(Slot slot, std::int64_t bytes) {
  thread_local std::array<Piece, SlotCount> pieces;
  Piece& piece = pieces[static_cast<std::size_t>(slot)];
  if (piece.bytes < bytes || !piece.memory) {
    const std::int64_t wanted = bytes + bytes / 2 + Alignment;  // grows by half, so a run of growing tiles settles soon
    const std::int64_t rounded = (wanted + Alignment - 1) / Alignment * Alignment;
    piece.memory.reset();
    piece.bytes = 0;
    piece.memory.reset(std::aligned_alloc(Alignment, static_cast<std::size_t>(rounded)));
    if (!piece.memory) throw std::bad_alloc();
    piece.bytes = rounded;
  }
  return piece.memory.get();
}

}  // namespace gemel::kernel_tables
