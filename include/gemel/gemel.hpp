// SPDX-License-Identifier: Apache-2.0
// All of the library, but for the SystemC module (gemel/npu.hpp). For C++17 and later; no SystemC here.
//   const auto machine = gemel::load_machine("edge16", {"pe_array.rows=32"});
//   const auto network = gemel::load_network("resnet50");
//   const auto program = gemel::compile(network, machine);
//   const auto guess = gemel::estimate(program, machine);
//   const auto result = gemel::run(program, machine);
#pragma once
#include "gemel/engine.hpp"
#include "gemel/error.hpp"
#include "gemel/layer.hpp"
#include "gemel/machine.hpp"
#include "gemel/network.hpp"
#include "gemel/observer.hpp"
#include "gemel/parameters.hpp"
#include "gemel/program.hpp"
#include "gemel/real_time.hpp"
#include "gemel/report.hpp"
#include "gemel/result.hpp"
#include "gemel/run.hpp"
#include "gemel/version.hpp"
#include "gemel/yaml.hpp"
