// SPDX-License-Identifier: Apache-2.0
// The writers, on a run made up by hand: figures and reasons by paper, forms by their grammar, failures of the disk.
#include "base/markup.hpp"
#include "report/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "report/sample.hpp"
#include "report/text.hpp"

namespace gemel {
namespace {

namespace fs = std::filesystem;
using isa::Cause;
using isa::Unit;
using nlohmann::json;
using report_test::cell;
using report_test::sample_machine;
using report_test::sample_run;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A folder of this test's own, gone afterwards.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "gemel_report_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path_)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  fs::path path_;
};

// --- a validator for the part of JSON Schema that result.schema.json uses; an unknown keyword is a failure ---

bool has_type(const json& value, const std::string& type) {
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "array") return value.is_array();
  return type == "object" && value.is_object();
}

void validate(const json& root, const json& schema, const json& value, const std::string& where, std::vector<std::string>& errors) {
  if (schema.contains("$ref")) {
    const std::string ref = schema["$ref"];
    validate(root, root.at(json::json_pointer(ref.substr(1))), value, where, errors);
    return;
  }
  for (const auto& [key, rule] : schema.items()) {
    const auto fail = [&, k = key] { errors.push_back(where + ": " + k + " of " + schema.dump().substr(0, 80)); };
    if (key == "type") {
      bool any = false;
      for (const json& type : rule.is_array() ? rule : json::array({rule})) any = any || has_type(value, type);
      if (!any) fail();
    } else if (key == "const") {
      if (value != rule) fail();
    } else if (key == "minItems") {
      if (value.is_array() && value.size() < rule) fail();
    } else if (key == "maxItems") {
      if (value.is_array() && value.size() > rule) fail();
    } else if (key == "enum") {
      if (std::find(rule.begin(), rule.end(), value) == rule.end()) fail();
    } else if (key == "minimum") {
      if (value.is_number() && value < rule) fail();
    } else if (key == "maximum") {
      if (value.is_number() && value > rule) fail();
    } else if (key == "exclusiveMinimum") {
      if (value.is_number() && value <= rule) fail();
    } else if (key == "required") {
      for (const json& name : rule) {
        if (!value.contains(name)) errors.push_back(where + ": lacks " + name.get<std::string>());
      }
    } else if (key == "properties") {
      for (const auto& [name, inner] : rule.items()) {
        if (value.contains(name)) validate(root, inner, value[name], where + "/" + name, errors);
      }
    } else if (key == "additionalProperties") {
      for (const auto& [name, inner] : value.items()) {
        if (schema.contains("properties") && schema["properties"].contains(name)) continue;
        if (rule.is_object()) {
          validate(root, rule, inner, where + "/" + name, errors);
        } else {
          errors.push_back(where + ": has an unknown " + name);
        }
      }
    } else if (key == "anyOf") {
      if (std::none_of(rule.begin(), rule.end(), [&](const json& one) {
            std::vector<std::string> inner;
            validate(root, one, value, where, inner);
            return inner.empty();
          })) {
        fail();
      }
    } else if (key == "items") {
      for (std::size_t i = 0; i < value.size(); ++i) validate(root, rule, value[i], where + "/" + std::to_string(i), errors);
    } else if (key != "$schema" && key != "title" && key != "description" && key != "$defs") {
      errors.push_back("the schema uses " + key + ", which this validator does not know");
    }
  }
}

std::vector<std::string> schema_errors(const json& value) {
  const json schema = json::parse(read(GEMEL_SOURCE_DIR "/docs/reference/result.schema.json"));
  std::vector<std::string> errors;
  validate(schema, schema, value, "", errors);
  return errors;
}

TEST(ResultJson, FollowsItsPublishedSchema) {
  EXPECT_THAT(schema_errors(json::parse(result_json(sample_run(), sample_machine()))), ::testing::IsEmpty());
}

TEST(ResultJson, WhatIsNotKnownOfLayersIsNullAndSaysWhy) {
  RunResult run = sample_run();
  run.layers_note = "of the whole chip only memory is seen";
  for (LayerResult& layer : run.layers) {
    layer.first_cycle = layer.last_cycle = -1;
    layer.counters = {};
  }
  const json result = json::parse(result_json(run, sample_machine()));
  EXPECT_THAT(schema_errors(result), ::testing::IsEmpty());
  EXPECT_EQ(result["layers_note"], run.layers_note);
  for (const json& layer : result["layers"]) {
    for (const char* field : {"first_cycle", "last_cycle", "span_cycles", "matrix_cycles", "units"}) EXPECT_TRUE(layer[field].is_null()) << field;
  }
  EXPECT_TRUE(json::parse(result_json(sample_run(), sample_machine()))["layers_note"].is_null());
}

