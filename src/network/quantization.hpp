// SPDX-License-Identifier: Apache-2.0
// From scales to the numbers that the machine uses: multipliers and shifts, clamps, tables. As TFLite derives them
// (docs/reference/arithmetic.md): scales are float32 numbers, products are formed in double except where noted.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "network/network.hpp"

namespace gemel::quantization {

enum class Activation : std::uint8_t { None, Relu, Relu6, ReluN1To1 };

struct Clamp {
  int min = -128, max = 127;
};
// zero point + round_half_away(bound / scale), divided in float32, cut to the range of the type.
Clamp activation_clamp(Activation activation, const Tensor& output);

// One entry per channel. `weight_scales` has one scale for all channels or one for each. In fixed arithmetic all is in double, as in TensorFlow Lite Micro.
Requant conv_requant(Rounding rounding, double input_scale, const std::vector<float>& weight_scales, double output_scale,
                     int channels);

// First input, second input, sum; both inputs are shifted left by 20 before they are multiplied.
Requant add_requant(Rounding rounding, double scale_a, double scale_b, double output_scale);

// TFLite's MEAN over `count` values: the multiplier of s_in/s_out with the division by `count` worked in; the shift is
// at least -31.
Requant mean_requant(Rounding rounding, double input_scale, double output_scale, std::int64_t count);

// TFLite's SOFTMAX (PreprocessSoftmaxScaling with 5 integer bits): differences of inputs become multiples of 2^-26. Float: the bits of the
// input's scale. In fixed arithmetic the input's scale must exceed 2^-26.
Requant softmax_requant(Rounding rounding, double input_scale);

// The functions that `op: table` knows by name.
enum class TableFunction : std::uint8_t { Identity, Relu, Sigmoid, Tanh, HardSigmoid, HardSwish, Gelu, Exp, Silu };
const std::vector<std::string>& table_function_names();  // in the order of the enumerators
double evaluate(TableFunction function, double x);
// Entry [raw byte of q] = clamp(round_half_away(f(s_in * (q - z_in)) / s_out) + z_out), all in double.
TableEntries fill_table(TableFunction function, const Tensor& input, const Tensor& output);

}  // namespace gemel::quantization
