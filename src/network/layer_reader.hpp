// SPDX-License-Identifier: Apache-2.0
// Keys of a layer in a workload file. An operator's read() takes those it knows from here and fills `layer`, `output` and `wanted`;
// what is wrong is collected, and reading goes on, so that every mistake of a layer is told at once.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "config/yaml_reader.hpp"
#include "network/network.hpp"
#include "network/quantization.hpp"
#include "ops/ops.hpp"

namespace gemel {

class LayerReader {
 public:
  struct Context {
    bool from_file = false;                        // numbers come from a file: scales must be given
    Rounding rounding = Rounding::FixedDouble;     // of the network
    int batch = 0, file_batch = 1;                 // batch asked for (0: as the file says), and the file's
    std::vector<const Tensor*> inputs;             // those that are known; fewer than the operator takes after an error
  };
  LayerReader(YamlMap map, const ops::OpInfo& info, Context context) : map_(std::move(map)), info_(info), context_(std::move(context)) {}

  Layer layer;
  Tensor output;   // type, scale (0: to be chosen), zero point
  Shape wanted;    // what the attributes leave open: ops.hpp, OpInfo::shape
  quantization::Activation activation = quantization::Activation::None;
  std::optional<quantization::Clamp> clamp;
  bool valid = true;  // nothing wrong so far: shapes and numbers may be worked out

  const Context& context() const { return context_; }
  YamlMap& map() { return map_; }
  // The first input as an image, or a single pixel if it is not known.
  Nhwc image() const { return context_.inputs.empty() ? Nhwc{} : context_.inputs[0]->nhwc(); }

  // Keys that several operators have.
  void read_arithmetic();                              // arithmetic
  void read_window(Window& window, bool dilations);    // kernel, stride, dilation, padding
  void read_weights(Weights& weights);                 // weight
  std::int64_t read_channels(std::int64_t otherwise);  // out_channels; otherwise 0: required
  void read_activation();                              // activation, clamp
  void read_output();                                  // output
  void read_result();                                  // the three above and arithmetic, or sum_bytes; of operators with weights, behind `wanted`
  void read_kept_output();                             // output, which may only repeat the input's
  Shape read_shape(const YamlValue& value);            // a list of 1 to 6 lengths
  void read_view();                                    // shape, taken to the batch that is asked for

  void fail(const YamlValue& where, const std::string& message, const char* code, const std::string& note = {}, const std::string& hint = {});
  // Where something is complained of: a key, or the layer as a whole.
  YamlValue place(const std::string& key);

 private:
  struct Pair {
    int h = 1, w = 1;
  };
  Pair read_pair(const std::string& key, bool required);
  void read_padding(Window& window);

  YamlMap map_;
  const ops::OpInfo& info_;
  Context context_;
};

// Scale, zero point and type, as inputs and outputs have them. The scale may be missing where numbers are drawn: 0 says so. False after an
// error. `indices`: int32 is allowed, which has neither scale nor zero point. E0212.
bool read_quantization(YamlMap& map, Tensor& tensor, bool from_file, bool indices = false);
// A list of 1 to 6 lengths. `valid` becomes false after an error.
Shape read_shape(const YamlValue& value, bool& valid);

const std::vector<std::string>& arithmetic_names();  // in the order of Rounding

}  // namespace gemel
