// SPDX-License-Identifier: Apache-2.0
// load_dma, fast model: what ends up in the buffer does not depend on when memory moves its bytes. (Cycles: hand-worked programs, lockstep.)
#include "blocks/load_dma/load_dma_model.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

namespace gemel {
namespace {

// A memory that moves the bytes of a read as soon as it hears of it, and answers when it is told to.
struct HastyMemory final : ReadPort {
  HastyMemory() : bytes(1024) { std::iota(bytes.begin(), bytes.end(), std::uint8_t{0}); }
  using ReadPort::read;
  void read(std::uint64_t address, std::uint32_t count, std::uint8_t* data, Cycle at) override {
    std::memcpy(data, bytes.data() + address, count);
    answers.push_back(at + 10);
  }
  std::vector<std::uint8_t> bytes;
  std::vector<Cycle> answers;
};

struct Sequencer final : CompletionSink {
  void chain(isa::Unit, Cycle) override {}
  void done(isa::Unit, Cycle, isa::ErrorCode error) override {
    EXPECT_EQ(error, isa::ErrorCode::None);
    ++dones;
  }
  int dones = 0;
};

// Of two chained loads of the same words the later wins, whichever of them memory writes into the buffer directly.
TEST(LoadDmaModel, OfTwoLoadsInFlightTheLaterWinsWhereTheyMeet) {
  Machine machine;
  const int width = machine.word_bytes(Buffer::Vector);
  ASSERT_GE(width, 4);
  isa::Load padded, whole;  // words with bytes missing at their ends, words as they lie in memory
  padded.buffer = whole.buffer = static_cast<int>(Buffer::Vector);
  padded.word_base = whole.word_base = 3;
  padded.word_last = whole.word_last = 3;
  padded.address = 100;
  padded.run_bytes = padded.group_bytes = width - 1;
  whole.address = 200;
  whole.run_bytes = whole.group_bytes = width;
  for (auto [first, second] : {std::pair{padded, whole}, std::pair{whole, padded}}) {
    second.address += 300;
    const isa::Instruction a(first), b(second);
    HastyMemory memory;
    Sequencer sequencer;
    Scratchpad buffer(machine, Buffer::Vector);
    const ReadStalls none;
    LoadDmaModel dma(machine, sequencer, memory, none, {nullptr, nullptr, &buffer, nullptr});
    dma.start(a, 10);
    dma.start(b, 20);
    for (std::size_t i = 0; i < memory.answers.size(); ++i) dma.read_response(memory.answers[i], false);
    ASSERT_EQ(sequencer.dones, 2);
    for (int i = 0; i < width; ++i) {
      const bool given = i < b.load.run_bytes;
      EXPECT_EQ(buffer.word(3)[i], given ? static_cast<std::uint8_t>(b.load.address + static_cast<std::uint64_t>(i)) : 0) << "byte " << i;
    }
  }
}

}  // namespace
}  // namespace gemel
