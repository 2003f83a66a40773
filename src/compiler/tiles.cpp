// SPDX-License-Identifier: Apache-2.0
#include "compiler/tiles.hpp"

#include <algorithm>

#include "compiler/timing.hpp"

namespace gemel::compiler {

int even_part(int n, std::int64_t most) { return static_cast<int>(ceil_div(n, ceil_div(n, std::max<std::int64_t>(1, most)))); }

std::vector<int> parts(int n) {
  std::vector<int> sizes;
  for (std::int64_t count = 1; count <= n; count += 1 + (count >= 16 ? count / 16 : 0)) {
    const int size = static_cast<int>(ceil_div(n, count));
    if (sizes.empty() || sizes.back() != size) sizes.push_back(size);
  }
  if (sizes.back() != 1) sizes.push_back(1);
  return sizes;
}

std::vector<std::array<int, 3>> output_tiles(int n, int h, int w, int most_images, int most_columns, bool squares) {
  std::vector<std::array<int, 3>> tiles;
  const auto add = [&](int images, int rows, int columns) {
    const std::array<int, 3> tile = {images, rows, columns};
    if (std::find(tiles.begin(), tiles.end(), tile) == tiles.end()) tiles.push_back(tile);
  };
  if (w <= most_columns) {
    for (const int images : parts(n)) {
      if (images <= most_images) add(images, h, w);
    }
    for (const int rows : parts(h)) add(1, rows, w);
  }
  for (const int columns : parts(w)) {
    if (columns > most_columns) continue;
    add(1, 1, columns);
    if (squares && std::int64_t{columns} * columns <= 2 * w) add(1, even_part(h, columns), columns);
  }
  return tiles;
}

}  // namespace gemel::compiler
