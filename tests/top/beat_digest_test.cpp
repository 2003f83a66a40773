// SPDX-License-Identifier: Apache-2.0
// Digests of beats: what they tell apart, what they must not, and that every connection has beats.
#include "top/beat_digest.hpp"

#include <gtest/gtest.h>

#include "support/platform.hpp"
#include "support/random_program.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using What = BeatDigest::What;

const std::uint8_t Word[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

BeatDigest digest_of(std::initializer_list<Beat> beats) {
  BeatDigest digest;
  for (const Beat& beat : beats) digest.add(beat);
  return digest;
}

TEST(BeatDigest, NamesTheConnectionAndItsDriver) {
  const Beat beat = {Port::ArraySums, 7, 0, Word, sizeof Word};
  Beat later = beat, other_data = beat;
  later.cycle = 8;
  std::uint8_t changed[sizeof Word];
  std::copy(std::begin(Word), std::end(Word), changed);
  changed[11] ^= 0x80;  // of the last, incomplete eight bytes
  other_data.data = changed;
  const BeatDigest must = digest_of({beat});
  EXPECT_EQ(must.differences(digest_of({beat}), What::Payloads), "");
  EXPECT_EQ(must.differences(digest_of({later}), What::Payloads), "pe_array.sums of pe_array");
  EXPECT_EQ(must.differences(digest_of({later}), What::Times), "pe_array.sums of pe_array");
  EXPECT_EQ(must.differences(digest_of({other_data}), What::Payloads), "pe_array.sums of pe_array");
  EXPECT_EQ(must.differences(digest_of({other_data}), What::Times), "");
  EXPECT_EQ(must.differences(digest_of({}), What::Times), "pe_array.sums of pe_array");
  EXPECT_EQ(must.differences(digest_of({}), What::Times, true), "") << "not seen from outside";
}

TEST(BeatDigest, KnowsTheOrderOfBeats) {
  const Beat a = {Port::LoadWrite, 1, 5, Word, 4}, b = {Port::LoadWrite, 2, 6, Word + 4, 4};
  Beat swapped_a = a, swapped_b = b;
  std::swap(swapped_a.data, swapped_b.data);
  EXPECT_EQ(digest_of({a, b}).differences(digest_of({swapped_a, swapped_b}), What::Payloads), "load_dma.write of load_dma");
}

TEST(BeatDigest, CountsARequestThatWaitsTwice) {
  Beat request = {Port::LoadRequest, 3, 64, Word, 4, true};
  BeatDigest stepped = digest_of({request}), skipped = stepped;
  request.cycle = 4;
  stepped.add(request);
  request.cycle = 9;
  request.held = false;
  stepped.add(request);
  skipped.add(request);
  EXPECT_EQ(stepped.beats(), 2);
  EXPECT_EQ(stepped.differences(skipped, What::Payloads), "");
}

// On random programs: skipping changes no beat, and every connection has beats, so none is told of in vain.
TEST(BeatDigest, IsTheSameWhenCyclesAreSkipped) {
  const std::uint64_t seed = test::random_seed();
  std::array<std::int64_t, PortCount> beats{};
  Cycle cycles = 0, stepped = 0;
  for (std::uint64_t run = 0; run < 20; ++run) {
    testing::Random random(seed * 7919 + run);
    const Machine machine = testing::random_machine(random, 6);
    testing::RandomProgram maker(random, machine);
    const std::vector<isa::Word> program = maker.make(30);
    std::vector<std::uint8_t> memory(static_cast<std::size_t>(machine.memory_bytes));
    for (auto& byte : memory) byte = random.byte();
    std::memcpy(memory.data() + testing::ProgramRegion, program.data(), program.size() * isa::InstructionBytes);
    const auto bytes = static_cast<std::uint32_t>(program.size() * isa::InstructionBytes);
    BeatDigest digests[2];
    for (const bool skip : {false, true}) {
      std::vector<std::uint8_t> own = memory;
      Stepper stepper(machine, own);
      if (!skip) stepper.never_skip();
      stepper.observe([&](const Beat& beat) { digests[skip].add(beat); });
      const StepperResult result = stepper.run(testing::ProgramRegion, bytes, 10'000'000);
      cycles += skip ? result.cycles : 0;
      stepped += skip ? result.stepped : 0;
      for (std::size_t p = 0; p < beats.size(); ++p) beats[p] += result.beats[p];
    }
    ASSERT_EQ(digests[0].differences(digests[1], What::Payloads), "") << "run " << run;
  }
  EXPECT_LT(stepped, cycles);
  for (int p = 0; p < PortCount; ++p) EXPECT_GT(beats[static_cast<std::size_t>(p)], 0) << to_string(static_cast<Port>(p));
}

}  // namespace
}  // namespace gemel
