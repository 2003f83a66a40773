// SPDX-License-Identifier: Apache-2.0
// gemel recover: the program is in Python (python/gemel/_recover_command.py), and this process becomes it.
#include <cstdint>
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
  std::string model, data, teacher, out, json, loss, temperature, teacher_share, rate, held_out;
  std::int64_t epochs = 50, batch = 32, patience = 10, seed = 1;
  bool layers = false, quiet = false;
};

std::vector<std::string> words(const Options& o) {
  std::vector<std::string> words = {"--data=" + o.data,
                                    "--out=" + o.out,
                                    "--epochs=" + std::to_string(o.epochs),
                                    "--batch=" + std::to_string(o.batch),
                                    "--patience=" + std::to_string(o.patience),
                                    "--seed=" + std::to_string(o.seed)};
  add_word(words, "--teacher", o.teacher);
  add_word(words, "--loss", o.loss);
  add_word(words, "--temperature", o.temperature);
  add_word(words, "--teacher-share", o.teacher_share);
  add_word(words, "--rate", o.rate);
  add_word(words, "--held-out", o.held_out);
  add_word(words, "--json", o.json);
  if (o.layers) words.push_back("--layers");
  if (o.quiet) words.push_back("--quiet");
  words.insert(words.end(), {"--", o.model});
  return words;
}

}  // namespace

void add_recover(CLI::App& app) {
  auto* command = app.add_subcommand("recover", "Train a compressed float32 ONNX model: from labels, or from the model before compression");
  auto o = std::make_shared<Options>();
  command->add_option("model", o->model, "File NAME.onnx or NAME.tflite, float32")->required();
  command->add_option("--data", o->data, "Images to learn from, as the model takes them, and `labels` if there are any: NAME.npz or NAME.npy")->required();
  command->add_option("--teacher", o->teacher, "The model before compression: its outputs are learnt");
  command->add_option("--out,-o", o->out, "The recovered model (default: NAME_recovered.onnx, here)");
  add_choice(*command, "--loss", {"classes", "values"},
             "Outputs are scores of classes, or numbers as they are (default: classes if there are labels, a Softmax at the end, or a temperature)",
             [o](const std::string& value) { o->loss = value; });
  command->add_option("--temperature", o->temperature, "That scores are divided by before they are compared with the teacher's (default: 4)");
  command->add_option("--teacher-share", o->teacher_share, "Of the loss, where there are labels as well (default: 0.7)");
  command->add_flag("--layers", o->layers, "Learn results of layers, too, where the teacher has some of the same name and shape");
  add_integer(*command, "--epochs", o->epochs, 1, 1'000'000, "At the most (default: 50)");
  add_integer(*command, "--batch", o->batch, 1, 1'000'000, "Images of a step (default: 32)");
  command->add_option("--rate", o->rate, "Of a step, in units of each parameter's size (default: 0.01)");
  command->add_option("--held-out", o->held_out, "Share of the images that are not learnt from: what is best on them is kept (default: 0.2)");
  add_integer(*command, "--patience", o->patience, 1, 1'000'000, "End after so many epochs in a row without progress on the held-out images (default: 10)");
  add_integer(*command, "--seed", o->seed, 0, Unlimited, "Of what is held out, and of the order (default: 1)");
  command->add_option("--json", o->json, "Write the report as JSON");
  command->add_flag("--quiet,-q", o->quiet, "No report and no progress");
  command->callback([o, command] {
    static const std::vector<Rule> Rules = {
        {"--temperature", Rule::Needs, {"--teacher MODEL"}, "--temperature is for learning from a teacher, and there is none"},
        {"--teacher-share", Rule::Needs, {"--teacher MODEL"}, "--teacher-share is for learning from a teacher, and there is none"},
        {"--layers", Rule::Needs, {"--teacher MODEL"}, "--layers is for learning from a teacher, and there is none"},
    };
    check_options(*command, Rules);
    if (o->out.empty()) o->out = std::filesystem::path(o->model).stem().string() + "_recovered.onnx";
    require_writable(o->out);
    if (!o->json.empty()) require_writable(o->json);
    constexpr char Who[] = "`gemel recover`";
    become(require_package("_recover_command.py", Who), "gemel._recover_command", words(*o), Who);
  });
}

}  // namespace gemel::cli
