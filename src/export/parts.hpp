// SPDX-License-Identifier: Apache-2.0
// The files of an export, as text.
#pragma once
#include <string>
#include <vector>

#include "export/export.hpp"

namespace gemel {

struct ExportedFile {
  std::string path;  // within the folder
  std::string text;
};

// rtl/, files.f, constraints.sdc, synth.ys, machine.yaml. UserError E1003.
std::vector<ExportedFile> chip_files(const Machine& machine);
// bench/icarus.sv, of the sources among them.
ExportedFile icarus_file(const std::vector<ExportedFile>& files);
// bench/, bench.f, icarus.f. UserError E1003.
std::vector<ExportedFile> workload_files(const Machine& machine, const ExportedRun& run);
// README.md.
ExportedFile readme_file(const Machine& machine, const ExportedRun* run);

inline constexpr char ExportedTop[] = "gemel_npu", ExportedAxiTop[] = "gemel_npu_axi";

}  // namespace gemel
