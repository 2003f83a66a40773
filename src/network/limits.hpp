// SPDX-License-Identifier: Apache-2.0
// How large a network may be. Readers and NetworkBuilder hold to these; docs/reference/workloads.md has them in words.
#pragma once
#include <cstdint>

namespace gemel::limits {

inline constexpr std::int64_t MostChannels = 1 << 20;                  // that a layer with weights makes
inline constexpr std::int64_t MostLength = 1 << 24;                    // of one dimension of a tensor
inline constexpr std::int64_t MostElements = std::int64_t{1} << 40;    // of one tensor
inline constexpr std::int64_t MostWeights = std::int64_t{1} << 33;     // drawn for one network
inline constexpr std::int64_t MostKernel = 1 << 20;                    // also strides, dilations, paddings, and the dilated kernel
inline constexpr double LeastScale = 1e-12, MostScale = 1e12;          // products of three stay finite in float32
inline constexpr int LeastShift = -31, MostShift = 30;                 // of the requantizer
inline constexpr int MostSumBytes = 4;                                 // of a sum of 32 bits

}  // namespace gemel::limits
