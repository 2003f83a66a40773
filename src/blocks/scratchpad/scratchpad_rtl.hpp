// SPDX-License-Identifier: Apache-2.0
// scratchpad, adapter: its ports as RTL has them.
#pragma once
#include <array>

#include "blocks/scratchpad/scratchpad_ports.hpp"
#include "rtl_host/block.hpp"

namespace gemel {

class ScratchpadRtl : public RtlBlock<ScratchpadIn, ScratchpadOut> {
 public:
  ScratchpadRtl(const Machine& machine, Buffer buffer, std::unique_ptr<RtlModel> model)
      : RtlBlock(to_string(buffer), std::move(model)), word_bytes_(static_cast<std::size_t>(machine.word_bytes(buffer))) {
    for (auto& data : data_) data.resize(word_bytes_ * ScratchpadClients);
  }

 protected:
  void drive(const ScratchpadIn& in) override {
    std::uint64_t reads = 0, writes = 0, read_addresses = 0, write_addresses = 0;
    for (int k = 0; k < read_.width; ++k) {
      const SramRead& r = in.read[static_cast<std::size_t>(k)];
      reads |= std::uint64_t{r.enable} << k;
      if (r.enable) read_addresses |= std::uint64_t{r.address} << (18 * k);
    }
    for (int k = 0; k < write_.width; ++k) {
      const SramWrite& w = in.write[static_cast<std::size_t>(k)];
      writes |= std::uint64_t{w.enable} << k;
      if (!w.enable) continue;
      write_addresses |= std::uint64_t{w.address} << (18 * k);
      note(true);
      std::memcpy(write_data_.bytes + static_cast<std::size_t>(k) * word_bytes_, w.data, word_bytes_);
    }
    set_bits(read_, reads);
    set_bits(read_address_, read_addresses);
    set_bits(write_, writes);
    set_bits(write_address_, write_addresses);
  }
  void sample(ScratchpadOut& out, int flip) override {
    get_bytes(read_data_, data_[flip].data());
    for (int k = 0; k < read_.width; ++k) {
      out.data[static_cast<std::size_t>(k)] = data_[flip].data() + static_cast<std::size_t>(k) * word_bytes_;
    }
  }

 private:
  std::size_t word_bytes_;
  RtlPort read_ = port("read_i"), read_address_ = port("read_address_i"), read_data_ = port("read_data_o");
  RtlPort write_ = port("write_i"), write_address_ = port("write_address_i"), write_data_ = port("write_data_i");
  std::vector<std::uint8_t> data_[2];
};

// What is read counts one cycle after the enable: `in` is what was on the wires in the cycle before.
struct ScratchpadCompare {
  Buffer buffer;
  void operator()(const Machine& machine, const ScratchpadIn& in, const ScratchpadOut& expected, const ScratchpadOut& actual, Comparison& c) const {
    for (std::size_t k = 0; k < ScratchpadClients; ++k) {
      if (in.read[k].enable) {
        c.belongs(true, {Carries::ReadWord, in.read[k].address, static_cast<int>(k)});
        static constexpr std::array Ports = {"read_data_o[client 0]", "read_data_o[client 1]"};
        const auto bytes = static_cast<std::size_t>(machine.word_bytes(buffer));
        if (buffer == Buffer::Accumulator) c.elements<std::int32_t>(Ports[k], expected.data[k], actual.data[k], bytes / sizeof(std::int32_t));
        else c.elements<std::uint8_t>(Ports[k], expected.data[k], actual.data[k], bytes);
      }
    }
  }
};

}  // namespace gemel
