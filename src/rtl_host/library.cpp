// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/library.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "base/error.hpp"
#include "base/files.hpp"
#include "config/home.hpp"
#include "rtl_host/hash.hpp"
#include "rtl_host/tools.hpp"

extern char** environ;

namespace gemel {
namespace fs = std::filesystem;
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path)) throw UserError("E1003", "cannot read the source `" + path + "`");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct CommandResult {
  int status = 0;
  std::string output;  // both streams
};

// Seconds that one program of a build may take.
int build_seconds() { return seconds_from_environment("GEMEL_RTL_BUILD_SECONDS", 1800); }

constexpr int TooLong = 129, Stopped = 130;  // no program's status

using Interrupt = const std::atomic<bool>*;  // may be null

bool is_set(Interrupt interrupted) { return interrupted != nullptr && interrupted->load(); }

// Ends a child and what it started, and waits until they no longer write anything.
void end_group(pid_t pid) {
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  for (int i = 0; i < 50 && ::kill(-pid, 0) == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

// Waits for the child; past the limit it is ended.
int wait_for(pid_t pid, Interrupt interrupted) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(build_seconds());
  int status = 0;
  for (int sleep_ms = 1;; sleep_ms = std::min(2 * sleep_ms, 50)) {
    const pid_t got = waitpid(pid, &status, WNOHANG);
    if (got == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    if (got < 0 && errno != EINTR) return 128;
    if (Clock::now() > end || is_set(interrupted)) {
      end_group(pid);
      return is_set(interrupted) ? Stopped : TooLong;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(sleep_ms));
  }
}

// Runs a program, in a process group of its own, with its output in memory: the disk may be full. No shell.
CommandResult run(const std::vector<std::string>& arguments, Interrupt interrupted = nullptr) {
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  const int log = ::memfd_create("gemel", MFD_CLOEXEC);
  posix_spawn_file_actions_adddup2(&actions, log, 1);
  posix_spawn_file_actions_adddup2(&actions, log, 2);
  pid_t pid = 0;
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int failed = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  CommandResult result{127, std::strerror(failed)};
  if (failed == 0) {
    result = {wait_for(pid, interrupted), ""};
    char part[4096];
    ::lseek(log, 0, SEEK_SET);
    for (ssize_t got = 0; (got = ::read(log, part, sizeof part)) > 0;) result.output.append(part, static_cast<std::size_t>(got));
  }
  ::close(log);
  if (result.status == Stopped && is_set(interrupted)) throw Interrupted("interrupted while RTL was being built");
  return result;
}

constexpr const char* NativeFlag = "-march=native";

// Asked once in a process at most.
std::string verilator_version(const std::string& cache) {
  static std::mutex asking;
  static std::string known;
  const std::lock_guard<std::mutex> lock(asking);
  if (!known.empty()) return known;
  known = remembered(cache, verilator_identity(), [&] {
    const CommandResult r = run({"verilator", "--version"});
    if (r.status == 0) return r.output;
    throw UserError("E1002", "Verilator cannot be run: " + (r.output.empty() ? "no answer" : r.output),
                    "install the package `verilator`, or use the models only");
  });
  return known;
}

// The compiler and what it makes of -march=native: a home folder may be shared by computers with other processors.
std::string compiler_and_processor(const std::string& cache) {
  static std::mutex asking;
  static std::string known;
  const std::lock_guard<std::mutex> lock(asking);
  if (!known.empty()) return known;
  known = remembered(cache, compiler_identity(), [&] {
    const CommandResult r = run({"g++", NativeFlag, "-###", "-E", "-x", "c++", "/dev/null"});
    if (r.status == 0) return r.output;
    throw UserError("E1002", "the C++ compiler `g++` cannot be run: " + (r.output.empty() ? "no answer" : r.output),
                    "install the package `g++`, or use the models only");
  });
  return known;
}

std::string own_folder() {
  for (const std::string& home : home_folders()) {
    if (fs::is_directory(fs::path(home) / "rtl")) return fs::path(home) / "rtl";
  }
  throw UserError("E1003", "the folder `rtl` with Gemel's own Verilog is nowhere to be found", "set GEMEL_HOME");
}

// Gemel's own sources for a module: the packages, the module's file, and those of all modules that it names, directly or not.
std::vector<std::string> own_sources(const std::string& top) {
  const fs::path rtl = own_folder();
  std::vector<std::string> sources;
  std::map<std::string, std::string> modules;  // by name
  for (const auto& entry : fs::recursive_directory_iterator(rtl)) {
    if (entry.path().extension() != ".sv") continue;  // .svh are found through +incdir
    const std::string name = entry.path().stem();
    if (name.find("_pkg") != std::string::npos) {
      sources.push_back(entry.path());
    } else {
      modules[name] = entry.path();
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
    const std::string text = read_file(module->second);
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
  return sources;
}

// Where `include looks: beside the given sources, then beside Gemel's own.
std::vector<std::string> include_folders(const RtlRequest& request) {
  std::vector<std::string> folders;
  for (const std::string& source : request.sources) {
    const std::string folder = fs::absolute(source).parent_path();
    if (std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(folder);
  }
  folders.push_back(own_folder() + "/common");
  return folders;
}

// The text of a source and of what it includes, each file once: what the hash of a compiled block is made of.
void append_text(const std::string& path, const std::vector<std::string>& folders, std::set<std::string>& seen, std::string& text) {
  if (!seen.insert(path).second) return;
  const std::string source = read_file(path);
  text += source + "\n--\n";
  static const std::regex include("[ \t]+\"([^\"]+)\"");  // a regular expression over all of a source would take longer than loading the block
  constexpr std::string_view Directive = "`include";
  for (std::size_t at = source.find(Directive); at != std::string::npos; at = source.find(Directive, at)) {
    at += Directive.size();
    std::smatch named;
    if (!std::regex_search(source.begin() + static_cast<std::ptrdiff_t>(at), source.end(), named, include, std::regex_constants::match_continuous)) continue;
    for (const std::string& folder : folders) {
      const std::string found = folder + "/" + std::string(named[1]);
      if (!fs::is_regular_file(found)) continue;  // Verilator will say so if it is nowhere
      append_text(found, folders, seen, text);
      break;
    }
  }
}

// Only the first lines, the way a person reads a compiler's output.
std::string first_lines(const std::string& text, int count) {
  std::istringstream in(text);
  std::string line, out;
  while (count > 0 && std::getline(in, line)) {
    if (line.rfind("        : ...", 0) == 0 || line.rfind("%Error: Exiting", 0) == 0) continue;
    out += "\n  " + line;
    --count;
  }
  return out;
}

std::string module_of(const std::string& block) { return block == "npu" ? "npu" : block_spec(block).module; }

std::vector<PortSpec> expected_ports(const RtlRequest& request) {
  std::vector<PortSpec> ports = block_spec(request.block).ports(request.parameters);
  ports.push_back({"clk_i", true, 1, "", 0});
  ports.push_back({"rst_ni", true, 1, "", 0});
  ports.push_back({"quiet_o", false, 1, "", 0});
  return ports;
}

// Compares the module's ports, as Verilator's XML tells them after elaboration, with the contract.
void check_ports(const std::string& xml, const RtlRequest& request, const std::string& module) {
  std::map<std::string, int> widths;  // of types, by id
  const std::regex type("<(basicdtype|packarraydtype|enumdtype|refdtype|structdtype)[^>]*id=\"([0-9]+)\"[^>]*>");
  const std::regex range("left=\"(-?[0-9]+)\" right=\"(-?[0-9]+)\"");
  for (std::sregex_iterator i(xml.begin(), xml.end(), type), end; i != end; ++i) {
    const std::string element = (*i)[0];
    std::smatch m;
    widths[(*i)[2]] = (*i)[1] == "basicdtype" ? (std::regex_search(element, m, range) ? std::abs(std::stoi(m[1]) - std::stoi(m[2])) + 1 : 1) : -1;
  }
  struct Found {
    bool input;
    int width;
  };
  std::map<std::string, Found> found;
  const std::regex port(  // arguments of functions have no pinIndex
      "<var [^>]*name=\"([A-Za-z0-9_]+)\"[^>]*dtype_id=\"([0-9]+)\" dir=\"(input|output|inout)\" pinIndex=[^>]*>");
  const std::size_t top = xml.find("topModule=\"1\"");
  const std::size_t last = top == std::string::npos ? top : xml.find("</module>", top);
  const std::string body = top == std::string::npos ? xml : xml.substr(top, last - top);
  for (std::sregex_iterator i(body.begin(), body.end(), port), end; i != end; ++i) {
    found.emplace((*i)[1], Found{(*i)[3] == "input", widths.count((*i)[2]) ? widths[(*i)[2]] : -1});
  }
  std::vector<Diagnostic> wrong;
  const auto complain = [&](const std::string& text) {
    Diagnostic d;
    d.code = "E1005";
    d.message = "module `" + module + "`: " + text;
    wrong.push_back(d);
  };
  std::set<std::string> known;
  for (const PortSpec& spec : expected_ports(request)) {
    known.insert(spec.name);
    const auto it = found.find(spec.name);
    const std::string what = std::string(spec.input ? "input" : "output") + " of " + std::to_string(spec.width) +
                             (spec.width == 1 ? " bit" : " bits");
    if (it == found.end()) {
      complain("port `" + spec.name + "` is missing; it must be an " + what);
    } else if (it->second.input != spec.input) {
      complain("port `" + spec.name + "` is an " + (it->second.input ? "input" : "output") + "; it must be an " + what);
    } else if (it->second.width != spec.width) {
      complain("port `" + spec.name + "` has " +
               (it->second.width < 0 ? std::string("a structured type") : std::to_string(it->second.width) + " bits") +
               "; it must be an " + what + " (a flat packed vector)");
    }
  }
  for (const auto& [name, f] : found) {
    if (known.count(name) == 0) complain("port `" + name + "` is not part of the contract");
  }
  if (!wrong.empty()) {
    wrong.back().hint = "`gemel explain --ports " + request.block + "` prints the contract";
    throw UserError(wrong);
  }
}

// What Verilator's run-time calls instead of printing, stopping or aborting the process: linked into every block.
constexpr const char* RuntimeHeader = "extern \"C\" int gemel_printf(const char* format, ...);\n";
constexpr const char* RuntimeFlags[] = {"-DVL_USER_FINISH", "-DVL_USER_STOP", "-DVL_USER_FATAL", "-DVL_PRINTF=gemel_printf", "-include", "gemel_runtime.h"};

// What a call across the C interface may say.
enum CallResult { CallDone = 0, CallStopped = 1, CallUnsettled = 2, CallNoMemory = 3 };

std::string wrapper_source(const RtlRequest& request) {
  std::ostringstream out;
  out << R"cpp(#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include "Vblock.h"
#include "Vblock___024root.h"
#include "verilated.h"
)cpp";
  if (request.trace) out << "#include \"verilated_fst_c.h\"\n";
  if (!request.coverage.empty()) out << "#include \"verilated_cov.h\"\n";
  out << R"cpp(
namespace {
struct Model {
  VerilatedContext context;
  Vblock* top = nullptr;
  bool begun = false;
)cpp" << (request.trace ? "  VerilatedFstC* waves = nullptr;\n" : "") << R"cpp(};
struct Ended { int kind; };
thread_local std::string printed;   // what the Verilog displays in the call under way
std::atomic<bool> has_printed{false};  // in any thread: looked at often, and cheaper than the above
thread_local std::string reason;    // why it ended
void (*listener)(void*, const char*) = nullptr;  // gets what is displayed, in place of stderr
void* listener_of = nullptr;
[[noreturn]] void end(int kind, const char* what, const char* file, int line) {
  reason = std::string(what) + " (" + (file ? file : "") + ":" + std::to_string(line) + ")";
  throw Ended{kind};
}
template <class F>
int guarded(F&& call) {
  try {
    call();
    if (has_printed.load(std::memory_order_relaxed) && !printed.empty()) {
      if (listener != nullptr) listener(listener_of, printed.c_str());
      else std::fputs(printed.c_str(), stderr);
      printed.clear();
    }
    return 0;
  } catch (const Ended& ended) {
    while (!printed.empty() && printed.back() == '\n') printed.pop_back();
    if (!printed.empty()) reason += ": " + printed;
    printed.clear();
    return ended.kind;
  } catch (const std::bad_alloc&) {
    return 3;
  }
}
}
extern "C" int gemel_printf(const char* format, ...) {
  char text[4096];
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  has_printed.store(true, std::memory_order_relaxed);
  if (printed.size() < 8388608) printed += text;
  return length;
}
void vl_finish(const char* file, int line, const char*) { end(1, "$finish", file, line); }
void vl_stop(const char* file, int line, const char*) { end(1, "$stop", file, line); }
void vl_fatal(const char* file, int line, const char*, const char* message) {
  const bool unsettled = std::strstr(message, "converge") != nullptr;
  end(unsettled ? 2 : 1, message, file, line);
}
#define API extern "C" __attribute__((visibility("default")))
API unsigned long long gemel_bytes() { return sizeof(Vblock) + sizeof(Vblock___024root); }
API void gemel_listen(void (*to)(void*, const char*), void* of) { listener = to; listener_of = of; }
API const char* gemel_reason() { return reason.c_str(); }
API void gemel_destroy(void* p) {
  Model* m = static_cast<Model*>(p);
  guarded([&] {
)cpp" << (request.trace ? "    if (m->waves) { m->waves->close(); delete m->waves; m->waves = nullptr; }\n" : "") << R"cpp(  });
  delete m->top;
  delete m;
}
API void* gemel_create(int seed) {
  Model* m = nullptr;
  const int failed = guarded([&] {
    m = new Model;
    m->context.randReset()cpp" << (request.random_reset ? 2 : 0) << R"cpp();
    m->context.randSeed(seed);
    m->context.assertOn()cpp" << (request.sources.empty() ? "false" : "true") << R"cpp();
)cpp" << (request.trace ? "    m->context.traceEverOn(true);\n" : "") << R"cpp(    m->top = new Vblock(&m->context);
    m->top->clk_i = 0;
  });
  if (failed == 0) return m;
  delete m;
  return nullptr;
}
API int gemel_eval(void* p) { return guarded([&] { static_cast<Model*>(p)->top->eval(); }); }
)cpp";
  // A clock of Gemel's own blocks. Verilator's eval() looks after classes, threads and messages, and looks again and again whether
  // what it has done asks for more; Gemel's blocks have none of these: wires follow inputs, registers follow the rising edge, wires
  // follow registers. After the falling edge there is nothing to do but to tell Verilator that there was one. The names are
  // Verilator's own: where it has none of these, a clock is two calls of eval().
  const bool plain = request.sources.empty() && !request.trace;
  if (plain) {
    out << R"cpp(__attribute__((weak)) void Vblock___024root___eval_triggers__ico(Vblock___024root*);
__attribute__((weak)) void Vblock___024root___eval_ico(Vblock___024root*);
__attribute__((weak)) void Vblock___024root___eval_triggers__act(Vblock___024root*);
__attribute__((weak)) void Vblock___024root___eval_nba(Vblock___024root*);
namespace {
template <class Root>
auto follow_inputs(Root* root, int) -> decltype(root->__VicoIterCount = 0, root->__VicoTriggered, true) {
  if (Vblock___024root___eval_triggers__ico == nullptr || Vblock___024root___eval_ico == nullptr) return false;
  root->__VicoIterCount = 0;
  Vblock___024root___eval_triggers__ico(root);
  Vblock___024root___eval_ico(root);
  return true;
}
template <class Root>
auto follow_inputs(Root* root, long) -> decltype(root->__VicoTriggered, true) { return false; }
bool follow_inputs(void*, ...) { return true; }  // no wire hangs on an input
template <class Root>
auto clock_registers(Root* root, int)
    -> decltype(root->__Vtrigrprev__TOP__clk_i = 0, root->__VnbaTriggered.set(root->__VactTriggered), true) {
  if (Vblock___024root___eval_triggers__act == nullptr || Vblock___024root___eval_nba == nullptr || !follow_inputs(root, 0)) return false;
  Vblock___024root___eval_triggers__act(root);
  // By bytes, as they have just been written: a wider load would wait until they have left the processor's store buffer.
  const auto* from = reinterpret_cast<const volatile char*>(&root->__VactTriggered);
  auto* to = reinterpret_cast<volatile char*>(&root->__VnbaTriggered);
  for (unsigned i = 0; i < sizeof root->__VnbaTriggered; ++i) to[i] = from[i];
  Vblock___024root___eval_nba(root);
  root->__Vtrigrprev__TOP__clk_i = 0;
  return true;
}
bool clock_registers(void*, long) { return false; }
}
)cpp";
  }
  out << R"cpp(API int gemel_clock(void* p) {
  Model* m = static_cast<Model*>(p);
  Vblock* top = m->top;
  return guarded([&] {
    top->clk_i = 1;
    if ()cpp" << (plain ? "m->begun && clock_registers(top->rootp, 0)" : "false") << R"cpp() {
      top->clk_i = 0;
      return;
    }
    m->begun = true;  // the first eval() initializes
    top->eval();
    top->clk_i = 0;
    top->eval();
  });
}
API void* gemel_port(void* p, const char* name) {
  Vblock* t = static_cast<Model*>(p)->top;
)cpp";
  for (const PortSpec& port : expected_ports(request)) {
    out << "  if (!std::strcmp(name, \"" << port.name << "\")) return &t->" << port.name << ";\n";
  }
  out << "  return nullptr;\n}\n";
  if (request.trace) {
    out << R"cpp(API void gemel_waves_open(void* p, const char* path) {
  Model* m = static_cast<Model*>(p);
  m->waves = new VerilatedFstC;
  m->top->trace(m->waves, 99);
  m->waves->open(path);
}
API void gemel_waves_dump(void* p, long long time) { static_cast<Model*>(p)->waves->dump(static_cast<vluint64_t>(time)); }
API void gemel_waves_close(void* p) {
  Model* m = static_cast<Model*>(p);
  if (m->waves) { m->waves->close(); delete m->waves; m->waves = nullptr; }
}
)cpp";
  }
  if (!request.coverage.empty()) {
    out << R"cpp(API int gemel_coverage(void* p, const char* path) {
  return guarded([&] { static_cast<Model*>(p)->context.coveragep()->write(path); });
}
)cpp";
  }
  return out.str();
}

