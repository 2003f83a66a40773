// SPDX-License-Identifier: Apache-2.0
// The models against the table that they are fitted to, and what is said of machines beyond it.
#include "area/area.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "area/arithmetic.hpp"
#include "area/models.hpp"
#include "config/load.hpp"

namespace gemel {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Machine machine(const std::string& name, const std::vector<std::string>& set = {}) {
  return load_machine(std::string(GEMEL_SOURCE_DIR) + "/configs/" + name + ".yaml", set);
}

BlockArea block(const std::vector<BlockArea>& blocks, const std::string& name) {
  for (const BlockArea& b : blocks) {
    if (b.block == name) return b;
  }
  ADD_FAILURE() << "no block " << name;
  return {};
}

struct Point {
  std::string module, text;
  RtlParameters parameters;
  double nand2 = 0;
  std::int64_t memory_bits = 0;
  int depth = 0;
};

// docs/reference/area.csv: block,parameters,sources,yosys,cells,flipflops,nand2,memory_bits,depth
std::vector<Point> table() {
  std::ifstream file(std::string(GEMEL_SOURCE_DIR) + "/docs/reference/area.csv");
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, "block,parameters,sources,yosys,cells,flipflops,nand2,memory_bits,depth");
  std::vector<Point> points;
  while (std::getline(file, line)) {
    std::vector<std::string> cells;
    std::istringstream row(line);
    for (std::string cell; std::getline(row, cell, ',');) cells.push_back(cell);
    if (cells.size() != 9) {
      ADD_FAILURE() << line;
      continue;
    }
    Point p{cells[0], line, {}, std::stod(cells[6]), std::stoll(cells[7]), std::stoi(cells[8])};
    std::istringstream parameters(cells[1]);
    for (std::string item; parameters >> item;) p.parameters[item.substr(0, item.find('='))] = std::stoll(item.substr(item.find('=') + 1));
    points.push_back(std::move(p));
  }
  return points;
}

TEST(AreaModels, EverySynthesizedPointIsWithinTheStatedErrorAndRange) {
  const std::vector<Point> points = table();
  for (const AreaModel& model : area_models()) {
    int seen = 0;
    for (const Point& p : points) {
      if (p.module != model.module) continue;
      ++seen;
      EXPECT_LE(100 * std::abs(model.nand2(p.parameters) / p.nand2 - 1), model.error_percent) << p.text;
      EXPECT_EQ(model.memory_bits(p.parameters), p.memory_bits) << p.text;
      EXPECT_GE(p.depth, model.least_depth) << p.text;
      EXPECT_LE(p.depth, model.greatest_depth) << p.text;
      for (const AreaModel::Range& r : model.ranges) {
        EXPECT_GE(p.parameters.at(r.parameter), r.least) << p.text;
        EXPECT_LE(p.parameters.at(r.parameter), r.most) << p.text;
      }
    }
    EXPECT_GE(seen, 3) << model.module;
  }
}

TEST(AreaModels, TheirArithmeticRoundsUp) {
  EXPECT_EQ(over(8, 4), 2);
  EXPECT_EQ(over(9, 4), 3);
  EXPECT_EQ(log2_up(1), 0);
  EXPECT_EQ(log2_up(4), 2);
  EXPECT_EQ(log2_up(5), 3);
  EXPECT_EQ(uneven(1024, 4), 0);
  EXPECT_EQ(uneven(1020, 4), 1);
  EXPECT_EQ(row_bytes(8, 8), 2 /*beats that 8 bytes may touch*/ * 8);
  EXPECT_EQ(row_bytes(8, 4), 4 /*3, in a power of two*/ * 4);
  EXPECT_EQ(places(4, 8, 8, 64), 4 /*under way*/ + 1 /*of a word*/);
  EXPECT_EQ(places(2, 64, 4, 16), 8);  // 2 + 4 bursts of 4 beats; a word touches up to 17 beats, so a row has 32, which are 8 bursts
}

TEST(Area, CountsEveryBlockOnce) {
  std::vector<std::string> names;
  for (const BlockArea& b : area(machine("edge16"))) names.push_back(b.block);
  EXPECT_THAT(names, ElementsAre("pe_array", "requantizer", "activation_buffer", "weight_buffer", "vector_buffer", "param_buffer",
                                 "accumulator_buffer", "matrix_unit", "vector_unit", "load_dma", "store_dma", "sequencer"));
}

TEST(Area, OfABufferCountsItsBits) {
  const auto blocks = area(machine("odd7x13"));
  EXPECT_EQ(block(blocks, "activation_buffer").memory_bits, 9360 /*words*/ * 7 /*bytes*/ * 8);
  EXPECT_EQ(block(blocks, "accumulator_buffer").memory_bits, 628 /*words*/ * 13 /*sums*/ * 32);
}

TEST(Area, OfAMachineWhoseSizesWereSynthesizedIsNotExtrapolated) {
  const Machine tiny = machine("tiny8");
  EXPECT_THAT(area(tiny), Each(Field(&BlockArea::outside, IsEmpty())));
  EXPECT_THAT(explain_area(tiny), Not(HasSubstr("xtrapolated")));
}

TEST(Area, SaysForWhichParametersItExtrapolates) {
  const Machine wider = machine("tiny8", {"sequencer.queue_depth=64"});
  EXPECT_THAT(block(area(wider), "sequencer").outside, ElementsAre("QueueDepth 64 (synthesized: 2 to 32)"));
  const std::string text = explain_area(wider);
  EXPECT_THAT(text, HasSubstr("\nExtrapolated, error unknown, beyond the sizes that were synthesized:\n"
                              "  sequencer: QueueDepth 64 (synthesized: 2 to 32)\n"));
  EXPECT_THAT(text, HasSubstr("unknown"));
  // The others keep their errors.
  EXPECT_THAT(block(area(wider), "pe_array").outside, IsEmpty());
}

TEST(Area, GrowsWithTheArray) {
  const auto small = area(machine("tiny8")), large = area(machine("edge16"));
  // Four times as many PEs; all else of an array grows less.
  EXPECT_NEAR(block(large, "pe_array").nand2 / block(small, "pe_array").nand2, 4.0, 0.2);
}

}  // namespace
}  // namespace gemel
