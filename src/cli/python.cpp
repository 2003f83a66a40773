// SPDX-License-Identifier: Apache-2.0
#include "cli/python.hpp"

#include <cstdlib>
#include <filesystem>

#include "config/home.hpp"

namespace gemel::cli {

namespace fs = std::filesystem;

namespace {

bool has_library(const fs::path& package) {
  std::error_code problem;
  for (fs::directory_iterator entry(package, problem), end; !problem && entry != end; entry.increment(problem)) {
    const std::string name = entry->path().filename().string();
    if (name.rfind("_gemel.", 0) == 0 && entry->path().extension() == ".so") return true;
  }
  return false;
}

}  // namespace

PythonProgram find_python_program(const std::string& program, bool library) {
  PythonProgram found;
  const char* chosen = std::getenv("GEMEL_PYTHON");
  std::error_code ignored;
  const fs::path own = fs::canonical("/proc/self/exe", ignored).parent_path();
  for (const std::string& home : home_folders()) {
    // A build folder's package has the library; a wheel is home of itself: gemel/share/gemel.
    for (const fs::path& folder : {own / "python", fs::path(home) / "python", fs::path(home) / "../../.."}) {
      if (!fs::is_regular_file(folder / "gemel" / program, ignored) || (library && !has_library(folder / "gemel"))) {
        found.looked.push_back(folder.lexically_normal().string());
        continue;
      }
      const fs::path environment = fs::path(home) / ".venv/bin/python";
      found.folder = folder.string();
      found.python = chosen != nullptr && *chosen ? chosen : fs::exists(environment, ignored) ? environment.string() : "python3";
      return found;
    }
  }
  return found;
}

std::string python_path(const std::string& folder) {
  const char* others = std::getenv("PYTHONPATH");
  return others != nullptr && *others ? folder + ":" + others : folder;
}

}  // namespace gemel::cli