class FileLock {
 public:
  explicit FileLock(const std::string& path, Interrupt interrupted = nullptr) : descriptor_(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0) {
      throw UserError("E1009", "the cache folder cannot be written: " + path + ": " + std::strerror(errno), "set GEMEL_CACHE to another folder");
    }
    for (int sleep_ms = 1; ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0; sleep_ms = std::min(2 * sleep_ms, 50)) {
      if (errno != EWOULDBLOCK && errno != EINTR) break;  // a file system without locks
      if (is_set(interrupted)) {
        ::close(descriptor_);
        throw Interrupted("interrupted while another process was building the same RTL");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(sleep_ms));
    }
  }
  ~FileLock() { ::close(descriptor_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_;
};

class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& parent) {
    std::string pattern = parent + "/build.XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw UserError("E1009", "the cache folder cannot be written: " + parent + ": " + std::strerror(errno), "set GEMEL_CACHE to another folder");
    }
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string verilator_include(Interrupt interrupted) {
  const CommandResult root = run({"verilator", "--getenv", "VERILATOR_ROOT"}, interrupted);
  return root.output.substr(0, root.output.find('\n')) + "/include";
}

// Verilator's own run-time files, compiled once for all blocks.
std::vector<std::string> runtime_objects(bool trace, bool coverage, const std::string& include, const std::string& cache,
                                         const std::function<void(const CommandResult&)>& check, Interrupt interrupted) {
  std::vector<std::string> names = {"verilated", "verilated_threads"};
  if (trace) names.push_back("verilated_fst_c");
  if (coverage) names.push_back("verilated_cov");
  std::vector<std::string> compile = {"g++", "-std=gnu++17", "-O2", "-w", "-fPIC", "-fvisibility=hidden", "-pthread", "-DVERILATOR=1",
                                      std::string("-DVM_COVERAGE=") + (coverage ? "1" : "0"),
                                      "-DVM_SC=0", "-DVM_TRACE_VCD=0", std::string("-DVM_TRACE=") + (trace ? "1" : "0"),
                                      std::string("-DVM_TRACE_FST=") + (trace ? "1" : "0"), "-I" + include, "-I" + include + "/vltstd"};
  compile.insert(compile.end(), std::begin(RuntimeFlags), std::end(RuntimeFlags));
  std::string key = std::string("runtime 1\n") + RuntimeHeader;
  for (const std::string& flag : compile) key += flag + "\n";
  for (const std::string& name : names) key += read_file(include + "/" + name + ".cpp");
  const std::string folder = cache + "/runtime." + sha1(key);
  std::vector<std::string> objects;
  for (const std::string& name : names) objects.push_back(folder + "/" + name + ".o");
  const FileLock lock(folder + ".lock", interrupted);
  if (fs::exists(folder)) return objects;
  const TemporaryFolder build(cache);
  write_file_atomically(build.path() + "/gemel_runtime.h", RuntimeHeader);
  const std::string ready = build.path() + "/ready";
  fs::create_directory(ready);
  for (const std::string& name : names) {
    std::vector<std::string> one = compile;
    one.insert(one.end(), {"-I" + build.path(), "-c", include + "/" + name + ".cpp", "-o", ready + "/" + name + ".o"});
    check(run(one, interrupted));
  }
  std::error_code failed;
  fs::rename(ready, folder, failed);
  if (failed) throw UserError("E1009", "the cache folder cannot be written: " + folder + ": " + failed.message(), "set GEMEL_CACHE to another folder");
  return objects;
}

