// SPDX-License-Identifier: Apache-2.0
// SCALE-Sim's layer tables: every way of writing that is in circulation, and the whole collection swept.
#include "network/scalesim.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>

#include "base/error.hpp"
#include "ops/ops.hpp"
#include "support/reference_data.hpp"

namespace gemel {
namespace {

const std::string Convolution = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n";

Network load(const std::string& text, const LoadOptions& options = {}) { return scalesim::load_table_text(text, "t.csv", options); }
Shape in(const Network& n, int layer = 0) { return n.tensors[n.layers[layer].inputs[0]].shape; }
Shape out(const Network& n, int layer = 0) { return n.tensors[n.layers[layer].output].shape; }

TEST(LayerTable, AConvolutionHasNoPadding) {
  const Network n = load(Convolution + "c, 9, 11, 3, 5, 4, 8, 2,\n");
  ASSERT_EQ(n.layers.size(), 1u);
  EXPECT_EQ(in(n), (Shape{1, 9, 11, 4}));
  EXPECT_EQ(out(n), (Shape{1, 4 /*(9-3)/2+1*/, 4 /*(11-5)/2+1*/, 8}));
  EXPECT_EQ(n.layers[0].window()->kernel_h, 3);
  EXPECT_EQ(n.layers[0].window()->kernel_w, 5);
  EXPECT_EQ(n.macs(), 4 * 4 * 8 * 3 * 5 * 4);
  EXPECT_EQ(n.layers[0].weights()->bytes.size(), 8u * 3 * 5 * 4);
  EXPECT_EQ(n.name, "t");
}

TEST(LayerTable, AMatrixProductIsARowPerPixel) {
  const Network n = load("Layer,M,N,K,\ng,5,6,7,\n");
  EXPECT_EQ(in(n), (Shape{1, 1, 5, 7}));
  EXPECT_EQ(out(n), (Shape{1, 1, 5, 6}));
  EXPECT_EQ(n.macs(), 5 * 6 * 7);
}

TEST(LayerTable, AFilterAsWideAsTheImageBecomesAMatrixProduct) {
  const Network n = load(Convolution + "a, 1024, 1600, 1, 1600, 1, 4800, 1,\nb, 6, 6, 6, 6, 256, 4096, 1,\nc, 8, 6, 3, 6, 2, 4, 2,\n");
  EXPECT_EQ(in(n, 0), (Shape{1, 1, 1024, 1600}));
  EXPECT_EQ(out(n, 0), (Shape{1, 1, 1024, 4800}));
  EXPECT_EQ(in(n, 1), (Shape{1, 1, 1, 6 * 6 * 256}));
  EXPECT_EQ(in(n, 2), (Shape{1, 8, 1, 12}));
  EXPECT_EQ(out(n, 2), (Shape{1, 3, 1, 4}));
  EXPECT_EQ(n.layers[2].window()->kernel_h, 3);
  EXPECT_EQ(n.macs(n.layers[2]), 3 * 4 * 3 * 6 * 2);
}

TEST(LayerTable, WhatTheTablesVaryInIsTaken) {
  const std::string row = "c, 8, 8, 3, 3, 4, 8, 1,";
  const auto same = [&](const std::string& text) {
    SCOPED_TRACE(text);
    const Network n = load(text);
    ASSERT_EQ(n.layers.size(), 1u);
    EXPECT_EQ(in(n), (Shape{1, 8, 8, 4}));
    EXPECT_EQ(out(n), (Shape{1, 6, 6, 8}));
    EXPECT_EQ(n.layers[0].name, "c");
  };
  same(Convolution + row);
  same("\xEF\xBB\xBF" + Convolution + row + "\n");                           // byte order mark
  same(Convolution + "\n,,,,,,,\n" + row + "\n\n  \n");                      // blank lines
  std::string crlf = Convolution + row + "\n";
  for (std::size_t at = 0; (at = crlf.find('\n', at)) != std::string::npos; at += 2) crlf.replace(at, 1, "\r\n");
  same(crlf);
  std::string tabs = Convolution + row;
  std::replace(tabs.begin(), tabs.end(), ',', '\t');
  same(tabs);
  std::string semicolons = Convolution + row;
  std::replace(semicolons.begin(), semicolons.end(), ',', ';');
  same(semicolons);
  same("\"Layer name\",\"IFMAP Height\",\"IFMAP Width\",\"Filter Height\",\"Filter Width\",Channels,\"Num Filter\",Strides\n"
       "\"c\",\"8\",\" 8 \",3,3,4,8,1");                                       // quotes
  same("Layer, IFMAP Width, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides\n" + row);  // a known slip
  same("Layer name,ifmap height,ifmap width,filter height,filter width,channel,num filters,stride\n" + row);
  same("Layer name,\xC2\xA0 IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides\n"
       "c,\xC2\xA0" "8,8,3,3,4,8,1");                                           // no-break spaces
  same(Convolution + "c, 8, 8, 3, 3, 4, 8, 1, # a comment\n");
  same(Convolution + "# a comment line\n" + row);
  same("Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,,,Eh,Ew\n"
       "c,8,8,3,3,4,8,1,,,6,whatever");
}

TEST(LayerTable, ASecondStrideIsTheHorizontalOne) {
  const Network unnamed = load(Convolution + "c, 9, 9, 3, 3, 4, 8, 1, 2,\n");
  EXPECT_EQ(out(unnamed), (Shape{1, 7, 4, 8}));
  const Network named = load("L, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
                             "Stride Height, Stride Width\nc, 9, 9, 3, 3, 4, 8, 2, 1\n");
  EXPECT_EQ(out(named), (Shape{1, 4, 7, 8}));
}

TEST(LayerTable, ABatchColumnCountsImages) {
  const std::string text = "L, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides, Batch Size,\n"
                           "c, 9, 9, 3, 3, 4, 8, 1, 5,\n";
  EXPECT_EQ(in(load(text))[0], 5);
  LoadOptions options;
  options.batch = 2;
  EXPECT_EQ(in(load(text, options))[0], 2);
}

TEST(LayerTable, SparsityLeavesNOfEveryMWeights) {
  const Network n = load("Layer, M, N, K, Sparsity\ndense, 4, 8, 64,\nsparse, 4, 8, 64, 1:4\n");
  const auto zeros = [](const Layer& l) { return std::count(l.weights()->bytes.begin(), l.weights()->bytes.end(), 0); };
  EXPECT_LT(zeros(n.layers[0]), 30);
  EXPECT_GE(zeros(n.layers[1]), 8 * 48);
  EXPECT_LT(zeros(n.layers[1]), 8 * 48 + 20);
  for (std::size_t i = 0; i < n.layers[1].weights()->bytes.size(); i += 4) {
    int kept = 0;
    for (int k = 0; k < 4; ++k) kept += n.layers[1].weights()->bytes[i + k] != 0;
    EXPECT_LE(kept, 1);
  }
}

TEST(LayerTable, TitlesGoBeforeNamesAndNamesAreMadeUnique) {
  const Network n = load("Layer, M, N, K\nFC, 1, 1, 1\nFirst,\nFC, 1, 1, 1\nFC, 1, 1, 1\nSecond,,\nFC, 1, 1, 1\n");
  ASSERT_EQ(n.layers.size(), 4u);
  EXPECT_EQ(n.layers[0].name, "FC");
  EXPECT_EQ(n.layers[1].name, "First/FC");
  EXPECT_EQ(n.layers[2].name, "First/FC_2");
  EXPECT_EQ(n.layers[3].name, "Second/FC");
  EXPECT_EQ(n.layers[3].line, 7);
}

TEST(LayerTable, TimingOnlyMakesTheSameLayersWithoutWeights) {
  const std::string text = Convolution + "c, 9, 9, 3, 3, 4, 8, 1,\n";
  LoadOptions options;
  options.timing_only = true;
  const Network full = load(text), timing = load(text, options);
  EXPECT_TRUE(timing.layers[0].weights()->bytes.empty());
  EXPECT_EQ(timing.macs(), full.macs());
  EXPECT_EQ(timing.layers[0].requant.multiplier, full.layers[0].requant.multiplier);
  EXPECT_EQ(timing.layers[0].weights()->bias.size(), full.layers[0].weights()->bias.size());
}

// The five tables of the collection that hold no numbers where there should be some, and on which lines.
const std::map<std::string, std::vector<int>> Refused = {
    {"CSV/LSTM.csv", {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},            // a template: B, D and H instead of numbers
    {"rnn_eval/LSTM_template.csv", {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
    {"CSV/MLPERF.csv", {219}},                                         // "FC, 1, 1, 1, ,1 2, 2, 1,"
    {"mlperf/MLPERF.csv", {219}},
    {"mlperf/Sentimental_seqLSTM.csv", {29}},
};

TEST(LayerTable, TheWholeCollectionLoadsOrSaysWhichLineIsWrong) {
  const test::ReferenceData tables = test::reference_data("scalesim", "scalesim");
  const std::filesystem::path root = tables.folder / "topologies";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
    if (entry.path().extension() == ".csv") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  LoadOptions options;
  options.timing_only = true;
  std::size_t loaded = 0, refused = 0, layers = 0;
  for (const auto& path : files) {
    const std::string name = path.lexically_relative(root).string();
    SCOPED_TRACE(name);
    try {
      const Network n = load_workload(path.string(), options);
      ++loaded;
      layers += n.layers.size();
      EXPECT_EQ(Refused.count(name), 0u) << "was refused before";
      for (const Layer& layer : n.layers) {
        const auto rule = ops::output_shape(layer, {n.tensors[layer.inputs[0]].shape}, n.tensors[layer.output].shape);
        ASSERT_TRUE(rule.ok()) << layer.name << ": " << rule.problem;
        EXPECT_EQ(rule.shape, n.tensors[layer.output].shape) << layer.name;
      }
      std::cout << name << ": " << n.layers.size() << " layers, " << n.macs() / 1000000 << " million MACs\n";
    } catch (const UserError& error) {
      ++refused;
      ASSERT_EQ(Refused.count(name), 1u) << error.what();
      std::vector<int> lines;
      for (const Diagnostic& d : error.diagnostics()) {
        EXPECT_FALSE(d.message.empty());
        EXPECT_FALSE(d.excerpt.empty());
        if (lines.empty() || lines.back() != d.line) lines.push_back(d.line);
      }
      EXPECT_EQ(lines, Refused.at(name));
      std::cout << name << ": refused, line " << lines.front() << (lines.size() > 1 ? " and others" : "") << "\n";
    }
  }
  std::cout << loaded << " loaded with " << layers << " layers, " << refused << " refused\n";
  EXPECT_EQ(loaded, tables.whole ? 126u : 12u);
  EXPECT_EQ(refused, tables.whole ? 5u : 3u);
}

TEST(LayerTable, TheTableOfResNet50HasItsKnownSize) {
  const std::filesystem::path path = test::reference_data("scalesim", "scalesim").folder / "topologies/conv_nets/Resnet50.csv";
  LoadOptions options;
  options.timing_only = true;
  const Network n = load_workload(path.string(), options);
  EXPECT_EQ(n.layers.size(), 54u);
  EXPECT_EQ(n.macs(), 3409810112) << "SCALE-Sim counts windows that begin behind the image, too: 3479536384";
}

}  // namespace
}  // namespace gemel
