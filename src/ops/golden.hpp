// SPDX-License-Identifier: Apache-2.0
// A whole network through the operators' goldens: what every tensor must be. Computed on demand, forgotten on request.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "network/network.hpp"

namespace gemel {

class Golden {
 public:
  // InternalError if a layer breaks its operator's shape rule (loaders are to have found that). The network must outlive this.
  explicit Golden(const Network& network);

  // Bytes of an input tensor; InternalError for another tensor or another number of bytes. Forgets what was computed.
  void set_input(int tensor, std::vector<std::uint8_t> bytes);

  // The bytes of any tensor; computes what is missing on the way. InternalError if an input was not set.
  const std::vector<std::uint8_t>& tensor(int index);

  // Forgets the bytes of a computed tensor; asked again, they are computed again. Inputs are kept.
  void release(int index);

  // All layers in order. `visit` sees each output as soon as it is known; a tensor is forgotten behind its last reader, so
  // the peak memory is that of the live tensors (outputs of the network stay).
  void run(const std::function<void(const Layer& layer, const std::vector<std::uint8_t>& output)>& visit);

 private:
  const Network& network_;
  std::vector<int> producer_;  // per tensor: index of its layer, or -1
  std::vector<int> last_reader_;  // per tensor: index of the last layer that reads it, or -1
  std::vector<std::optional<std::vector<std::uint8_t>>> bytes_;
};

}  // namespace gemel