void build(const RtlRequest& request, const std::vector<std::string>& sources, const std::string& object,
           const std::string& cache, const RtlProgress& progress, Interrupt interrupted) {
  const std::string module = module_of(request.block);
  if (progress) progress("Verilating " + request.block);
  const TemporaryFolder folder(cache);
  const std::string& dir = folder.path();
  std::vector<std::string> base = {"verilator", "--top-module", module, "--prefix", "Vblock", "--Mdir", dir, "-Wno-fatal", "-Wno-lint",
                                   "-Wno-style", "-Wno-DECLFILENAME", "--x-assign", "fast"};
  base.push_back("--x-initial");
  base.push_back(request.random_reset ? "unique" : "fast");
  for (const auto& [name, value] : request.parameters) base.push_back("-G" + name + "=" + std::to_string(value));
  for (const std::string& searched : include_folders(request)) base.push_back("+incdir+" + searched);
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = base;
    all.insert(all.end(), more.begin(), more.end());
    all.insert(all.end(), sources.begin(), sources.end());
    return all;
  };
  const auto too_long = [&](const CommandResult& r) {
    if (r.status != TooLong) return;
    throw UserError("E1014", "block `" + request.block + "` takes more than " + std::to_string(build_seconds()) + " seconds to compile",
                    "is something in it much larger than it should be? GEMEL_RTL_BUILD_SECONDS sets another limit");
  };
  const auto refuse = [&](const CommandResult& r) {
    too_long(r);
    if (r.output.find("No space left") != std::string::npos) {
      throw UserError("E1009", "the cache folder is on a full disk: " + cache, "make room, or set GEMEL_CACHE to another folder");
    }
    std::smatch m;
    if (std::regex_search(r.output, m, std::regex("Specified --top-module '([^']*)' was not found"))) {
      throw UserError("E1006", "there is no module `" + module + "` in the given sources", "the module must be named as the block");
    }
    if (std::regex_search(r.output, m, std::regex("Parameters from the command line were not found in the design: ([^\n]*)"))) {
      throw UserError("E1006", "module `" + module + "` lacks parameters: " + std::string(m[1]),
                      "`gemel explain --ports " + request.block + "` prints the contract");
    }
    throw UserError("E1004", "block `" + request.block + "` does not compile; Verilator says:" + first_lines(r.output, 12));
  };
  if (!request.sources.empty()) {
    const CommandResult r = run(with({"--xml-only", "--xml-output", dir + "/ports.xml"}), interrupted);
    if (r.status != 0) refuse(r);
    check_ports(read_file(dir + "/ports.xml"), request, module);
  }
  std::vector<std::string> flags = {"--cc", "-O3"};
  if (!request.sources.empty()) flags.insert(flags.end(), {"--assert", "-Wwarn-LATCH", "-Werror-LATCH"});
  if (request.trace) flags.insert(flags.end(), {"--trace-fst"});
  if (!request.coverage.empty()) flags.insert(flags.end(), {"--coverage-line", "--coverage-toggle"});
  const CommandResult translated = run(with(flags), interrupted);
  if (translated.status != 0) refuse(translated);

  if (progress) progress("compiling " + request.block);
  {
    std::ofstream wrapper(dir + "/wrapper.cpp");
    wrapper << wrapper_source(request);
  }
  const auto check = [&](const CommandResult& r) {
    if (r.status == 0) return;
    too_long(r);
    if (r.output.find("No space left") != std::string::npos) {
      throw UserError("E1009", "the cache folder is on a full disk: " + cache, "make room, or set GEMEL_CACHE to another folder");
    }
    throw UserError("E1004", "the Verilated code of block `" + request.block + "` does not compile:" + first_lines(r.output, 8));
  };
  // A loop that never ends must not be optimized away, as C++ allows.
  const char* optimize = request.coverage.empty() ? "-O3" : "-O1";  // counters make large programs that run a few cases
  const std::string flags_text = optimize + std::string(" -fno-finite-loops ") + NativeFlag + " -fPIC -fvisibility=hidden -w";
  check(run({"make", "-s", "-j2", "-C", dir, "-f", "Vblock.mk", "OPT_FAST=" + flags_text, "OPT_SLOW=-O1 -fPIC -w",
             "OPT_GLOBAL=" + flags_text, "Vblock__ALL.a"},
            interrupted));
  const std::string include = verilator_include(interrupted);
  std::vector<std::string> link = {"g++", "-std=gnu++17", "-O2", "-w", "-fPIC", "-fvisibility=hidden", "-shared", "-o", dir + "/block.so",
                                   "-I" + dir, "-I" + include, "-I" + include + "/vltstd", dir + "/wrapper.cpp", dir + "/Vblock__ALL.a",
                                   "-Wl,--exclude-libs,ALL", "-Wl,-Bsymbolic", "-pthread"};
  for (const std::string& name : runtime_objects(request.trace, !request.coverage.empty(), include, cache, check, interrupted)) link.push_back(name);
  link.push_back("-latomic");
  if (request.trace) link.push_back("-lz");
  check(run(link, interrupted));
  std::string text = request.block;
  for (const auto& [name, value] : request.parameters) text += " " + name + "=" + std::to_string(value);
  for (const std::string& source : request.sources) text += " " + source;
  if (request.trace) text += " (waves)";
  if (!request.coverage.empty()) text += " (coverage)";
  write_file_atomically(object + ".txt", text + "\n");
  std::error_code failed;
  fs::rename(dir + "/block.so", object, failed);
  if (failed) throw UserError("E1009", "the cache folder cannot be written: " + object + ": " + failed.message(), "set GEMEL_CACHE to another folder");
}

