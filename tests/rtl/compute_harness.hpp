// SPDX-License-Identifier: Apache-2.0
// What the lockstep tests of compute blocks share: a Verilated top with a clock, ports as bit vectors, random numbers with
// corners. A port is little endian in memory whatever integer or word array Verilator made of it: bit i is bit i%8 of byte i/8.
#pragma once
#include <verilated.h>

#include <cstdint>
#include <cstring>
#include <random>

namespace gemel::rtl_test {

using Random = std::mt19937_64;

template <class Port>
std::uint64_t get(const Port& port, int lsb, int width) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&port);
  std::uint64_t value = 0;
  for (int i = 0; i < width; ++i) {
    const int bit = lsb + i;
    value |= std::uint64_t{static_cast<std::uint8_t>(bytes[bit / 8] >> (bit % 8) & 1)} << i;
  }
  return value;
}

template <class Port>
std::int32_t get_signed(const Port& port, int lsb, int width) {
  const auto value = static_cast<std::uint32_t>(get(port, lsb, width)) << (32 - width);
  return static_cast<std::int32_t>(value) >> (32 - width);
}

template <class Port>
void set(Port& port, int lsb, int width, std::int64_t value) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(&port);
  for (int i = 0; i < width; ++i) {
    const int bit = lsb + i;
    const auto mask = static_cast<std::uint8_t>(1 << bit % 8);
    bytes[bit / 8] = static_cast<std::uint8_t>((bytes[bit / 8] & ~mask) | ((value >> i & 1) != 0 ? mask : 0));
  }
}

// All bits of a port of `width` bits, from memory that holds at least as many.
template <class Port>
void set_bytes(Port& port, int width, const void* source) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(&port);
  std::memcpy(bytes, source, static_cast<std::size_t>(width / 8));
  if (width % 8 != 0) set(port, width / 8 * 8, width % 8, static_cast<const std::uint8_t*>(source)[width / 8]);
}
template <class Port>
bool equal_bytes(const Port& port, int width, const void* expected) {
  return std::memcmp(&port, expected, static_cast<std::size_t>(width / 8)) == 0;
}

template <class Port>
void set_random(Port& port, int width, Random& random) {
  for (int lsb = 0; lsb < width; lsb += 8) set(port, lsb, std::min(8, width - lsb), static_cast<std::int64_t>(random() & 255));
}

// A Verilated block. Registers without reset begin with bits drawn from `seed`.
template <class Top>
class Rtl {
 public:
  explicit Rtl(std::uint64_t seed) {
    context_.randReset(2);
    context_.randSeed(static_cast<int>(seed % 1000000 + 1));
    top_ = std::make_unique<Top>(&context_);
    reset();
  }
  ~Rtl() { top_->final(); }

  Top* operator->() { return top_.get(); }
  Top& operator*() { return *top_; }

  // Inputs of this cycle are set; afterwards outputs are those of the next.
  void clock() {
    top_->clk_i = 1;
    top_->eval();
    top_->clk_i = 0;
    top_->eval();
  }
  // Asynchronous: no clock is needed.
  void reset() {
    top_->clk_i = 0;
    top_->rst_ni = 1;
    top_->eval();
    top_->rst_ni = 0;
    top_->eval();
    top_->rst_ni = 1;
    top_->eval();
  }

 private:
  VerilatedContext context_;
  std::unique_ptr<Top> top_;
};

inline bool chance(Random& random, int percent) { return static_cast<int>(random() % 100) < percent; }
inline int between(Random& random, int least, int greatest) {
  return least + static_cast<int>(random() % static_cast<std::uint64_t>(greatest - least + 1));
}

// Any 32 bits, often near a corner.
inline std::int32_t any_int32(Random& random) {
  switch (random() % 4) {
    case 0: return static_cast<std::int32_t>(random());
    case 1: return static_cast<std::int32_t>(random()) >> random() % 32;
    case 2: return static_cast<std::int32_t>((std::uint32_t{1} << random() % 32) + static_cast<std::uint32_t>(random() % 5) - 2u);
    default: return -static_cast<std::int32_t>((std::uint32_t{1} << random() % 31) + static_cast<std::uint32_t>(random() % 5) - 2u);
  }
}

}  // namespace gemel::rtl_test
