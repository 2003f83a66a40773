// SPDX-License-Identifier: Apache-2.0
// The chip behind AXI (rtl/npu_axi) as one Verilated model in the place of npu: accesses of registers go over AXI4-Lite. They are on the wires
// of npu's registers AccessDelay cycles later than npu's own, and answered AnswerDelay cycles later again (docs/reference/machine.md, 9).
#pragma once
#include <array>
#include <deque>

#include "rtl_host/checked.hpp"
#include "top/npu_rtl.hpp"
#include "top/stepper.hpp"

namespace gemel {

class NpuAxiRtl : public RtlBlock<NpuIn, NpuOut, NpuBlock> {
 public:
  static constexpr int AccessDelay = 1, AnswerDelay = 1;
  explicit NpuAxiRtl(std::unique_ptr<RtlModel> model_in);
  void reset() override;
  bool quiet() const override { return false; }  // its time goes on
  bool still() const override { return RtlBlock::quiet() && writes_.empty() && reads_.empty(); }

  // Outputs that npu does not have, and what they always are; of csr_bresp_o and csr_rresp_o under their valids.
  struct Constant {
    const char* port;
    std::uint64_t value;
    RtlPort wires, valid;
  };
  const std::vector<Constant>& constants() const { return constants_; }

 protected:
  void drive(const NpuIn& in) override;
  void sample(NpuOut& out, int flip) override;

 private:
  struct Write {
    std::uint32_t offset, value;
    bool address_taken, value_taken;
  };
  std::deque<Write> writes_;         // not yet taken; the first is on the wires
  std::deque<std::uint32_t> reads_;  // offsets, alike
  RtlBits<1> awvalid_{port("csr_awvalid_i")}, awready_{port("csr_awready_o")}, wvalid_{port("csr_wvalid_i")}, wready_{port("csr_wready_o")};
  RtlBits<1> bvalid_{port("csr_bvalid_o")}, bready_{port("csr_bready_i")}, arvalid_{port("csr_arvalid_i")}, arready_{port("csr_arready_o")};
  RtlBits<1> rvalid_{port("csr_rvalid_o")}, rready_{port("csr_rready_i")};
  RtlBits<12> awaddr_{port("csr_awaddr_i")}, araddr_{port("csr_araddr_i")};
  RtlBits<32> wdata_{port("csr_wdata_i")}, rdata_{port("csr_rdata_o")};
  RtlBits<4> wstrb_{port("csr_wstrb_i")};
  RtlBits<1> running_{port("running_o")}, interrupt_{port("interrupt_o")};
  AxiReadPorts fetch_{model(), "fetch_", "aruser_o"}, load_{model(), "load_", "aruser_o"};
  AxiWritePorts store_{model(), "store_", "awuser_o"};
  static std::vector<Constant> axi_constants(int bus_bytes);
  std::vector<Constant> constants_;
};

inline void compare(const Machine& machine, const NpuOut& e, const NpuOut& a, const NpuAxiRtl& axi, Comparison& c) {
  c.value("running_o", e.running, a.running);
  c.value("interrupt_o", e.interrupt, a.interrupt);
  c.value("csr_bvalid_o", e.csr_written, a.csr_written);
  c.value("csr_rvalid_o", e.csr_answered, a.csr_answered);
  if (e.csr_answered) c.value("csr_rdata_o", e.csr_data, a.csr_data);
  compare_requests("fetch_arvalid_o", "fetch_araddr_o", "fetch_aruser_o", e.memory.fetch, a.memory.fetch, c);
  compare_requests("load_arvalid_o", "load_araddr_o", "load_aruser_o", e.memory.load, a.memory.load, c);
  compare_store({"store_awvalid_o", "store_awaddr_o", "store_awuser_o", "store_wvalid_o", "store_wlast_o", "store_wstrb_o", "store_wdata_o"}, machine,
                e.memory.store, a.memory.store, c);
  for (const NpuAxiRtl::Constant& constant : axi.constants()) {
    if (constant.valid.bytes == nullptr || get_bits(constant.valid) != 0) c.value(constant.port, constant.value, get_bits(constant.wires));
  }
}

inline std::vector<NpuAxiRtl::Constant> NpuAxiRtl::axi_constants(int bus_bytes) {
  const auto size = static_cast<std::uint64_t>(__builtin_ctz(static_cast<unsigned>(bus_bytes)));
  constexpr std::uint64_t Ascending = 1, Modifiable = 2, Data = 2;
  return {
      {"csr_awready_o", 1, {}, {}},  // an access in every cycle, while answers are taken
      {"csr_wready_o", 1, {}, {}},
      {"csr_arready_o", 1, {}, {}},
      {"csr_bresp_o", 0, {}, {}},    // the models access what is there
      {"csr_rresp_o", 0, {}, {}},
      {"fetch_arid_o", 0, {}, {}},
      {"fetch_arsize_o", size, {}, {}},
      {"fetch_arburst_o", Ascending, {}, {}},
      {"fetch_arlock_o", 0, {}, {}},
      {"fetch_arcache_o", Modifiable, {}, {}},
      {"fetch_arprot_o", Data, {}, {}},
      {"fetch_arqos_o", 0, {}, {}},
      {"fetch_arregion_o", 0, {}, {}},
      {"fetch_rready_o", 1, {}, {}},
      {"load_arid_o", 0, {}, {}},
      {"load_arsize_o", size, {}, {}},
      {"load_arburst_o", Ascending, {}, {}},
      {"load_arlock_o", 0, {}, {}},
      {"load_arcache_o", Modifiable, {}, {}},
      {"load_arprot_o", Data, {}, {}},
      {"load_arqos_o", 0, {}, {}},
      {"load_arregion_o", 0, {}, {}},
      {"load_rready_o", 1, {}, {}},
      {"store_awid_o", 0, {}, {}},
      {"store_awsize_o", size, {}, {}},
      {"store_awburst_o", Ascending, {}, {}},
      {"store_awlock_o", 0, {}, {}},
      {"store_awcache_o", Modifiable, {}, {}},
      {"store_awprot_o", Data, {}, {}},
      {"store_awqos_o", 0, {}, {}},
      {"store_awregion_o", 0, {}, {}},
      {"store_bready_o", 1, {}, {}},
  };
}

// The chip behind AXI beside the models: it gets what they get, AccessDelay cycles later but for accesses of its registers, and is compared with
// what they said then: every pin in every cycle.
class NpuAxiCheck : public PinObserver {
 public:
  NpuAxiCheck(const Machine& machine, std::unique_ptr<NpuAxiRtl> npu, DivergenceSink sink);
  void reset() override;
  void step(const NpuIn& in, const NpuOut& must) override;

 private:
  // What was on the wires in a cycle, with copies of the beats.
  struct Wires {
    NpuIn in;
    NpuOut must;
    std::vector<std::uint8_t> fetched, loaded, stored;
  };
  static constexpr std::size_t Kept = NpuAxiRtl::AccessDelay + NpuAxiRtl::AnswerDelay + 1;
  static_assert(NpuAxiRtl::AnswerDelay >= 0);
  const Wires& ago(std::size_t cycles) const { return kept_[(at_ + Kept - cycles) % Kept]; }

  const Machine& machine_;
  std::unique_ptr<NpuAxiRtl> npu_;
  DivergenceSink sink_;
  std::array<Wires, Kept> kept_;
  std::size_t at_ = 0;  // of this cycle
  std::int64_t clock_ = 0;
};

}  // namespace gemel