class LoadedModel;

constexpr unsigned long long MaxStateBytes = 1ull << 30;  // of one instance

class LoadedLibrary : public RtlLibrary, public std::enable_shared_from_this<LoadedLibrary> {
 public:
  LoadedLibrary(const std::string& path, RtlRequest request)
      : path_(path), request_(std::move(request)), library_(path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local) {
    create_ = library_.get<void*(int)>("gemel_create");
    destroy_ = library_.get<void(void*)>("gemel_destroy");
    eval_ = library_.get<int(void*)>("gemel_eval");
    clocked_ = library_.get<int(void*)>("gemel_clock");
    reason_ = library_.get<const char*()>("gemel_reason");
    listen_ = library_.get<void(void (*)(void*, const char*), void*)>("gemel_listen");
    const unsigned long long bytes = library_.get<unsigned long long()>("gemel_bytes")();
    if (bytes > MaxStateBytes) {
      throw UserError("E1014", "block `" + request_.block + "` has " + std::to_string(bytes >> 20) + " MiB of registers and memories; the limit is " +
                                   std::to_string(MaxStateBytes >> 20) + " MiB",
                      "is an array in it much larger than it should be?");
    }
    port_ = library_.get<void*(void*, const char*)>("gemel_port");
    if (request_.trace) {
      open_ = library_.get<void(void*, const char*)>("gemel_waves_open");
      dump_ = library_.get<void(void*, long long)>("gemel_waves_dump");
      close_ = library_.get<void(void*)>("gemel_waves_close");
    }
    if (!request_.coverage.empty()) coverage_ = library_.get<int(void*, const char*)>("gemel_coverage");
    for (const PortSpec& spec : expected_ports(request_)) widths_[spec.name] = spec.width;
  }
  std::unique_ptr<RtlModel> create(int seed, RtlPulse* pulse) override;
  const std::string& path() const override { return path_; }

