// SPDX-License-Identifier: Apache-2.0
// Networks as the plain values of gemel/layer.hpp, for reports and for users of the library.
#pragma once
#include <string>

#include "gemel/layer.hpp"
#include "network/network.hpp"

namespace gemel {

TensorInfo tensor_info(const Tensor& tensor);
LayerShape layer_shape(const Network& network, const Layer& layer);
// weight_bytes stays 0: only the compiler knows it.
LayerInfo layer_info(const Network& network, const Layer& layer);

// 16 hexadecimal digits over the attributes and constants that an operator of the host has; empty if it has none.
std::string attribute_digest(const Layer& layer);
// 16 hexadecimal digits over all that decides over results: tensors, layers, weights and every other number. Not names of files.
std::string network_digest(const Network& network);

}  // namespace gemel