TEST(ResultJson, TheSchemaRefusesWhatItShould) {
  const json good = json::parse(result_json(sample_run(), sample_machine()));
  const std::vector<std::pair<std::string, json>> patches = {
      {"/cycles", -1}, {"/cycles", "1000"}, {"/engine", "guess"}, {"/utilization", 1.5}, {"/more", 1}, {"/layers/0/more", 1},
      {"/units/load_dma/busy", 0.5}, {"/layers/0/units/load_dma/busy", 0.5}, {"/machine/more", 1},
      {"/machine/parameters/pe_array.rows", true}, {"/layers/0/kernel", {1, 1, 1}}, {"/layers/0/padding", {0, 0}},
      {"/seed", -1}, {"/rounds", 0}, {"/gemel_result", 1}, {"/settings/batch", 1}};
  for (const auto& [at, value] : patches) {
    json bad = good;
    bad[json::json_pointer(at)] = value;
    EXPECT_FALSE(schema_errors(bad).empty()) << at;
  }
  for (const auto& [name, value] : good.items()) {
    json bad = good;
    bad.erase(name);
    EXPECT_FALSE(schema_errors(bad).empty()) << name;
  }
}

TEST(ResultJson, CountersOfEachUnitAddUpToTheCycles) {
  const json result = json::parse(result_json(sample_run(), sample_machine()));
  for (const auto& [unit, causes] : result["units"].items()) {
    std::int64_t sum = 0;
    for (const auto& [cause, cycles] : causes.items()) sum += cycles.get<std::int64_t>();
    EXPECT_EQ(sum, 1000) << unit;
  }
  std::int64_t matrix_cycles = 0;
  for (const json& layer : result["layers"]) matrix_cycles += layer["matrix_cycles"].get<std::int64_t>();
  EXPECT_EQ(matrix_cycles, 1000);
}

TEST(ResultJson, FiguresAreThoseOfTheRun) {
  const json result = json::parse(result_json(sample_run(), sample_machine()));
  EXPECT_DOUBLE_EQ(result["seconds_at_clock"], 1e-6);  // 1,000 cycles at 1 GHz
  EXPECT_DOUBLE_EQ(result["utilization"], 460.0 * 16 / (1000 * 16));
  EXPECT_DOUBLE_EQ(result["layers"][0]["utilization"], 360.0 / 400);
  EXPECT_DOUBLE_EQ(result["layers"][1]["utilization"], 100.0 / 600);
  EXPECT_EQ(result["layers"][1]["span_cycles"], 601);  // 350 to 950, both counted
  EXPECT_TRUE(result["layers"][4]["utilization"].is_null());
  EXPECT_TRUE(result["accuracy"].is_null());
  EXPECT_EQ(result["layers"][2]["fused_into"], "poor");
}

TEST(ResultJson, NamesThatAreNoUtf8AreReplaced) {
  RunResult run = sample_run();
  run.layers[0].name = "bad\xff";
  EXPECT_NO_THROW(json::parse(result_json(run, sample_machine())));
}

// --- reasons ---

LayerResult array_layer(std::int64_t macs, std::int64_t array_cycles, std::int64_t busy, std::int64_t waiting) {
  LayerResult layer;
  layer.op = "conv2d";
  layer.macs = macs;
  layer.array_cycles = array_cycles;
  layer.first_cycle = 0;
  layer.last_cycle = busy + waiting - 1;
  cell(layer.counters, Unit::Matrix, Cause::Busy) = busy;
  cell(layer.counters, Unit::Matrix, Cause::WaitSemaphore0) = waiting;
  return layer;
}

TEST(Bottleneck, NamesTheLargestLoss) {
  const Machine machine = sample_machine();  // 16 places
  // 100 cycles of full work of 140: 71 %.
  EXPECT_EQ(diagnose(array_layer(1600, 110, 120, 20), machine).kind, Bottleneck::Array);
  // 90 of 190 cycles' places empty, 10 lost to passes, 40 to waiting.
  EXPECT_EQ(diagnose(array_layer(1600, 190, 200, 40), machine).kind, Bottleneck::Underfilled);
  // 10 / 90 / 40.
  EXPECT_EQ(diagnose(array_layer(1600, 110, 200, 40), machine).kind, Bottleneck::SmallTiles);
  // 10 / 10 / 80, nobody works meanwhile.
  EXPECT_EQ(diagnose(array_layer(1600, 110, 120, 80), machine).kind, Bottleneck::Dependency);
}

