// SPDX-License-Identifier: Apache-2.0
// scratchpad, beat model; see scratchpad_beat.hpp.
#include "blocks/scratchpad/scratchpad_beat.hpp"

#include <algorithm>
#include <cstring>

namespace gemel {

ScratchpadBeat::ScratchpadBeat(const Machine& machine, Buffer buffer)
    : word_bytes_(machine.word_bytes(buffer)),
      words_(machine.words(buffer)),
      bank_words_(machine.bank_words(buffer)),
      bytes_(static_cast<std::size_t>(words_ * word_bytes_)),
      written_(static_cast<std::size_t>(words_)) {
  for (auto& client : registers_) {
    for (auto& data : client) data.resize(static_cast<std::size_t>(word_bytes_));
  }
}

void ScratchpadBeat::reset() {
  std::fill(bytes_.begin(), bytes_.end(), std::uint8_t{0});
  std::fill(written_.begin(), written_.end(), false);
  turn_ = {};
  out_ = {};
}

void ScratchpadBeat::poke(std::int64_t index, const std::uint8_t* data) {
  std::memcpy(bytes_.data() + index * word_bytes_, data, static_cast<std::size_t>(word_bytes_));
  written_[static_cast<std::size_t>(index)] = true;
}

void ScratchpadBeat::fault(ScratchpadFault kind, std::uint32_t address) {
  if (out_.fault != ScratchpadFault::None) return;
  out_.fault = kind;
  out_.fault_address = address;
}

void ScratchpadBeat::check_banks(const ScratchpadIn& in) {
  if (in.read[0].enable && in.read[1].enable && in.read[0].address / bank_words_ == in.read[1].address / bank_words_) {
    fault(ScratchpadFault::PortConflict, in.read[1].address);
  }
  if (in.write[0].enable && in.write[1].enable && in.write[0].address / bank_words_ == in.write[1].address / bank_words_) {
    fault(ScratchpadFault::PortConflict, in.write[1].address);
  }
  for (const SramRead& read : in.read) {
    for (const SramWrite& write : in.write) {
      if (read.enable && write.enable && read.address == write.address) {
        fault(ScratchpadFault::ReadWriteConflict, read.address);
      }
    }
  }
}

void ScratchpadBeat::step(const ScratchpadIn& in) {
  out_.fault = ScratchpadFault::None;
  const int users = in.read[0].enable + in.read[1].enable + in.write[0].enable + in.write[1].enable;
  if (users == 0) return;
  if (users > 1) check_banks(in);
  const auto size = static_cast<std::size_t>(word_bytes_);
  for (std::size_t c = 0; c < in.read.size(); ++c) {
    if (!in.read[c].enable) continue;
    const std::uint32_t address = in.read[c].address;
    turn_[c] ^= 1;
    std::uint8_t* data = registers_[c][static_cast<std::size_t>(turn_[c])].data();
    out_.data[c] = data;
    if (address >= words_) {
      std::memset(data, 0, size);
      fault(ScratchpadFault::OutsideBuffer, address);
      continue;
    }
    if (!written_[address]) fault(ScratchpadFault::NeverWritten, address);
    std::memcpy(data, bytes_.data() + std::size_t{address} * size, size);
  }
  for (const SramWrite& write : in.write) {
    if (!write.enable) continue;
    if (write.address >= words_) {
      fault(ScratchpadFault::OutsideBuffer, write.address);
      continue;
    }
    std::memcpy(bytes_.data() + std::size_t{write.address} * size, write.data, size);
    written_[write.address] = true;
  }
}

}  // namespace gemel
