// SPDX-License-Identifier: Apache-2.0
// sequencer, adapter: its ports as RTL has them. Counters and errors are read through its registers.
#pragma once
#include "blocks/sequencer/sequencer_ports.hpp"
#include "rtl_host/axi.hpp"

namespace gemel {

class SequencerRtl : public RtlBlock<SequencerIn, SequencerOut, SequencerBlock> {
 public:
  // `program`: to tell which instruction a command is; commands of a unit come in program order.
  SequencerRtl(const Machine&, std::unique_ptr<RtlModel> model_in, const std::vector<isa::Word>& program)
      : RtlBlock("sequencer", std::move(model_in)) {
    for (std::uint32_t i = 0; i < program.size(); ++i) {
      const auto u = static_cast<std::size_t>(isa::unit(isa::opcode(program[i])));
      if (u < index_.size()) index_[u].push_back(i);
    }
  }

  // What time_i shows first: only differences of it count.
  void count_from(std::uint64_t time) { from_ = time; }
  void reset() override {
    RtlBlock::reset();
    started_.fill(0);
    cycle_ = 0;
    skipped_ = 0;
  }
  void step(const SequencerIn& in) override {
    const bool was_running = out().running;
    for (std::size_t u = 0; u < started_.size(); ++u) started_[u] += out().command[u].valid ? 1 : 0;
    RtlBlock::step(in);
    if (was_running) ++cycle_;
    if (!was_running && out().running) {
      started_.fill(0);
      cycle_ = 0;
    }
  }
  void skip(Cycle cycles) override {
    cycle_ += cycles;
    skipped_ += cycles;
  }
  Cycle cycle() const override { return cycle_; }
  SequencerCounters counters() override {
    SequencerCounters counters{};
    for (std::uint32_t u = 0; u < isa::UnitCount; ++u) {
      for (std::uint32_t c = 0; c < isa::CauseCount; ++c) {
        counters[u][c] = static_cast<std::int64_t>(read64(isa::csr::Counters + 8 * (isa::CauseCount * u + c)));
      }
    }
    return counters;
  }
  SequencerFailure failure() override {
    SequencerFailure f;
    f.code = static_cast<isa::ErrorCode>(read(isa::csr::ErrorCode));
    f.instruction = read(isa::csr::ErrorInstruction);
    f.cycle = static_cast<Cycle>(read64(isa::csr::ErrorCycleLow));
    return f;
  }
  std::uint32_t started_index(int unit) const override {
    const auto u = static_cast<std::size_t>(unit);
    return started_[u] < index_[u].size() ? index_[u][started_[u]] : 0;
  }

 protected:
  void drive(const SequencerIn& in) override {
    gemel::set_bits(time_, from_ + static_cast<std::uint64_t>(clock_number() + skipped_));  // no change of the inputs
    set_bits(csr_write_, in.csr_write);
    if (in.csr_write) {
      set_bits(csr_write_offset_, in.csr_write_offset);
      set_bits(csr_write_data_, in.csr_write_data);
    }
    set_bits(csr_read_, in.csr_read);
    if (in.csr_read) set_bits(csr_read_offset_, in.csr_read_offset);
    std::uint64_t done = 0, chain = 0, error = 0, status = 0;
    for (std::size_t u = 0; u < isa::UnitCount; ++u) {
      done |= std::uint64_t{in.unit[u].done} << u;
      chain |= std::uint64_t{in.unit[u].chain} << u;
      error |= std::uint64_t{in.unit[u].error} << u;
      status |= static_cast<std::uint64_t>(in.unit[u].status) << (2 * u);
    }
    set_bits(done_, done);
    set_bits(chain_, chain);
    set_bits(error_, error);
    set_bits(status_, status);
    note(axi_.drive(in.memory));
  }
  void sample(SequencerOut& out, int flip) override {
    const std::uint64_t valid = get_bits(command_valid_);
    for (std::size_t u = 0; u < isa::UnitCount; ++u) {
      out.command[u].valid = (valid >> u & 1) != 0;
      if (out.command[u].valid) std::memcpy(word_[flip][u].data(), command_.bytes + 64 * u, 64);
      out.command[u].word = &word_[flip][u];
    }
    out.memory = axi_.sample();
    out.running = get_bits(running_) != 0;
    out.interrupt = get_bits(interrupt_) != 0;
    out.csr_written = get_bits(csr_written_) != 0;
    out.csr_answered = get_bits(csr_answered_) != 0;
    out.csr_data = static_cast<std::uint32_t>(get_bits(csr_data_));
  }