 private:
  friend class LoadedModel;
  std::string path_;
  RtlRequest request_;
  boost::dll::shared_library library_;
  std::map<std::string, int> widths_;
  void* (*create_)(int) = nullptr;
  void (*destroy_)(void*) = nullptr;
  int (*eval_)(void*) = nullptr;
  int (*clocked_)(void*) = nullptr;
  const char* (*reason_)() = nullptr;
  void (*listen_)(void (*)(void*, const char*), void*) = nullptr;
  void* (*port_)(void*, const char*) = nullptr;
  void (*open_)(void*, const char*) = nullptr;
  void (*dump_)(void*, long long) = nullptr;
  void (*close_)(void*) = nullptr;
  int (*coverage_)(void*, const char*) = nullptr;
};

class LoadedModel : public RtlModel {
 public:
  LoadedModel(std::shared_ptr<LoadedLibrary> library, int seed, RtlPulse* pulse)
      : library_(std::move(library)), pulse_(pulse != nullptr ? *pulse : unwatched_), model_(library_->create_(seed)) {
    if (model_ == nullptr) throw std::bad_alloc();
    clock_ = port("clk_i").bytes;
    reset_ = port("rst_ni").bytes;
    quiet_ = port("quiet_o").bytes;
    eval_ = library_->eval_;
    clocked_ = library_->clocked_;
  }
  ~LoadedModel() override {
    if (listener_) library_->listen_(nullptr, nullptr);
    if (library_->coverage_ != nullptr) write_counts();
    library_->destroy_(model_);
  }
  void listen(RtlListener listener) override {
    listener_ = std::move(listener);
    library_->listen_([](void* of, const char* text) { (*static_cast<RtlListener*>(of))(text); }, &listener_);
  }
  RtlPort port(const std::string& name) override {
    void* bytes = library_->port_(model_, name.c_str());
    if (bytes == nullptr) throw InternalError("block `" + library_->request_.block + "` has no port `" + name + "`");
    return {static_cast<std::uint8_t*>(bytes), library_->widths_.at(name)};
  }
  void set_clock(bool high) override {
    *clock_ = high ? 1 : 0;
    clocks_ += high ? 1 : 0;
  }
  void set_reset(bool active) override {
    // Verilator resets registers at the edge of an asynchronous reset, not by its level. The edge is made between two clocks: if it
    // came with a clock, or never, as at power-up, a write enable that holds anything would write a word of its SRAM in that clock.
    if (active) {
      *reset_ = 1;
      eval();
    }
    *reset_ = active ? 0 : 1;
    if (active) eval();
    clocks_ = -1;  // one more clock belongs to the reset
  }
  void eval() override {
    call(eval_);
  }
  void clock() override {
    ++clocks_;
    call(clocked_);
  }
  bool quiet() const override { return *quiet_ != 0; }
  void open_waves(const std::string& path) override { library_->open_(model_, path.c_str()); }
  void dump_waves(std::int64_t time) override { library_->dump_(model_, time); }
  void close_waves() override { library_->close_(model_); }

