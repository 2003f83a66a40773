// SPDX-License-Identifier: Apache-2.0
// The parsers under fuzzing. Each takes any bytes and either accepts them, or throws UserError within itself; what it accepts
// is then held against the promises of the parser. A broken promise aborts. tests/fuzz/README.md says how to run them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gemel::fuzz {

void machine_yaml(const std::uint8_t* data, std::size_t size);
void workload_yaml(const std::uint8_t* data, std::size_t size);
void table_csv(const std::uint8_t* data, std::size_t size);
void safetensors_file(const std::uint8_t* data, std::size_t size);
// Bytes of a .gemel file. The checksum is set right first, where the container can be read: no fuzzer would guess it.
void schedule_file(const std::uint8_t* data, std::size_t size);

struct Target {
  const char* name;  // of the function, of the executable fuzz_NAME and of the folder corpus/NAME
  void (*run)(const std::uint8_t* data, std::size_t size);
};
inline constexpr Target Targets[] = {{"machine_yaml", machine_yaml},
                                     {"workload_yaml", workload_yaml},
                                     {"table_csv", table_csv},
                                     {"safetensors_file", safetensors_file},
                                     {"schedule_file", schedule_file}};

}  // namespace gemel::fuzz
