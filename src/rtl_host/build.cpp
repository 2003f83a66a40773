// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/build.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "rtl_host/cache.hpp"
#include "rtl_host/elaborated_ports.hpp"

namespace gemel {
namespace fs = std::filesystem;
namespace {

using Command = std::vector<std::string>;

template <class... More>
Command joined(Command command, const More&... more) {
  (command.insert(command.end(), std::begin(more), std::end(more)), ...);
  return command;
}

// What Verilator's run-time calls instead of printing, stopping or aborting the process: linked into every block.
constexpr const char* RuntimeHeader = "extern \"C\" int gemel_printf(const char* format, ...);\n";
const Command RuntimeFlags = {"-DVL_USER_FINISH",         "-DVL_USER_STOP", "-DVL_USER_FATAL",
                              "-DVL_PRINTF=gemel_printf", "-include",       "gemel_runtime.h"};

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

class BlockBuilder {
 public:
  BlockBuilder(const BuildPlan& plan, const RtlHost& host)
      : plan_(plan), request_(plan.request), host_(host), folder_(plan.cache) {}

  void build() {
    tell("Verilating ");
    spell_paths();
    if (!request_.sources.empty()) check_own_ports();
    translate();
    tell("compiling ");
    include_ = verilator_include(host_.interrupted);
    const std::vector<std::string> runtime = runtime_objects();
    link(joined(compile(), runtime));
    keep();
  }

 private:
  const std::string& dir() const { return folder_.path(); }

  void tell(const char* what) const {
    if (host_.progress) host_.progress(what + request_.block);
  }

  // Verilator takes `$` in a name for a variable, and some other characters do not survive its own scripts and the code
  // that it writes: such names become links in the folder in which it works, and what it says is translated back.
  void spell_paths() {
    for (const std::string& path : plan_.sources.include_folders) includes_.push_back("-I" + spelled(path));
    for (const std::string& path : plan_.sources.files) files_.push_back(spelled(path));
  }
  std::string spelled(const std::string& path) {
    const auto is_plain = [](unsigned char c) {
      return c >= 0x80 || std::isalnum(c) != 0 ||
             std::string_view("_-+=.,/ ").find(static_cast<char>(c)) != std::string_view::npos;
    };
    if (std::all_of(path.begin(), path.end(), is_plain)) return path;
    std::string link = "path" + std::to_string(links_.size());
    if (!fs::is_directory(path)) link += fs::path(path).extension() == ".v" ? ".v" : ".sv";
    fs::create_symlink(path, dir() + "/" + link);
    links_.emplace_back(link, path);
    return link;
  }
  std::string translated_back(std::string text) const {
    for (auto link = links_.rbegin(); link != links_.rend(); ++link) {  // path12 before path1
      for (std::size_t at = 0; (at = text.find(link->first, at)) != std::string::npos; at += link->second.size()) {
        text.replace(at, link->first.size(), link->second);
      }
    }
    return text;
  }

  Command verilator(const Command& mode) const {
    Command command = {"verilator",
                       "--top-module",
                       module_of(request_.block),
                       "--prefix",
                       "Vblock",
                       "--Mdir",
                       ".",
                       "-Wno-fatal",
                       "-Wno-lint",
                       "-Wno-style",
                       "-Wno-DECLFILENAME",
                       "--x-assign",
                       "fast",
                       "--x-initial",
                       request_.random_reset ? "unique" : "fast"};
    for (const auto& [name, value] : request_.parameters) command.push_back("-G" + name + "=" + std::to_string(value));
    return joined(command, includes_, mode, files_);
  }

  void check_own_ports() {
    const std::string module = module_of(request_.block);
    const bool json = !(plan_.tools.version < FirstWithJson);
    const Command mode =
        json ? Command{"--json-only", "--json-only-output", "ports.json", "--json-only-meta-output", "ports.meta.json"}
             : Command{"--xml-only", "--xml-output", "ports.xml"};
    require_verilated(run_tool(verilator(mode), dir(), host_.interrupted));
    const std::string text =
        read_text_file(dir() + (json ? "/ports.json" : "/ports.xml"), "E1004", "what Verilator writes");
    check_ports(json ? ports_from_json(text, module) : ports_from_xml(text), expected_ports(request_), request_.block,
                module);
  }

  void translate() {
    Command mode = {"--cc", "-O3"};
    if (!request_.sources.empty()) mode.insert(mode.end(), {"--assert", "-Wwarn-LATCH", "-Werror-LATCH"});
    if (request_.trace) mode.push_back("--trace-fst");
    if (!request_.coverage.empty()) mode.insert(mode.end(), {"--coverage-line", "--coverage-toggle"});
    require_verilated(run_tool(verilator(mode), dir(), host_.interrupted));
  }

