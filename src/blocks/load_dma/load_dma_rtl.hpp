// SPDX-License-Identifier: Apache-2.0
// load_dma, adapter: its ports as RTL has them.
#pragma once
#include "blocks/load_dma/load_dma_ports.hpp"
#include "rtl_host/axi.hpp"

namespace gemel {

class LoadDmaRtl : public RtlBlock<LoadDmaIn, LoadDmaOut> {
 public:
  LoadDmaRtl(const Machine&, std::unique_ptr<RtlModel> model_in) : RtlBlock("load_dma", std::move(model_in)) {
    for (auto& word : word_) word.resize(static_cast<std::size_t>(write_data_.width / 8));
  }

 protected:
  void drive(const LoadDmaIn& in) override {
    set_bits(command_valid_, in.command.valid);
    if (in.command.valid) set_bytes(command_, in.command.word);
    note(axi_.drive(in.memory));
  }
  void sample(LoadDmaOut& out, int flip) override {
    out.completion.done = get_bits(done_) != 0;
    out.completion.chain = get_bits(chain_) != 0;
    out.completion.error = get_bits(error_) != 0;
    out.completion.status = static_cast<UnitStatus>(get_bits(status_));
    out.memory = axi_.sample();
    const std::uint64_t select = get_bits(write_);
    out.write.enable = select != 0;
    out.write.address = static_cast<std::uint32_t>(get_bits(write_address_));
    if (!out.write.enable) return;
    for (int b = 0; b < 4; ++b) {
      if (select >> b & 1) out.buffer = static_cast<Buffer>(b);
    }
    get_bytes(write_data_, word_[flip].data());
    out.write.data = word_[flip].data();
  }

 private:
  RtlBits<1> command_valid_{port("command_valid_i")};
  RtlPort command_ = port("command_i");
  RtlBits<1> done_{port("done_o")}, chain_{port("chain_o")}, error_{port("error_o")};
  RtlBits<2> status_{port("status_o")};
  RtlBits<4> write_{port("write_o")};
  RtlBits<18> write_address_{port("write_address_o")};
  RtlPort write_data_ = port("write_data_o");
  AxiReadPorts axi_{model()};
  std::vector<std::uint8_t> word_[2];
};

inline void compare(const Machine& machine, const LoadDmaIn&, const LoadDmaOut& e, const LoadDmaOut& a, Comparison& c) {
  c.value("done_o", e.completion.done, a.completion.done);
  c.value("chain_o", e.completion.chain, a.completion.chain);
  if (e.completion.done) c.value("error_o", e.completion.error, a.completion.error);
  c.value("status_o", static_cast<std::uint64_t>(e.completion.status), static_cast<std::uint64_t>(a.completion.status));
  compare_requests("arvalid_o", "araddr_o", "ar_bytes_o", e.memory, a.memory, c);
  c.belongs(e.write.enable, {Carries::LoadedWord, e.write.address});
  c.value("write_o", e.write.enable, a.write.enable);
  if (e.write.enable && a.write.enable) {
    c.value("write_o", static_cast<std::uint64_t>(e.buffer), static_cast<std::uint64_t>(a.buffer));
    c.value("write_address_o", e.write.address, a.write.address);
    c.elements<std::uint8_t>("write_data_o", e.write.data, a.write.data, static_cast<std::size_t>(machine.word_bytes(e.buffer)));
  }
}

}  // namespace gemel
