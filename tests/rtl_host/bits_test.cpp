// SPDX-License-Identifier: Apache-2.0
// How an adapter writes and reads ports, against a bit at a time; storage as Verilator lays it out.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "rtl_host/block.hpp"

namespace gemel {
namespace {

std::size_t storage_bytes(int width) {
  if (width <= 64) return width <= 8 ? 1 : width <= 16 ? 2 : width <= 32 ? 4 : 8;
  return static_cast<std::size_t>(width + 31) / 32 * 4;
}

// A port of old contents, with bytes behind it that nobody may touch.
struct Port {
  static constexpr std::uint8_t Behind = 0xa5;
  std::vector<std::uint8_t> bytes;
  RtlPort port;
  explicit Port(int width) : bytes(storage_bytes(width) + 16, Behind), port{bytes.data(), width} {
    std::fill(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(storage_bytes(width)), std::uint8_t{0});
  }
  bool bit(int i) const { return (bytes[static_cast<std::size_t>(i / 8)] >> i % 8 & 1) != 0; }
  void expect_clean() const {
    for (int i = port.width; i < 8 * static_cast<int>(storage_bytes(port.width)); ++i) EXPECT_FALSE(bit(i)) << "bit " << i << " beyond the width";
    for (std::size_t i = storage_bytes(port.width); i < bytes.size(); ++i) EXPECT_EQ(bytes[i], Behind) << "byte " << i << " behind the port";
  }
};

template <int Bits, class T>
void expect_packed(int count, std::mt19937& random) {
  SCOPED_TRACE(std::to_string(count) + " numbers of " + std::to_string(Bits) + " bits");
  Port p(Bits * count);
  for (int round = 0; round < 4; ++round) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& v : values) v = static_cast<T>(static_cast<int>(random() % (1u << Bits)) - (1 << (Bits - 1)));
    pack<Bits>(p.port, values.data(), count);
    for (int i = 0; i < count; ++i) {
      for (int b = 0; b < Bits; ++b) ASSERT_EQ(p.bit(Bits * i + b), (values[static_cast<std::size_t>(i)] >> b & 1) != 0) << "bit " << b << " of " << i;
    }
    p.expect_clean();
    std::vector<T> back(values.size());
    unpack<Bits>(p.port, back.data(), count);
    EXPECT_EQ(back, values);
  }
}

TEST(RtlPorts, PackedNumbersAreWhereVerilogHasThem) {
  std::mt19937 random(1);
  for (int count = 1; count <= 40; ++count) {
    expect_packed<9, std::int16_t>(count, random);
    expect_packed<6, std::int32_t>(count, random);
  }
}

TEST(RtlPorts, BytesAreCopiedWholeAndChangesNoticed) {
  std::mt19937 random(2);
  for (int count = 1; count <= 70; ++count) {
    SCOPED_TRACE(std::to_string(count) + " bytes");
    Port p(8 * count);
    std::vector<std::uint8_t> values(static_cast<std::size_t>(count)), back(values.size());
    for (auto& v : values) v = static_cast<std::uint8_t>(random() | 1u);
    EXPECT_TRUE(set_bytes(p.port, values.data()));
    EXPECT_FALSE(set_bytes(p.port, values.data()));
    for (auto& v : values) {  // each byte by itself
      v ^= 0x80;
      EXPECT_TRUE(set_bytes(p.port, values.data()));
    }
    get_bytes(p.port, back.data());
    EXPECT_EQ(back, values);
    EXPECT_TRUE(std::equal(values.begin(), values.end(), p.bytes.begin()));
    p.expect_clean();
  }
}

template <int Width>
void expect_fixed(std::mt19937_64& random) {
  SCOPED_TRACE(std::to_string(Width) + " bits");
  Port p(Width);
  const RtlBits<Width> bits(p.port);
  const std::uint64_t value = (random() | 1u) >> (64 - Width) | 1u;
  EXPECT_TRUE(set_bits(bits, value));
  EXPECT_FALSE(set_bits(bits, value));
  EXPECT_EQ(get_bits(bits), value);
  EXPECT_EQ(get_bits(p.port), value);
  EXPECT_TRUE(set_bits(p.port, 0));
  EXPECT_EQ(get_bits(bits), 0u);
  p.expect_clean();
  EXPECT_THROW(RtlBits<Width>(RtlPort{p.bytes.data(), Width + 1}), InternalError);
}

TEST(RtlPorts, OfFixedWidthAreThoseOfAnyWidth) {
  std::mt19937_64 random(3);
  expect_fixed<1>(random);
  expect_fixed<2>(random);
  expect_fixed<8>(random);
  expect_fixed<9>(random);
  expect_fixed<13>(random);
  expect_fixed<18>(random);
  expect_fixed<32>(random);
  expect_fixed<40>(random);
  expect_fixed<64>(random);
}

}  // namespace
}  // namespace gemel
