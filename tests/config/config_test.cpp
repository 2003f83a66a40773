// SPDX-License-Identifier: Apache-2.0
// Machines: the shipped files, reading and writing back, overrides, contradictions, hash, and what is generated from the table.
// Exact texts of bad files are in tests/errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/error.hpp"
#include "config/digest.hpp"
#include "config/home.hpp"
#include "config/load.hpp"
#include "config/parameters.hpp"

namespace gemel {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string configs(const std::string& name) { return std::string(GEMEL_SOURCE_DIR) + "/configs/" + name + ".yaml"; }

std::string text_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UserError& e) {
    return e.what();
  }
  return "no error";
}

std::uint64_t seed() {
  const char* given = std::getenv("GEMEL_SEED");
  const std::uint64_t value = given ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::fprintf(stderr, "seed: GEMEL_SEED=%llu\n", static_cast<unsigned long long>(value));
  return value;
}

// A machine in which every parameter has a random legal value, contradictions resolved.
Machine random_machine(std::mt19937_64& random) {
  const auto pick = [&](std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random);
  };
  Machine m;
  for (const auto& p : parameters()) {
    if (p.type == ParameterType::Integer || p.type == ParameterType::SizeBytes) {
      std::int64_t value = pick(static_cast<std::int64_t>(p.least), static_cast<std::int64_t>(p.most));
      if (p.power_of_two) {
        std::int64_t power = static_cast<std::int64_t>(p.least);
        while (power * 2 <= value) power *= 2;
        value = power;
      }
      p.set(m, value);
    }
  }
  m.name = "random-" + std::to_string(pick(0, 999));
  for (int i = static_cast<int>(pick(0, 20)); i > 0; --i) m.description += static_cast<char>(pick(1, 126));
  m.clock_mhz = static_cast<double>(pick(1, 1000000)) / 7.0 / 1024.0 + 0.001;
  m.lanes = static_cast<int>(pick(1, m.columns));
  m.burst_bytes = std::clamp(m.burst_bytes, m.bus_bytes, 256 * m.bus_bytes);
  m.prefetch_instructions = std::max(m.prefetch_instructions, (m.burst_bytes + 63) / 64);
  m.memory_bytes -= m.memory_bytes % 4096;
  for (int i = 0; i < BufferCount; ++i) {
    const auto b = static_cast<Buffer>(i);
    m.buffer(b).size_bytes = pick(m.buffer(b).banks, 1 << 18) * m.word_bytes(b);
  }
  return m;
}

TEST(Config, ShipsTheMachinesOfTheDesign) {
  EXPECT_THAT(list_machines(), ElementsAre("edge16", "odd7x13", "server128", "tiny8", "wide16x64"));
}

// As a rebuild does it, beside a long regression.
TEST(Config, MachinesAreFoundAfterTheProgramsFileWasReplaced) {
  namespace fs = std::filesystem;
  const auto before = list_machines();
  const fs::path own = fs::canonical("/proc/self/exe");
  const fs::path copy = own.string() + "." + std::to_string(::getpid());
  fs::copy_file(own, copy);
  fs::rename(copy, own);
  EXPECT_EQ(list_machines(), before);
}

TEST(Config, ShippedMachinesAreValidAndNamedAsTheirFiles) {
  ASSERT_FALSE(list_machines().empty());
  for (const auto& name : list_machines()) {
    const Machine m = load_machine(find_machine(name));
    EXPECT_EQ(m.name, name);
    EXPECT_FALSE(m.description.empty()) << name;
    EXPECT_EQ(m.memory_bytes_per_cycle, m.bus_bytes) << name;
    EXPECT_EQ(m.memory_queue, 64) << name;
    for (int i = 0; i < BufferCount; ++i) EXPECT_GE(m.words(static_cast<Buffer>(i)), 2) << name;
  }
}

