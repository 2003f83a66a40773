// SPDX-License-Identifier: Apache-2.0
// The whole chip as one Verilated model: rtl/npu/npu.sv between the control registers and three AXI masters, clocked in every
// cycle of a run. What it has counted and latched is read through its registers, as a driver would.
#pragma once
#include "rtl_host/axi.hpp"
#include "top/memory_beat.hpp"
#include "top/stepper.hpp"
#include "top/swap.hpp"

namespace gemel {

struct NpuIn {
  bool csr_write = false, csr_read = false;
  std::uint32_t csr_write_offset = 0, csr_write_data = 0, csr_read_offset = 0;
  MemoryBeatOut memory;
};

struct NpuOut {
  MemoryBeatIn memory;
  bool running = false, interrupt = false, csr_answered = false;
  std::uint32_t csr_data = 0;
};

class NpuRtl : public RtlBlock<NpuIn, NpuOut> {
 public:
  explicit NpuRtl(std::unique_ptr<RtlModel> model_in) : RtlBlock("npu", std::move(model_in)) {}

 protected:
  void drive(const NpuIn& in) override;
  void sample(NpuOut& out, int flip) override;

 private:
  RtlPort csr_write_ = port("csr_write_i"), csr_write_offset_ = port("csr_write_offset_i"), csr_write_data_ = port("csr_write_data_i");
  RtlPort csr_read_ = port("csr_read_i"), csr_read_offset_ = port("csr_read_offset_i"), csr_answered_ = port("csr_answered_o"),
          csr_data_ = port("csr_data_o");
  RtlPort running_ = port("running_o"), interrupt_ = port("interrupt_o");
  AxiReadPorts fetch_{model(), "fetch_"}, load_{model(), "load_"};
  AxiWritePorts store_{model(), "store_"};
};

std::unique_ptr<NpuRtl> make_npu_rtl(const Machine& machine, const BlockChoice& choice, const SwapOptions& options);
// Resets the chip, whatever it was doing, and runs a program. `instructions` of the result stays empty. Ends in
// StepperEnd::Silent if no request, beat or answer has been on the AXI wires for `watchdog` cycles.
StepperResult run_npu_rtl(NpuRtl& npu, MemoryBeat& memory, std::uint64_t program_base, std::uint32_t program_bytes,
                          Cycle max_cycles, Cycle watchdog);

}  // namespace gemel
