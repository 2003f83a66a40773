// SPDX-License-Identifier: Apache-2.0
// gemel compress: the program is in Python (python/gemel/_compress_command.py), and this process becomes it.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "cli/python.hpp"

namespace gemel::cli {
namespace {

struct Options {
  std::string model, out, json, filters, weights, pattern, macs, energy, blocks, block, scope = "layer", scheme = "best", machine;
  std::vector<std::string> keep, set;
  int round_to = 1;
  bool quiet = false;
};

std::vector<std::string> words(const Options& o) {
  std::vector<std::string> words = {"--out=" + o.out, "--scope=" + o.scope, "--scheme=" + o.scheme, "--round-to=" + std::to_string(o.round_to)};
  add_word(words, "--filters", o.filters);
  add_word(words, "--weights", o.weights);
  add_word(words, "--pattern", o.pattern);
  add_word(words, "--low-rank", o.macs);
  add_word(words, "--energy", o.energy);
  add_word(words, "--blocks", o.blocks);
  add_word(words, "--block", o.block);
  add_word(words, "--machine", o.machine);
  add_word(words, "--json", o.json);
  add_words(words, "--keep", o.keep);
  add_words(words, "--set", o.set);
  if (o.quiet) words.push_back("--quiet");
  words.insert(words.end(), {"--", o.model});
  return words;
}

}  // namespace

void add_compress(CLI::App& app) {
  auto* command = app.add_subcommand("compress", "Prune a float32 ONNX model, or give its layers a lower rank; show parameters, MACs and cycles");
  auto o = std::make_shared<Options>();
  command->add_option("model", o->model, "File NAME.onnx or NAME.tflite, float32")->required();
  command->add_option("--out,-o", o->out, "The smaller model (default: NAME_small.onnx, here)");
  command->add_option("--filters", o->filters, "Share of the filters to remove, those of the least magnitude: 0.5");
  command->add_option("--weights", o->weights, "Share of the weights to set to zero, those of the least magnitude: 0.8");
  command->add_option("--pattern", o->pattern, "N:M: of each M weights of an output, one behind the other, the N largest stay");
  command->add_option("--low-rank", o->macs, "Make products of two layers of lower rank, until the model has this share of its MACs: 0.5");
  command->add_option("--energy", o->energy, "The same, with the least ranks that keep this share of each layer's squares: 0.9");
  command->add_option("--blocks", o->blocks, "Share of the blocks of weights to set to zero, those of the least magnitude: tiles that take no time: 0.5");
  command->add_option("--block", o->block, "With --blocks: rows and columns of a block, 16x16 (default: of the machine's array)");
  add_choice(*command, "--scheme", {"channel", "spatial", "best"},
             "How windows are taken apart: channels, height and width, or what takes fewer MACs (default: best)",
             [o](const std::string& value) { o->scheme = value; });
  add_choice(*command, "--scope", {"layer", "global"}, "Magnitudes are compared within each layer, or over the network (default: layer)",
             [o](const std::string& value) { o->scope = value; });
  add_integer(*command, "--round-to", o->round_to, 1, 4096, "With --filters: so many, or a multiple of it, stay (the columns of the array, say)");
  add_repeated(*command, "--keep", o->keep, "A layer's result: it stays as it is");
  command->add_option("--machine,-m", o->machine, "Cycles before and after on this machine; lower ranks are chosen for it");
  add_repeated(*command, "--set", o->set, "With --machine: override a parameter: key=value");
  command->add_option("--json", o->json, "Write the report as JSON");
  command->add_flag("--quiet,-q", o->quiet, "No report");
  command->callback([o, command] {
    static const std::vector<Rule> Rules = {
        {"--filters", Rule::Excludes, {"--weights", "--pattern", "--low-rank", "--energy", "--blocks"}, "one method at a time: compress its result again"},
        {"--weights", Rule::Excludes, {"--pattern", "--low-rank", "--energy", "--blocks"}, "one method at a time: compress its result again"},
        {"--pattern", Rule::Excludes, {"--low-rank", "--energy", "--blocks"}, "one method at a time: compress its result again"},
        {"--low-rank", Rule::Excludes, {"--energy"}, "both choose the ranks"},
        {"--low-rank", Rule::Excludes, {"--blocks"}, "one method at a time: compress its result again"},
        {"--energy", Rule::Excludes, {"--blocks"}, "one method at a time: compress its result again"},
        {"--block", Rule::Needs, {"--blocks SHARE"}, "--block is the size of blocks that become zero"},
        {"--round-to", Rule::Needs, {"--filters SHARE"}, "--round-to is for filters, and none are removed"},
        {"--scheme", Rule::Needs, {"--low-rank SHARE", "--energy SHARE"}, "--scheme is for lower ranks, and none are asked for"},
        {"--set", Rule::Needs, {"--machine M"}, "--set changes a machine, and none is given"},
    };
    check_options(*command, Rules);
    if (o->out.empty()) o->out = std::filesystem::path(o->model).stem().string() + "_small.onnx";
    require_writable(o->out);
    if (!o->json.empty()) require_writable(o->json);
    constexpr char Who[] = "`gemel compress`";
    become(require_package("_compress_command.py", Who), "gemel._compress_command", words(*o), Who);
  });
}

}  // namespace gemel::cli
