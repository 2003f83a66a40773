// SPDX-License-Identifier: Apache-2.0
// Tensors as a safetensors file: the length of a JSON header, the header, the data; see gemel/report.hpp.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/files.hpp"
#include "gemel/report.hpp"

namespace gemel {

void write_tensors(const std::string& path, const Result& result) {
  nlohmann::ordered_json header;
  auto& notes = header["__metadata__"] = {{"network", result.network}, {"machine", result.machine}};
  for (const LayerResult& layer : result.layers) notes["compared " + layer.name] = layer.compared;
  std::size_t end = 0;
  for (const TensorData& tensor : result.tensors) {
    const std::size_t begin = end;
    end += tensor.data.size();
    header[tensor.name] = {{"dtype", tensor.type == "int8" ? "I8" : tensor.type == "int32" ? "I32" : "U8"},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string contents;
  contents.reserve(8 + text.size() + end);
  for (int byte = 0; byte < 8; ++byte) contents.push_back(static_cast<char>(text.size() >> (8 * byte) & 0xFF));
  contents += text;
  for (const TensorData& tensor : result.tensors) contents.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
  write_file_atomically(path, contents);
}

}  // namespace gemel