 private:
  // A file of its own for each instance. Whoever merges them notices those that could not be written.
  void write_counts() {
    const std::string base = library_->request_.coverage + "/" + library_->request_.block + "." + std::to_string(::getpid()) + ".";
    int n = 0;
    while (fs::exists(base + std::to_string(n) + ".dat")) ++n;
    library_->coverage_(model_, (base + std::to_string(n) + ".dat").c_str());
  }
  void call(int (*function)(void*)) {
    constexpr auto Relaxed = std::memory_order_relaxed;  // plain stores: only this thread writes
    pulse_.clock.store(clocks_, Relaxed);
    pulse_.evaluations.store(pulse_.evaluations.load(Relaxed) + 1, Relaxed);
    pulse_.block.store(library_->request_.block.c_str(), Relaxed);
    const int result = function(model_);
    pulse_.block.store(nullptr, Relaxed);
    if (result != CallDone) refuse(result);
  }
  [[noreturn]] void refuse(int result) const {
    if (result == CallNoMemory) throw std::bad_alloc();
    const std::string where = "block `" + library_->request_.block + "`, clock " + std::to_string(std::max<std::int64_t>(0, clocks_)) + ": ";
    if (result == CallUnsettled) {
      throw UserError("E1013", where + "a combinational loop does not settle: " + library_->reason_(),
                      "`verilator --lint-only -Wall` on the source names the wires (UNOPTFLAT)");
    }
    throw RunError("E1012", where + "the Verilog ended the simulation: " + library_->reason_());
  }