TEST(Bottleneck, PutsWaitingDownToTheUnitThatWorks) {
  const Machine machine = sample_machine();
  const std::map<Unit, Bottleneck> cases = {
      {Unit::Load, Bottleneck::Load}, {Unit::Vector, Bottleneck::Vector}, {Unit::Store, Bottleneck::Store}};
  for (const auto& [unit, kind] : cases) {
    LayerResult layer = array_layer(1600, 110, 120, 80);
    cell(layer.counters, unit, Cause::Busy) = 140;  // 70 % of 200
    EXPECT_EQ(diagnose(layer, machine).kind, kind);
    EXPECT_THAT(diagnose(layer, machine).text, HasSubstr("70 %"));
    cell(layer.counters, unit, Cause::Busy) = 139;
    EXPECT_EQ(diagnose(layer, machine).kind, Bottleneck::Dependency);
  }
  LayerResult layer = array_layer(1600, 110, 120, 80);
  cell(layer.counters, Unit::Load, Cause::Busy) = 60;
  cell(layer.counters, Unit::Load, Cause::WaitData) = 90;
  EXPECT_EQ(diagnose(layer, machine).kind, Bottleneck::MemoryLatency);
}

// A dense layer of one image: each weight is used once, so its array waits for weights, then passes them on.
TEST(Bottleneck, ADmaThatMovesDataLongerThanTheArrayWorksIsTheBound) {
  const Machine machine = sample_machine();
  LayerResult layer = array_layer(160, 10, 120, 80);  // 110 of 200 cycles lost to passes, the most
  EXPECT_EQ(diagnose(layer, machine).kind, Bottleneck::SmallTiles);
  cell(layer.counters, Unit::Load, Cause::Busy) = 139;  // more than the matrix unit, but not 70 % of 200
  EXPECT_EQ(diagnose(layer, machine).kind, Bottleneck::SmallTiles);
  cell(layer.counters, Unit::Load, Cause::Busy) = 140;
  EXPECT_EQ(diagnose(layer, machine).text, "load bandwidth: load_dma moves data in 70 % of the cycles; matrix_unit stands still in 40 %");
  layer = array_layer(160, 10, 160, 40);  // the matrix unit works as much
  cell(layer.counters, Unit::Load, Cause::Busy) = 160;
  EXPECT_EQ(diagnose(layer, machine).kind, Bottleneck::SmallTiles);
}

TEST(Bottleneck, AFullBusCountsAsMovingDataThoughWordsAreRare) {
  Machine machine = sample_machine();
  machine.bus_bytes = 16;
  machine.memory_bytes_per_cycle = 2;
  LayerResult layer = array_layer(1600, 110, 120, 80);
  cell(layer.counters, Unit::Load, Cause::Busy) = 70;
  cell(layer.counters, Unit::Load, Cause::WaitData) = 110;
  layer.load_bytes = 280;  // 140 of 200 cycles
  EXPECT_EQ(diagnose(layer, machine).kind, Bottleneck::Load);
  layer.load_bytes = 278;  // not bound, but neither idle while it waits: 180 - 139 of 200
  EXPECT_EQ(diagnose(layer, machine).kind, Bottleneck::Dependency);
  machine.memory_bytes_per_cycle = 16;  // now the memory is idle in 110 of 200 cycles
  EXPECT_EQ(diagnose(layer, machine).kind, Bottleneck::MemoryLatency);
}

TEST(Bottleneck, WorkForLayersBesideCountsByTheirOverlap) {
  RunResult run = sample_run();
  run.layers = {array_layer(1600, 110, 120, 80), LayerResult{}};  // cycles 0 to 199
  cell(run.layers[0].counters, Unit::Vector, Cause::Busy) = 50;
  run.layers[1].op = "add";
  run.layers[1].first_cycle = 100;
  run.layers[1].last_cycle = 299;  // half of it beside the first
  cell(run.layers[1].counters, Unit::Vector, Cause::Busy) = 180;
  EXPECT_EQ(diagnose(run, 0, sample_machine()).kind, Bottleneck::Vector);  // 50 + 90 of 200
  run.layers[1].first_cycle = 102;
  EXPECT_EQ(diagnose(run, 0, sample_machine()).kind, Bottleneck::Dependency);  // 50 + 180 * 98 / 198 = 139 of 200
  EXPECT_EQ(diagnose(run.layers[0], sample_machine()).kind, Bottleneck::Dependency);
}

