// SPDX-License-Identifier: Apache-2.0
// What stands behind the handles of include/gemel.
#pragma once

#include "gemel/network.hpp"
#include "gemel/program.hpp"
#include "isa/schedule.hpp"
#include "network/network.hpp"

namespace gemel {

// Every NetworkPtr points to one of these.
struct LoadedNetwork : Network {
  bool timing_only = false;
};

struct Compiled {
  Schedule schedule;
  NetworkPtr network;          // nullptr: the program came from a file
  double compile_seconds = 0;
};

// What was run: versions and digests.
void identify(const Program& program, const Machine& machine, Result& result);
TensorInfo schedule_tensor_info(const ScheduleTensor& tensor);
// UserError E0515 if the program waits for layers on the host.
void require_one_start(const Program& program);

}  // namespace gemel
