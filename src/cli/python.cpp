// SPDX-License-Identifier: Apache-2.0
#include "cli/python.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

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

std::string PythonProgram::looked_in() const {
  std::string folders;
  for (const std::string& folder : looked) folders += (folders.empty() ? "`" : ", `") + folder + "`";
  return folders.empty() ? "any folder of Gemel" : folders;
}

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

PythonProgram require_package(const std::string& program, const std::string& who) {
  PythonProgram found = find_python_program(program, true);
  if (!found.folder.empty()) return found;
  throw UserError("E1212", who + " needs the Python package `gemel` with its library, which is in none of " + found.looked_in(),
                  "`pip install .` in the checkout installs it together with this command");
}

void become(const PythonProgram& program, const std::string& module, const std::vector<std::string>& arguments, const std::string& who) {
  std::vector<std::string> words = {program.python, "-B", "-m", module};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::setenv("PYTHONPATH", python_path(program.folder).c_str(), 1);
  std::cout.flush();
  sigset_t signals;  // wait until Python has its handlers (python/gemel/_command.py)
  ::sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, number);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::execvp(pointers[0], pointers.data());
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  throw UserError("E1212", who + " needs Python, and `" + program.python + "` cannot be started: " + std::strerror(errno),
                  "install python3, or let GEMEL_PYTHON name a Python of at least 3.11");
}

void add_word(std::vector<std::string>& words, const char* name, const std::string& value) {
  if (!value.empty()) words.push_back(std::string(name) + "=" + value);
}

void add_words(std::vector<std::string>& words, const char* name, const std::vector<std::string>& values) {
  for (const std::string& value : values) words.push_back(std::string(name) + "=" + value);
}

std::string python_path(const std::string& folder) {
  const char* others = std::getenv("PYTHONPATH");
  return others != nullptr && *others ? folder + ":" + others : folder;
}

}  // namespace gemel::cli
