// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/toolchain.hpp"

#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <sstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "rtl_host/patience.hpp"

namespace gemel {
namespace fs = std::filesystem;
namespace {

constexpr const char* Prefix = "answer.";

// Versions for which the short clock has been compared with eval(). To add one: run short_clock_test with it and
// GEMEL_TRY_SHORT_CLOCK=1.
constexpr VerilatorVersion ShortClock[] = {{5, 6}};

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

// The file behind all links, and what tells that it is still the same; empty if it has only just been written, so that
// it could be written once more without a trace.
std::string file_identity(const std::string& path) {
  constexpr long Fresh = 2;  // seconds
  struct stat s {};
  if (path.empty() || ::stat(path.c_str(), &s) != 0 || std::time(nullptr) - s.st_ctim.tv_sec < Fresh) return {};
  std::ostringstream text;
  text << fs::canonical(path).string() << ' ' << s.st_dev << ' ' << s.st_ino << ' ' << s.st_size << ' '
       << s.st_mtim.tv_sec << '.' << s.st_mtim.tv_nsec << ' ' << s.st_ctim.tv_sec << '.' << s.st_ctim.tv_nsec << '\n';
  return text.str();
}

std::string first_bytes(const std::string& path, std::size_t count) {
  std::string bytes(count, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

bool is_binary(const std::string& path) {
  return first_bytes(path, 4) ==
         "\x7f"
         "ELF";
}

// What GCC looks at for -march=native: instruction sets, what the system has switched on, caches. Empty on processors
// that this does not know.
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
  for (const unsigned leaf :
       {0U, 1U, 2U, 0x80000001U, 0x80000002U, 0x80000003U, 0x80000004U, 0x80000005U, 0x80000006U, 0x80000008U}) {
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

// All that decides what `verilator --version` answers; empty: not known. `verilator` is a Perl script that runs
// `verilator_bin`: beside it, or where these variables say (verilator_bin() in it).
std::string verilator_identity() {
  const std::string script = find_in_path("verilator");
  if (script.empty()) return {};
  const std::string begin = first_bytes(script, 400);
  if (begin.rfind("#!", 0) != 0 || begin.find("perl") == std::string::npos ||
      begin.find("Wilson Snyder") == std::string::npos)
    return {};
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

// The same of `g++ -march=native -###`.
std::string compiler_identity(const std::vector<std::string>& words) {
  if (words.size() != 1) return {};  // ccache g++
  const std::string compiler = find_in_path(words.front());
  const std::string of_compiler = file_identity(compiler), of_processor = processor_identity();
  if (of_compiler.empty() || of_processor.empty() || !is_binary(compiler)) return {};
  if (fs::canonical(compiler).filename().string().find("g++") == std::string::npos) return {};  // ccache, clang, ...
  std::string text = "g++\n" + of_compiler + of_processor;
  for (const char* name : {"PATH", "GCC_EXEC_PREFIX", "COMPILER_PATH", "LIBRARY_PATH", "CPATH", "CPLUS_INCLUDE_PATH"}) {
    text += variable(name);
  }
  return text;
}

// The answer kept for an identity, else `ask()`'s, which is then kept. A damaged answer is asked again; one that cannot
// be written is not kept.
std::string remembered(const std::vector<std::string>& folders, const std::string& writable,
                       const std::string& identity, const std::function<std::string()>& ask) {
  if (identity.empty()) return ask();
  const std::string name = std::string("/") + Prefix + content_hash("answer 2\n" + identity);
  for (const std::string& folder : folders) {
    std::ifstream file(folder + name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    const std::string kept = text.str();  // its hash, then the answer
    const std::size_t length = content_hash("").size();
    if (kept.size() > length && content_hash(kept.substr(length)) == kept.substr(0, length)) return kept.substr(length);
  }
  const std::string answer = ask();
  try {
    if (!writable.empty()) write_file_atomically(writable + name, content_hash(answer) + answer);
  } catch (const UserError&) {  // a full disk: asked again next time
  }
  return answer;
}

std::string why(const ProcessResult& r) {
  if (!r.output.empty()) return r.output.substr(0, r.output.find_last_not_of('\n') + 1);
  if (r.end == ProcessResult::End::TooLong) return "no answer in " + std::to_string(build_seconds()) + " seconds";
  return "no answer";
}

std::string verilator_root(const std::atomic<bool>* interrupted) {
  const ProcessResult root = run_tool({"verilator", "--getenv", "VERILATOR_ROOT"}, "", interrupted);
  return root.output.substr(0, root.output.find('\n'));
}

std::string ask_verilator() {
  const ProcessResult r = run_tool({"verilator", "--version"});
  if (!r.good())
    throw UserError("E1002", "Verilator cannot be run: " + why(r),
                    "install the package `verilator`, or use the models only");
  if (verilator_version(r.output).major > 0) return r.output;
  // One built with CMake does not say its number; its headers have it.
  std::ifstream file(verilator_root(nullptr) + "/include/verilated_config.h");
  for (std::string line; std::getline(file, line);) {
    const std::size_t quote = line.find('"');
    if (line.find("define VERILATOR_VERSION ") == std::string::npos || quote == std::string::npos) continue;
    return "Verilator " + line.substr(quote + 1, line.rfind('"') - quote - 1) + r.output;
  }
  return r.output;
}

std::vector<std::string> compiler_words() {
  const char* value = std::getenv("CXX");
  std::istringstream in(value != nullptr ? value : "");
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words.empty() ? std::vector<std::string>{"g++"} : words;
}

std::string ask_compiler(std::vector<std::string> command) {
  const std::string name = command.front();
  command.insert(command.end(), {NativeFlag, "-###", "-E", "-x", "c++", "/dev/null"});
  const ProcessResult r = run_tool(command);
  if (r.good()) return r.output;
  throw UserError("E1002", "the C++ compiler `" + name + "` cannot be run: " + why(r),
                  "install the package `g++`, or use the models only");
}

Toolchain ask_all(const std::vector<std::string>& folders, const std::string& writable) {
  Toolchain tools;
  tools.verilator = remembered(folders, writable, verilator_identity(), ask_verilator);
  tools.version = verilator_version(tools.verilator);
  if (tools.version < OldestVerilator) {
    throw UserError("E1019",
                    (tools.version.major > 0 ? "Verilator " + to_string(tools.version) + " is too old"
                                             : "Verilator does not tell its version: " +
                                                   tools.verilator.substr(0, tools.verilator.find('\n'))) +
                        "; " + to_string(OldestVerilator) + " or newer is needed",
                    "put a newer `verilator` in front in PATH, or use the models only");
  }
  tools.compiler = compiler_words();
  tools.compiler_and_processor =
      remembered(folders, writable, compiler_identity(tools.compiler), [&] { return ask_compiler(tools.compiler); });
  for (const std::string& word : tools.compiler) tools.compiler_and_processor += word + "\n";
  return tools;
}

ProcessRequest request_of(const std::vector<std::string>& arguments, const std::string& folder) {
  ProcessRequest request;
  request.arguments = arguments;
  request.folder = folder;
  for (const char* name :
       {"CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES"}) {
    request.environment.emplace_back(name, "");
  }
  request.environment.emplace_back("LC_ALL", "C");
  if (!folder.empty()) request.environment.emplace_back("TMPDIR", folder);  // goes with the folder
  return request;
}

void throw_if_interrupted(const ProcessResult& result) {
  if (result.end == ProcessResult::End::Interrupted) throw Interrupted("interrupted while RTL was being built");
}

}  // namespace

std::string to_string(const VerilatorVersion& version) {
  char text[32];
  std::snprintf(text, sizeof text, "%d.%03d", version.major, version.minor);
  return text;
}

VerilatorVersion verilator_version(std::string_view text) {
  constexpr std::string_view Name = "Verilator ";
  const std::size_t at = text.find(Name);
  VerilatorVersion version;
  if (at == std::string_view::npos) return version;
  const char* const end = text.data() + text.size();
  const auto [dot, bad_major] = std::from_chars(text.data() + at + Name.size(), end, version.major);
  if (bad_major != std::errc() || dot == end || *dot != '.') return {};
  const auto [rest, bad_minor] = std::from_chars(dot + 1, end, version.minor);
  return bad_minor == std::errc() ? version : VerilatorVersion{};
}

bool has_proven_short_clock(const VerilatorVersion& version) {
  return std::find(std::begin(ShortClock), std::end(ShortClock), version) != std::end(ShortClock);
}

const Toolchain& toolchain(const std::vector<std::string>& folders, const std::string& writable) {
  static std::mutex asking;
  static std::unique_ptr<Toolchain> known;
  const std::lock_guard<std::mutex> lock(asking);
  if (known == nullptr) known = std::make_unique<Toolchain>(ask_all(folders, writable));
  return *known;
}

ProcessResult run_tool(const std::vector<std::string>& arguments, const std::string& folder,
                       const std::atomic<bool>* interrupted) {
  const ProcessResult result =
      run_process(request_of(arguments, folder), std::chrono::seconds(build_seconds()), interrupted);
  throw_if_interrupted(result);
  return result;
}

std::vector<ProcessResult> run_tools(const std::vector<std::vector<std::string>>& commands, const std::string& folder,
                                     const std::atomic<bool>* interrupted) {
  std::vector<ProcessRequest> requests;
  for (const auto& command : commands) requests.push_back(request_of(command, folder));
  std::vector<ProcessResult> results =
      run_processes(requests, usable_cores(), std::chrono::seconds(build_seconds()), interrupted);
  for (const ProcessResult& result : results) throw_if_interrupted(result);
  return results;
}

std::string verilator_include(const std::atomic<bool>* interrupted) { return verilator_root(interrupted) + "/include"; }

int build_seconds() { return seconds_from_environment("GEMEL_RTL_BUILD_SECONDS", 1800); }

bool is_remembered_answer(const std::string& name) { return name.rfind(Prefix, 0) == 0; }

}  // namespace gemel
