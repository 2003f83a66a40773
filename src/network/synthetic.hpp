// SPDX-License-Identifier: Apache-2.0
// Synthetic numbers for networks that come without tensors: weights, biases, scales and inputs drawn from a seed, such
// that every layer uses its 8-bit range. Counter-based: a number depends on the seed, the layer's name and its index
// only, so networks are equal on every machine and adding a layer does not change the others.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "network/network.hpp"
#include "network/quantization.hpp"

namespace gemel::synthetic {

// What a tensor's real values are assumed to look like, given that nobody has run the network.
struct Statistics {
  double mean = 0.0;
  double deviation = 1.0;
};

// The seed of one sequence of numbers: `what` tells the weights of a layer from its biases.
std::uint64_t stream(std::uint64_t seed, std::string_view name, std::string_view what);

// Signed bytes, bell-shaped around 0 (the mean of four uniform bytes): deviation 36.8, never -128.
void fill_bell(std::int8_t* out, std::size_t count, std::uint64_t stream);
inline constexpr double BellDeviation = 36.8;
inline constexpr double ConstantDeviation = 0.3;  // of real numbers that operators add or multiply with

// A uniform number in [0, 1).
double uniform(std::uint64_t stream, std::uint64_t index);

// Scale and zero point of `output` for values like these, so that about 3.2 deviations fit its range.
void choose_output(Tensor& output, const Statistics& values, std::uint64_t stream);

// Fills weights and bias of a layer (type and zero point set; no weights and a bias of 0 with `timing_only`), `per_channel` weights to
// each of `out_channels` outputs, and returns the weight scales, one per output channel. The sum before the activation has the deviation
// `target_deviation` (real units) and, the bias cancelling the input's mean, about the mean 0.
struct WeightedInput {
  const Tensor& tensor;
  Statistics statistics;
};
std::vector<float> fill_weights(Weights& weights, const std::string& layer, int out_channels, std::int64_t per_channel,
                                const WeightedInput& input, double target_deviation, std::uint64_t seed, bool timing_only);

// Keeps `keep` of every `of` consecutive weights (along kernel and channels) of each output channel and sets the others
// to the weight zero point.
void thin_out(Weights& weights, int out_channels, int keep, int of);

// Statistics of act(x), and the statistics to give choose_output() so that the range of act(x) is used, not that of x.
Statistics after_activation(quantization::Activation activation, const Statistics& s);
Statistics range_after(quantization::Activation activation, const Statistics& s);

// The statistics that the tensor's values will have if it is filled by synthetic_input().
Statistics of_input(const Tensor& tensor);

}  // namespace gemel::synthetic

namespace gemel {

// Bytes for an input tensor: bell-shaped around its zero point (moved inwards if that is at the end of the range).
// int32: indices of 0 to `rows` - 1.
std::vector<std::uint8_t> synthetic_input(const Tensor& tensor, std::uint64_t seed, std::int64_t rows = 1);
// The same for an input of a network; indices are rows of each table that is read by them.
std::vector<std::uint8_t> synthetic_input(const Network& network, int input, std::uint64_t seed);

}  // namespace gemel
