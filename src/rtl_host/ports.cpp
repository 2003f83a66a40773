// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/ports.hpp"

#include "base/error.hpp"
#include "config/digest.hpp"

namespace gemel {

const BlockSpec& block_spec(const std::string& name) {
  std::string known;
  for (const BlockSpec& spec : block_specs()) {
    if (name == spec.name) return spec;
    known += (known.empty() ? "" : ", ") + std::string(spec.name);
  }
  throw UserError("E1001", "there is no block `" + name + "`", "blocks are: " + known);
}

RtlParameters machine_parameters(const Machine& m) {
  RtlParameters p = {{"rows", m.rows},
                     {"columns", m.columns},
                     {"lanes", m.lanes},
                     {"bus_bytes", m.bus_bytes},
                     {"burst_bytes", m.burst_bytes},
                     {"load_outstanding", m.load_outstanding},
                     {"store_outstanding", m.store_outstanding},
                     {"queue_depth", m.queue_depth},
                     {"prefetch_instructions", m.prefetch_instructions},
                     {"machine", machine_digest(m)}};
  static constexpr const char* Names[] = {"activation", "weight", "vector", "param", "accumulator"};
  for (int b = 0; b < BufferCount; ++b) {
    p[std::string(Names[b]) + "_words"] = m.words(static_cast<Buffer>(b));
    p[std::string(Names[b]) + "_banks"] = m.buffer(static_cast<Buffer>(b)).banks;
  }
  return p;
}

}  // namespace gemel
