// SPDX-License-Identifier: Apache-2.0
// gemel quantize: the program is in Python (python/gemel/_quantize_command.py), and this process becomes it.
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
  std::string model, data, out, json, int4_share, budget, method = "minmax", weights = "int8";
  double percentile = 99.99;
  std::vector<std::string> keep_float, int4;
  int images = 0;
  bool per_tensor = false, improve = false, sensitivity = false, quiet = false;
};

std::vector<std::string> words(const Options& o) {
  std::vector<std::string> words = {"--data=" + o.data, "--out=" + o.out, "--method=" + o.method,
                                    "--percentile=" + std::to_string(o.percentile), "--weights=" + o.weights};
  add_words(words, "--keep-float", o.keep_float);
  if (o.images > 0) words.push_back("--images=" + std::to_string(o.images));
  add_words(words, "--int4", o.int4);
  add_word(words, "--int4-share", o.int4_share);
  add_word(words, "--budget", o.budget);
  add_word(words, "--json", o.json);
  if (o.per_tensor) words.push_back("--per-tensor");
  if (o.improve) words.push_back("--improve");
  if (o.sensitivity) words.push_back("--sensitivity");
  if (o.quiet) words.push_back("--quiet");
  words.insert(words.end(), {"--", o.model});
  return words;
}

}  // namespace

void add_quantize(CLI::App& app) {
  auto* command = app.add_subcommand("quantize", "Make an int8 ONNX model of a float32 one, and show where the error arises");
  auto o = std::make_shared<Options>();
  command->add_option("model", o->model, "File NAME.onnx or NAME.tflite, float32")->required();
  command->add_option("--data,--calibrate", o->data, "Images to find ranges with, as the model takes them: NAME.npz or NAME.npy")->required();
  command->add_option("--out,-o", o->out, "The int8 model (default: NAME_int8.onnx, here)");
  add_choice(*command, "--method", {"minmax", "percentile", "mse", "entropy"}, "How ranges are found (default: minmax)",
             [o](const std::string& value) { o->method = value; });
  command->add_option("--percentile", o->percentile, "With --method percentile: of the values that a range has room for")->capture_default_str();
  add_integer(*command, "--images", o->images, 1, Unlimited, "Use the first so many images (default: all)");
  command->add_flag("--per-tensor", o->per_tensor, "One scale for all weights of a layer, not one for each output channel");
  add_repeated(*command, "--keep-float", o->keep_float, "An operator, or its result, that stays in float32 (ONNX Runtime alone runs such a model)");
  command->add_flag("--improve", o->improve, "Try equalization, bias correction and, for 4 bits, rounding by covariances; keep what helps held-out images");
  command->add_flag("--sensitivity", o->sensitivity, "Quantize each layer alone, too: which of them cost the outputs most");
  add_choice(*command, "--weights", {"int8", "int4"}, "Of all layers (default: int8). int4: from -7 to 7, stored as int8, as the machine has no int4 yet",
             [o](const std::string& value) { o->weights = value; });
  add_repeated(*command, "--int4", o->int4, "A layer whose weights are int4, by its node's name or its result's");
  command->add_option("--int4-share", o->int4_share, "At least this share of the weights is int4, in the layers that cost the outputs least: 60%");
  command->add_option("--budget", o->budget, "bytes=N: so many layers are int4 that the weights take at most N bytes, with half a byte for int4");
  command->add_option("--json", o->json, "Write the report as JSON");
  command->add_flag("--quiet,-q", o->quiet, "No report and no progress");
  command->callback([o, command] {
    constexpr char Why[] = "each says which weights are int4";
    check_options(*command, {
        {"--weights", Rule::Excludes, {"--int4", "--int4-share", "--budget"}, Why},
        {"--int4", Rule::Excludes, {"--int4-share", "--budget"}, Why},
        {"--int4-share", Rule::Excludes, {"--budget"}, Why},
    });
    if (command->count("--percentile") > 0 && o->method != "percentile") {
      throw UserError("E0911", "--percentile is for --method percentile, and the method is " + o->method, "add --method percentile");
    }
    if (o->out.empty()) o->out = std::filesystem::path(o->model).stem().string() + "_int8.onnx";
    require_writable(o->out);
    if (!o->json.empty()) require_writable(o->json);
    constexpr char Who[] = "`gemel quantize`";
    become(require_package("_quantize_command.py", Who), "gemel._quantize_command", words(*o), Who);
  });
}

}  // namespace gemel::cli
