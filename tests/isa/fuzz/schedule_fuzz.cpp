// SPDX-License-Identifier: Apache-2.0
// Coverage-guided fuzzing of schedule files. The first byte chooses: 0: the rest is a whole file; else the rest is the JSON
// description within a sound file. Checksums are ignored, or the fuzzer would get no further than them. Whatever is refused must be
// refused with a UserError of the codes of schedules; whatever is accepted must come back the same when saved again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "isa/isa.hpp"
#include "isa/schedule.hpp"
#include "network/safetensors.hpp"

namespace {

std::string file_around(std::string description) {
  static const std::vector<gemel::isa::Word> program = gemel::isa::assemble_program("load group_bytes=1\nstore\nhalt\n");
  static const std::uint8_t constant[4] = {1, 2, 3, 4};
  gemel::safetensors::Writer file;
  file.set_metadata("gemel_schedule", "2");
  file.set_metadata("checksum", "0");
  file.set_metadata("schedule", std::move(description));
  file.add("constant.000000", gemel::safetensors::Dtype::U8, {4}, constant);
  file.add("program", gemel::safetensors::Dtype::U8, {3, 64}, program.data());
  return file.bytes();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string file = data[0] == 0 ? rest : file_around(rest);
  try {
    const auto ignore = gemel::Schedule::Checksum::Ignore;
    const gemel::Schedule schedule = gemel::Schedule::from_bytes(file.data(), file.size(), "fuzz", ignore);
    const std::string again = schedule.bytes();
    const gemel::Schedule reloaded = gemel::Schedule::from_bytes(again.data(), again.size(), "again");
    if (reloaded.bytes() != again) std::abort();
  } catch (const gemel::UserError& error) {
    for (const gemel::Diagnostic& d : error.diagnostics()) {
      if (d.code.compare(0, 3, "E05") != 0) std::abort();
    }
  }
  return 0;
}