 private:
  std::uint32_t read(std::uint32_t offset) {
    SequencerIn in;
    in.csr_read = true;
    in.csr_read_offset = offset;
    RtlBlock::step(in);
    for (int i = 0; i < 16; ++i) {
      if (out().csr_answered) return out().csr_data;
      RtlBlock::step({});
    }
    throw UserError("E1008", "block `sequencer` did not answer a read of register " + std::to_string(offset) + " within 16 cycles",
                    "csr_answered_o must follow csr_read_i by two cycles");
  }
  std::uint64_t read64(std::uint32_t offset) {
    const std::uint64_t low = read(offset);
    return low | std::uint64_t{read(offset + 4)} << 32;
  }

  std::uint64_t from_ = 0;
  RtlBits<64> time_{port("time_i")};
  RtlBits<1> csr_write_{port("csr_write_i")}, csr_written_{port("csr_written_o")};
  RtlBits<12> csr_write_offset_{port("csr_write_offset_i")};
  RtlBits<32> csr_write_data_{port("csr_write_data_i")};
  RtlBits<1> csr_read_{port("csr_read_i")}, csr_answered_{port("csr_answered_o")};
  RtlBits<12> csr_read_offset_{port("csr_read_offset_i")};
  RtlBits<32> csr_data_{port("csr_data_o")};
  RtlBits<4> command_valid_{port("command_valid_o")};
  RtlPort command_ = port("command_o");
  RtlBits<4> done_{port("done_i")}, chain_{port("chain_i")}, error_{port("error_i")};
  RtlBits<8> status_{port("status_i")};
  RtlBits<1> running_{port("running_o")}, interrupt_{port("interrupt_o")};
  AxiReadPorts axi_{model()};
  std::array<isa::Word, isa::UnitCount> word_[2]{};
  std::array<std::vector<std::uint32_t>, isa::UnitCount> index_;
  std::array<std::size_t, isa::UnitCount> started_{};
  Cycle cycle_ = 0;    // of the run
  Cycle skipped_ = 0;  // clocks, since reset
};

inline void compare(const Machine&, const SequencerIn&, const SequencerOut& e, const SequencerOut& a, Comparison& c) {
  static constexpr const char* Names[] = {"command_valid_o[load]", "command_valid_o[matrix]", "command_valid_o[vector]", "command_valid_o[store]"};
  static constexpr const char* Words[] = {"command_o[load]", "command_o[matrix]", "command_o[vector]", "command_o[store]"};
  for (std::size_t u = 0; u < isa::UnitCount; ++u) {
    c.value(Names[u], e.command[u].valid, a.command[u].valid);
    if (e.command[u].valid && a.command[u].valid) c.instruction(Words[u], *e.command[u].word, *a.command[u].word);
  }
  compare_requests("arvalid_o", "araddr_o", "ar_bytes_o", e.memory, a.memory, c);
  c.value("running_o", e.running, a.running);
  c.value("interrupt_o", e.interrupt, a.interrupt);
  c.value("csr_written_o", e.csr_written, a.csr_written);
  c.value("csr_answered_o", e.csr_answered, a.csr_answered);
  if (e.csr_answered) c.value("csr_data_o", e.csr_data, a.csr_data);
}

}  // namespace gemel
