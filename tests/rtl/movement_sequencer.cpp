// SPDX-License-Identifier: Apache-2.0
// sequencer in lockstep with its beat model: programs that are legal but careless (hazards, overflows, endless waits, broken
// chains, illegal words now and then), invented units, an ideal memory with errors, register accesses at any time. And the
// checks of decode against src/isa, on any words.
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "Decoder.h"
#include "SequencerNarrow.h"
#include "SequencerOdd.h"
#include "SequencerSynthesizedNarrow.h"
#include "SequencerSynthesizedOdd.h"
#include "SequencerSynthesizedUsual.h"
#include "SequencerUsual.h"
#include "SequencerWide.h"
#include "blocks/sequencer/sequencer_beat.hpp"
#include "config/digest.hpp"
#include "isa/random_instruction.hpp"
#include "movement_harness.hpp"
#include "support/random_seed.hpp"
#include "top/memory_beat.hpp"

namespace gemel::rtl_test {
namespace {

// Claims anywhere in their buffers, the rest of the fields as they are by default.
class CarelessProgram {
 public:
  CarelessProgram(Random& random, const Machine& machine) : random_(random), machine_(machine) {}

  bool generous = false;  // only loads; they post every semaphore and wait for none

  isa::Word next() {
    isa::Word word{};
    switch (generous ? 0 : random_() % 5) {
      case 0: {
        isa::Load i;
        i.buffer = between(random_, 0, 3);
        i.run_bytes = i.group_bytes = 1;
        interval(static_cast<Buffer>(i.buffer), 0, i.word_base, i.word_last);
        i.chain = chance(random_, 50);
        if (!generous && random_() % 300 == 0) i.machine = between(random_, 1, 0x7fffffff);  // not this one: the circuit has none
        word = finish(i);
        break;
      }
      case 1:
      case 2: {
        isa::Matrix i;
        interval(Buffer::Activation, 1, i.act_base, i.act_last);
        interval(Buffer::Weight, 1, i.weight_base, i.weight_last);
        interval(Buffer::Accumulator, 0, i.acc_base, i.acc_last);
        if (chance(random_, 50)) {
          i.acc_base = last_sums_.first;
          i.acc_last = last_sums_.second;
        }
        last_sums_ = {i.acc_base, i.acc_last};
        i.chain = chance(random_, 50);
        word = finish(i);
        break;
      }
      case 3: {
        isa::Vector i;
        const isa::VectorReads& reads = isa::VectorOpcodes[random_() % isa::VectorOpcodeCount];
        i.opcode = reads.opcode;
        const bool sums = reads.sources == 0;
        i.src_height = i.src_width = sums ? 0 : 1;
        i.param_shared = reads.shared == isa::Sharing::Must;
        i.table = chance(random_, 30);
        interval(sums ? Buffer::Accumulator : Buffer::Vector, 1, i.src0_base, i.src0_last);
        if (reads.sources == 2) interval(Buffer::Vector, 1, i.src1_base, i.src1_last);
        interval(Buffer::Param, 1, i.param_base, i.param_last);
        if (reads.sets == 0 && !i.table) i.param_last = i.param_base;
        interval(Buffer::Vector, 0, i.dst_base, i.dst_last);
        word = finish(i);
        break;
      }
      default: {
        isa::Store i;
        interval(Buffer::Vector, 2, i.word_base, i.word_last);
        i.chain = chance(random_, 50);
        word = finish(i);
      }
    }
    if (!generous && random_() % 500 == 0) word[random_() % word.size()] ^= std::uint64_t{1} << random_() % 64;
    return word;
  }

