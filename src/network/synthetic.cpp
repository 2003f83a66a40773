// SPDX-License-Identifier: Apache-2.0
// Synthetic weights and scales. Weights: (1) a hash of a counter gives 4 uniform bytes; (2) the mean of four such words, byte
// by byte, is bell-shaped. Written so that compilers vectorize it: 25 million weights in hundredths of a second. Scales: with
// K weights of deviation d and inputs of deviation x (after the zero point), the sum has the deviation
// sqrt(K)*d*x; the weight scale makes that the wanted one. The input's mean is taken out by the bias, as a batch
// normalization would: otherwise deep networks of random weights end with every pixel the same.
#include "network/synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace gemel::synthetic {
namespace {

constexpr std::uint64_t Golden = 0x9E3779B97F4A7C15;
constexpr double RangeDeviations = 3.2;  // on each side: 1 value in 700 saturates
constexpr double Pi = 3.14159265358979323846;

std::uint64_t mix(std::uint64_t z) {  // splitmix64's output function
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

std::uint64_t word(std::uint64_t stream, std::uint64_t index) { return mix(stream + (index + 1) * Golden); }

// Means of four pairs of bytes, rounded up.
inline std::uint32_t mean_up(std::uint32_t a, std::uint32_t b) { return (a | b) - (((a ^ b) & 0xFEFEFEFE) >> 1); }

// A hash of 32 bits whose every step is a bijection (xorshifts and odd multipliers); the key enters twice.
inline std::uint32_t hash32(std::uint32_t counter, std::uint32_t key_a, std::uint32_t key_b) {
  std::uint32_t x = counter * 0x9E3779B9u + key_a;
  x = (x ^ (x >> 16)) * 0x7FEB352Du;
  x = (x ^ (x >> 15) ^ key_b) * 0x846CA68Bu;
  return x ^ (x >> 16);
}

// Four signed bytes around 0, made as bytes around 128: rounding up twice makes up for 127.5, the mean of a uniform byte.
// -128 (four zeros meeting) becomes -127.
inline std::uint32_t bell_word(std::uint32_t index, std::uint32_t key_a, std::uint32_t key_b) {
  const std::uint32_t bytes = mean_up(mean_up(hash32(4 * index, key_a, key_b), hash32(4 * index + 1, key_a, key_b)),
                                      mean_up(hash32(4 * index + 2, key_a, key_b), hash32(4 * index + 3, key_a, key_b)));
  const std::uint32_t not_zero = ((bytes & 0x7F7F7F7F) + 0x7F7F7F7F) | bytes;  // the highest bit of each byte
  return (bytes | (~not_zero & 0x80808080) >> 7) ^ 0x80808080;
}

__attribute__((always_inline)) inline void bell_words(std::uint8_t* out, std::size_t words, std::uint32_t key_a,
                                                      std::uint32_t key_b) {
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint32_t four = bell_word(static_cast<std::uint32_t>(i), key_a, key_b);
    std::memcpy(out + 4 * i, &four, 4);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void bell_words_avx2(std::uint8_t* out, std::size_t words, std::uint32_t key_a, std::uint32_t key_b) {
  bell_words(out, words, key_a, key_b);
}
#endif

double normal(std::uint64_t stream, std::uint64_t index) {  // Box and Muller
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform(stream, 2 * index)));
  return radius * std::cos(2.0 * Pi * uniform(stream, 2 * index + 1));
}

double density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2.0 * Pi); }
double cumulative(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// Where synthetic_input() puts the middle of its values, as a quantized value.
int input_centre(const Tensor& tensor) {
  const int middle = tensor.type == ElementType::Int8 ? 0 : 128;
  return std::clamp(tensor.zero_point, middle - 48, middle + 48);
}

}  // namespace

std::uint64_t stream(std::uint64_t seed, std::string_view name, std::string_view what) {
  constexpr std::string_view End = "\xFF";  // "ab","c" is not "a","bc"
  std::uint64_t hash = NameHashStart;
  for (const std::string_view text : {name, End, what, End}) hash = add_to_name_hash(hash, text);
  return mix(hash ^ mix(seed + Golden));
}