TEST(Bottleneck, SaysWhichChannelsDoNotFit) {
  LayerResult layer = array_layer(1600, 190, 200, 40);
  layer.inputs = {{1, 10, 10, 1}};
  layer.output = {1, 8, 8, 3};
  layer.kernel = {3, 3};
  EXPECT_EQ(diagnose(layer, sample_machine()).text,
            "array underfilled: 53 % of its places have work (depth 9 is no multiple of 4 rows, 3 output channels are no "
            "multiple of 4 columns)");
  layer.inputs = {{1, 10, 10, 32}};
  layer.output = {1, 8, 8, 32};
  layer.groups = 32;
  EXPECT_EQ(diagnose(layer, sample_machine()).text, "array underfilled: 53 % of its places have work (32 groups, each of 1 channel)");
}

TEST(Bottleneck, ALayerThatRunsBesideOthersSaysSo) {
  LayerResult layer;
  layer.op = "max_pool";
  layer.first_cycle = 0;
  layer.last_cycle = 99;
  cell(layer.counters, Unit::Vector, Cause::Busy) = 69;
  EXPECT_EQ(diagnose(layer, sample_machine()).text,
            "no bound of its own (load_dma busy 0 %, vector_unit 69 %, store_dma 0 %)");
  RunResult run = sample_run();
  run.layers = {array_layer(1600, 110, 120, 80), layer, array_layer(1600, 110, 120, 80)};
  run.layers[0].last_cycle = 9;
  run.layers[2].name = "conv";
  run.layers[2].first_cycle = 25;
  EXPECT_THAT(diagnose(run, 1, sample_machine()).text, HasSubstr("store_dma 0 %): it runs beside conv in 75 % of its cycles"));
  cell(layer.counters, Unit::Vector, Cause::Busy) = 70;
  EXPECT_EQ(diagnose(layer, sample_machine()).text, "vector bound: vector_unit works in 70 % of the cycles");
}

TEST(Bottleneck, ALayerWhoseCyclesAreNotAttributedGetsNoReasonInvented) {
  LayerResult layer = array_layer(1600, 190, 200, 40);
  layer.counters = {};
  EXPECT_EQ(diagnose(layer, sample_machine()).kind, Bottleneck::None);
  EXPECT_THAT(diagnose(layer, sample_machine()).text, StartsWith("not known"));
  EXPECT_FALSE(layer_figures(layer, sample_machine()).utilization);
}

TEST(Bottleneck, ALayerFusedIntoAnotherButWithInstructionsOfItsOwnIsExplained) {
  LayerResult layer = array_layer(1600, 190, 200, 40);
  layer.fused_into = "sum";
  EXPECT_EQ(diagnose(layer, sample_machine()).kind, Bottleneck::Underfilled);
}

TEST(Bottleneck, LayersWithoutInstructionsSayWhy) {
  const RunResult run = sample_run();
  EXPECT_EQ(bottleneck(run, 2, sample_machine()), "computed with poor");
  EXPECT_EQ(bottleneck(run, 3, sample_machine()), "costs nothing");
  EXPECT_EQ(diagnose(run, 4, sample_machine()).kind, Bottleneck::Vector);  // 80 of 99 cycles
}

// --- trace ---

TEST(Trace, SlicesOfATrackDoNotOverlapAndKeepTheirOwnCycles) {
  const json trace = json::parse(trace_json(sample_run()));
  std::map<int, std::int64_t> until;
  int slices = 0;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    ++slices;
    EXPECT_GE(event["ts"].get<std::int64_t>(), until[event["tid"]]);
    EXPECT_GE(event["dur"].get<std::int64_t>(), 1);
    until[event["tid"]] = event["ts"].get<std::int64_t>() + event["dur"].get<std::int64_t>();
  }
  EXPECT_EQ(slices, 5);
  const json& chained = *std::find_if(trace["traceEvents"].begin(), trace["traceEvents"].end(),
                                      [](const json& e) { return e["ph"] == "X" && e["args"]["instruction"] == 2; });
  EXPECT_EQ(chained["args"]["first_cycle"], 280);
  EXPECT_EQ(chained["ts"], 301);  // the one ahead ends with cycle 300
  EXPECT_EQ(chained["name"], "poor");
}