TEST(Config, Edge16HasTheFiguresOfTheDesign) {
  const Machine m = load_machine(configs("edge16"));
  EXPECT_EQ(m.rows, 16);
  EXPECT_EQ(m.columns, 16);
  EXPECT_EQ(m.lanes, 16);
  EXPECT_EQ(m.buffer(Buffer::Activation).size_bytes, 128 * 1024);
  EXPECT_EQ(m.buffer(Buffer::Activation).banks, 8);
  EXPECT_EQ(m.words(Buffer::Activation), 8192);       // 128 KiB / 16 bytes
  EXPECT_EQ(m.bank_words(Buffer::Activation), 1024);  // / 8 banks
  EXPECT_EQ(m.words(Buffer::Accumulator), 1024);      // 64 KiB / (16 sums * 4 bytes)
  EXPECT_EQ(m.words(Buffer::Param), 256);
  EXPECT_EQ(m.bus_bytes * m.load_outstanding, m.burst_bytes);  // 16 x 16 = 256
  EXPECT_EQ(m.memory_bytes, std::int64_t{1} << 30);
  EXPECT_EQ(m.clock_mhz, 1000.0);
}

TEST(Config, WordsAreRoundedDownToWholeBanks) {
  const Machine m = load_machine(configs("odd7x13"));
  EXPECT_EQ(m.word_bytes(Buffer::Activation), 7);
  EXPECT_EQ(m.word_bytes(Buffer::Accumulator), 52);
  EXPECT_EQ(m.bank_words(Buffer::Accumulator), 157);  // floor(floor(32768 / 52) / 4) = floor(630 / 4)
  EXPECT_EQ(m.words(Buffer::Accumulator), 628);
}

TEST(Config, DefaultsOfTheTableAreEdge16) {
  const Machine m = load_machine(configs("edge16"));
  for (const auto& p : parameters()) {
    if (p.type == ParameterType::Name || p.type == ParameterType::Text) continue;
    EXPECT_EQ(default_value(p), format_value(p, p.get(m))) << p.key;
  }
}

TEST(Config, ReadsBackWhatItWrites) {
  std::mt19937_64 random(seed());
  for (int i = 0; i < 200; ++i) {
    const Machine m = random_machine(random);
    const std::string text = to_yaml(m);
    SCOPED_TRACE(text);
    ASSERT_TRUE(check_machine(m).empty());
    const Machine again = parse_machine(text, "again.yaml");
    EXPECT_EQ(to_yaml(again), text);
    for (const auto& p : parameters()) EXPECT_EQ(p.get(again), p.get(m)) << p.key;
    EXPECT_EQ(machine_digest(again), machine_digest(m));
  }
}

TEST(Config, AccessorsOfTheTableReachDifferentMembers) {
  // A row whose get or set names the wrong member would pass every test on one machine: change one parameter at a time.
  const Machine before = load_machine(configs("edge16"));
  int changed = 0;
  for (const auto& p : parameters()) {
    if (p.type == ParameterType::Choice) continue;  // only one value so far
    Machine m = before;
    const ParameterValue old = p.get(m);
    ParameterValue value = old;
    if (auto* number = std::get_if<double>(&value)) *number += 1;
    if (auto* whole = std::get_if<std::int64_t>(&value)) *whole += 1;
    if (auto* text = std::get_if<std::string>(&value)) *text += "x";
    p.set(m, value);
    for (const auto& q : parameters()) {
      EXPECT_EQ(q.get(m), q.key == p.key ? value : q.get(before)) << "setting " << p.key << " shows in " << q.key;
    }
    ++changed;
  }
  EXPECT_GE(changed, 25);
}

