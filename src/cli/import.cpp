// SPDX-License-Identifier: Apache-2.0
#include "cli/import.hpp"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/files.hpp"
#include "base/process.hpp"
#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "cli/python.hpp"
#include "cli/signals.hpp"
#include "gemel/gemel.hpp"

namespace gemel::cli {

namespace fs = std::filesystem;

// A new folder in the system's place for temporary ones, gone with this object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code problem;
    std::string name = (fs::temp_directory_path(problem) / "gemel-import-XXXXXX").string();
    if (problem || ::mkdtemp(name.data()) == nullptr) {
      throw UserError("E0901", "no temporary folder can be made like `" + name + "`", "let TMPDIR name a folder that can be written into");
    }
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

namespace {

constexpr std::chrono::seconds Limit{3600};

PythonProgram importer() {
  PythonProgram found = find_python_program("importer/__main__.py", false);
  if (!found.folder.empty()) return found;
  throw UserError("E1108", "the importer is not there: no `gemel/importer` in " + found.looked_in(),
                  "it comes with Gemel; let GEMEL_HOME name the folder that has `configs` and `python`");
}

[[noreturn]] void refuse(const std::string& python, const ProcessResult& result) {
  using End = ProcessResult::End;
  if (result.end == End::Interrupted) throw Interrupted("interrupted while importing");
  if (result.end == End::NotStarted) {
    throw UserError("E1108", "the importer needs Python, and `" + python + "` cannot be started: " + result.output,
                    "install python3 and python3-numpy, or let GEMEL_PYTHON name a Python that has NumPy");
  }
  if (result.end == End::Killed || result.end == End::TooLong) {
    throw UserError("E1108", "the importer was ended " + (result.end == End::Killed ? "by signal " + std::to_string(result.status)
                                                                                    : "after " + std::to_string(Limit.count()) + " seconds"),
                    "is the model huge, and memory short?");
  }
  throw InternalError("the importer, run by `" + python + "`, ended with status " + std::to_string(result.status) + ":\n" + result.output);
}

}  // namespace

bool is_model(const std::string& workload) {
  const std::string extension = fs::path(workload).extension();
  return extension == ".tflite" || extension == ".onnx";
}

std::vector<std::string> import_model(const std::string& model, const std::string& yaml, const std::string& name, bool nearest) {
  const PythonProgram program = importer();
  const std::string& python = program.python;
  const TemporaryFolder temporary;
  const std::string messages = temporary.file("messages.json");
  ProcessRequest request;
  request.arguments = {python, "-B", "-m", "gemel.importer", "--out=" + yaml, "--messages=" + messages};
  if (!name.empty()) request.arguments.push_back("--name=" + name);
  if (nearest) request.arguments.push_back("--nearest");
  request.arguments.insert(request.arguments.end(), {"--", model});
  request.environment = {{"PYTHONPATH", python_path(program.folder)}};
  const ProcessResult result = run_process(request, Limit, stop_token().flag());

  std::ifstream file(messages);
  const auto said = nlohmann::json::parse(file, nullptr, false);
  if (said.is_discarded() || result.end != ProcessResult::End::Exited) refuse(python, result);
  std::vector<Diagnostic> diagnostics;
  for (const auto& entry : said.at("diagnostics")) {
    Diagnostic d;
    d.code = entry.at("code").get<std::string>();
    d.message = entry.at("message").get<std::string>();
    d.file = entry.at("file").get<std::string>();
    d.note = entry.at("note").get<std::string>();
    d.hint = entry.at("hint").get<std::string>();
    diagnostics.push_back(std::move(d));
  }
  if (!diagnostics.empty()) throw UserError(std::move(diagnostics));
  return said.at("lines").get<std::vector<std::string>>();
}

ImportedModel::ImportedModel(const std::string& workload) : workload_(workload) {
  if (!is_model(workload)) return;
  folder_ = std::make_unique<TemporaryFolder>();
  workload_ = folder_->file("model.yaml");
  for (std::string& line : import_model(workload, workload_)) {
    if (line.rfind("note: ", 0) == 0) notes_.push_back(std::move(line));
  }
}

ImportedModel::~ImportedModel() = default;

void add_import(CLI::App& app) {
  struct Options {
    std::string model, out, name;
    bool nearest = false;
  };
  auto* command = app.add_subcommand("import", "Make a workload of an ONNX or TensorFlow Lite model, which computes the same bit by bit");
  auto o = std::make_shared<Options>();
  command->add_option("model", o->model, "File NAME.onnx or NAME.tflite, quantized to 8 bits")->required();
  command->add_option("--out,-o", o->out, "The workload, NAME.yaml; its tensors go to NAME.safetensors beside it (default: the model's name, here)");
  command->add_option("--name", o->name, "The workload's name (default: the model's)");
  command->add_flag("--nearest", o->nearest,
                    "Where no multipliers give ONNX Runtime's float32 arithmetic for all pairs of bytes, take the closest and say how close");
  command->callback([o, command] {
    catch_signals();
    check_options(*command, {});
    const std::string out = o->out.empty() ? fs::path(o->model).stem().string() + ".yaml" : o->out;
    const std::string extension = fs::path(out).extension();
    if (extension != ".yaml" && extension != ".yml") {
      throw UserError("E0915", "`--out` is " + std::string("`") + out + "`, but must be a name with the extension .yaml");
    }
    require_writable(out);
    for (const std::string& line : import_model(o->model, out, o->name, o->nearest)) std::cout << line << "\n";
  });
}

}  // namespace gemel::cli