TEST(Trace, NamesEveryTrackAndClosesEveryLayer) {
  const json trace = json::parse(trace_json(sample_run()));
  std::vector<std::string> tracks;
  int open = 0, layers = 0;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] == "M" && event["name"] == "thread_name") tracks.push_back(event["args"]["name"]);
    open += event["ph"] == "b" ? 1 : event["ph"] == "e" ? -1 : 0;
    layers += event["ph"] == "b";
  }
  EXPECT_THAT(tracks, ::testing::ElementsAre("load_dma", "matrix_unit", "vector_unit", "store_dma"));
  EXPECT_EQ(open, 0);
  EXPECT_EQ(layers, 3);  // not the fused one, not the view
}

// --- page ---

// Every tag is closed in order; the text of the first that is not, or "".
std::string first_unbalanced_tag(const std::string& html) {
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-zA-Z0-9]+)([^>]*)>");
  for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end; ++it) {
    const std::string name = (*it)[2];
    const std::string rest = (*it)[3];
    if ((*it)[1] == "/") {
      if (open.empty() || open.back() != name) return it->str();
      open.pop_back();
    } else if (name != "meta" && name != "input" && (rest.empty() || rest.back() != '/')) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : open.back();
}

TEST(Page, IsWellFormedAndFetchesNothing) {
  const std::string html = report_html(sample_run(), sample_machine());
  EXPECT_EQ(first_unbalanced_tag(html), "");
  for (const char* outside : {"http", "src=", "url(", "@import", "nan", "inf%"}) EXPECT_THAT(html, Not(HasSubstr(outside)));
  const std::regex link("href=\"([^\"]*)\"");
  for (std::sregex_iterator it(html.begin(), html.end(), link), end; it != end; ++it) {
    EXPECT_THAT((*it)[1].str(), StartsWith("#layer-"));
    EXPECT_THAT(html, HasSubstr("id=\"" + (*it)[1].str().substr(1) + "\""));
  }
  EXPECT_THAT(html, HasSubstr("net &amp; &lt;co&gt; on sample4"));
  EXPECT_THAT(html, Not(HasSubstr("<co>")));
}

TEST(Page, ShowsEveryLayerAndTheReasonOfThePoorOnes) {
  const RunResult run = sample_run();
  const std::string html = report_html(run, sample_machine());
  for (const LayerResult& layer : run.layers) EXPECT_THAT(html, HasSubstr("<td class=\"left\">" + layer.name + "</td>"));
  EXPECT_THAT(html, HasSubstr(markup_escape(bottleneck(run, 1, sample_machine()))));
  EXPECT_THAT(html.substr(html.find("<h2>Layers")), Not(HasSubstr("array bound")));
}

TEST(Page, SaysWhichLayersLoseMost) {
  const std::string html = report_html(sample_run(), sample_machine());
  // poor: 600 cycles of the matrix unit, 100 of them needed; good: 400, 360 needed; those of pool are none.
  EXPECT_THAT(html, HasSubstr("540 array cycles (54.0 %) do not multiply at full width; 100 % of them in these 2 layers."));
  EXPECT_LT(html.find(">poor</a></td><td>500</td>"), html.find(">good</a></td><td>40</td>"));
}

LayerResult shaped(std::string op, std::int64_t from, std::int64_t to) {
  LayerResult layer;
  layer.op = std::move(op);
  layer.inputs = {{1, 8, 8, from}};
  layer.output = {1, 8, 8, to};
  return layer;
}

std::vector<std::array<std::size_t, 3>> blocks_of(const std::vector<LayerResult>& layers) {
  std::vector<std::array<std::size_t, 3>> found;
  for (const RepeatedBlock& block : repeated_blocks(layers)) found.push_back({block.first, block.length, block.times});
  return found;
}

