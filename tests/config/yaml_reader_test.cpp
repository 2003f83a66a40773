// SPDX-License-Identifier: Apache-2.0
// The YAML reading layer: scalars, complaints and their places, what a hostile file can do to it.
#include "config/yaml_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <random>

namespace gemel {
namespace {

std::string complaints(const std::string& text, const std::function<void(YamlMap&)>& read) {
  try {
    YamlReader reader = YamlReader::from_text(text, "f.yaml", WorkloadYamlCodes);
    YamlMap top = reader.root().map();
    read(top);
    reader.finish();
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}

TEST(ParseInteger, TakesDecimalAndHexadecimalUpToTheLimits) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-17"), -17);
  EXPECT_EQ(parse_integer("+17"), 17);
  EXPECT_EQ(parse_integer("0x1F"), 31);
  EXPECT_EQ(parse_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_integer("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  for (const char* bad : {"", "-", "+", "0x", "1 ", " 1", "1.0", "1e3", "--1", "9223372036854775808", "-9223372036854775809",
                          "ten", "1_000", "0xg", "0x-1"}) {
    EXPECT_EQ(parse_integer(bad), std::nullopt) << bad;
  }
}

TEST(ParseSize, TakesBinaryUnitsAndNoOthers) {
  EXPECT_EQ(parse_size_bytes("128"), 128);
  EXPECT_EQ(parse_size_bytes("128KiB"), 131072);
  EXPECT_EQ(parse_size_bytes("2 MiB"), 2097152);
  EXPECT_EQ(parse_size_bytes("1GiB"), 1073741824);
  EXPECT_EQ(parse_size_bytes("8589934591GiB"), std::int64_t{8589934591} << 30);
  for (const char* bad : {"KiB", "1.5KiB", "128KB", "128K", "1TiB", "8589934592GiB", "KiB KiB"}) {
    EXPECT_EQ(parse_size_bytes(bad), std::nullopt) << bad;
  }
}

TEST(FormatSize, GivesTheLargestUnitThatDivides) {
  EXPECT_EQ(format_size_bytes(0), "0");
  EXPECT_EQ(format_size_bytes(1023), "1023");
  EXPECT_EQ(format_size_bytes(1024), "1KiB");
  EXPECT_EQ(format_size_bytes(1536 * 1024), "1536KiB");
  EXPECT_EQ(format_size_bytes(std::int64_t{1} << 40), "1024GiB");
  for (const std::int64_t bytes : {1, 1024, 5000, 1 << 20, (1 << 20) + 1024}) {
    EXPECT_EQ(parse_size_bytes(format_size_bytes(bytes)), bytes);
  }
}

TEST(ParseNumber, TakesWhatYamlWrites) {
  EXPECT_EQ(parse_number("0.0627"), 0.0627);
  EXPECT_EQ(parse_number("-1e-3"), -0.001);
  EXPECT_EQ(parse_number("+.5"), 0.5);
  EXPECT_EQ(parse_number("3"), 3.0);
  EXPECT_TRUE(std::isnan(*parse_number(".nan")));
  EXPECT_TRUE(std::isinf(*parse_number("-.inf")));
  EXPECT_TRUE(std::isinf(*parse_number("1e999")));
  EXPECT_EQ(parse_number("1e-999"), 0.0);
  for (const char* bad : {"", ".", "nan", "inf", "1.0f", "1,5", "0x1p3", "e5", "-"}) EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
}

TEST(YamlReader, ReadsWhatIsThere) {
  EXPECT_EQ(complaints("name: x\nsize: 4KiB\nscale: 0.5\non: true\nkind: b\nlist: [1, 2]\nmap: {k: -3}\n",
                       [](YamlMap& top) {
                         EXPECT_EQ(top.text("name"), "x");
                         EXPECT_EQ(top.require("size").as_size_bytes(0, 1 << 20), 4096);
                         EXPECT_EQ(top.number("scale", 0, 1), 0.5);
                         EXPECT_TRUE(top.boolean("on", false));
                         EXPECT_EQ(top.choice("kind", {"a", "b"}), "b");
                         ASSERT_EQ(top.list("list").size(), 2u);
                         EXPECT_EQ(top.list("list")[1].as_integer(0, 9), 2);
                         EXPECT_EQ(top.list("list")[1].path(), "list[1]");
                         EXPECT_EQ(top.list("list")[1].line(), 6);
                         YamlMap map = top.map("map");
                         EXPECT_EQ(map.integer("k", -5, 5), -3);
                         EXPECT_EQ(map.integer("absent", 0, 9, 7), 7);
                         EXPECT_FALSE(top.optional_map("absent"));
                         map.done();
                         top.done();
                       }),
            "");
}

TEST(YamlReader, ReportsEverythingInOrderOfPlace) {
  EXPECT_EQ(complaints("name: x\nlayers:\n  - {kernl: 3, k: \"5\", k: 7, bad: [1,\n     2], f: .nan}\n  - 5\n",
                       [](YamlMap& top) {
                         top.text("name");
                         top.text("absent");
                         for (const YamlValue& value : top.list("layers")) {
                           YamlMap layer = value.map();
                           EXPECT_EQ(layer.integer("kernel", 1, 7), 1);  // usable all the same
                           EXPECT_EQ(layer.integer("k", 1, 4), 1);
                           layer.integer("bad", 1, 2);
                           layer.number("f", 0, 1);
                           layer.done("look it up");
                         }
                         top.done();
                       }),
            "error[E0204]: missing key `absent`\n"
            "  f.yaml:1:1\n"
            "1 | name: x\n"
            "  | ^\n\n"
            "error[E0204]: missing key `layers[0].kernel`\n"
            "  f.yaml:3:5\n"
            "3 |   - {kernl: 3, k: \"5\", k: 7, bad: [1,\n"
            "  |     ^\n\n"
            "error[E0203]: unknown key `kernl`\n"
            "  f.yaml:3:6\n"
            "3 |   - {kernl: 3, k: \"5\", k: 7, bad: [1,\n"
            "  |      ^^^^^ did you mean `kernel`?\n"
            "hint: look it up\n\n"
            "error[E0206]: `layers[0].k` must be an integer, not the text `5`\n"
            "  f.yaml:3:19\n"
            "3 |   - {kernl: 3, k: \"5\", k: 7, bad: [1,\n"
            "  |                   ^^^\n\n"
            "error[E0205]: key `k` is given twice\n"
            "  f.yaml:3:24\n"
            "3 |   - {kernl: 3, k: \"5\", k: 7, bad: [1,\n"
            "  |                        ^ first given on line 3\n\n"
            "error[E0206]: `layers[0].bad` must be an integer, not a list\n"
            "  f.yaml:3:30\n"
            "3 |   - {kernl: 3, k: \"5\", k: 7, bad: [1,\n"
            "  |                              ^^^\n\n"
            "error[E0207]: `layers[0].f` is `.nan`, but must be finite\n"
            "  f.yaml:4:13\n"
            "4 |      2], f: .nan}\n"
            "  |             ^^^^\n\n"
            "error[E0206]: `layers[1]` must be a map of keys and values, not `5`\n"
            "  f.yaml:5:5\n"
            "5 |   - 5\n"
            "  |     ^");
}

TEST(YamlReader, CutsLongLinesAroundThePlace) {
  const std::string text = "list: [" + std::string(400, '1') + ", wrong]\n";
  const std::string said = complaints(text, [](YamlMap& top) { top.list("list").at(1).as_integer(0, 1); });
  EXPECT_THAT(said, ::testing::HasSubstr("f.yaml:1:410"));
  EXPECT_THAT(said, ::testing::HasSubstr("1 | ...111"));
  EXPECT_THAT(said, ::testing::HasSubstr(", wrong]\n"));
  const auto line = said.substr(said.find("1 | ...") + 4);
  const auto under = line.substr(line.find('\n') + 5);
  EXPECT_EQ(under.find("^^^^^"), line.find("wrong"));
}

TEST(YamlReader, UnderlinesCharactersNotBytes) {
  EXPECT_EQ(complaints("näme: 3\ngröße: 4\n", [](YamlMap& top) { top.also_known({"n"}); top.require("größe").as_list(); top.done(); }),
            "error[E0203]: unknown key `näme`\n  f.yaml:1:1\n1 | näme: 3\n  | ^^^^\n\n"
            "error[E0206]: `größe` must be a list, not `4`\n  f.yaml:2:10\n2 | größe: 4\n  |        ^");
}

TEST(YamlReader, NeverSendsControlCharactersToATerminal) {
  const std::string said = complaints("key\x1b: 1\n", [](YamlMap& top) { top.done(); });
  EXPECT_EQ(said.find('\x1b'), std::string::npos);
  EXPECT_NE(said, "");
}

TEST(YamlReader, AliasesShareTheirAnchor) {
  EXPECT_EQ(complaints("a: &q {scale: 2}\nb: *q\n", [](YamlMap& top) {
              EXPECT_EQ(top.map("b").integer("scale", 0, 9), 2);
              YamlMap a = top.map("a");
              EXPECT_EQ(a.integer("scale", 0, 9), 2);
            }), "");
}

TEST(YamlReader, AliasesThatMultiplyCostNothing) {
  std::string text = "a0: &a0 [1, 1]\n";
  for (int i = 1; i < 60; ++i) {  // 2^60 items, if they were copied
    const std::string below = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + below + " , " + below + " ]\n";
  }
  EXPECT_EQ(complaints(text, [](YamlMap& top) { EXPECT_EQ(top.list("a59").size(), 2u); }), "");
}

TEST(YamlReader, DeepNestingIsAnErrorNotACrash) {
  EXPECT_THAT(complaints("a: " + std::string(100000, '['), [](YamlMap&) {}), ::testing::StartsWith("error[E0202]: not valid YAML"));
}

TEST(YamlReader, NoiseGivesABoundedReport) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  const std::string said = complaints(text, [](YamlMap& top) { top.text("name"); top.done(); });
  EXPECT_LT(said.size(), 100000u);
  EXPECT_THAT(said, ::testing::HasSubstr("unknown key `k0`"));
}

TEST(YamlReader, RandomDamageNeverCrashes) {
  const char* given = std::getenv("GEMEL_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::fprintf(stderr, "seed: GEMEL_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const std::string good = "name: x\nlayers:\n  - {kernel: 3, list: [1, 2]}\n  - &a\n    kernel: 'q'\n  - *a\nmap:\n  k: |\n    text\n";
  const std::string bytes = std::string(1, '\0') + "\n\t []{}:,-?&*!|>'\"%@`#~\\\x80\xff" + "a1";
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (int n = 1 + static_cast<int>(random() % 4); n > 0; --n) {
      const std::size_t at = random() % text.size();
      if (random() % 3 == 0) text.erase(at, 1 + random() % 5);
      else if (random() % 2) text.insert(at, 1, bytes[random() % bytes.size()]);
      else text[at] = static_cast<char>(random());
      if (text.empty()) text = "x";
    }
    refused += !complaints(text, [](YamlMap& top) {
                  top.text("name");
                  for (const YamlValue& value : top.list("layers")) {
                    YamlMap layer = value.map();
                    layer.integer("kernel", 1, 7);
                    for (const YamlValue& item : layer.optional_list("list")) item.as_number(0, 9);
                    layer.done();
                  }
                  if (auto map = top.optional_map("map")) map->text("k");
                  top.done();
                }).empty();
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace gemel
