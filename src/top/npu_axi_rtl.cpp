// SPDX-License-Identifier: Apache-2.0
#include "top/npu_axi_rtl.hpp"

namespace gemel {
namespace {

constexpr int ResetCycles = 3;  // from the end of reset outside until the registers take accesses

}  // namespace

NpuAxiRtl::NpuAxiRtl(std::unique_ptr<RtlModel> model_in) : RtlBlock("npu_axi", std::move(model_in)) {
  constants_ = axi_constants(fetch_.rdata.width / 8);
  for (Constant& c : constants_) {
    c.wires = port(c.port);
    if (c.port == std::string("csr_bresp_o")) c.valid = port("csr_bvalid_o");
    if (c.port == std::string("csr_rresp_o")) c.valid = port("csr_rvalid_o");
  }
}

void NpuAxiRtl::reset() {
  writes_.clear();
  reads_.clear();
  RtlBlock::reset();
  for (int i = 0; i < ResetCycles; ++i) step({});
}

void NpuAxiRtl::drive(const NpuIn& in) {
  if (in.csr_write) writes_.push_back({in.csr_write_offset, in.csr_write_data, false, false});
  if (in.csr_read) reads_.push_back(in.csr_read_offset);
  const bool address = !writes_.empty() && !writes_.front().address_taken, value = !writes_.empty() && !writes_.front().value_taken;
  set_bits(awvalid_, address);
  set_bits(wvalid_, value);
  set_bits(wstrb_, 0xf);
  set_bits(bready_, 1);
  set_bits(rready_, 1);
  set_bits(arvalid_, !reads_.empty());
  if (address) set_bits(awaddr_, writes_.front().offset);
  if (value) set_bits(wdata_, writes_.front().value);
  if (!reads_.empty()) set_bits(araddr_, reads_.front());
  // READY is a register's: what is taken in this clock is known before it.
  if (!writes_.empty()) {
    Write& write = writes_.front();
    write.address_taken |= get_bits(awready_) != 0;
    write.value_taken |= get_bits(wready_) != 0;
    if (write.address_taken && write.value_taken) writes_.pop_front();
  }
  if (!reads_.empty() && get_bits(arready_) != 0) reads_.pop_front();
  note(fetch_.drive(in.memory.fetch));
  note(load_.drive(in.memory.load));
  note(store_.drive(in.memory.store));
}

void NpuAxiRtl::sample(NpuOut& out, int flip) {
  out.memory.fetch = fetch_.sample();
  out.memory.load = load_.sample();
  out.memory.store = store_.sample(flip);
  out.running = get_bits(running_) != 0;
  out.interrupt = get_bits(interrupt_) != 0;
  out.csr_written = get_bits(bvalid_) != 0;
  out.csr_answered = get_bits(rvalid_) != 0;
  out.csr_data = static_cast<std::uint32_t>(get_bits(rdata_));
}

NpuAxiCheck::NpuAxiCheck(const Machine& machine, std::unique_ptr<NpuAxiRtl> npu, DivergenceSink sink)
    : machine_(machine), npu_(std::move(npu)), sink_(std::move(sink)) {
  const auto bytes = static_cast<std::size_t>(machine.bus_bytes);
  for (Wires& w : kept_) {
    for (auto* beat : {&w.fetched, &w.loaded, &w.stored}) beat->resize(bytes);
  }
}

void NpuAxiCheck::reset() {
  npu_->reset();
  for (Wires& w : kept_) {
    w.in = {};
    w.must = {};
  }
  clock_ = ResetCycles;
}

void NpuAxiCheck::step(const NpuIn& in, const NpuOut& must) {
  at_ = (at_ + 1) % Kept;
  Wires& now = kept_[at_];
  now.in = in;
  now.must = must;
  const auto keep = [](const std::uint8_t*& data, std::vector<std::uint8_t>& bytes) {
    if (data == nullptr) return;
    std::copy(data, data + bytes.size(), bytes.begin());
    data = bytes.data();
  };
  keep(now.in.memory.fetch.data, now.fetched);
  keep(now.in.memory.load.data, now.loaded);
  keep(now.must.memory.store.data, now.stored);

  const Wires& then = ago(NpuAxiRtl::AccessDelay);
  const Wires& answered = ago(NpuAxiRtl::AccessDelay + NpuAxiRtl::AnswerDelay);
  NpuOut expected = then.must;
  expected.csr_written = answered.must.csr_written;
  expected.csr_answered = answered.must.csr_answered;
  expected.csr_data = answered.must.csr_data;
  Comparison differences;
  compare(machine_, expected, npu_->out(), *npu_, differences);
  if (differences.any()) sink_(differences.first(), clock_);

  NpuIn given = in;
  given.memory = then.in.memory;
  npu_->step(given);
  ++clock_;
}

}  // namespace gemel