void fill_bell(std::int8_t* out, std::size_t count, std::uint64_t stream_seed) {
  const std::uint64_t keys = mix(stream_seed);
  const auto key_a = static_cast<std::uint32_t>(keys), key_b = static_cast<std::uint32_t>(keys >> 32);
  auto* bytes = reinterpret_cast<std::uint8_t*>(out);
  const std::size_t words = count / 4;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) bell_words_avx2(bytes, words, key_a, key_b);  // the same numbers, sooner
  else
#endif
    bell_words(bytes, words, key_a, key_b);
  const std::uint32_t last = bell_word(static_cast<std::uint32_t>(words), key_a, key_b);
  std::memcpy(bytes + 4 * words, &last, count % 4);
}

double uniform(std::uint64_t stream_seed, std::uint64_t index) {
  return static_cast<double>(word(stream_seed, index) >> 11) * 0x1p-53;
}

void choose_output(Tensor& output, const Statistics& values, std::uint64_t stream_seed) {
  const double widen = 1.0 + 0.15 * uniform(stream_seed, 0);  // so that zero points differ from layer to layer
  const double low = std::min(0.0, values.mean - RangeDeviations * widen * values.deviation);
  const double high = std::max(0.0, values.mean + RangeDeviations * values.deviation);
  // A float32, as every scale is.
  output.scale = static_cast<float>((high - low) / 255.0);
  const int least = min_value(output.type);
  output.zero_point =
      static_cast<int>(std::clamp<double>(least + std::round(-low / output.scale), least, max_value(output.type)));
}

std::vector<float> fill_weights(Weights& weights, const std::string& layer, int out_channels, std::int64_t weights_per_channel,
                                const WeightedInput& input, double target_deviation, std::uint64_t seed, bool timing_only) {
  const auto per_channel = static_cast<std::size_t>(weights_per_channel);
  // Bytes are drawn around 0 (int8) or 128 (uint8), whatever the weight zero point.
  const double weight_mean = (weights.type == ElementType::Int8 ? 0 : 128) - weights.zero_point;
  const double weight_rms = std::sqrt(BellDeviation * BellDeviation + weight_mean * weight_mean);
  const double input_deviation = std::max(input.statistics.deviation / input.tensor.scale, 1.0);  // in LSB
  const double input_mean = input.statistics.mean / input.tensor.scale;
  const double sum_deviation = std::sqrt(static_cast<double>(per_channel)) * weight_rms * input_deviation;

  const std::uint64_t scale_stream = stream(seed, layer, "weight_scale");
  std::vector<float> scales(out_channels);
  for (int o = 0; o < out_channels; ++o) {
    const double spread = std::exp2(0.6 * (uniform(scale_stream, o) - 0.5));  // channels differ by up to 1.5
    scales[o] = static_cast<float>(target_deviation / (sum_deviation * input.tensor.scale) * spread);
  }

  weights.bias.resize(out_channels);
  if (timing_only) return scales;
  weights.bytes.resize(per_channel * out_channels);
  fill_bell(reinterpret_cast<std::int8_t*>(weights.bytes.data()), weights.bytes.size(), stream(seed, layer, "weight"));
  if (weights.type == ElementType::UInt8)
    for (std::uint8_t& w : weights.bytes) w ^= 0x80;
  const std::uint64_t bias_stream = stream(seed, layer, "bias");
  for (int o = 0; o < out_channels; ++o) {
    std::int64_t sum = 0;
    const std::uint8_t* row = weights.bytes.data() + per_channel * o;
    if (weights.type == ElementType::Int8) {
      for (std::size_t i = 0; i < per_channel; ++i) sum += static_cast<std::int8_t>(row[i]);
    } else {
      for (std::size_t i = 0; i < per_channel; ++i) sum += row[i];
    }
    sum -= static_cast<std::int64_t>(per_channel) * weights.zero_point;
    const double bias = 0.3 * sum_deviation * normal(bias_stream, o) - input_mean * static_cast<double>(sum);
    weights.bias[o] = static_cast<std::int32_t>(std::clamp(std::round(bias), -1e9, 1e9));
  }
  return scales;
}

