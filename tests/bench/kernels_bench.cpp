// SPDX-License-Identifier: Apache-2.0
// How fast the bulk arithmetic is, per instruction set: GMAC/s of typical matrix tiles and depthwise windows on one
// core. Each figure is the best of several runs over enough repetitions to last about a tenth of a second. Operands
// stay in the caches, as they do in the simulator between two instructions. Arguments: names of levels (default: all).
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"

namespace {

using gemel::Kernels;
using gemel::MatrixTile;
using gemel::VectorTile;

// Seconds per call, the least of five runs.
template <class Call>
double seconds_per_call(const Call& call) {
  using Clock = std::chrono::steady_clock;
  const auto measure = [&](std::int64_t repetitions) {
    const auto start = Clock::now();
    for (std::int64_t i = 0; i < repetitions; ++i) call();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  std::int64_t repetitions = 1;
  double seconds = measure(1);
  while (seconds < 0.02) {
    repetitions *= 2;
    seconds = measure(repetitions);
  }
  for (int run = 0; run < 4; ++run) seconds = std::min(seconds, measure(repetitions));
  return seconds / static_cast<double>(repetitions);
}

std::vector<std::uint8_t> random_bytes(std::int64_t count) {
  std::mt19937_64 random(1);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

struct Shape {
  const char* name;
  int rows, columns;
  int out_height, out_width;
  int kernel, stride;
  int cin_blocks, cout_blocks;
  bool padded;
  int block_step;
  int weight_zero;
};

constexpr Shape Shapes[] = {
    {"1x1 conv, 256 pixels, K 16, N 4", 16, 16, 16, 16, 1, 1, 16, 4, false, 0, 0},
    {"1x1 conv, 784 pixels, K 4, N 1", 16, 16, 28, 28, 1, 1, 4, 1, false, 0, 0},
    {"1x1 conv, 784 pixels, K 8, N 8", 16, 16, 28, 28, 1, 1, 8, 8, false, 0, 0},
    {"1x1 conv stride 2, 196 pixels, K 32, N 2", 16, 16, 14, 14, 1, 2, 32, 2, false, 0, 0},
    {"3x3 conv padded, 784 pixels, K 9*4, N 4", 16, 16, 28, 28, 3, 1, 4, 4, true, 0, 0},
    {"3x3 conv padded, 196 pixels, K 9*16, N 2", 16, 16, 14, 14, 3, 1, 16, 2, true, 0, 0},
    {"3x3 conv padded, 196 pixels, K 9*16, N 1", 16, 16, 14, 14, 3, 1, 16, 1, true, 0, 0},
    {"3x3 conv padded, 49 pixels, K 9*32, N 1", 16, 16, 7, 7, 3, 1, 32, 1, true, 0, 0},
    {"3x3 conv, 1000 pixels, K 9*2, N 1", 16, 16, 25, 40, 3, 1, 2, 1, false, 0, 0},
    {"1x1 conv, weight zero point, K 16, N 4", 16, 16, 16, 16, 1, 1, 16, 4, false, 0, 7},
    {"1x1 conv, 16 pixels, K 1, N 1", 16, 16, 4, 4, 1, 1, 1, 1, false, 0, 0},
    {"depthwise 3x3 on the array, 196 pixels, N 8", 16, 16, 14, 14, 3, 1, 1, 8, true, 1, 0},
    {"dense, 1 pixel, K 128, N 1", 16, 16, 1, 1, 1, 1, 128, 1, false, 0, 0},
    {"dense, 1 pixel, K 64, N 4", 16, 16, 1, 1, 1, 1, 64, 4, false, 0, 0},
    {"dense, 4 pixels, K 64, N 4", 16, 16, 1, 4, 1, 1, 64, 4, false, 0, 0},
    {"1x1 conv, 196 pixels, K 4, N 2", 128, 128, 14, 14, 1, 1, 4, 2, false, 0, 0},
    {"3x3 conv padded, 784 pixels, K 9, N 1", 128, 128, 28, 28, 3, 1, 1, 1, true, 0, 0},
    {"3x3 conv padded, 49 pixels, K 9*4, N 1", 128, 128, 7, 7, 3, 1, 4, 1, true, 0, 0},
    {"dense, 1 pixel, K 16, N 4", 128, 128, 1, 1, 1, 1, 16, 4, false, 0, 0},
    {"3x3 conv padded, 784 pixels, K 9*4, N 1", 16, 64, 28, 28, 3, 1, 4, 1, true, 0, 0},
    {"3x3 conv padded, 196 pixels, K 9*4, N 8", 8, 8, 14, 14, 3, 1, 4, 8, true, 0, 0},
    {"1x1 conv, 196 pixels, K 16, N 8", 8, 8, 14, 14, 1, 1, 16, 8, false, 0, 0},
    {"3x3 conv padded, 196 pixels, K 9*4, N 4", 7, 13, 14, 14, 3, 1, 4, 4, true, 0, 0},
    {"1x1 conv, 196 pixels, K 16, N 4", 7, 13, 14, 14, 1, 1, 16, 4, false, 0, 0},
};

double matrix_gmacs(const Kernels& kernels, const Shape& s) {
  MatrixTile t;
  t.rows = s.rows;
  t.columns = s.columns;
  t.out_height = s.out_height;
  t.out_width = s.out_width;
  t.kernel_h = t.kernel_w = s.kernel;
  t.stride_y = t.stride_x = s.stride;
  t.cin_blocks = s.cin_blocks;
  t.cout_blocks = s.cout_blocks;
  t.act_block_step = s.block_step;
  t.pixel_words = s.block_step ? s.cout_blocks : s.cin_blocks;
  const int border = s.padded ? s.kernel / 2 : 0;
  t.origin_y = t.origin_x = -border;
  t.act_height = (s.out_height - 1) * s.stride + s.kernel - 2 * border;
  t.act_width = (s.out_width - 1) * s.stride + s.kernel - 2 * border;
  t.act_zero = -3;
  t.weight_zero = s.weight_zero;
  const std::int64_t passes = std::int64_t{s.kernel} * s.kernel * s.cin_blocks,
                     pixels = std::int64_t{s.out_height} * s.out_width;
  const auto activation = random_bytes(std::int64_t{t.act_height} * t.act_width * t.pixel_words * s.rows);
  const auto weight = random_bytes(s.cout_blocks * passes * s.rows * s.columns);
  std::vector<std::int32_t> accumulator(static_cast<std::size_t>(s.cout_blocks * pixels * s.columns));
  t.activation = activation.data();
  t.weight = weight.data();
  t.accumulator = accumulator.data();
  const double macs = static_cast<double>(pixels * passes * s.cout_blocks * s.rows * s.columns);
  return macs / seconds_per_call([&] { kernels.matrix_tile(t); }) * 1e-9;
}

// A convolution layer: `count` times out x out pixels, channels in and out.
struct Layer {
  int count, out, kernel, stride, in_channels, out_channels;
};

// ResNet-50 v1.5. The first layer is counted as 14 passes of 16 rows (7 x 7 x 3 in windows of 7 x 3), hence 7 x 1 x 32.
constexpr Layer ResNet50[] = {
    {1, 112, 7, 2, 32, 64},   {1, 56, 1, 1, 64, 64},    {3, 56, 3, 1, 64, 64},    {3, 56, 1, 1, 64, 256},
    {1, 56, 1, 1, 64, 256},   {2, 56, 1, 1, 256, 64},   {1, 56, 1, 1, 256, 128},  {1, 28, 3, 2, 128, 128},
    {4, 28, 1, 1, 128, 512},  {1, 28, 1, 2, 256, 512},  {3, 28, 1, 1, 512, 128},  {3, 28, 3, 1, 128, 128},
    {1, 28, 1, 1, 512, 256},  {1, 14, 3, 2, 256, 256},  {6, 14, 1, 1, 256, 1024}, {1, 14, 1, 2, 512, 1024},
    {5, 14, 1, 1, 1024, 256}, {5, 14, 3, 1, 256, 256},  {1, 14, 1, 1, 1024, 512}, {1, 7, 3, 2, 512, 512},
    {3, 7, 1, 1, 512, 2048},  {1, 7, 1, 2, 1024, 2048}, {2, 7, 1, 1, 2048, 512},  {2, 7, 3, 1, 512, 512},
};

// All of it on an R x C array, cut so that a tile has at most `sums` accumulator words and `weights` weight words: the
// time of one tile times their number.
void print_resnet50(const Kernels& kernels, int rows, int columns, std::int64_t sums, std::int64_t weights) {
  double seconds = 0, macs = 0;
  for (const Layer& layer : ResNet50) {
    const bool first = layer.kernel == 7;
    MatrixTile t;
    t.rows = rows;
    t.columns = columns;
    t.kernel_h = layer.kernel;
    t.kernel_w = first ? 1 : layer.kernel;
    t.stride_y = layer.stride;
    t.stride_x = first ? 1 : layer.stride;
    t.out_width = layer.out;
    t.out_height = static_cast<int>(std::clamp<std::int64_t>(sums / layer.out, 1, layer.out));
    const int all_cin = (layer.in_channels + rows - 1) / rows, all_cout = (layer.out_channels + columns - 1) / columns;
    const int taps = t.kernel_h * t.kernel_w;
    t.cin_blocks = static_cast<int>(std::clamp<std::int64_t>(weights / rows / taps, 1, all_cin));
    t.cout_blocks = static_cast<int>(std::clamp<std::int64_t>(
        std::min(sums / (t.out_height * t.out_width), weights / rows / taps / t.cin_blocks), 1, all_cout));
    t.pixel_words = t.cin_blocks;
    t.origin_y = -(t.kernel_h / 2);
    t.origin_x = -(t.kernel_w / 2);
    t.act_height = (t.out_height - 1) * t.stride_y + t.kernel_h;
    t.act_width = t.out_width * t.stride_x;
    const auto activation = random_bytes(std::int64_t{t.act_height} * t.act_width * t.pixel_words * rows);
    const auto weight = random_bytes(std::int64_t{t.cout_blocks} * taps * t.cin_blocks * rows * columns);
    std::vector<std::int32_t> accumulator(
        static_cast<std::size_t>(t.cout_blocks * t.out_height * t.out_width * columns));
    t.activation = activation.data();
    t.weight = weight.data();
    t.accumulator = accumulator.data();
    const double tiles =
        static_cast<double>(layer.count) * layer.out / t.out_height * all_cin / t.cin_blocks * all_cout / t.cout_blocks;
    seconds += tiles * seconds_per_call([&] { kernels.matrix_tile(t); });
    macs += tiles * t.out_height * t.out_width * taps * t.cin_blocks * t.cout_blocks * rows * columns;
  }
  std::printf("ResNet-50 on %dx%d, %s: %.1f ms for %.2f GMAC of the array, %.1f GMAC/s\n", rows, columns,
              gemel::to_string(kernels.level), seconds * 1e3, macs * 1e-9, macs / seconds * 1e-9);
}

// One channel block of a depthwise 3x3 convolution over a 28 x 28 image, in multiplications per second.
double depthwise_gmacs(const Kernels& kernels, int columns) {
  VectorTile t;
  t.columns = columns;
  t.src_height = t.src_width = t.out_height = t.out_width = 28;
  t.kernel_h = t.kernel_w = 3;
  t.origin_y = t.origin_x = -1;
  t.source_zero = -3;
  const auto source = random_bytes(28 * 28 * columns), weights = random_bytes(9 * columns);
  std::vector<std::int32_t> sums(static_cast<std::size_t>(28 * 28 * columns));
  t.source = source.data();
  const double seconds = seconds_per_call([&] {
    kernels.depthwise_sums(t, 0, {weights.data(), false, 0}, sums.data());
  });
  return 28 * 28 * 9 * columns / seconds * 1e-9;
}

int run(const std::vector<std::string>& names) {
  std::vector<const Kernels*> columns;
  for (const std::string& name : names) columns.push_back(&gemel::kernels(name));
  if (names.empty()) {
    for (const gemel::SimdLevel level : gemel::simd_levels()) columns.push_back(&gemel::kernels(level));
  }
  std::printf("GMAC/s, one core (chosen by default: %s)\n%-8s %-46s", gemel::to_string(gemel::kernels().level), "array",
              "tile");
  for (const Kernels* k : columns) std::printf("%9s", gemel::to_string(k->level));
  std::printf("\n");
  for (const Shape& shape : Shapes) {
    std::printf("%-8s %-46s", (std::to_string(shape.rows) + "x" + std::to_string(shape.columns)).c_str(), shape.name);
    for (const Kernels* k : columns) std::printf("%9.1f", matrix_gmacs(*k, shape));
    std::printf("\n");
    std::fflush(stdout);
  }
  for (const int width : {8, 13, 16, 128}) {
    std::printf("%-8d %-46s", width, "vector unit: depthwise 3x3, 784 pixels");
    for (const Kernels* k : columns) std::printf("%9.1f", depthwise_gmacs(*k, width));
    std::printf("\n");
  }
  for (const Kernels* k : columns) {  // with half of the accumulator and weight buffers of tiny8, edge16, server128
    if (k->level == gemel::SimdLevel::Scalar) continue;
    print_resnet50(*k, 8, 8, 256, 1024);
    print_resnet50(*k, 16, 16, 512, 2048);
    print_resnet50(*k, 128, 128, 512, 4096);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
