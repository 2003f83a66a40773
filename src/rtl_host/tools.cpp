// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/tools.hpp"

#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "rtl_host/hash.hpp"

namespace gemel {
namespace fs = std::filesystem;
namespace {

constexpr const char* Prefix = "answer.";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return std::string(name) + "=" + (value != nullptr ? value : "\n") + "\n";  // no value has an end of line alone
}

// A folder that may not be read has nothing to run, as for a shell.
bool runnable(const std::string& path) {
  std::error_code hidden;
  return fs::is_regular_file(path, hidden) && ::access(path.c_str(), X_OK) == 0;
}

// As execvp() would find it; empty if nowhere.
std::string find_in_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return runnable(name) ? name : "";
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
    if (runnable(candidate)) return candidate;
  }
  return {};
}

// The file behind all links, and what tells that it is still the same; empty if it has only just been written, so that it could be
// written once more without a trace.
std::string file_identity(const std::string& path) {
  constexpr long Fresh = 2;  // seconds
  struct stat s {};
  if (path.empty() || ::stat(path.c_str(), &s) != 0 || std::time(nullptr) - s.st_ctim.tv_sec < Fresh) return {};
  std::ostringstream text;
  text << fs::canonical(path).string() << ' ' << s.st_dev << ' ' << s.st_ino << ' ' << s.st_size << ' ' << s.st_mtim.tv_sec << '.' << s.st_mtim.tv_nsec
       << ' ' << s.st_ctim.tv_sec << '.' << s.st_ctim.tv_nsec << '\n';
  return text.str();
}

std::string first_bytes(const std::string& path, std::size_t count) {
  std::string bytes(count, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

bool is_binary(const std::string& path) { return first_bytes(path, 4) == "\x7f" "ELF"; }

// What GCC looks at for -march=native: instruction sets, what the system has switched on, caches. Empty on processors that this does not know.
std::string processor_identity() {
#if defined(__x86_64__)
  std::ostringstream text;
  const auto ask = [&](unsigned leaf, unsigned part, unsigned mask_b) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (leaf > __get_cpuid_max(leaf & 0x80000000U, nullptr)) return;
    __cpuid_count(leaf, part, a, b, c, d);
    text << std::hex << leaf << '.' << part << ' ' << a << ' ' << (b & mask_b) << ' ' << c << ' ' << d << '\n';
  };
  constexpr unsigned All = ~0U, NoCoreNumber = 0x00ffffffU;
  for (const unsigned leaf : {0U, 1U, 2U, 0x80000001U, 0x80000002U, 0x80000003U, 0x80000004U, 0x80000005U, 0x80000006U, 0x80000008U}) {
    ask(leaf, 0, leaf == 1 ? NoCoreNumber : All);
  }
  for (const unsigned leaf : {4U, 7U, 0xdU, 0x14U, 0x19U, 0x1eU, 0x24U}) {
    for (unsigned part = 0; part < (leaf == 4 ? 4U : 2U); ++part) ask(leaf, part, All);
  }
  unsigned a = 0, b = 0, c = 0, d = 0;
  __cpuid(1, a, b, c, d);
  if ((c & bit_OSXSAVE) != 0) {
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    text << low << ' ' << high << '\n';
  }
  return text.str();
#else
  return {};
#endif
}

}  // namespace

// `verilator` is a Perl script that runs `verilator_bin`: beside it, or where these variables say (verilator_bin() in it).
std::string verilator_identity() {
  const std::string script = find_in_path("verilator");
  if (script.empty()) return {};
  const std::string begin = first_bytes(script, 400);
  if (begin.rfind("#!", 0) != 0 || begin.find("perl") == std::string::npos || begin.find("Wilson Snyder") == std::string::npos) return {};
  const char *root = std::getenv("VERILATOR_ROOT"), *bin = std::getenv("VERILATOR_BIN");
  const std::string name = bin != nullptr && *bin != '\0' ? bin : "verilator_bin";
  std::string program;
  if (root != nullptr) {
    program = std::string(root) + "/bin/" + name;
    if (!runnable(program)) program = std::string(root) + "/" + name;
  } else {
    program = fs::canonical(script).parent_path().string() + "/" + name;
    if (!runnable(program)) program = find_in_path(name);
  }
  const std::string of_script = file_identity(script), of_program = file_identity(program);
  if (of_script.empty() || of_program.empty() || !is_binary(program)) return {};
  return "verilator\n" + of_script + of_program + variable("VERILATOR_ROOT") + variable("VERILATOR_BIN");
}

std::string compiler_identity() {
  const std::string compiler = find_in_path("g++");
  const std::string of_compiler = file_identity(compiler), of_processor = processor_identity();
  if (of_compiler.empty() || of_processor.empty() || !is_binary(compiler)) return {};
  if (fs::canonical(compiler).filename().string().find("g++") == std::string::npos) return {};  // ccache, clang, ...
  std::string text = "g++\n" + of_compiler + of_processor;
  for (const char* name : {"PATH", "GCC_EXEC_PREFIX", "COMPILER_PATH", "LIBRARY_PATH", "CPATH", "CPLUS_INCLUDE_PATH", "LANGUAGE", "LANG", "LC_ALL",
                           "LC_MESSAGES", "LC_CTYPE"}) {
    text += variable(name);
  }
  return text;
}

std::string remembered(const std::string& cache, const std::string& identity, const std::function<std::string()>& ask) {
  if (identity.empty()) return ask();
  const std::string path = cache + "/" + Prefix + sha1("answer 1\n" + identity);
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string kept = text.str();  // its hash, then the answer
  constexpr std::size_t HashLength = 40;
  if (kept.size() > HashLength && sha1(kept.substr(HashLength)) == kept.substr(0, HashLength)) return kept.substr(HashLength);
  const std::string answer = ask();
  try {
    write_file_atomically(path, sha1(answer) + answer);
  } catch (const UserError&) {  // a full disk: asked again next time
  }
  return answer;
}

bool is_remembered_answer(const std::string& name) { return name.rfind(Prefix, 0) == 0; }

}  // namespace gemel