TEST(Config, DigestDependsOnTheRowsMarkedForItAndOnNothingElse) {
  const Machine before = load_machine(configs("edge16"));
  int in = 0, out = 0;
  for (const auto& p : parameters()) {
    if (p.type == ParameterType::Choice) continue;
    Machine m = before;
    ParameterValue value = p.get(m);
    if (auto* number = std::get_if<double>(&value)) *number += 1;
    if (auto* whole = std::get_if<std::int64_t>(&value)) *whole += 1;
    if (auto* text = std::get_if<std::string>(&value)) *text += "x";
    p.set(m, value);
    EXPECT_EQ(machine_digest(m) != machine_digest(before), p.in_digest) << p.key;
    EXPECT_EQ(machine_text(m) != machine_text(before), p.in_digest) << p.key;
    ++(p.in_digest ? in : out);
  }
  EXPECT_EQ(in, 3 + 2 * BufferCount + 2);  // array and lanes, buffers, bus and burst
  EXPECT_GE(out, 10);
}

TEST(Config, DigestIsTheSameForever) {
  // Schedules on people's disks carry it. A change here makes all of them stale: bump the schedule format as well.
  EXPECT_EQ(machine_digest(load_machine(configs("edge16"))), 870280218);
  EXPECT_EQ(machine_digest(load_machine(configs("odd7x13"))), 1998028657);
}

TEST(Config, OverridesReplaceValues) {
  const Machine m = load_machine(configs("edge16"), {"pe_array.rows=32", "activation_buffer.size_bytes=1MiB", "name=mine",
                                                     "description=with: \"odd\" # text", "clock_mhz=0.5"});
  EXPECT_EQ(m.rows, 32);
  EXPECT_EQ(m.buffer(Buffer::Activation).size_bytes, 1 << 20);
  EXPECT_EQ(m.name, "mine");
  EXPECT_EQ(m.description, "with: \"odd\" # text");
  EXPECT_EQ(m.clock_mhz, 0.5);
}

TEST(Config, BadOverridesAreAllReported) {
  EXPECT_EQ(text_of([] {
              load_machine(configs("edge16"), {"rows=32", "pe_array.colums=3", "foo", "=3", "bus.bytes=12", "pe_array.rows=",
                                               "memory.kind=idea", "param_buffer.size_bytes=4TB"});
            }),
            "error[E0103]: unknown key `rows`\n"
            "  --set rows=32\n"
            "  did you mean `pe_array.rows`?\n"
            "hint: `gemel explain machine` lists every parameter\n\n"
            "error[E0103]: unknown key `pe_array.colums`\n"
            "  --set pe_array.colums=3\n"
            "  did you mean `pe_array.columns`?\n"
            "hint: `gemel explain machine` lists every parameter\n\n"
            "error[E0110]: a setting must be key=value, not `foo`\n"
            "  --set foo\n"
            "hint: for example `--set pe_array.rows=32`\n\n"
            "error[E0110]: a setting must be key=value, not `=3`\n"
            "  --set =3\n"
            "hint: for example `--set pe_array.rows=32`\n\n"
            "error[E0107]: `bus.bytes` is 12, but must be a power of two from 4 to 128\n"
            "  --set bus.bytes=12\n\n"
            "error[E0106]: `pe_array.rows` must be an integer, not nothing\n"
            "  --set pe_array.rows=\n\n"
            "error[E0107]: `memory.kind` is `idea`, but must be `ideal`\n"
            "  --set memory.kind=idea\n"
            "  did you mean `ideal`?\n\n"
            "error[E0106]: `param_buffer.size_bytes` must be a size in bytes (such as 4096, 64KiB or 1GiB), not `4TB`\n"
            "  --set param_buffer.size_bytes=4TB");
}

TEST(Config, AnOverrideThatContradictsTheFileIsBlamed) {
  EXPECT_EQ(text_of([] { load_machine(configs("edge16"), {"vector_unit.lanes=17"}); }),
            "error[E0108]: `vector_unit.lanes` is 17, but must be at most `pe_array.columns`, which is 16\n"
            "  --set vector_unit.lanes=17");
}

