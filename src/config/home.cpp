// SPDX-License-Identifier: Apache-2.0
// Where named files are; see home.hpp.
#include "config/home.hpp"

#include <link.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/error.hpp"

namespace gemel {

namespace fs = std::filesystem;

namespace {

// The file that this code was loaded from: an executable, or libgemel.so. Empty if that cannot be known.
fs::path own_file() {
  struct Search {
    std::uintptr_t code;
    std::string name;
    bool found = false;
  } search{reinterpret_cast<std::uintptr_t>(&home_folders), {}};
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* data) {
        auto& s = *static_cast<Search*>(data);
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const auto& segment = object->dlpi_phdr[i];
          const std::uintptr_t first = object->dlpi_addr + segment.p_vaddr;
          if (segment.p_type != PT_LOAD || s.code < first || s.code - first >= segment.p_memsz) continue;
          s.found = true;
          s.name = object->dlpi_name;
          return 1;
        }
        return 0;
      },
      &search);
  if (!search.found) return {};
  std::error_code problem;
  const fs::path path = fs::canonical(search.name.empty() ? "/proc/self/exe" : search.name, problem);  // no name: the executable
  return problem ? fs::path() : path;
}

// When the program starts: a rebuild may replace the file while it runs, or before it has children.
const fs::path Own = own_file();

bool is_home(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder / "configs", ignored);
}

// `bin/gemel`, `lib/x86_64-linux-gnu/libgemel.so` and a build's `tests/blocks/x/x_test` stand at most so many folders below the one with `share`.
constexpr int MostFoldersUp = 4;

}  // namespace

std::vector<std::string> home_folders() {
  if (const char* home = std::getenv("GEMEL_HOME"); home && *home) {
    if (!is_home(home)) {
      throw UserError("E0917", "GEMEL_HOME is `" + std::string(home) + "`, and there is no folder `configs` in it",
                      "unset it, or name the folder that has `configs`, `workloads` and `rtl`");
    }
    return {home};
  }
  std::vector<std::string> found;
  fs::path folder = Own.parent_path();
  for (int up = 0; up < MostFoldersUp && folder.has_relative_path(); ++up, folder = folder.parent_path()) {
    if (!is_home(folder / GEMEL_DATA_FOLDER)) continue;
    std::error_code problem;
    const fs::path home = fs::canonical(folder / GEMEL_DATA_FOLDER, problem);  // a build folder has a link to the checkout
    if (!problem) found.push_back(home.string());
    break;
  }
  return found;
}

std::vector<std::string> list_named(const std::string& folder, const std::string& extension) {
  std::set<std::string> names;
  for (const auto& home : home_folders()) {
    std::error_code stop;
    for (fs::directory_iterator entry(fs::path(home) / folder, stop), end; !stop && entry != end; entry.increment(stop)) {
      std::error_code ignored;
      if (entry->path().extension() == extension && entry->is_regular_file(ignored)) names.insert(entry->path().stem().string());
    }
  }
  return {names.begin(), names.end()};
}

std::string find_named(const std::string& folder, const std::string& name, const std::string& extension) {
  for (const auto& home : home_folders()) {
    const fs::path path = fs::path(home) / folder / (name + extension);
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored)) return path.string();
  }
  return {};
}

}  // namespace gemel
