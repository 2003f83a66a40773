// SPDX-License-Identifier: Apache-2.0
// Puts networks together, layer by layer, with every check that golden and the compiler rely on: names, inputs, the operators'
// shape rules, sizes, types, arithmetic, multipliers, clamps, weights. YAML, layer tables, random networks and importers all come
// through here. A layer goes through three steps, so that numbers can be drawn between them:
//   Shape shape = builder.shape_of(layer, wanted);   // the operator's rule
//   ...weights, bias, the output's scale...          // numbers.hpp, or the caller's own
//   builder.quantize(layer, output, scales);         // multipliers and clamp from scales; or the caller's own
//   int tensor = builder.add(layer, output);
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.hpp"
#include "network/network.hpp"
#include "network/quantization.hpp"

namespace gemel {

// A layer or an input that cannot be. `about` names the part of its description that is to blame ("kernel", "inputs", "shape"), as
// workload files call it; empty: all of it.
class BuildError : public UserError {
 public:
  BuildError(const char* code, std::string message, std::string about = {}, std::string hint = {}, std::string note = {});
  const std::string& about() const { return about_; }

 private:
  std::string about_;
};

class NetworkBuilder {
 public:
  explicit NetworkBuilder(std::string name = {}, std::string file = {});

  // What has been built so far; also where name, description and file are set.
  Network& network() { return network_; }
  const Network& network() const { return network_; }
  const Tensor& tensor(int index) const { return network_.tensors.at(static_cast<std::size_t>(index)); }
  int find(const std::string& name) const;  // index of a tensor, or -1
  // "did you mean `x`?" for a tensor that find() does not know, or "".
  std::string suggestion(const std::string& name) const;

  // All throw BuildError.
  void check_name(const std::string& name) const;                          // E0207 no name, E0209 taken
  static void check_size(const std::string& what, const Shape& shape);     // E0214
  int input(Tensor tensor);
  // The output's shape. `wanted`: what the operator's attributes leave open (ops.hpp, OpInfo::shape). E0211, E0214.
  Shape shape_of(const Layer& layer, const Shape& wanted) const;
  // Fills layer.requant (but its rounding, which is set), unless it has multipliers already, and the clamp. `weight_scales`: one, or one
  // per output channel; empty where the layer has no weights. E0212, E0213.
  void quantize(Layer& layer, const Tensor& output, const std::vector<float>& weight_scales, quantization::Activation activation) const;
  // A narrower clamp than quantize() has set. E0212.
  static void narrow_clamp(Layer& layer, int least, int most);
  // Checks the whole layer. Gives the index of its output, which gets the layer's name and the shape that the rule makes of `output`'s.
  int add(Layer layer, Tensor output);
  // The outputs: what is named, or all that no layer reads.
  void set_outputs(std::vector<int> outputs) { network_.outputs = std::move(outputs); }
  void find_outputs();
  Network take() { return std::move(network_); }

  // A layer that could not be added, and what makes its tensor's index valid for those behind it. Nothing is to be built after one.
  int placeholder(Layer layer, Tensor output);
  int placeholder_input(Tensor tensor);

 private:
  std::vector<const Tensor*> inputs_of(const Layer& layer) const;
  int append(Tensor tensor);

  Network network_;
  std::unordered_map<std::string, int> by_name_;
};

}  // namespace gemel