TEST(Config, LimitsAreTight) {
  const auto fails = [](const std::string& setting, std::vector<std::string> others = {}) {
    others.push_back(setting);
    return text_of([&] { load_machine(configs("edge16"), others); }) != "no error";
  };
  EXPECT_FALSE(fails("pe_array.rows=256"));
  EXPECT_TRUE(fails("pe_array.rows=257"));
  EXPECT_FALSE(fails("pe_array.rows=1"));
  EXPECT_TRUE(fails("pe_array.rows=0"));
  EXPECT_FALSE(fails("vector_unit.lanes=16"));
  EXPECT_TRUE(fails("vector_unit.lanes=17"));
  EXPECT_FALSE(fails("dma.burst_bytes=16"));
  EXPECT_TRUE(fails("dma.burst_bytes=8"));
  EXPECT_FALSE(fails("dma.burst_bytes=1024"));  // 16 instructions of 64 bytes
  EXPECT_TRUE(fails("dma.burst_bytes=2048"));
  EXPECT_FALSE(fails("dma.burst_bytes=2048", {"sequencer.prefetch_instructions=32"}));
  EXPECT_FALSE(fails("dma.burst_bytes=1024", {"bus.bytes=4"}));  // 256 beats
  EXPECT_TRUE(fails("dma.burst_bytes=2048", {"bus.bytes=4", "sequencer.prefetch_instructions=32"}));
  EXPECT_FALSE(fails("dma.burst_bytes=2048", {"bus.bytes=8", "sequencer.prefetch_instructions=32"}));
  EXPECT_TRUE(fails("dma.burst_bytes=4096", {"bus.bytes=8", "sequencer.prefetch_instructions=64"}));
  EXPECT_FALSE(fails("param_buffer.size_bytes=64"));  // 4 banks x 16 bytes
  EXPECT_TRUE(fails("param_buffer.size_bytes=63"));
  EXPECT_FALSE(fails("vector_buffer.size_bytes=4MiB"));  // 2^18 words of 16 bytes
  EXPECT_TRUE(fails("vector_buffer.size_bytes=4194432"));  // one word more in each of the 8 banks
  EXPECT_FALSE(fails("memory.size_bytes=1024GiB"));
  EXPECT_TRUE(fails("memory.size_bytes=1025GiB"));
  EXPECT_TRUE(fails("memory.size_bytes=4097"));
  EXPECT_FALSE(fails("load_dma.outstanding=64"));
  EXPECT_TRUE(fails("load_dma.outstanding=65"));
  EXPECT_FALSE(fails("memory.jitter_cycles=100000"));
  EXPECT_TRUE(fails("memory.jitter_cycles=100001"));
  EXPECT_TRUE(fails("memory.jitter_cycles=-1"));
  EXPECT_FALSE(fails("memory.jitter_seed=2147483647"));
  EXPECT_TRUE(fails("memory.jitter_seed=2147483648"));
  EXPECT_TRUE(fails("memory.jitter_seed=-1"));
}

TEST(Config, JitterMayBeLeftOutAndIsOffThen) {
  for (const auto& name : list_machines()) EXPECT_EQ(load_machine(find_machine(name)).jitter_cycles, 0) << name;
  EXPECT_THAT(explain("memory.jitter_cycles"), HasSubstr("edge16 has: 0\n  may be left out\n"));
  EXPECT_EQ(text_of([] { load_machine(configs("edge16"), {"memory.jitter_cycles=-1", "memory.jitter_seed=2147483648"}); }),
            "error[E0107]: `memory.jitter_cycles` is -1, but must be 0 to 100000\n"
            "  --set memory.jitter_cycles=-1\n\n"
            "error[E0107]: `memory.jitter_seed` is 2147483648, but must be 0 to 2147483647\n"
            "  --set memory.jitter_seed=2147483648");
}

