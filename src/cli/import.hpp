// SPDX-License-Identifier: Apache-2.0
// Models of other tools. The importer is a program in Python (python/gemel/importer): here it is found, started and listened to.
#pragma once
#include <memory>
#include <string>
#include <vector>

namespace gemel::cli {

// Whether a workload's name is that of a model file, which is to be imported first.
bool is_model(const std::string& workload);

// Writes a workload (YAML, with safetensors beside it) that computes what the model computes. What the importer has to say about it.
// UserError E1101 to E1107: the model; E1108: Python, NumPy or onnx are missing; E0902. Interrupted.
std::vector<std::string> import_model(const std::string& model, const std::string& yaml, const std::string& name = {}, bool nearest = false);

// A workload's name as load_network() takes it: `workload` itself, or, if that is a model, what import_model() made of it, in a temporary
// folder that goes with this object.
class ImportedModel {
 public:
  explicit ImportedModel(const std::string& workload);
  ~ImportedModel();
  ImportedModel(const ImportedModel&) = delete;
  ImportedModel& operator=(const ImportedModel&) = delete;
  const std::string& workload() const { return workload_; }
  // What the workload leaves to its caller, a line each ("note: ...").
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::unique_ptr<class TemporaryFolder> folder_;
  std::string workload_;
  std::vector<std::string> notes_;
};

}  // namespace gemel::cli