TEST(RepeatedBlocks, EndWhereTheShapesChange) {
  const LayerResult first = shaped("conv2d", 3, 16), wide = shaped("conv2d", 16, 64), back = shaped("conv2d", 64, 16), sum = shaped("add", 16, 16);
  // `back, sum` of the first block repeats, too, but the last block ends at the end.
  EXPECT_THAT(blocks_of({first, back, sum, wide, back, sum, wide, back, sum, first}), ::testing::ElementsAre(std::array<std::size_t, 3>{3, 3, 2}));
  EXPECT_THAT(blocks_of({wide, back, wide, back, sum, sum, sum, sum, sum}),
              ::testing::ElementsAre(std::array<std::size_t, 3>{0, 2, 2}, std::array<std::size_t, 3>{4, 1, 5}));
  EXPECT_THAT(blocks_of({sum, sum, sum, first, wide, back}), ::testing::IsEmpty());  // fewer than four layers
  EXPECT_THAT(blocks_of({}), ::testing::IsEmpty());
  LayerResult fused = sum;
  fused.fused_into = "wide";
  EXPECT_THAT(blocks_of({sum, fused, sum, sum}), ::testing::IsEmpty());
}

TEST(Page, AnEmptyRunIsStillAPage) {
  RunResult run;
  run.rows = run.columns = 4;
  EXPECT_EQ(first_unbalanced_tag(report_html(run, sample_machine())), "");
  EXPECT_THAT(schema_errors(json::parse(result_json(run, sample_machine()))),
              ::testing::ElementsAre(StartsWith("/engine")));  // nobody said which
}

// --- summary ---

TEST(Summary, HasFiguresReasonsAndWhereTheCyclesWent) {
  RunResult run = sample_run();
  run.images = 360;
  run.accuracy = 0.9917;
  run.float_accuracy = 0.9944;
  const std::string text = summary_text(run, sample_machine());
  EXPECT_THAT(text, HasSubstr("net & <co> on sample4 (4x4, 1000 MHz), batch 1, engine systemc\n"));
  EXPECT_THAT(text, HasSubstr("1,000 (1.00 us at 1000 MHz)"));
  // 480 of its own, and 71/420 of the 300 of `good`, of 601 cycles.
  EXPECT_THAT(text, HasSubstr("load bandwidth: load_dma moves data in 88 % of the cycles; matrix_unit stands still in 75 %"));
  EXPECT_THAT(text, HasSubstr("where the 1,000 cycles went"));
  EXPECT_THAT(text, HasSubstr("every layer equal to golden (3 compared)"));
  EXPECT_THAT(text, HasSubstr("99.17 % of 360 images (int8), 99.44 % in float"));
  EXPECT_THAT(text, Not(HasSubstr(" \n")));
  run.layers[0].compared = "not compared";
  EXPECT_THAT(summary_text(run, sample_machine()), HasSubstr("2 of 3 layers equal to golden, the others not compared"));
}

TEST(Text, NumbersReadWell) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(-1000), "-1,000");
  EXPECT_EQ(with_commas(16812345), "16,812,345");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.00 KiB");
  EXPECT_EQ(bytes_text(25 * 1024 * 1024), "25.0 MiB");
  EXPECT_EQ(seconds_text(0.0168), "16.8 ms");
  EXPECT_EQ(count_text(4089184256.0), "4.09 G");
  EXPECT_EQ(count_text(999999), "1.00 M");
}

// --- files ---

TEST(Reports, LeaveTheirFilesAndNothingElse) {
  const Folder folder;
  RunResult run = sample_run();
  EXPECT_EQ(write_reports(folder.path().string(), run, sample_machine()).size(), 3U);
  EXPECT_THAT(folder.files(), ::testing::ElementsAre("report.html", "result.json", "trace.json"));
  EXPECT_EQ(read(folder.path() / "result.json"), result_json(run, sample_machine()));
  run.trace.clear();  // an untraced run into the same folder must not leave the old trace beside the new result
  write_reports(folder.path().string(), run, sample_machine());
  EXPECT_THAT(folder.files(), ::testing::ElementsAre("report.html", "result.json"));
}

TEST(Reports, MakeTheFolder) {
  const Folder folder;
  write_reports((folder.path() / "a" / "b").string(), sample_run(), sample_machine());
  EXPECT_TRUE(fs::exists(folder.path() / "a" / "b" / "result.json"));
}

std::string code_and_message(const UserError& error) { return to_string(error.diagnostics().at(0)); }

TEST(Reports, AFolderThatCannotBeMadeIsTheUsersError) {
  const Folder folder;
  std::ofstream(folder.path() / "file") << "x";
  const std::string below = (folder.path() / "file" / "run").string();
  try {
    write_reports(below, sample_run(), sample_machine());
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_EQ(code_and_message(error), "error[E0901]: cannot write into folder `" + below +
                                           "`: Not a directory\nhint: choose another folder with --out");
  }
  EXPECT_THAT(folder.files(), ::testing::ElementsAre("file"));
}

