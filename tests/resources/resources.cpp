// SPDX-License-Identifier: Apache-2.0
// gemel_resources [WORKLOAD...] [--machine NAME] [--jobs N]: every shipped workload (or these) on every shipped machine (or that one), timing
// only, and again with each resource of the machine raised alone. Prints a row per change that costs cycles and, last, how many of all cost
// more than 0.5 %. Exit code 1 if any does.
#include <atomic>
#include <exception>
#include <iomanip>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "config/home.hpp"
#include "network/workload.hpp"
#include "support/resources.hpp"

extern "C" int sc_main(int, char**) { return 0; }  // never called; libsystemc refers to it

namespace {

using namespace gemel;

struct Arguments {
  std::vector<std::string> workloads, machines;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
};

// A change of a machine, for one network.
struct Point {
  const Network* network;
  std::string workload, machine;
  const Machine* base;
  std::size_t before;  // place of the point without the change; its own for such a point
  test::Raised raised;
  std::int64_t cycles = 0;
  std::string error;
};

Arguments read(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] {
      if (++i == argc) throw std::runtime_error(word + " needs a value");
      return std::string(argv[i]);
    };
    if (word == "--machine") a.machines.push_back(value());
    else if (word == "--jobs") a.jobs = static_cast<unsigned>(std::max(1, std::stoi(value())));
    else if (word.rfind("--", 0) == 0) throw std::runtime_error("unknown option " + word);
    else a.workloads.push_back(word);
  }
  if (a.workloads.empty()) a.workloads = list_named("workloads", ".yaml");
  if (a.machines.empty()) a.machines = list_named("configs", ".yaml");
  return a;
}

void measure(std::vector<Point>& points, unsigned jobs) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < points.size(); i = next++) {
      try {
        points[i].cycles = test::timing_cycles(*points[i].network, points[i].raised.machine);
      } catch (const std::exception& error) {
        points[i].error = error.what();
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < jobs; ++t) threads.emplace_back(work);
  for (std::thread& t : threads) t.join();
}

int run(const Arguments& arguments) {
  LoadOptions load;
  load.timing_only = true;
  std::vector<Network> networks;
  for (const std::string& name : arguments.workloads) networks.push_back(load_workload(name, load));
  std::vector<Machine> machines;
  for (const std::string& name : arguments.machines) machines.push_back(load_machine(find_named("configs", name, ".yaml")));
  std::vector<Point> points;
  for (std::size_t n = 0; n < networks.size(); ++n) {
    for (std::size_t m = 0; m < machines.size(); ++m) {
      const std::size_t before = points.size();
      std::vector<test::Raised> changes = test::raise_each(machines[m]);
      changes.insert(changes.begin(), {"", machines[m]});
      for (test::Raised& change : changes) {
        points.push_back({&networks[n], arguments.workloads[n], arguments.machines[m], &machines[m], before, std::move(change), 0, ""});
      }
    }
  }
  measure(points, arguments.jobs);

  int changes = 0, slower = 0, bad = 0;
  double worst = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point& p = points[i];
    const Point& before = points[p.before];
    if (i != p.before) ++changes;
    const double cost = static_cast<double>(p.cycles) / static_cast<double>(std::max<std::int64_t>(1, before.cycles)) - 1;
    if (p.error.empty() && before.error.empty() && p.cycles <= before.cycles) continue;
    slower += p.error.empty();
    bad += !p.error.empty() || cost > test::MostCost;
    worst = std::max(worst, cost);
    std::cout << std::left << std::setw(20) << p.workload << std::setw(11) << p.machine << std::setw(42) << p.raised.change << std::right;
    if (!p.error.empty()) {
      std::cout << "  " << p.error << "\n";
      continue;
    }
    std::cout << std::setw(11) << before.cycles << " -> " << std::setw(11) << p.cycles << std::fixed << std::setprecision(2) << std::setw(8)
              << cost * 100 << " %\n";
  }
  std::cout << slower << " of " << changes << " changes cost cycles, at most " << std::fixed << std::setprecision(2) << worst * 100 << " %\n"
            << bad << " of " << changes << " changes cost more than " << std::setprecision(1) << test::MostCost * 100 << " %\n";
  return bad == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(read(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "gemel_resources: " << error.what() << "\n";
    return 2;
  }
}
