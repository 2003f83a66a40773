// SPDX-License-Identifier: Apache-2.0
// Layer tables of SCALE-Sim (.csv), read as they are: convolutions (Layer, IFMAP Height, IFMAP Width, Filter Height, Filter
// Width, Channels, Num Filter, Strides) and GEMMs (Layer, M, N, K). What the tables in circulation vary in is taken:
// commas, tabs or semicolons, quotes, CRLF, byte order marks, blank lines, section titles, a second stride, batch size,
// N:M sparsity, comments, notes in further columns. Each layer becomes a Conv2d with an input of its own, synthetic.
#pragma once
#include <string>

#include "network/network.hpp"
#include "network/workload.hpp"

namespace gemel::scalesim {

// UserError with everything that is wrong, by line: E0401 (cannot be read), E0402 (header), E0403 (a value is missing),
// E0404 (a value is wrong), E0405 (shapes do not fit), E0406 (no layers).
Network load_table(const std::string& path, const LoadOptions& options = {});
Network load_table_text(const std::string& text, const std::string& file, const LoadOptions& options = {});

}  // namespace gemel::scalesim
