// SPDX-License-Identifier: Apache-2.0
// gemel/npu_recorder.hpp.
#include "gemel/npu_recorder.hpp"

#include "session/session.hpp"
#include "sim/npu_recording.hpp"

namespace gemel {

struct NpuRecorder::Inside {
  Program program;
  NpuRecording recording;
};

NpuRecorder::NpuRecorder(Npu& npu, const Program& program, bool trace)
    : npu_(npu) {
  require_one_start(program);
  inside_.reset(new Inside{program, {npu, program.inside().schedule, trace}});
}

NpuRecorder::~NpuRecorder() = default;

Result NpuRecorder::result() const {
  Result result = inside_->recording.result();
  identify(inside_->program, npu_.machine(), result);
  return result;
}

}  // namespace gemel
