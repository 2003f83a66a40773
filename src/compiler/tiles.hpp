// SPDX-License-Identifier: Apache-2.0
// The tiles of outputs that planners choose from. They come from the layer alone: a machine with more room has those of one with less, and
// some more.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

namespace gemel::compiler {

// n cut into ceil(n/most) parts as even as can be: the size of the largest.
int even_part(int n, std::int64_t most);

// Sizes of the largest part where n is cut into 1, 2, 3, ... equal parts, each once: all down to n/16, then in steps of a tenth.
std::vector<int> parts(int n);

// Images, rows and columns of tiles of n images of h rows and w columns, largest first: whole images, whole rows, parts of a row, and with
// `squares` parts of as many rows as columns, which read fewer border rows again. No tile has more than `most_images` or `most_columns`.
std::vector<std::array<int, 3>> output_tiles(int n, int h, int w, int most_images, int most_columns, bool squares);

}  // namespace gemel::compiler