 private:
  template <class Instruction>
  isa::Word finish(Instruction i) {
    i.tag = between(random_, 0, 65535);
    if (chance(random_, waits_percent_)) i.wait_mask = 1 << random_() % 4;
    if (chance(random_, 60)) i.post_mask = static_cast<int>(random_() & random_() & 0xffff);
    if (generous) i.wait_mask = 0;
    if (generous) i.post_mask = 0xffff;
    return isa::encode(i);
  }
  // Mostly each user of a buffer keeps to its own third; banks may be shared all the same.
  void interval(Buffer buffer, int third, std::int32_t& first, std::int32_t& last) {
    const int words = static_cast<int>(machine_.words(buffer));
    const bool tidy = generous || chance(random_, tidy_percent_);
    first = tidy ? between(random_, words * third / 3, words * (third + 1) / 3 - 1) : between(random_, 0, words - 1);
    const int end = tidy ? words * (third + 1) / 3 : words;
    last = chance(random_, 50) ? first : std::min(end - 1, first + between(random_, 0, words / 8));
    if (!generous && random_() % 1500 == 0) last = std::min(words + between(random_, -1, 1), (1 << 18) - 1);
    if (!generous && random_() % 1500 == 0) std::swap(first, last);
  }

  Random& random_;
  const Machine& machine_;
  int waits_percent_ = std::array{0, 4, 15}[random_() % 3];
  int tidy_percent_ = std::array{60, 90, 97, 100}[random_() % 4];
  std::pair<int, int> last_sums_{0, 0};
};

// A unit that takes a random time; chains where the hardware would, one instruction behind another.
class InventedUnit {
 public:
  InventedUnit(Random& random, bool chains, int error_odds) : random_(random), chains_(chains), error_odds_(error_odds) {}

  const CompletionWires& out() const { return out_; }
  void step(bool command) {
    ++now_;
    out_ = {};
    if (command) {
      Work w;
      const int slow = chance(random_, 20) ? 60 : 6;
      w.chain = now_ + between(random_, 1, slow);
      w.done = std::max(w.chain, work_.empty() ? 0 : work_.back().done) + between(random_, 1, slow);
      work_.push_back(w);
    }
    if (!work_.empty() && chains_ && work_.back().chain == now_) out_.chain = true;
    if (!work_.empty() && work_.front().done == now_) {
      out_.done = true;
      out_.error = between(random_, 1, error_odds_) == 1;
      work_.pop_front();
    }
    out_.status = static_cast<UnitStatus>(random_() % 4);
  }