void thin_out(Weights& weights, int out_channels, int keep, int of) {
  if (weights.bytes.empty()) return;
  const std::size_t per_channel = weights.bytes.size() / out_channels;
  for (int o = 0; o < out_channels; ++o)
    for (std::size_t i = 0; i < per_channel; ++i)
      // Which ones stay moves on from channel to channel, so that every input counts for some output.
      if ((i + o) % of >= static_cast<std::size_t>(keep))
        weights.bytes[per_channel * o + i] = static_cast<std::uint8_t>(weights.zero_point);
}

Statistics after_activation(quantization::Activation activation, const Statistics& s) {
  using quantization::Activation;
  if (activation == Activation::None || activation == Activation::ReluN1To1 || s.deviation <= 0) return s;
  // Mean and mean square of max(0, x) for a normal x. The cut at 6 is left out: scales are chosen so that few reach it.
  const double z = s.mean / s.deviation;
  const double mean = s.mean * cumulative(z) + s.deviation * density(z);
  const double square =
      (s.mean * s.mean + s.deviation * s.deviation) * cumulative(z) + s.mean * s.deviation * density(z);
  return {mean, std::sqrt(std::max(square - mean * mean, 1e-12))};
}

Statistics range_after(quantization::Activation activation, const Statistics& s) {
  using quantization::Activation;
  const double most = std::max(s.mean + RangeDeviations * s.deviation, s.deviation);
  const double cut = activation == Activation::Relu6 ? std::min(most, 6.0) : most;
  switch (activation) {
    case Activation::None: return s;
    case Activation::Relu:
    case Activation::Relu6: return {cut / 2, cut / 2 / RangeDeviations};
    case Activation::ReluN1To1: return {0.0, 1.0 / RangeDeviations};
  }
  throw InternalError("an Activation without a range");
}

Statistics of_input(const Tensor& tensor) {
  return {tensor.scale * (input_centre(tensor) - tensor.zero_point), tensor.scale * BellDeviation};
}

}  // namespace gemel::synthetic

namespace gemel {

std::vector<std::uint8_t> synthetic_input(const Network& network, int input, std::uint64_t seed) {
  std::vector<int> root(network.tensors.size());  // of a view: what it is a view of
  for (std::size_t t = 0; t < root.size(); ++t) root[t] = static_cast<int>(t);
  std::int64_t rows = 0;
  for (const Layer& layer : network.layers) {
    const int source = root[static_cast<std::size_t>(layer.inputs.at(0))];
    if (layer.op() == Op::Reshape) root[static_cast<std::size_t>(layer.output)] = source;
    if (const Gather* gather = layer.get<Gather>(); gather != nullptr && source == input) rows = rows == 0 ? gather->rows : std::min(rows, gather->rows);
  }
  return synthetic_input(network.tensors[static_cast<std::size_t>(input)], seed, std::max<std::int64_t>(rows, 1));
}

std::vector<std::uint8_t> synthetic_input(const Tensor& tensor, std::uint64_t seed, std::int64_t rows) {
  const std::int64_t count = tensor.bytes();
  std::vector<std::uint8_t> out(static_cast<std::size_t>(count));
  if (tensor.type == ElementType::Int32) {
    const std::uint64_t draws = synthetic::stream(seed, tensor.name, "input");
    for (std::int64_t i = 0; i < tensor.shape.elements(); ++i) {
      const auto index = static_cast<std::int32_t>(synthetic::uniform(draws, static_cast<std::uint64_t>(i)) * static_cast<double>(rows));
      std::memcpy(out.data() + i * static_cast<std::int64_t>(sizeof index), &index, sizeof index);
    }
    return out;
  }
  synthetic::fill_bell(reinterpret_cast<std::int8_t*>(out.data()), out.size(), synthetic::stream(seed, tensor.name, "input"));
  const int centre = synthetic::input_centre(tensor);
  const int least = min_value(tensor.type), most = max_value(tensor.type);
  for (std::uint8_t& value : out)
    value = static_cast<std::uint8_t>(std::clamp(static_cast<std::int8_t>(value) + centre, least, most));
  return out;
}

}  // namespace gemel
