// SPDX-License-Identifier: Apache-2.0
// The whole chip as one Verilated model: rtl/npu/npu.sv between the control registers and three AXI masters, clocked in every
// cycle of a run. What it has counted and latched is read through its registers, as a driver would.
#pragma once
#include "blocks/sequencer/control_register.hpp"
#include "rtl_host/axi.hpp"
#include "top/npu_ports.hpp"
#include "top/stepper.hpp"

namespace gemel {

class NpuRtl : public RtlBlock<NpuIn, NpuOut, NpuBlock> {
 public:
  explicit NpuRtl(std::unique_ptr<RtlModel> model_in) : RtlBlock("npu", std::move(model_in)) {}
  bool quiet() const override { return false; }  // its time goes on
  bool still() const override { return RtlBlock::quiet(); }

 protected:
  void drive(const NpuIn& in) override;
  void sample(NpuOut& out, int flip) override;

 private:
  RtlBits<1> csr_write_{port("csr_write_i")};
  RtlBits<12> csr_write_offset_{port("csr_write_offset_i")};
  RtlBits<32> csr_write_data_{port("csr_write_data_i")};
  RtlBits<1> csr_written_{port("csr_written_o")};
  RtlBits<1> csr_read_{port("csr_read_i")}, csr_answered_{port("csr_answered_o")};
  RtlBits<12> csr_read_offset_{port("csr_read_offset_i")};
  RtlBits<32> csr_data_{port("csr_data_o")};
  RtlBits<1> running_{port("running_o")}, interrupt_{port("interrupt_o")};
  AxiReadPorts fetch_{model(), "fetch_"}, load_{model(), "load_"};
  AxiWritePorts store_{model(), "store_"};
};

// Names of the store master's ports.
struct StorePortNames {
  const char *awvalid, *awaddr, *bytes, *wvalid, *wlast, *wstrb, *wdata;
};
inline void compare_store(const StorePortNames& names, const Machine& machine, const WriteRequestWires& must, const WriteRequestWires& is, Comparison& c) {
  compare_requests(names.awvalid, names.awaddr, names.bytes, {must.valid, must.address, must.bytes}, {is.valid, is.address, is.bytes}, c);
  c.belongs(must.data_valid, {Carries::StoredBeat});
  c.value(names.wvalid, must.data_valid, is.data_valid);
  if (!must.data_valid || !is.data_valid) return;
  c.value(names.wlast, must.data_last, is.data_last);
  c.value(names.wstrb, std::uint64_t{must.strobe_first} << 8 | must.strobe_end, std::uint64_t{is.strobe_first} << 8 | is.strobe_end);
  c.elements<std::uint8_t>(names.wdata, must.data, is.data, static_cast<std::size_t>(machine.bus_bytes));
}

inline void compare(const Machine& machine, const NpuOut& e, const NpuOut& a, Comparison& c) {
  c.value("running_o", e.running, a.running);
  c.value("interrupt_o", e.interrupt, a.interrupt);
  c.value("csr_written_o", e.csr_written, a.csr_written);
  c.value("csr_answered_o", e.csr_answered, a.csr_answered);
  if (e.csr_answered) c.value("csr_data_o", e.csr_data, a.csr_data);
  compare_requests("fetch_arvalid_o", "fetch_araddr_o", "fetch_ar_bytes_o", e.memory.fetch, a.memory.fetch, c);
  compare_requests("load_arvalid_o", "load_araddr_o", "load_ar_bytes_o", e.memory.load, a.memory.load, c);
  compare_store({"store_awvalid_o", "store_awaddr_o", "store_aw_bytes_o", "store_wvalid_o", "store_wlast_o", "store_wstrb_o", "store_wdata_o"}, machine,
                e.memory.store, a.memory.store, c);
}

// Resets the chip, whatever it was doing, and runs a program. `instructions` of the result stays empty. Ends in StepperEnd::Silent if no
// request, beat or answer has been on the AXI wires for `watchdog` cycles. `observer` may be empty. From 1 on, control.abort counts in cycle
// `abort_at` of the program.
StepperResult run_npu_rtl(const Machine& machine, Clocked<NpuIn, NpuOut>& npu, MemoryBeat& memory, std::uint64_t program_base,
                          std::uint32_t program_bytes, Cycle max_cycles, Cycle watchdog, const BeatObserver& observer, Cycle abort_at = -1);

}  // namespace gemel