  Command compiler() const {
    const auto flag = [](const char* name, bool value) { return std::string("-D") + name + (value ? "=1" : "=0"); };
    return joined(plan_.tools.compiler,
                  Command{"-std=gnu++17", "-w", "-fPIC", "-fvisibility=hidden", "-faligned-new", "-fcf-protection=none",
                          "-pthread", "-DVERILATOR=1", "-DVM_SC=0", "-DVM_TRACE_VCD=0",
                          flag("VM_COVERAGE", !request_.coverage.empty()), flag("VM_TRACE", request_.trace),
                          flag("VM_TRACE_FST", request_.trace), "-I.", "-I" + include_, "-I" + include_ + "/vltstd"});
  }

  // Compiles the Verilated code and the wrapper; the objects. Code that is run once (constructors, initial values) is
  // told by Verilator through the names of files. A large block comes in several files, which are compiled beside each
  // other; of a small one the compiler sees all at once.
  Command compile() {
    std::vector<std::string> fast, slow;
    for (const auto& entry : fs::directory_iterator(dir())) {
      const std::string name = entry.path().filename();
      if (entry.path().extension() != ".cpp" || name.rfind("Vblock", 0) != 0) continue;
      const bool once = name.find("__Slow") != std::string::npos || name.find("__Syms") != std::string::npos ||
                        name.find("__ConstPool") != std::string::npos;
      (once ? slow : fast).push_back(name);
    }
    std::sort(fast.begin(), fast.end());
    std::sort(slow.begin(), slow.end());
    const auto in_one = [&](const char* unit, std::vector<std::string>& names) {
      std::string text;
      for (const std::string& name : names) text += "#include \"" + name + "\"\n";
      write_file_atomically(dir() + "/" + unit, text);
      names = {unit};
    };
    if (!is_split()) {
      in_one("fast.cpp", fast);
      in_one("slow.cpp", slow);
    }
    write_file_atomically(dir() + "/wrapper.cpp", plan_.wrapper.text);
    write_file_atomically(dir() + "/ports.inc", plan_.wrapper.ports);

    std::vector<Command> commands;
    Command objects;
    const auto add = [&](const std::string& name, const Command& flags) {
      const std::string object = fs::path(name).stem().string() + ".o";
      commands.push_back(joined(compiler(), flags, Command{"-c", name, "-o", object}));
      objects.push_back(object);
    };
    // A loop that never ends must not be optimized away, as C++ allows. Counters of coverage make large programs that
    // run a few cases.
    const Command hot = {request_.coverage.empty() ? "-O3" : "-O1", "-fno-finite-loops", NativeFlag};
    for (const std::string& name : fast) add(name, hot);
    add("wrapper.cpp", joined(Command{"-O2"}, plan_.wrapper.defines));
    for (const std::string& name : slow) add(name, {"-O1", "-fno-finite-loops"});
    require_compiled(run_tools(commands, dir(), host_.interrupted));
    return objects;
  }
  // Verilator's own word for a block that is worth several compilers.
  bool is_split() const {
    const std::string classes = dir() + "/Vblock_classes.mk";
    if (!fs::exists(classes)) return false;
    return std::regex_search(read_text_file(classes, "E1004", "what Verilator writes"),
                             std::regex("VM_PARALLEL_BUILDS *= *1"));
  }

  // Verilator's own run-time files, compiled once for all blocks.
  std::vector<std::string> runtime_objects() {
    std::vector<std::string> names = {"verilated", "verilated_threads"};
    if (request_.trace) names.push_back("verilated_fst_c");
    if (!request_.coverage.empty()) names.push_back("verilated_cov");
    const Command flags = joined(compiler(), Command{"-O2"}, RuntimeFlags);
    std::string key =
        std::string("runtime 2\n") + RuntimeHeader + plan_.tools.verilator + plan_.tools.compiler_and_processor;
    for (const std::string& flag : flags) key += flag + "\n";
    for (const std::string& name : names)
      key += read_text_file(include_ + "/" + name + ".cpp", "E1003", "Verilator's run-time source");
    const std::string folder = plan_.cache + "/runtime." + content_hash(key);
    std::vector<std::string> objects, paths;
    for (const std::string& name : names) {
      objects.push_back(name + ".o");
      paths.push_back(folder + "/" + name + ".o");
    }
    const FileLock lock(folder + ".lock", host_.interrupted);
    const EntryCheck check = check_entry(folder, folder + "/list.txt", objects);
    if (check.state == EntryState::Whole) return paths;
    if (check.state == EntryState::Damaged) {
      warn(host_, "E1020", "Verilator's run-time in the cache folder is damaged: " + check.damage + "; built again");
    }
    write_file_atomically(dir() + "/gemel_runtime.h", RuntimeHeader);
    const std::string ready = dir() + "/runtime";
    fs::create_directory(ready);
    std::vector<Command> commands;
    for (const std::string& name : names)
      commands.push_back(joined(flags, Command{"-c", include_ + "/" + name + ".cpp", "-o", "runtime/" + name + ".o"}));
    require_compiled(run_tools(commands, dir(), host_.interrupted));
    write_file_atomically(ready + "/list.txt", entry_list("Verilator's run-time", ready, objects));
    move_into_cache(ready, folder);
    return paths;
  }