TEST(Config, StallsMayBeLeftOutAndAreOffThen) {
  for (const auto& name : list_machines()) {
    const StallPercent stalls = load_machine(find_machine(name)).stall_percent;
    EXPECT_EQ(stalls.ar + stalls.r + stalls.aw + stalls.w + stalls.b, 0) << name;
  }
  const Machine machine = load_machine(configs("edge16"), {"memory.ar_stall_percent=1", "memory.r_stall_percent=2", "memory.aw_stall_percent=3",
                                                           "memory.w_stall_percent=4", "memory.b_stall_percent=99", "memory.stall_seed=5"});
  const StallPercent& stalls = machine.stall_percent;
  EXPECT_EQ((std::vector<int>{stalls.ar, stalls.r, stalls.aw, stalls.w, stalls.b, machine.stall_seed}), (std::vector<int>{1, 2, 3, 4, 99, 5}));
  EXPECT_EQ(text_of([] { load_machine(configs("edge16"), {"memory.w_stall_percent=100"}); }),
            "error[E0107]: `memory.w_stall_percent` is 100, but must be 0 to 99\n"
            "  --set memory.w_stall_percent=100");
}

TEST(Config, AnUnknownMachineSuggestsANeighbour) {
  EXPECT_EQ(text_of([] { find_machine("edge61"); }),
            "error[E0109]: there is no machine `edge61`\n"
            "  did you mean `edge16`?\n"
            "hint: `gemel machines` lists them; a file of your own is given as a path, such as ./mine.yaml");
  EXPECT_EQ(find_machine("./edge61"), "./edge61");
  EXPECT_EQ(find_machine("edge61.yaml"), "edge61.yaml");
}

TEST(Config, AFileThatIsNotThereIsAnError) {
  EXPECT_EQ(text_of([] { load_machine("no/such/machine.yaml"); }),
            "error[E0101]: cannot read machine file `no/such/machine.yaml`: No such file or directory");
  EXPECT_EQ(text_of([] { load_machine("/"); }), "error[E0101]: cannot read machine file `/`: it is a folder");
}

// Files of a test in a folder of their own.
class ConfigBase : public ::testing::Test {
 protected:
  ConfigBase() { std::filesystem::create_directories(folder_ / "more"); }
  ~ConfigBase() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  const std::filesystem::path folder_ = std::filesystem::path(::testing::TempDir()) / ("gemel-base-" + std::to_string(::getpid()));
};

TEST_F(ConfigBase, AMachineHasWhatItsBaseHasAndItDoesNotGive) {
  const std::string wide = file("wide.yaml", "name: wide\nbase: edge16\nbus:\n  bytes: 32\nmemory: {bytes_per_cycle: 32}\n");
  EXPECT_EQ(to_yaml(load_machine(wide)), to_yaml(load_machine("edge16", {"name=wide", "bus.bytes=32", "memory.bytes_per_cycle=32"})));
  // A base has a base; paths are told from the file that has them; --set comes last.
  const std::string more = file("more/wider.yaml", "name: wider\nbase: ../wide.yaml\nvector_unit: {lanes: 8}\nbus: {bytes: 64}\n");
  EXPECT_EQ(to_yaml(load_machine(more, {"bus.bytes=16"})),
            to_yaml(load_machine("edge16", {"name=wider", "bus.bytes=16", "memory.bytes_per_cycle=32", "vector_unit.lanes=8"})));
  EXPECT_EQ(load_machine(more).bus_bytes, 64);
}

