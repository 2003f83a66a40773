// SPDX-License-Identifier: Apache-2.0
// Where named files are; see home.hpp.
#include "config/home.hpp"

#include <cstdlib>
#include <filesystem>
#include <set>

namespace gemel {

namespace fs = std::filesystem;

std::vector<std::string> home_folders() {
  if (const char* home = std::getenv("GEMEL_HOME"); home && *home) return {home};
  std::vector<std::string> found;
  std::error_code ignored;
  for (const char* folder : {GEMEL_SOURCE_HOME, GEMEL_INSTALLED_HOME}) {
    if (fs::is_directory(fs::path(folder) / "configs", ignored)) found.emplace_back(folder);
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