  void link(const Command& objects) {
    Command command = joined(plan_.tools.compiler, Command{"-shared", "-o", "block.so", "-Wl,-Bsymbolic", "-pthread"},
                             objects, Command{"-latomic"});
    if (request_.trace) command.push_back("-lz");
    require_compiled({run_tool(command, dir(), host_.interrupted)});
  }

  void keep() {
    std::string text = request_.block;
    for (const auto& [name, value] : request_.parameters) text += " " + name + "=" + std::to_string(value);
    for (const std::string& source : request_.sources) text += " " + source;
    if (request_.trace) text += " (waves)";
    if (!request_.coverage.empty()) text += " (coverage)";
    // The list is made of the folder in which the object has its final name.
    fs::create_directory(dir() + "/ready");
    fs::rename(dir() + "/block.so", dir() + "/ready/" + plan_.name);
    write_file_atomically(plan_.cache + "/" + plan_.name + ".txt", entry_list(text, dir() + "/ready", {plan_.name}));
    move_into_cache(dir() + "/ready/" + plan_.name, plan_.cache + "/" + plan_.name);
  }

  // ---- failures
  // ------------------------------------------------------------------------------------------------------------------

  // Reasons that have nothing to do with what is being built.
  void refuse_if_outside(const ProcessResult& r, const std::string& tool) const {
    if (r.end == ProcessResult::End::TooLong) {
      throw UserError(
          "E1014",
          "block `" + request_.block + "` takes more than " + std::to_string(build_seconds()) + " seconds to compile",
          "is something in it much larger than it should be? GEMEL_RTL_BUILD_SECONDS sets another limit");
    }
    // Verilator writes on without a word when the disk is full, and what comes after it stumbles over half of a file.
    const std::string reason = why_nothing_can_be_written(dir());
    if (!reason.empty() || r.output.find("No space left") != std::string::npos) {
      throw UserError("E1009",
                      "the cache folder cannot be written: " + plan_.cache + ": " +
                          (reason.empty() ? "No space left on device" : reason),
                      "make room, or set GEMEL_CACHE to another folder");
    }
    if (r.end == ProcessResult::End::NotStarted) throw UserError("E1002", "`" + tool + "` cannot be run: " + r.output);
    if (r.end == ProcessResult::End::Killed) {
      throw UserError("E1004",
                      "block `" + request_.block + "` does not compile: `" + tool + "` was ended by signal " +
                          std::to_string(r.status) + first_lines(r.output, 8),
                      r.status == 9 ? "was there too little memory?" : "");
    }
  }

  void require_verilated(const ProcessResult& result) const {
    if (result.good()) return;
    refuse_if_outside(result, "verilator");
    const std::string output = translated_back(result.output);
    std::smatch m;
    if (std::regex_search(output, m, std::regex("Specified --top-module '([^']*)' was not found"))) {
      throw UserError("E1006", "there is no module `" + module_of(request_.block) + "` in the given sources",
                      "the module must be named as the block");
    }
    if (std::regex_search(output, m,
                          std::regex("Parameters from the command line were not found in the design: ([^\n]*)"))) {
      throw UserError("E1006", "module `" + module_of(request_.block) + "` lacks parameters: " + std::string(m[1]),
                      "`gemel explain --ports " + request_.block + "` prints the contract");
    }
    throw UserError("E1004",
                    "block `" + request_.block + "` does not compile; Verilator says:" + first_lines(output, 12));
  }

  void require_compiled(const std::vector<ProcessResult>& results) const {
    for (const ProcessResult& r : results) {
      if (r.good() || r.end == ProcessResult::End::NotRun) continue;
      refuse_if_outside(r, plan_.tools.compiler.front());
      throw UserError("E1004", "the Verilated code of block `" + request_.block +
                                   "` does not compile:" + first_lines(translated_back(r.output), 8));
    }
  }

  const BuildPlan& plan_;
  const RtlRequest& request_;
  const RtlHost& host_;
  BuildFolder folder_;
  std::vector<std::pair<std::string, std::string>> links_;  // in folder_, and what each stands for
  Command includes_, files_;                                // as Verilator gets them
  std::string include_;                                     // Verilator's own
};

}  // namespace

void build_block(const BuildPlan& plan, const RtlHost& host) {
  const auto refuse = [&](const std::string& reason) {
    throw UserError("E1009", "the cache folder cannot be written: " + plan.cache + ": " + reason,
                    "make room, or set GEMEL_CACHE to another folder");
  };
  try {
    BlockBuilder(plan, host).build();
  } catch (const UserError& error) {  // a file of Gemel's own, among those of the tools
    const Diagnostic& first = error.diagnostics().front();
    if (first.code != "E0902") throw;
    refuse(first.message.substr(first.message.rfind(": ") + 2));
  } catch (const fs::filesystem_error& error) {
    refuse(error.code().message());
  }
}

}  // namespace gemel