  std::shared_ptr<LoadedLibrary> library_;
  RtlListener listener_;
  RtlPulse unwatched_;
  RtlPulse& pulse_;
  void* model_;
  std::int64_t clocks_ = 0;  // since reset
  std::uint8_t* clock_ = nullptr;
  std::uint8_t* reset_ = nullptr;
  std::uint8_t* quiet_ = nullptr;
  int (*eval_)(void*) = nullptr;
  int (*clocked_)(void*) = nullptr;
};

std::unique_ptr<RtlModel> LoadedLibrary::create(int seed, RtlPulse* pulse) {
  return std::make_unique<LoadedModel>(shared_from_this(), seed, pulse);
}

}  // namespace

std::string rtl_tool_version() {
  std::error_code failed;
  fs::create_directories(rtl_cache_folder(), failed);
  return verilator_version(rtl_cache_folder());
}

std::string own_rtl_folder() { return own_folder(); }

std::string rtl_cache_folder() {
  if (const char* folder = std::getenv("GEMEL_CACHE")) return folder;
  if (const char* folder = std::getenv("XDG_CACHE_HOME")) return std::string(folder) + "/gemel";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : "/tmp") + "/.cache/gemel";
}

std::vector<RtlCacheEntry> list_rtl_cache() {
  std::vector<RtlCacheEntry> entries;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(rtl_cache_folder(), ignored)) {
    if (entry.path().extension() != ".so") continue;
    RtlCacheEntry e;
    e.hash = entry.path().stem();
    e.bytes = static_cast<std::int64_t>(fs::file_size(entry.path(), ignored));
    std::ifstream text(entry.path().string() + ".txt");
    std::getline(text, e.description);
    entries.push_back(e);
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.description < b.description; });
  return entries;
}