TEST_F(ConfigBase, MistakesInWhatIsGivenAreToldInItsFile) {
  const auto error = [&](const std::string& text) {
    const std::string path = file("mine.yaml", text);
    std::string message = text_of([&] { load_machine(path); });
    for (std::size_t at; (at = message.find(folder_.string() + "/")) != std::string::npos;) message.erase(at, folder_.string().size() + 1);
    return message;
  };
  EXPECT_THAT(error("base: edge16\n"), AllOf(HasSubstr("error[E0104]: "), HasSubstr("`name`")));
  EXPECT_THAT(error("name: mine\nbase: edge61\n"),
              AllOf(HasSubstr("error[E0109]: there is no machine `edge61`"), HasSubstr("mine.yaml:2:7"), HasSubstr("did you mean `edge16`?")));
  EXPECT_THAT(error("name: mine\nbase: 3.yaml\n"), HasSubstr("error[E0101]: cannot read machine file `3.yaml`: No such file or directory"));
  EXPECT_THAT(error("name: mine\nbase: [edge16]\n"), HasSubstr("error[E0106]: `base` must be "));
  EXPECT_THAT(error("name: mine\nbase: edge16\npe_array: {rosw: 8}\n"), HasSubstr("error[E0103]: unknown key `rosw`"));
  EXPECT_THAT(error("name: mine\nbase: edge16\nbus: {bytes: 24}\n"), HasSubstr("error[E0107]: `bus.bytes` is 24"));
  // Two parameters that contradict each other: told where one of them stands.
  EXPECT_THAT(error("name: mine\nbase: edge16\nvector_unit: {lanes: 17}\n"), AllOf(HasSubstr("error[E0108]: "), HasSubstr("mine.yaml:3:")));
  // Inside the base, in its file.
  file("bad.yaml", "name: bad\nbase: edge16\nbus: {bytes: 24}\n");
  EXPECT_THAT(error("name: mine\nbase: bad.yaml\n"), AllOf(HasSubstr("error[E0107]: `bus.bytes` is 24"), HasSubstr("bad.yaml:3:")));
}

TEST_F(ConfigBase, FilesThatAreBasedOnOneAnotherAreAnError) {
  const std::string a = file("a.yaml", "name: a\nbase: ./b.yaml\n");
  file("b.yaml", "name: b\nbase: more/../a.yaml\n");
  EXPECT_EQ(text_of([&] { load_machine(a); }),
            "error[E0114]: `base` is `more/../a.yaml`, which is based on this file itself\n"
            "  " + folder_.string() + "/b.yaml:2:7\n"
            "2 | base: more/../a.yaml\n"
            "  |       ^^^^^^^^^^^^^^\n"
            "hint: name a machine whose file gives every parameter");
  const std::string self = file("self.yaml", "name: self\nbase: self.yaml\n");
  EXPECT_THAT(text_of([&] { load_machine(self); }), HasSubstr("error[E0114]: "));
}

TEST(Config, GemelHomeComesFirstAndAlone) {
  const auto home = std::filesystem::path(::testing::TempDir()) / ("gemel-home-" + std::to_string(::getpid()));
  std::filesystem::create_directories(home / "configs");
  std::ofstream(home / "configs" / "mine.yaml") << to_yaml(load_machine(configs("tiny8"), {"name=mine"}));
  ::setenv("GEMEL_HOME", home.c_str(), 1);
  EXPECT_THAT(list_machines(), ElementsAre("mine"));
  EXPECT_EQ(load_machine(find_machine("mine")).rows, 8);
  EXPECT_THAT(text_of([] { find_machine("edge16"); }), HasSubstr("there is no machine `edge16`"));
  std::filesystem::remove_all(home / "configs");
  EXPECT_EQ(text_of([] { find_machine("edge16"); }),
            "error[E0917]: GEMEL_HOME is `" + home.string() + "`, and there is no folder `configs` in it\n"
            "hint: unset it, or name the folder that has `configs`, `workloads` and `rtl`");
  ::unsetenv("GEMEL_HOME");
  std::filesystem::remove_all(home);
}