 private:
  struct Work {
    Cycle chain = 0, done = 0;
  };
  Random& random_;
  bool chains_;
  int error_odds_;
  Cycle now_ = 0;
  std::deque<Work> work_;
  CompletionWires out_;
};

Machine sequencer_machine(int bus, int burst, int queue, int prefetch) {
  Machine m;
  m.rows = m.columns = 1;
  m.bus_bytes = bus;
  m.burst_bytes = burst;
  m.queue_depth = queue;
  m.prefetch_instructions = prefetch;
  return m;
}

template <class Top>
void run_sequencer(Machine machine, int runs) {
  Random random(test::random_seed() * 1021 + static_cast<std::uint64_t>(machine.bus_bytes));
  std::map<isa::ErrorCode, int> ends;
  std::int64_t commands = 0, reads = 0;
  for (int run = 0; run < runs; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    machine.read_latency_cycles = between(random, 1, 30);
    machine.memory_queue = between(random, 1, 8);
    machine.memory_bytes_per_cycle = between(random, 1, 2 * machine.bus_bytes);
    machine.jitter_cycles = chance(random, 50) ? 0 : between(random, 1, 40);
    machine.jitter_seed = between(random, 0, 1 << 30);
    draw_stalls(random, machine);
    std::vector<std::uint8_t> memory(1 << 15);
    IdealMemoryBeat ideal(machine, memory);
    if (chance(random, 10)) ideal.poison(random() % (1 << 13), 1 << 13);
    SequencerBeat beat(machine);
    beat.reset();
    Rtl<Top> rtl(random());
    const std::uint64_t time = random();  // from anywhere
    std::vector<InventedUnit> units;
    for (int u = 0; u < isa::UnitCount; ++u) units.emplace_back(random, u != 2, u == 3 ? 80 : 1000);

    std::deque<std::pair<std::uint32_t, std::uint32_t>> writes;  // offset and value; one at a time, then what is random
    int programs = between(random, 1, 3), idle = 0, limit = 0;
    bool more = true, long_program = false;
    for (int cycle = 0; more; ++cycle) {
      const SequencerOut out = beat.out();
      // ---- what is on the wires
      ASSERT_EQ(rtl->running_o, out.running) << "cycle " << cycle;
      ASSERT_EQ(rtl->interrupt_o, out.interrupt) << "cycle " << cycle;
      ASSERT_EQ(rtl->csr_written_o, out.csr_written) << "cycle " << cycle;
      ASSERT_EQ(rtl->csr_answered_o, out.csr_answered) << "cycle " << cycle;
      if (out.csr_answered) {
        ASSERT_EQ(rtl->csr_data_o, out.csr_data) << "cycle " << cycle;
        ++reads;
      }
      ASSERT_EQ(rtl->arvalid_o, out.memory.valid) << "cycle " << cycle;
      if (out.memory.valid) {
        ASSERT_EQ(rtl->araddr_o, out.memory.address & ((std::uint64_t{1} << 40) - 1)) << "cycle " << cycle;
        ASSERT_EQ(rtl->ar_bytes_o, out.memory.bytes) << "cycle " << cycle;
        const auto bus = static_cast<std::uint64_t>(machine.bus_bytes);
        ASSERT_EQ(rtl->arlen_o, (out.memory.address + out.memory.bytes - 1) / bus - out.memory.address / bus) << "cycle " << cycle;
      }
      for (std::size_t u = 0; u < isa::UnitCount; ++u) {
        ASSERT_EQ(get(rtl->command_valid_o, static_cast<int>(u), 1), out.command[u].valid) << "unit " << u << ", cycle " << cycle;
        if (!out.command[u].valid) continue;
        ++commands;
        const auto* words = reinterpret_cast<const std::uint8_t*>(&rtl->command_o);
        ASSERT_EQ(std::memcmp(words + 64 * u, out.command[u].word->data(), 64), 0) << "unit " << u << ", cycle " << cycle;
      }
      ASSERT_EQ(rtl->quiet_o, beat.quiet()) << "cycle " << cycle;

      // ---- registers
      SequencerIn in;
      if (!out.running && writes.empty() && idle > 3) {
        const SequencerFailure failure = beat.failure();
        if (cycle > 4) ++ends[failure.code];
        if (programs-- == 0) {
          more = false;
        } else {
          CarelessProgram maker(random, machine);
          long_program = maker.generous = chance(random, 15);
          const int count = maker.generous ? 320 : between(random, 0, chance(random, 30) ? 150 : 30);
          const std::uint64_t base = 64 * (random() % 20);
          for (int i = 0; i < count; ++i) {
            isa::Word word = maker.next();
            if ((!maker.generous && random() % 200 == 0) || (i + 1 == count && chance(random, 90))) word = isa::encode(isa::Halt{});
            std::memcpy(memory.data() + base + 64 * static_cast<std::uint64_t>(i), word.data(), 64);
          }
          if (chance(random, 50)) writes.push_back({isa::csr::Control, 2});
          writes.push_back({isa::csr::InterruptEnable, static_cast<std::uint32_t>(random())});
          writes.push_back({isa::csr::ProgramBaseLow, static_cast<std::uint32_t>(base + random() % 64)});
          writes.push_back({isa::csr::ProgramBaseHigh, 0});
          writes.push_back({isa::csr::ProgramBytes, static_cast<std::uint32_t>(64 * count) + static_cast<std::uint32_t>(random() % 64)});
          writes.push_back({isa::csr::Control, chance(random, 50) ? 1u : 3u});
          limit = cycle + (maker.generous ? 30000 : 3000);
        }
        idle = 0;
      }
      idle = out.running ? 0 : idle + 1;
      if (!writes.empty() && chance(random, 60)) {
        in.csr_write = true;
        in.csr_write_offset = writes.front().first;
        in.csr_write_data = writes.front().second;
        writes.pop_front();
      } else if (out.running && chance(random, 5)) {
        in.csr_write = true;  // without effect, but for the interrupt's enable and an abort
        in.csr_write_offset = 4 * (random() % 12);
        in.csr_write_data = static_cast<std::uint32_t>(random());
        if (long_program) in.csr_write_data &= ~4u;  // it is to overflow a semaphore
      }
      if (chance(random, 40)) {
        in.csr_read = true;
        in.csr_read_offset = chance(random, 60) ? 4 * (random() % 256) : random() % 4096;
      }
      if (out.running && cycle > limit) break;  // waits for ever, as careless programs do

      // ---- the others
      in.memory = ideal.out().fetch;
      if (random() % 4000 == 0) in.memory.error = true;  // of a beat alone, whatever the others of its burst say
      for (std::size_t u = 0; u < isa::UnitCount; ++u) in.unit[u] = units[u].out();
      rtl->time_i = time + static_cast<std::uint64_t>(cycle);
      rtl->csr_write_i = in.csr_write;
      rtl->csr_write_offset_i = static_cast<std::uint16_t>(in.csr_write_offset);
      rtl->csr_write_data_i = in.csr_write_data;
      rtl->csr_read_i = in.csr_read;
      rtl->csr_read_offset_i = static_cast<std::uint16_t>(in.csr_read_offset);
      for (int u = 0; u < isa::UnitCount; ++u) {
        const CompletionWires& c = in.unit[static_cast<std::size_t>(u)];
        set(rtl->done_i, u, 1, c.done);
        set(rtl->chain_i, u, 1, c.chain);
        set(rtl->error_i, u, 1, c.done ? c.error : static_cast<int>(random() & 1));
        set(rtl->status_i, 2 * u, 2, static_cast<int>(c.status));
      }
      drive_read(rtl, in.memory, machine, random);
      clock(rtl);
      beat.step(in);
      for (std::size_t u = 0; u < isa::UnitCount; ++u) units[u].step(out.command[u].valid);
      MemoryBeatIn requests;
      requests.fetch = out.memory;
      ideal.step(requests);
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(commands, runs * 3);
  EXPECT_GT(reads, runs * 20);
  for (const auto code : {isa::ErrorCode::None, isa::ErrorCode::IllegalInstruction, isa::ErrorCode::AddressOutsideBuffer, isa::ErrorCode::Hazard,
                          isa::ErrorCode::SemaphoreOverflow, isa::ErrorCode::ReadError, isa::ErrorCode::WriteError, isa::ErrorCode::IllegalChain,
                          isa::ErrorCode::EndOfProgram, isa::ErrorCode::WrongMachine, isa::ErrorCode::Aborted}) {
    std::cout << isa::to_string(code) << " " << ends[code] << ", ";
    EXPECT_GT(ends[code], 0) << "never met: " << isa::to_string(code);
  }
  std::cout << commands << " commands\n";
}

Machine usual_machine() {
  Machine m = sequencer_machine(16, 256, 4, 8);
  for (auto& buffer : m.buffers) buffer = {4096, 8};
  return m;
}
Machine odd_machine() {
  Machine m = sequencer_machine(16, 32, 3, 5);
  m.buffers = {{{1001, 1}, {777, 7}, {3003, 3}, {515, 5}, {4 * 1300, 13}}};
  return m;
}
Machine narrow_machine() {
  Machine m = sequencer_machine(4, 4, 1, 1);
  for (auto& buffer : m.buffers) buffer = {1 << 18, 16};
  return m;
}
Machine wide_machine() {
  Machine m = sequencer_machine(128, 512, 2, 9);
  for (auto& buffer : m.buffers) buffer = {2000, 2};
  return m;
}

TEST(RtlSequencer, IsInLockstepWithAUsualBus) { run_sequencer<SequencerUsual>(usual_machine(), 2000); }
TEST(RtlSequencer, IsInLockstepWithOddBuffers) { run_sequencer<SequencerOdd>(odd_machine(), 2000); }
TEST(RtlSequencer, IsInLockstepWithAQueueOfOneAndANarrowBus) { run_sequencer<SequencerNarrow>(narrow_machine(), 2000); }
TEST(RtlSequencer, IsInLockstepWithTwoInstructionsInABeat) { run_sequencer<SequencerWide>(wide_machine(), 2000); }
// The text that synthesis gets.
TEST(RtlSequencer, IsInLockstepAsSynthesizedWithAUsualBus) { run_sequencer<SequencerSynthesizedUsual>(usual_machine(), 2000); }
TEST(RtlSequencer, IsInLockstepAsSynthesizedWithOddBuffers) { run_sequencer<SequencerSynthesizedOdd>(odd_machine(), 2000); }
TEST(RtlSequencer, IsInLockstepAsSynthesizedWithAQueueOfOneAndANarrowBus) { run_sequencer<SequencerSynthesizedNarrow>(narrow_machine(), 2000); }

// ---- The checks of decode, on words that are legal but for a field or a bit or two ----

Machine random_buffers(Random& random) {
  Machine m = sequencer_machine(16, 64, 1, 1);
  for (auto& buffer : m.buffers) buffer = {4 * (1 + static_cast<std::int64_t>(random() % (1 << 17))), 1};
  return m;
}

TEST(RtlDecoder, AgreesWithTheCheckOfInstructions) {
  isa::test::Random random(test::random_seed());
  VerilatedContext context;
  Decoder decoder(&context);
  std::map<isa::ErrorCode, int> seen;
  constexpr int Words = 400000;
  for (int n = 0; n < Words; ++n) {
    const Machine machine = random_buffers(random);
    isa::Word word = isa::test::random_legal(random);
    if (chance(random, 30)) {
      const isa::FormatInfo& format = *isa::find(isa::opcode(word))->format;
      if (format.field_count > 0) {
        const isa::FieldInfo& field = format.fields[random() % static_cast<std::uint64_t>(format.field_count)];
        isa::set_field(word, field, static_cast<std::int64_t>(random()) >> random() % 64);
      }
    }
    if (chance(random, 20)) word[random() % word.size()] ^= std::uint64_t{1} << random() % 64;
    if (chance(random, 2)) word[0] = (word[0] & ~std::uint64_t{255}) | (random() & 255);
    set_bytes(decoder.word_i, 512, word.data());
    decoder.activation_words_i = static_cast<std::uint32_t>(machine.words(Buffer::Activation));
    decoder.weight_words_i = static_cast<std::uint32_t>(machine.words(Buffer::Weight));
    decoder.vector_words_i = static_cast<std::uint32_t>(machine.words(Buffer::Vector));
    decoder.param_words_i = static_cast<std::uint32_t>(machine.words(Buffer::Param));
    decoder.accumulator_words_i = static_cast<std::uint32_t>(machine.words(Buffer::Accumulator));
    const std::int32_t digest = machine_digest(machine);
    if (isa::opcode(word) == isa::Opcode::Load && chance(random, 50)) {
      isa::set_field(word, isa::LoadFields[isa::LoadFormat.field_count - 1], chance(random, 80) ? digest : digest ^ 1 << random() % 31);
      set_bytes(decoder.word_i, 512, word.data());
    }
    decoder.machine_i = static_cast<std::uint32_t>(digest);
    decoder.eval();
    auto expected = isa::check(word);
    if (!expected) expected = isa::check_at_decode(isa::decode(word), machine, digest);
    const isa::ErrorCode code = expected ? expected->code : isa::ErrorCode::None;
    ++seen[code];
    const isa::ErrorCode actual = !decoder.legal_o ? isa::ErrorCode::IllegalInstruction
                                  : !decoder.intervals_legal_o ? isa::ErrorCode::AddressOutsideBuffer
                                  : !decoder.fits_machine_o    ? isa::ErrorCode::WrongMachine
                                  : !decoder.inside_buffers_o  ? isa::ErrorCode::AddressOutsideBuffer
                                                               : isa::ErrorCode::None;
    ASSERT_EQ(isa::to_string(actual), isa::to_string(code)) << (expected ? isa::to_string(*expected) : isa::disassemble(word));
    ASSERT_EQ(decoder.fields_legal_o != 0, !isa::check_fields(word)) << "word " << n;
    ASSERT_EQ(decoder.unit_o, static_cast<int>(isa::unit(isa::opcode(word))));
  }
  for (const auto& [code, count] : seen) {
    std::cout << isa::to_string(code) << " " << count << "\n";
    EXPECT_GT(count, Words / 100);
  }
  EXPECT_EQ(seen.size(), 4u);
}

}  // namespace
}  // namespace gemel::rtl_test
