// SPDX-License-Identifier: Apache-2.0
// Networks as the plain values of gemel/layer.hpp, for reports and for users of the library.
#pragma once
#include "gemel/layer.hpp"
#include "network/network.hpp"

namespace gemel {

TensorInfo tensor_info(const Tensor& tensor);
LayerShape layer_shape(const Network& network, const Layer& layer);
// weight_bytes stays 0: only the compiler knows it.
LayerInfo layer_info(const Network& network, const Layer& layer);

}  // namespace gemel
