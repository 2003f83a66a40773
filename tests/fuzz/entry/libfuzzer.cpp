// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry for one of the targets: GEMEL_FUZZ_TARGET is its function.
#include "fuzz/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gemel::fuzz::GEMEL_FUZZ_TARGET(data, size);
  return 0;
}
