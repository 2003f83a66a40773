// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/sources.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"
#include "config/home.hpp"

namespace gemel {
namespace fs = std::filesystem;
namespace {

std::string read_source(const std::string& path) { return read_text_file(path, "E1003", "the source"); }

bool is_package(const fs::path& path) { return path.stem().string().find("_pkg") != std::string::npos; }

// Adds the names in the text that are modules to `wanted`.
void add_modules_named_in(const std::string& text, const std::map<std::string, std::string>& modules,
                          std::vector<std::string>& wanted) {
  const auto in_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (auto begin = text.begin(); begin != text.end();) {
    const auto end = std::find_if_not(begin, text.end(), in_word);
    if (begin == end) {
      ++begin;
      continue;
    }
    const std::string word(begin, end);
    if (modules.count(word) != 0) wanted.push_back(word);
    begin = end;
  }
}

std::vector<std::string> own_sources(const std::string& top) {
  std::vector<std::string> sources;
  std::map<std::string, std::string> modules;  // by name
  for (const auto& entry : fs::recursive_directory_iterator(own_rtl_folder())) {
    if (entry.path().extension() != ".sv") continue;  // .svh are found through the include folders
    if (is_package(entry.path())) {
      sources.push_back(entry.path());
    } else {
      modules[entry.path().stem()] = entry.path();
    }
  }
  std::sort(sources.begin(), sources.end());
  std::vector<std::string> wanted = {top};
  std::set<std::string> seen;
  while (!wanted.empty()) {
    const std::string name = wanted.back();
    wanted.pop_back();
    const auto module = modules.find(name);
    if (module == modules.end() || !seen.insert(name).second) continue;
    sources.push_back(module->second);
    add_modules_named_in(read_source(module->second), modules, wanted);
  }
  return sources;
}

void append_text(const std::string& path, const std::vector<std::string>& folders, std::set<std::string>& seen,
                 std::string& text) {
  if (!seen.insert(path).second) return;
  const std::string source = read_source(path);
  text += source + "\n--\n";
  static const std::regex include(
      "[ \t]+\"([^\"]+)\"");  // a regular expression over all of a source would take longer than loading the block
  constexpr std::string_view Directive = "`include";
  for (std::size_t at = source.find(Directive); at != std::string::npos; at = source.find(Directive, at)) {
    at += Directive.size();
    std::smatch named;
    if (!std::regex_search(source.begin() + static_cast<std::ptrdiff_t>(at), source.end(), named, include,
                           std::regex_constants::match_continuous))
      continue;
    for (const std::string& folder : folders) {
      const std::string found = folder + "/" + std::string(named[1]);
      if (!fs::is_regular_file(found)) continue;  // Verilator will say so if it is nowhere
      append_text(found, folders, seen, text);
      break;
    }
  }
}

}  // namespace

std::string module_of(const std::string& block) { return block_spec(block).module; }

std::string own_rtl_folder() {
  for (const std::string& home : home_folders()) {
    if (fs::is_directory(fs::path(home) / "rtl")) return fs::path(home) / "rtl";
  }
  throw UserError("E1003", "the folder `rtl` with Gemel's own Verilog is nowhere to be found", "set GEMEL_HOME");
}

RtlSources sources_of(const RtlRequest& request) {
  RtlSources sources;
  for (const std::string& source : own_sources(module_of(request.block))) {
    if (request.sources.empty() || is_package(source)) sources.files.push_back(fs::absolute(source));
  }
  for (const std::string& source : request.sources) {
    const fs::path path = fs::absolute(source);
    sources.files.push_back(path);
    const std::string folder = path.parent_path();
    if (std::find(sources.include_folders.begin(), sources.include_folders.end(), folder) ==
        sources.include_folders.end()) {
      sources.include_folders.push_back(folder);
    }
  }
  sources.include_folders.push_back(fs::absolute(own_rtl_folder() + "/common"));
  return sources;
}

std::string text_of(const RtlSources& sources) {
  std::set<std::string> seen;
  std::string text;
  for (const std::string& file : sources.files) append_text(file, sources.include_folders, seen, text);
  return text;
}

}  // namespace gemel
