// SPDX-License-Identifier: Apache-2.0
// Where the numbers of a layer come from: weights, biases, scales, multipliers, tables. Either a safetensors file, by the layer's name, or
// a seed. Both fill in what an operator's description leaves open and know nothing of YAML; NetworkBuilder makes multipliers of scales.
#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "network/network.hpp"
#include "network/quantization.hpp"
#include "network/safetensors.hpp"
#include "network/synthetic.hpp"

namespace gemel {

// Tensors of a file. What is wrong is told to `complain`, all of it.
class FileNumbers {
 public:
  // Message, note, code.
  using Complain = std::function<void(const std::string& message, const std::string& note, const char* code)>;

  FileNumbers(safetensors::File file, bool timing_only) : file_(std::move(file)), timing_only_(timing_only) {}

  // Weights, bias, multipliers and shifts (where they are given), table (if `wants_table`) or other constants of a layer whose output has that shape. False
  // after an error.
  bool fill(Layer& layer, const Tensor* input, const Tensor& output, bool wants_table, std::vector<float>& weight_scales, const Complain& complain);

  const safetensors::File& file() const { return file_; }
  const std::set<std::string, std::less<>>& used() const { return used_; }  // names that layers have asked for

 private:
  struct Reader;
  bool constants(Layer& layer, const Tensor& input, const Tensor& output, Reader& reader);
  safetensors::File file_;
  bool timing_only_;
  std::set<std::string, std::less<>> used_;
};

// Numbers drawn from a seed.
class SyntheticNumbers {
 public:
  SyntheticNumbers(std::uint64_t seed, bool timing_only) : seed_(seed), timing_only_(timing_only) {}

  // Scale and zero point of an input, unless it has them (scale 0: it has not); gives what its values will look like.
  synthetic::Statistics input(Tensor& tensor) const;
  // Weights, bias, and the output's scale and zero point, unless it has them. Gives what its values will look like.
  // BuildError E0214 if all weights together exceed the most.
  synthetic::Statistics fill(Layer& layer, const std::vector<const Tensor*>& inputs, const std::vector<synthetic::Statistics>& values,
                             Tensor& output, quantization::Activation activation, std::vector<float>& weight_scales);
  std::uint64_t seed() const { return seed_; }

 private:
  void draw_constants(Layer& layer, const Tensor& input, const Tensor& output);

  std::uint64_t seed_;
  bool timing_only_;
  std::int64_t weights_ = 0;  // so far
};

}  // namespace gemel