TEST(Config, ExplainsAParameterAGroupACodeAndEverything) {
  EXPECT_EQ(explain("bus.bytes"),
            "bus.bytes\n"
            "  Width of the AXI data buses: bytes per beat, each way.\n"
            "  type: integer, in bytes\n"
            "  allowed: a power of two from 4 to 128\n"
            "  edge16 has: 16\n");
  EXPECT_EQ(explain("pe_array"), explain("pe_array.rows") + "\n" + explain("pe_array.columns"));
  EXPECT_THAT(explain("E0103"), HasSubstr("A machine file has a key that Gemel does not know."));
  EXPECT_EQ(explain(""), explain("machine"));
  for (const auto& p : parameters()) {
    EXPECT_THAT(explain("machine"), HasSubstr("  " + p.key + " "));
    EXPECT_THAT(explain(p.key), HasSubstr(p.sentence));
  }
}

TEST(Config, ExplainingNothingSuggestsSomething) {
  EXPECT_EQ(text_of([] { explain("rows"); }),
            "error[E0111]: there is nothing to explain about `rows`\n"
            "  did you mean `pe_array.rows`?\n"
            "hint: `gemel explain machine` lists every parameter; a code such as E0103 is explained, too");
  EXPECT_THAT(text_of([] { explain("pe_arry"); }), HasSubstr("did you mean `pe_array`?"));
  EXPECT_THAT(text_of([] { explain("E0130"); }), HasSubstr("did you mean `E01"));
}

TEST(Config, SentencesOfTheTableAreSentences) {
  std::set<std::string> keys;
  for (const auto& p : parameters()) {
    EXPECT_TRUE(keys.insert(p.key).second) << p.key << " is declared twice";
    EXPECT_GT(p.sentence.size(), 20u) << p.key;
    EXPECT_EQ(p.sentence.back(), '.') << p.key;
  }
  EXPECT_GE(keys.size(), 28u);
}

TEST(Config, SchemaHasEveryParameterAndItsLimits) {
  const auto schema = nlohmann::json::parse(machine_json_schema());
  for (const auto& p : parameters()) {
    const auto& map = p.group().empty() ? schema : schema["properties"][p.group()];
    ASSERT_TRUE(map["properties"].contains(p.leaf())) << p.key;
    const auto& type = map["properties"][p.leaf()];
    EXPECT_EQ(type["description"], p.sentence);
    if (p.type == ParameterType::Integer && !p.power_of_two) {
      EXPECT_EQ(type["maximum"], static_cast<int>(p.most)) << p.key;
    }
  }
  EXPECT_EQ(schema["properties"]["bus"]["properties"]["bytes"]["enum"], nlohmann::json({4, 8, 16, 32, 64, 128}));
  EXPECT_FALSE(schema["additionalProperties"]);
  // All that a machine must have, or `base`.
  EXPECT_EQ(schema["required"], nlohmann::json({"name"}));
  EXPECT_EQ(schema["if"], nlohmann::json::parse(R"({"not": {"required": ["base"]}})"));
  EXPECT_THAT(schema["then"]["required"], Contains("pe_array"));
  EXPECT_THAT(schema["then"]["properties"]["pe_array"]["required"], Contains("rows"));
  EXPECT_THAT(schema["then"]["properties"]["memory"]["required"], Not(Contains("jitter_cycles")));
}

TEST(Config, ReferencePageIsFresh) {
  const std::string path = std::string(GEMEL_SOURCE_DIR) + "/docs/reference/machines.md";
  std::ifstream in(path, std::ios::binary);
  const std::string page{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::string begin = "<!-- BEGIN GEN parameters -->\n", end = "<!-- END GEN parameters -->";
  const auto first = page.find(begin), last = page.find(end);
  ASSERT_NE(first, std::string::npos);
  ASSERT_NE(last, std::string::npos);
  const auto from = first + begin.size();
  if (std::getenv("GEMEL_UPDATE")) {
    std::ofstream(path, std::ios::binary) << page.substr(0, from) + machine_reference() + page.substr(last);
    return;
  }
  EXPECT_EQ(page.substr(from, last - from), machine_reference()) << "GEMEL_UPDATE=1 config_test writes it";
}

}  // namespace
}  // namespace gemel
