// SPDX-License-Identifier: Apache-2.0
// Where the expected values lie that others made: the whole collections where they stand beside the checkout (developers' machines),
// else the samples in tests/data, which are in every checkout. A test says by `whole` how much it must find.
#pragma once
#include <filesystem>
#include <string>

namespace gemel::test {

struct ReferenceData {
  std::filesystem::path folder;
  bool whole = false;  // the whole collection; else the sample
};

// `collection`: path below the shared data, e.g. "derived/ort"; `sample`: folder in tests/data, e.g. "onnxruntime".
inline ReferenceData reference_data(const char* collection, const char* sample) {
  const std::filesystem::path whole = std::filesystem::path(GEMEL_SHARED_DATA) / collection;
  if (std::filesystem::exists(whole)) return {whole, true};
  return {std::filesystem::path(GEMEL_SOURCE_DIR) / "tests/data" / sample, false};
}

}  // namespace gemel::test
