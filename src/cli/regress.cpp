// SPDX-License-Identifier: Apache-2.0
// gemel regress: random cases, or all mixtures, in parallel processes. A crash of one case is a failure of that case alone.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "cli/regress_results.hpp"
#include "cli/signals.hpp"
#include "gemel/error.hpp"
#include "gemel/machine.hpp"
#include "gemel/version.hpp"
#include "regress/coverage.hpp"
#include "regress/regress.hpp"

namespace gemel::cli {
namespace {
namespace fs = std::filesystem;

struct RegressOptions {
  int count = 100, jobs = 0, machines = 24;
  std::uint64_t seed = 1;
  std::vector<std::string> blocks, repeat;
  std::string out = "regress", replay;
  std::string machine, coverage, junit, json;
  bool mixtures = false, programs = false, fail_fast = false, quiet = false;
};

// Memory that child processes write and their parent reads.
template <class T>
class Shared {
 public:
  explicit Shared(std::size_t count)
      : bytes_(count * sizeof(T)), data_(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (data_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~Shared() { ::munmap(data_, bytes_); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T& operator[](int i) { return static_cast<T*>(data_)[i]; }

 private:
  std::size_t bytes_;
  void* data_;
};

constexpr int Resets = 3;  // runs with other random bits

regress::Repeats repeats_of(const std::vector<std::string>& names) {
  const auto has = [&names](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  return {has("no-skip"), has("reset") ? Resets : 0, has("data")};
}

std::string compared(const regress::Tally& t) {
  std::string text = "equal to the models: " + with_commas(t.cycles) + " cycles, every counter, ";
  if (t.instructions > 0) text += "start and end of " + with_commas(t.instructions) + " instructions, ";
  text += with_commas(t.bytes) + " bytes of memory, cycle and payload of " + with_commas(t.beats) + " beats";
  if (t.errors > 0) text += "; code, cycle and instruction of " + with_commas(t.errors) + " errors of the machine";
  text += "\n";
  if (t.no_skip_runs > 0) {
    text += "again with every block clocked in every cycle: the same beats in " + with_commas(t.no_skip_runs) + " runs; otherwise " +
            with_commas(t.skipped) + " of " + with_commas(t.skippable) + " clocks are skipped\n";
  }
  if (t.between_fast_models > 0) {
    text += "again with `pe_array` between the fast models: the same cycles, counters, instructions and memory in " +
            with_commas(t.between_fast_models) + " runs\n";
  }
  if (t.reset_runs > 0) text += "again with registers that start with other random bits: the same beats in " + with_commas(t.reset_runs) + " runs\n";
  if (t.data_runs > 0) {
    text += "again with zeros, and with other random numbers, for inputs and weights: the same cycles, counters and times of " +
            with_commas(t.data_beats) + " beats in " + with_commas(t.data_runs) + " runs\n";
  }
  return text;
}

// How often the rare cases were met that generators are made for.
std::string reached(const regress::Tally& t) {
  std::string met, never;
  int kinds = 0;
  for (int i = 0; i < regress::ReachCount; ++i) {
    const std::int64_t times = t.reached[static_cast<std::size_t>(i)];
    const char* name = regress::to_string(static_cast<regress::Reach>(i));
    if (times > 0) {
      met += "  " + std::string(name) + ": " + with_commas(times) + "\n";
      ++kinds;
    } else {
      never += (never.empty() ? "" : "; ") + std::string(name);
    }
  }
  return "rare cases: " + std::to_string(kinds) + " of " + std::to_string(regress::ReachCount) + " kinds\n" + met +
         (never.empty() ? "" : "  never: " + never + "\n");
}

// In the process of a case whose RTL does not come to the end of a clock.
[[noreturn]] void keep_hanging(const regress::Case& c, const std::string& folder, const UserError& error) {
  try {
    regress::save(c, folder);
    write_file_atomically(folder + "/failure.txt", c.name + ": " + regress::describe(c.blocks) + "\n" + to_string(error.diagnostics().front()) +
                                                       "\nreplay: gemel regress --replay " + folder + "\n");
  } catch (const std::exception&) {  // the parent says that it failed
  }
  ::_exit(1);
}

// Merges what the cases have left in `counts`, and writes the page and its numbers.
void write_coverage(const RegressOptions& o, const Machine& machine, const std::string& counts, int failed,
                    const std::function<regress::Case(int)>& case_of) {
  regress::CoverageRun about;
  about.command = "gemel regress --coverage " + o.coverage + " --count " + std::to_string(o.count) + " --seed " + std::to_string(o.seed);
  if (!o.machine.empty()) about.command += " --machine " + o.machine;
  for (const std::string& blocks : o.blocks) about.command += " --blocks " + blocks;
  about.seed = o.seed;
  about.cases = o.count;
  about.failed = failed;
  about.machine = to_yaml(machine);
  about.version = version();
  regress::RtlCoverage rtl;
  for (const auto& entry : fs::directory_iterator(counts)) rtl.add(entry.path());
  if (rtl.inputs() < o.count - failed) {
    throw RunError("E0810", std::to_string(o.count - failed) + " cases have left only " + std::to_string(rtl.inputs()) + " counts in `" + counts + "`",
                   "is the disk full?");
  }
  regress::FunctionalCoverage functional(machine);
  for (int i = 0; i < o.count; ++i) functional.add(case_of(i));
  write_file_atomically(o.coverage + "/coverage.html", regress::coverage_page(about, functional, rtl, own_rtl_folder()));
  write_file_atomically(o.coverage + "/coverage.json", regress::coverage_json(about, functional, rtl));
  fs::remove_all(counts);
  const regress::RtlFileCoverage total = rtl.total();
  const auto share = [](const char* what, std::int64_t hit, std::int64_t all) {
    std::printf("  %-16s %6lld of %6lld  %5.1f %%\n", what, static_cast<long long>(hit), static_cast<long long>(all),
                all > 0 ? 100.0 * static_cast<double>(hit) / static_cast<double>(all) : 100.0);
  };
  share("functional bins", functional.hit(), functional.bins());
  share("RTL lines", total.lines.hit, total.lines.all);
  share("RTL branches", total.branches.hit, total.branches.all);
  share("RTL toggles", total.toggles.hit, total.toggles.all);
  std::printf("  %s/coverage.html\n", o.coverage.c_str());
}

regress::RunOptions options_of(const std::string& coverage, const RtlHangs& hangs) {
  regress::RunOptions options;
  options.notice = [](const Diagnostic& warning) { std::cerr << to_string(warning) << "\n"; };
  options.display = [](const std::string&, const char* text) { std::cerr << text; };
  options.hangs = hangs;
  options.interrupted = &stop_requested();
  options.coverage = coverage;
  return options;
}

// The files that were asked for.
void write_results(const RegressOptions& o, const RegressionResults& results) {
  if (!o.json.empty()) write_file_atomically(o.json, results_json(results));
  if (!o.junit.empty()) write_file_atomically(o.junit, results_junit(results));
}

constexpr int Stopped = 5;  // exit code of a case that was interrupted

// The next child that has ended, or 0: interrupted. Looks every few milliseconds: a signal just before a wait that blocks would be slept through.
pid_t wait_for_any(int* status) {
  for (;;) {
    const pid_t child = ::waitpid(-1, status, WNOHANG);
    if (child > 0) return child;
    if (stop_requested()) return 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

// Passes the interruption on to the cases, which end what they have started (Verilator, compilers), and waits for them. A case that hangs in
// somebody's Verilog does not hear it.
void end_all(std::map<pid_t, int>& running, pid_t ended) {
  using Clock = std::chrono::steady_clock;
  running.erase(ended);
  for (const auto& [child, number] : running) ::kill(child, SIGTERM);
  const auto patience = Clock::now() + std::chrono::seconds(5);
  while (!running.empty()) {
    const pid_t child = ::waitpid(-1, nullptr, WNOHANG);
    if (child > 0) {
      running.erase(child);
    } else if (child < 0 && errno == ECHILD) {
      return;
    } else {
      if (Clock::now() > patience) {
        for (const auto& [one, number] : running) ::kill(one, SIGKILL);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

void run_regress(const RegressOptions& given) {
  catch_signals();
  RegressOptions o = given;
  const bool coverage = !o.coverage.empty();
  if (coverage && o.blocks.empty()) o.blocks = {"npu=rtl"};
  const std::string counts = o.coverage + "/counts";  // of RTL, one file for each case and block
  if (coverage) {
    o.out = o.coverage;
    fs::remove_all(counts);
    make_output_folder(counts);
  }
  if (!o.replay.empty()) {
    const regress::Case c = regress::load(o.replay);
    const regress::Outcome outcome = regress::run(c, options_of("", [](const UserError& error) { end_at_once(error); }));
    std::cout << regress::describe(c.blocks) << ": " << (outcome.failure.empty() ? compared(outcome.tally) : "differs\n") << outcome.failure;
    if (!outcome.failure.empty()) throw RunError("E0809", "1 of 1 cases failed");
    return;
  }
  const std::vector<regress::Case> fixed = o.mixtures ? regress::mixtures(o.seed) : std::vector<regress::Case>{};
  const int count = o.mixtures ? static_cast<int>(fixed.size()) : o.count;
  const Machine machine = o.machine.empty() ? (coverage ? regress::coverage_machine() : Machine{}) : load_machine(o.machine);
  const auto drawn = [&](int i) {
    if (o.mixtures) return fixed[static_cast<std::size_t>(i)];
    if (coverage) return regress::coverage_case(o.seed, i, machine, o.blocks);
    if (o.programs) return regress::random_program_case(o.seed, i, o.machines, o.machine.empty() ? nullptr : &machine, o.blocks);
    return regress::random_case(o.seed, i, o.machines, o.blocks);
  };
  const auto case_of = [&](int i) {
    regress::Case c = drawn(i);
    c.repeats = repeats_of(o.repeat);
    return c;
  };
  for (const std::string& set : o.blocks) regress::parse_set(set);  // a name that is wrong is told before the first case, and not once for each
  rtl_tool_version();
  const int jobs = o.jobs > 0 ? o.jobs : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const bool show = !o.quiet && ::isatty(STDERR_FILENO) != 0;
  make_output_folder(o.out);
  for (const std::string& file : {o.json, o.junit}) {
    if (!file.empty()) require_writable(file);
  }
  const char* const kind = o.mixtures ? "mixtures of blocks" : o.programs ? "random programs" : coverage ? "cases for coverage" : "random cases";
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); };
  const Clock::time_point begin = Clock::now();
  RegressionResults results{kind, o.seed, count, 0, {}};
  std::map<int, Clock::time_point> starts;  // of running cases
  Shared<regress::Tally> tallies(static_cast<std::size_t>(count));
  regress::Tally total;
  int started = 0, passed = 0, failed = 0;
  std::map<pid_t, int> running;
  const auto folder_of = [&](int i) { return o.out + "/" + (o.mixtures ? "mixture" : "case") + std::to_string(i); };
  while ((started < count && !(o.fail_fast && failed > 0)) || !running.empty()) {
    while (started < count && static_cast<int>(running.size()) < jobs && !(o.fail_fast && failed > 0)) {
      const int i = started++;
      std::cout.flush();
      const pid_t child = ::fork();
      if (child < 0) throw std::bad_alloc();
      if (child == 0) {  // the case alone; it tells by its exit code and, if it failed, by its folder
        int code = 1;
        try {
          const regress::Case c = case_of(i);
          const auto hangs = [&](const UserError& error) { keep_hanging(c, folder_of(i), error); };
          const regress::Outcome outcome = regress::run(c, options_of(coverage ? counts : "", hangs));
          tallies[i] = outcome.tally;
          code = outcome.failure.empty() ? 0 : 1;
          if (code != 0) {
            regress::save(c, folder_of(i));
            write_file_atomically(folder_of(i) + "/failure.txt", c.name + ": " + regress::describe(c.blocks) + "\n" + outcome.failure +
                                                                     "replay: gemel regress --replay " + folder_of(i) + "\n");
          }
        } catch (const Interrupted&) {
          code = Stopped;
        } catch (const std::exception& e) {
          try {
            make_output_folder(folder_of(i));
            write_file_atomically(folder_of(i) + "/failure.txt", std::string("could not be run: ") + e.what() + "\n");
          } catch (const std::exception&) {  // the parent says that it failed
          }
        }
        ::_exit(code);
      }
      running[child] = i;
      starts[i] = Clock::now();
    }
    int status = 0;
    const pid_t child = wait_for_any(&status);
    if (stop_requested()) {
      end_all(running, child);
      results.seconds = seconds_since(begin);
      write_results(o, results);
      throw Interrupted("interrupted: " + std::to_string(passed) + " of " + std::to_string(count) + " cases passed, " + std::to_string(failed) +
                        " failed" + (failed > 0 ? "; each is kept below " + o.out : ""));
    }
    const auto it = running.find(child);
    if (it == running.end()) continue;
    const int i = it->second;
    running.erase(it);
    results.cases.push_back({i, seconds_since(starts[i]), tallies[i], "", ""});
    starts.erase(i);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      ++passed;
      total = total + tallies[i];
    } else {
      ++failed;
      if (show) std::cerr << "\r\x1b[K" << std::flush;
      std::string text = "crashed";
      if (!WIFEXITED(status)) {
        regress::save(case_of(i), folder_of(i));
      } else {
        std::ifstream file(folder_of(i) + "/failure.txt");
        std::ostringstream all;
        all << file.rdbuf();
        text = all.str();
      }
      std::cout << "FAILED " << folder_of(i) << ": " << text << "\n";
      results.cases.back().failure = text.empty() ? "failed" : text;
      results.cases.back().folder = folder_of(i);
    }
    if (show) std::cerr << "\r\x1b[K" << passed + failed << " of " << count << ", " << failed << " failed" << std::flush;
  }
  if (show) std::cerr << "\r\x1b[K" << std::flush;
  if (!o.mixtures && !coverage && o.machine.empty()) std::cout << regress::describe_machines(o.seed, std::min(o.machines, count)) << "\n";
  if (passed > 0) {
    std::cout << "memory: latency " << total.least_latency << ".." << total.most_latency << " cycles, " << total.stalling << " of " << passed
              << " cases with random stalls\n"
              << compared(total) << reached(total);
  }
  results.seconds = seconds_since(begin);
  write_results(o, results);
  std::cout << kind << ", seed " << o.seed << ": " << passed << " passed, " << failed << " failed\n";
  const std::string share = std::to_string(failed) + " of " + std::to_string(passed + failed);
  if (coverage) write_coverage(o, machine, counts, failed, case_of);
  if (failed > 0) throw RunError("E0809", share + " cases failed", "each is kept below " + o.out);
}

const std::vector<Rule>& rules() {
  static const std::vector<Rule> Rules = {
      {"--mixtures", Rule::Excludes, {"--programs", "--coverage"}, "they are different regressions"},
      {"--mixtures", Rule::Excludes, {"--count", "--machines", "--blocks", "--machine"}, "mixtures are all there are, on a machine of their own"},
      {"--coverage", Rule::Excludes, {"--programs"}, "it runs networks and random instructions in turn"},
      {"--coverage", Rule::Excludes, {"--out"}, "failures are kept in its folder, too"},
      {"--coverage", Rule::Excludes, {"--machines"}, "it counts for one machine"},
      {"--machine", Rule::Needs, {"--programs", "--coverage FOLDER"}, "--machine is for random instructions; random networks come with random machines"},
      {"--machine", Rule::Excludes, {"--machines"}, "it is the only machine"},
      {"--replay", Rule::Excludes, {"--junit", "--json"}, "results are of a regression, and this is one case of it"},
      {"--replay", Rule::Excludes,
       {"--count", "--seed", "--machines", "--jobs", "--blocks", "--programs", "--coverage", "--machine", "--fail-fast", "--repeat", "--out", "--mixtures"},
       "the folder says all of the one case"},
  };
  return Rules;
}

}  // namespace

void add_regress(CLI::App& app) {
  auto* command = app.add_subcommand("regress", "Run random machines and networks on RTL and compare with the models");
  auto o = std::make_shared<RegressOptions>();
  add_integer(*command, "--count", o->count, 1, 1'000'000'000, "Cases");
  add_integer(*command, "--seed", o->seed, 0, Unlimited, "Seed of machines, networks and blocks");
  add_integer(*command, "--machines", o->machines, 1, 1'000'000, "Different machines; each is Verilated once");
  add_integer(*command, "--jobs,-j", o->jobs, 1, 4096, "Cases at a time (default: one per core)");
  command->add_option("--blocks", o->blocks, "Block sets to take in turn, e.g. all=check or pe_array=rtl,load_dma=check (default: random ones)");
  command->add_flag("--programs", o->programs, "Random instructions with corner values for data, some with errors, instead of networks");
  command->add_option("--coverage", o->coverage,
                      "Count what small networks and random instructions cover, functions as well as lines and toggles of RTL; a folder for "
                      "coverage.html and coverage.json");
  command->add_option("--machine,-m", o->machine,
                      "With --programs or --coverage: this machine, by name or file, with another memory around it in each case");
  command->add_flag("--fail-fast", o->fail_fast, "Begin no case after the first that failed");
  add_choice(*command, "--repeat", {"no-skip", "reset", "data"},
             "Run the RTL of each case again and compare with its first run: no-skip (every block clocked in every cycle), reset (other random "
             "bits at power-up), data (zeros and other random numbers for inputs and weights: the same times)",
             [o](const std::string& name) { o->repeat.push_back(name); })
      ->delimiter(',');
  command->add_option("--out,-o", o->out, "Folder for failures")->capture_default_str();
  command->add_option("--json", o->json, "File for the results of all cases, as JSON");
  command->add_option("--junit", o->junit, "File for the results of all cases, as JUnit's XML");
  command->add_option("--replay", o->replay, "Run the case in this folder again");
  command->add_flag("--mixtures", o->mixtures,
                    "Instead: all 1,024 mixtures of the top-level blocks, each leaf alone and the whole chip, on one small machine");
  command->add_flag("--quiet,-q", o->quiet, "No progress on the terminal");
  command->callback([o, command] {
    check_options(*command, rules());
    if (!o->json.empty() && o->json == o->junit) throw UserError("E0911", "`--json` and `--junit` name one file: `" + o->json + "`", "give each its own");
    run_regress(*o);
  });
}

}  // namespace gemel::cli
