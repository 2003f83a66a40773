// SPDX-License-Identifier: Apache-2.0
// The results of a program that software runs on a gemel::Npu of its own platform: layers, counters by cause, traffic, and the trace, as
// gemel::run() gives them, for gemel/report.hpp and for programs. Outputs lie in the platform's memory.
#pragma once
#include <memory>

#include "gemel/export.hpp"
#include "gemel/npu.hpp"
#include "gemel/program.hpp"
#include "gemel/result.hpp"

namespace gemel {

class GEMEL_API NpuRecorder {
 public:
  // From the next start on, each run of this program; other programs may run in between. An Npu has one recorder at a time, and outlives
  // it. Throws UserError E0505 if the program is for another machine, E0515 if it waits for layers on the host. `trace`: fill Result::trace.
  NpuRecorder(Npu& npu, const Program& program, bool trace = false);
  ~NpuRecorder();
  NpuRecorder(const NpuRecorder&) = delete;
  NpuRecorder& operator=(const NpuRecorder&) = delete;

  // Of the last run of it, once it has ended, well or with an error; all zeros before the first. With "npu=rtl" inside, layers have no times
  // and no counters (Result::layers_note).
  Result result() const;

 private:
  struct Inside;
  Npu& npu_;
  std::unique_ptr<Inside> inside_;
};

}  // namespace gemel
