// SPDX-License-Identifier: Apache-2.0
// As much of an ONNX file as tests on single-operator models need: the nodes with their integer attributes and the constant
// tensors with raw data. ONNX is a protobuf; fields are read by number, per onnx.proto: ModelProto.graph 7; GraphProto.node 1,
// .initializer 5; NodeProto.input 1, .op_type 4, .attribute 5; AttributeProto.name 1, .i 3, .ints 8; TensorProto.dims 1,
// .data_type 2, .name 8, .raw_data 9. Throws std::runtime_error for a file that ends early.
#pragma once
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace gemel::test {

struct OnnxTensor {
  std::vector<std::int64_t> dims;
  int data_type = 0;  // 1 float, 2 uint8, 3 int8, 6 int32
  std::string raw;
  std::int64_t elements() const {
    std::int64_t count = 1;
    for (const std::int64_t d : dims) count *= d;
    return count;
  }
  template <class T>
  std::vector<T> values() const {
    if (raw.size() != static_cast<std::size_t>(elements()) * sizeof(T)) throw std::runtime_error("a tensor of another type");
    std::vector<T> out(raw.size() / sizeof(T));
    std::memcpy(out.data(), raw.data(), raw.size());
    return out;
  }
};
struct OnnxNode {
  std::string type;
  std::vector<std::string> inputs;
  std::map<std::string, std::vector<std::int64_t>> attributes;
};
struct OnnxModel {
  std::vector<OnnxNode> nodes;
  std::map<std::string, OnnxTensor> constants;
};

class ProtobufReader {
 public:
  explicit ProtobufReader(std::string bytes) : bytes_(std::move(bytes)) {}

  // The next field, or false at the end.
  bool next() {
    if (at_ == bytes_.size()) return false;
    const std::uint64_t key = varint();
    field_ = static_cast<int>(key >> 3);
    const int wire = static_cast<int>(key & 7);
    text_.clear();
    number_ = 0;
    if (wire == 0) number_ = varint();
    else if (wire == 1) take(8);
    else if (wire == 2) take(varint());
    else if (wire == 5) take(4);
    else throw std::runtime_error("not a protobuf");
    is_number_ = wire == 0;
    return true;
  }
  int field() const { return field_; }
  const std::string& text() const { return text_; }
  // A repeated integer comes one by one or packed.
  void integers(std::vector<std::int64_t>& into) const {
    if (is_number_) return into.push_back(static_cast<std::int64_t>(number_));
    ProtobufReader packed(text_);
    while (packed.at_ < packed.bytes_.size()) into.push_back(static_cast<std::int64_t>(packed.varint()));
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) throw std::runtime_error("the file ends early");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw std::runtime_error("not a protobuf");
  }
  void take(std::uint64_t count) {
    if (count > bytes_.size() - at_) throw std::runtime_error("the file ends early");
    text_ = bytes_.substr(at_, count);
    at_ += count;
  }

  std::string bytes_;
  std::size_t at_ = 0;
  int field_ = 0;
  bool is_number_ = false;
  std::uint64_t number_ = 0;
  std::string text_;
};

inline std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline OnnxModel read_onnx(const std::string& bytes) {
  OnnxModel model;
  for (ProtobufReader file(bytes); file.next();) {
    if (file.field() != 7) continue;
    for (ProtobufReader graph(file.text()); graph.next();) {
      if (graph.field() == 1) {
        OnnxNode node;
        for (ProtobufReader reader(graph.text()); reader.next();) {
          if (reader.field() == 1) node.inputs.push_back(reader.text());
          if (reader.field() == 4) node.type = reader.text();
          if (reader.field() != 5) continue;
          std::string name;
          std::vector<std::int64_t> values;
          for (ProtobufReader attribute(reader.text()); attribute.next();) {
            if (attribute.field() == 1) name = attribute.text();
            if (attribute.field() == 3 || attribute.field() == 8) attribute.integers(values);
          }
          node.attributes[name] = values;
        }
        model.nodes.push_back(node);
      } else if (graph.field() == 5) {
        OnnxTensor tensor;
        std::string name;
        std::vector<std::int64_t> type;
        for (ProtobufReader reader(graph.text()); reader.next();) {
          if (reader.field() == 1) reader.integers(tensor.dims);
          if (reader.field() == 2) reader.integers(type);
          if (reader.field() == 8) name = reader.text();
          if (reader.field() == 9) tensor.raw = reader.text();
        }
        tensor.data_type = type.empty() ? 0 : static_cast<int>(type[0]);
        model.constants[name] = tensor;
      }
    }
  }
  return model;
}

}  // namespace gemel::test
