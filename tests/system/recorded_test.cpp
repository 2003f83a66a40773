// SPDX-License-Identifier: Apache-2.0
// The recorded cycles of every shipped workload on every shipped machine (cycles.csv): a change of mapping or timing is a changed
// line of that table, and the compiler's prediction stays near what is simulated. After a change that is meant,
// `GEMEL_UPDATE=1 build/release/tests/system/system_test --gtest_filter='*Recorded*'` writes the table; look at its diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <ostream>
#include <sstream>
#include <tuple>

#include "compiler/compile.hpp"
#include "config/home.hpp"
#include "config/load.hpp"
#include "network/workload.hpp"
#include "sim/simulation.hpp"

namespace gemel {
namespace {

constexpr const char* Table = GEMEL_SOURCE_DIR "/tests/system/cycles.csv";
constexpr const char* Header = "workload,batch,machine,cycles,predicted,instructions";
constexpr double PredictionBound = 0.03;  // of the simulated cycles. Worst: depthwise_112 on edge16, 2.8 %; of whole networks digits on odd7x13, 1.5 %

struct Case {
  std::string workload;
  int batch = 1;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.workload << " batch " << c.batch; }

struct Key {
  std::string workload;
  int batch;
  std::string machine;
  bool operator<(const Key& o) const { return std::tie(workload, batch, machine) < std::tie(o.workload, o.batch, o.machine); }
};
using Rows = std::map<Key, std::string>;  // the cells behind the key

Rows read_table() {
  Rows rows;
  std::ifstream in(Table);
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(line, Header) << Table;
  while (std::getline(in, line)) {
    std::istringstream cells(line);
    Key key;
    std::string batch, rest;
    std::getline(cells, key.workload, ',');
    std::getline(cells, batch, ',');
    std::getline(cells, key.machine, ',');
    std::getline(cells, rest);
    key.batch = std::atoi(batch.c_str());
    EXPECT_TRUE(rows.emplace(key, rest).second) << "two rows of one run: " << line;
  }
  return rows;
}

void write_table(const Rows& rows) {
  std::ofstream out(Table);
  out << Header << '\n';
  for (const auto& [key, rest] : rows) out << key.workload << ',' << key.batch << ',' << key.machine << ',' << rest << '\n';
  ASSERT_TRUE(out.flush()) << Table;
}

bool update() { return std::getenv("GEMEL_UPDATE") != nullptr; }

// Every shipped workload at the batch of its file, and `digits` with all of its test images at once.
std::vector<Case> cases() {
  std::vector<Case> list;
  for (const std::string& name : list_named("workloads", ".yaml")) list.push_back({name, 1});
  list.push_back({"digits", 360});
  return list;
}

class Recorded : public testing::TestWithParam<Case> {};

TEST_P(Recorded, CyclesAndPredictionOnEveryMachine) {
  const Case& c = GetParam();
  Rows rows = read_table();
  LoadOptions load;
  load.timing_only = true;
  load.batch = c.batch;
  const Network network = load_workload(c.workload, load);
  const std::vector<std::string> machines = list_named("configs", ".yaml");
  EXPECT_GE(machines.size(), 5u);
  for (const std::string& name : machines) {
    const Machine machine = load_machine(find_named("configs", name, ".yaml"));
    const Schedule schedule = compile(network, machine);
    SimulationOptions options;
    options.timing_only = true;
    const std::int64_t cycles = simulate(machine, schedule, {}, options).result.cycles;
    std::int64_t predicted = 0;
    for (const ScheduleLayer& layer : schedule.layers) predicted += layer.predicted_cycles;

    EXPECT_NEAR(static_cast<double>(predicted) / static_cast<double>(cycles), 1.0, PredictionBound)
        << c.workload << " on " << name << ": predicted " << predicted << ", simulated " << cycles;
    const std::string now = std::to_string(cycles) + "," + std::to_string(predicted) + "," + std::to_string(schedule.program.size());
    std::string& recorded = rows[{c.workload, c.batch, name}];
    if (!update()) {
      EXPECT_EQ(now, recorded) << "cycles,predicted,instructions of " << c.workload << " (batch " << c.batch << ") on " << name
                               << "; the head of recorded_test.cpp tells how the table is written";
    }
    recorded = now;
  }
  if (update()) write_table(rows);
}

INSTANTIATE_TEST_SUITE_P(Shipped, Recorded, testing::ValuesIn(cases()), [](const testing::TestParamInfo<Case>& one) {
  return one.param.workload + "_batch" + std::to_string(one.param.batch);
});

TEST(RecordedTable, HasARowPerRunAndNoOthers) {
  Rows rows = read_table();
  for (const Case& c : cases()) {
    for (const std::string& machine : list_named("configs", ".yaml")) {
      const Key key{c.workload, c.batch, machine};
      if (!update()) {
        EXPECT_EQ(rows.count(key), 1u) << c.workload << " on " << machine << " has no recorded cycles";
      }
      rows.erase(key);
    }
  }
  if (update() && !rows.empty()) {
    Rows kept = read_table();
    for (const auto& row : rows) kept.erase(row.first);
    write_table(kept);
    return;
  }
  for (const auto& [key, rest] : rows) ADD_FAILURE() << "a row of a run that there is not: " << key.workload << " on " << key.machine;
}

}  // namespace
}  // namespace gemel
