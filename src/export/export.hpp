// SPDX-License-Identifier: Apache-2.0
// The chip as a folder for somebody with tools of their own: RTL with one machine's parameters, file lists, constraints, a synthesis
// script; with a program also its memory image, expected outputs and cycles, and a testbench that checks them.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/machine.hpp"
#include "gemel/program.hpp"
#include "gemel/result.hpp"

namespace gemel {

// A program with the bytes of its inputs (Program::with_data), and what a run with these inputs has left.
struct ExportedRun {
  const Program& program;
  const Result& result;
  const std::string& arguments;  // of `gemel export`, for the page in the folder
};

// What export_chip() would find wrong with the program or the machine it is to run on, before anything is simulated.
// UserError E1302 layers run on the host; E1303 the testbench does not have such a memory.
void require_exportable(const Program& program, const Machine& machine);
// The folder must be empty or not be there. UserError E1301, E0901.
void require_empty_folder(const std::string& folder);

// Writes the folder, whole or not at all, and returns the files' paths within it. `run` may be null. `interrupted`: asked between files; if it
// says yes, nothing is left and Interrupted is thrown. UserError E1301 the folder has something in it, E0901, E0902, E1003.
std::vector<std::string> export_chip(const Machine& machine, const ExportedRun* run, const std::string& folder,
                                     const std::function<bool()>& interrupted);

}  // namespace gemel