TEST(Files, ATargetThatIsAFolderIsTheUsersErrorAndLeavesNothing) {
  const Folder folder;
  fs::create_directory(folder.path() / "result.json");
  std::ofstream(folder.path() / "result.json" / "kept") << "x";
  EXPECT_THROW(write_file_atomically((folder.path() / "result.json").string(), "text"), UserError);
  EXPECT_THAT(folder.files(), ::testing::ElementsAre("result.json"));
}

TEST(Files, AWriteThatBreaksOffKeepsTheOldFileAndLeavesNoPart) {
  const Folder folder;
  const std::string path = (folder.path() / "result.json").string();
  write_file_atomically(path, "old");
  // A limit on the size of files stands in for a full disk: the write breaks off halfway with an error of the same kind.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    write_file_atomically(path, std::string(100000, 'x'));
  } catch (const UserError& error) {
    message = code_and_message(error);
  }
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(message, "error[E0902]: cannot write `" + path +
                         "`: File too large\nhint: nothing was left behind; make room, or choose another folder with --out");
  EXPECT_EQ(read(path), "old");
  EXPECT_THAT(folder.files(), ::testing::ElementsAre("result.json"));
}

class Compare : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / "gemel_compare";
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "a");
    RunResult faster = sample_run();
    Machine larger = sample_machine();
    larger.rows = 8;
    faster.cycles = 800;
    for (auto& causes : faster.counters) causes[static_cast<int>(Cause::QueueEmpty)] -= 200;
    cell(faster.layers.front().counters, Unit::Matrix, Cause::Busy) -= 100;
    write_file_atomically((folder_ / "a/result.json").string(), result_json(sample_run(), sample_machine()));
    write_file_atomically((folder_ / "b.json").string(), result_json(faster, larger));
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const char* name) const { return (folder_ / name).string(); }
  std::string refused(const std::string& one, bool first = false) const {
    try {
      return "accepted: " + (first ? compare_results(one, path("a")) : compare_results(path("a"), one));
    } catch (const UserError& error) {
      EXPECT_EQ(error.diagnostics().front().code, "E0918");
      return error.diagnostics().front().message;
    }
  }
  fs::path folder_;
};

TEST_F(Compare, TellsWhatDiffers) {
  const std::string text = compare_results(path("a"), path("b.json"));
  EXPECT_THAT(text, HasSubstr("800 cycles, -20.0 %: 1.250 times as fast"));
  EXPECT_THAT(text, ::testing::ContainsRegex("pe_array.rows +4 +8\n"));
  EXPECT_THAT(text, Not(HasSubstr("pe_array.columns")));
  EXPECT_THAT(text, ::testing::ContainsRegex("good +conv2d +400 +300 +-100 +-25.0 %"));
  EXPECT_THAT(text, Not(HasSubstr("pool ")));  // did not change
  EXPECT_THAT(compare_results(path("a"), path("b.json"), true), HasSubstr("pool"));
  const std::string same = compare_results(path("a"), path("a"));
  for (const char* said : {"as many", "equal in every parameter", "none changed"}) EXPECT_THAT(same, HasSubstr(said));
}

TEST_F(Compare, RefusesWhatIsNoResult) {
  EXPECT_THAT(refused(path("none")), HasSubstr("No such file"));
  const auto file = [this](const std::string& text) {
    write_file_atomically(path("x.json"), text);
    return path("x.json");
  };
  EXPECT_THAT(refused(file("")), HasSubstr("is no JSON"));
  EXPECT_THAT(refused(file("{\"cycles\": ")), HasSubstr("is no JSON"));
  EXPECT_THAT(refused(file("[]")), HasSubstr("`gemel_result`"));
  EXPECT_THAT(refused(file("{\"gemel_result\": 1}")), HasSubstr("form 1"));
  // Whatever is missing or of another type.
  const json whole = json::parse(read(path("b.json")));
  for (const auto& [key, value] : whole.items()) {
    json without = whole;
    without[key] = json::array({1});
    if (key == "cycles" || key == "layers" || key == "machine" || key == "units" || key == "network") {
      for (const bool first : {true, false}) EXPECT_THAT(refused(file(without.dump()), first), HasSubstr("x.json: is no whole result")) << key;
    }
  }
}

}  // namespace
}  // namespace gemel
