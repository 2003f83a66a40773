// SPDX-License-Identifier: Apache-2.0
// Commands that are programs in Python (python/gemel): where they are, and which Python reads them.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "gemel/error.hpp"

namespace gemel::cli {

// The folder to be put into PYTHONPATH, and the Python. The folder: the first among those of Gemel that has `gemel/PROGRAM`, and, with
// `library`, the module that is compiled into the package as well. The Python: GEMEL_PYTHON, else the checkout's virtual environment, else the
// `python3` in PATH. Empty folder: there is none; `looked` has where it was looked for.
struct PythonProgram {
  std::string folder, python;
  std::vector<std::string> looked;
  std::string looked_in() const;  // for messages: "`a`, `b`"
};
PythonProgram find_python_program(const std::string& program, bool library);

// Of the package with its library: UserError E1212 if it is nowhere; `who` needs it ("`gemel sweep`").
PythonProgram require_package(const std::string& program, const std::string& who);
// Adds NAME=VALUE to the arguments of such a program, unless the value is empty.
void add_word(std::vector<std::string>& words, const char* name, const std::string& value);
// Adds NAME=VALUE for each of the values, an empty one too: the program says what is wrong with it.
void add_words(std::vector<std::string>& words, const char* name, const std::vector<std::string>& values);
// This process becomes `python3 -m MODULE ARGUMENTS`. UserError E1212.
[[noreturn]] void become(const PythonProgram& program, const std::string& module, const std::vector<std::string>& arguments, const std::string& who);

// The value of PYTHONPATH with `folder` in front.
std::string python_path(const std::string& folder);

}  // namespace gemel::cli
