// SPDX-License-Identifier: Apache-2.0
// store_dma, adapter: its ports as RTL has them.
#pragma once
#include "blocks/store_dma/store_dma_ports.hpp"
#include "rtl_host/axi.hpp"

namespace gemel {

class StoreDmaRtl : public RtlBlock<StoreDmaIn, StoreDmaOut> {
 public:
  StoreDmaRtl(const Machine&, std::unique_ptr<RtlModel> model_in) : RtlBlock("store_dma", std::move(model_in)) {}

 protected:
  void drive(const StoreDmaIn& in) override {
    set_bits(command_valid_, in.command.valid);
    if (in.command.valid) set_bytes(command_, in.command.word);
    set_bytes(vector_data_, in.vector);
    note(axi_.drive(in.memory));
  }
  void sample(StoreDmaOut& out, int flip) override {
    out.completion.done = get_bits(done_) != 0;
    out.completion.chain = get_bits(chain_) != 0;
    out.completion.error = get_bits(error_) != 0;
    out.completion.status = static_cast<UnitStatus>(get_bits(status_));
    out.vector = {get_bits(vector_read_) != 0, static_cast<std::uint32_t>(get_bits(vector_address_))};
    out.memory = axi_.sample(flip);
  }

 private:
  RtlBits<1> command_valid_{port("command_valid_i")};
  RtlPort command_ = port("command_i");
  RtlBits<1> done_{port("done_o")}, chain_{port("chain_o")}, error_{port("error_o")};
  RtlBits<2> status_{port("status_o")};
  RtlBits<1> vector_read_{port("vector_read_o")};
  RtlBits<18> vector_address_{port("vector_address_o")};
  RtlPort vector_data_ = port("vector_data_i");
  AxiWritePorts axi_{model()};
};

inline void compare(const Machine& machine, const StoreDmaIn&, const StoreDmaOut& e, const StoreDmaOut& a, Comparison& c) {
  c.value("done_o", e.completion.done, a.completion.done);
  c.value("chain_o", e.completion.chain, a.completion.chain);
  if (e.completion.done) c.value("error_o", e.completion.error, a.completion.error);
  c.value("status_o", static_cast<std::uint64_t>(e.completion.status), static_cast<std::uint64_t>(a.completion.status));
  c.value("vector_read_o", e.vector.enable, a.vector.enable);
  if (e.vector.enable) c.value("vector_address_o", e.vector.address, a.vector.address);
  c.value("awvalid_o", e.memory.valid, a.memory.valid);
  if (e.memory.valid && a.memory.valid) {
    c.value("awaddr_o", e.memory.address, a.memory.address);
    c.value("aw_bytes_o", e.memory.bytes, a.memory.bytes);
  }
  c.belongs(e.memory.data_valid, {Carries::StoredBeat});
  c.value("wvalid_o", e.memory.data_valid, a.memory.data_valid);
  if (e.memory.data_valid && a.memory.data_valid) {
    c.value("wlast_o", e.memory.data_last, a.memory.data_last);
    c.value("wstrb_o", std::uint64_t{e.memory.strobe_first} << 8 | e.memory.strobe_end,
            std::uint64_t{a.memory.strobe_first} << 8 | a.memory.strobe_end);
    c.elements<std::uint8_t>("wdata_o", e.memory.data, a.memory.data, static_cast<std::size_t>(machine.bus_bytes));
  }
}

}  // namespace gemel