std::int64_t clear_rtl_cache() {
  std::int64_t bytes = 0;
  std::error_code ignored;
  std::vector<fs::path> all;
  for (const auto& entry : fs::directory_iterator(rtl_cache_folder(), ignored)) all.push_back(entry.path());
  for (const fs::path& path : all) {
    const std::string name = path.filename();
    const bool ours = path.extension() == ".so" || path.extension() == ".lock" || name.find(".so.txt") != std::string::npos ||
                      name.rfind("build.", 0) == 0 || name.rfind("runtime.", 0) == 0 || is_remembered_answer(name);
    if (!ours) continue;
    if (fs::is_regular_file(path, ignored)) bytes += static_cast<std::int64_t>(fs::file_size(path, ignored));
    fs::remove_all(path, ignored);
  }
  return bytes;
}

std::shared_ptr<RtlLibrary> RtlLibrary::get(const RtlRequest& request, const RtlProgress& progress, const std::atomic<bool>* interrupted) {
  build_seconds();  // a wrong setting is told whether something has to be built or not
  const std::string cache = rtl_cache_folder();
  std::error_code failed;
  fs::create_directories(cache, failed);
  if (failed) throw UserError("E1009", "the cache folder cannot be written: " + cache + ": " + failed.message(), "set GEMEL_CACHE to another folder");
  // Own sources: packages, and every module: a block may use others. Users' sources stand beside Gemel's packages.
  std::vector<std::string> sources = own_sources(module_of(request.block));
  if (!request.sources.empty()) {
    const std::vector<std::string> own = sources;
    sources.clear();
    for (const std::string& source : own) {
      if (source.find("_pkg") != std::string::npos) sources.push_back(source);
    }
    for (const std::string& source : request.sources) sources.push_back(fs::absolute(source));
  }
  std::string key = "gemel rtl 6\n" + verilator_version(cache);
  key += compiler_and_processor(cache) + module_of(request.block) + "\n";
  for (const auto& [name, value] : request.parameters) key += name + "=" + std::to_string(value) + "\n";
  key += std::string(request.trace ? "t" : "-") + (request.random_reset ? "r" : "-") + (request.coverage.empty() ? "" : "c") + "\n";
  key += wrapper_source(request);
  std::set<std::string> seen;
  for (const std::string& source : sources) append_text(source, include_folders(request), seen, key);
  const std::string hash = sha1(key);
  const std::string object = cache + "/" + hash + ".so";
  const FileLock lock(cache + "/" + hash + ".lock", interrupted);
  if (!fs::exists(object)) build(request, sources, object, cache, progress, interrupted);
  try {
    return std::make_shared<LoadedLibrary>(object, request);
  } catch (const boost::system::system_error&) {  // damaged on disk: make it again, once
    std::error_code ignored;
    fs::remove(object, ignored);
    build(request, sources, object, cache, progress, interrupted);
    return std::make_shared<LoadedLibrary>(object, request);
  }
}

}  // namespace gemel
