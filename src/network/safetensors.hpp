// SPDX-License-Identifier: Apache-2.0
// Safetensors files: named tensors and string metadata in one file. Knows nothing of networks: the tensors of a workload
// and the schedules (.gemel) both use it. A file is an 8-byte little-endian header length, a JSON header, and the data.
// Reading checks everything before anything is used: lengths, JSON, types, shapes, offsets, overlaps, duplicates.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::safetensors {

enum class Dtype : std::uint8_t { I8, U8, I32, I64, F32, F64 };
const char* to_string(Dtype dtype);  // as the file spells it: "I8", ...
int size_bytes(Dtype dtype);

// Maps a C++ element type to its Dtype.
template <class T> struct DtypeOf;
template <> struct DtypeOf<std::int8_t> { static constexpr Dtype value = Dtype::I8; };
template <> struct DtypeOf<std::uint8_t> { static constexpr Dtype value = Dtype::U8; };
template <> struct DtypeOf<std::int32_t> { static constexpr Dtype value = Dtype::I32; };
template <> struct DtypeOf<std::int64_t> { static constexpr Dtype value = Dtype::I64; };
template <> struct DtypeOf<float> { static constexpr Dtype value = Dtype::F32; };
template <> struct DtypeOf<double> { static constexpr Dtype value = Dtype::F64; };

// One tensor of an open file. `data` points into the File that gave it and may be unaligned for its element type.
struct View {
  std::string name;
  Dtype dtype = Dtype::U8;
  std::vector<std::int64_t> shape;
  const std::uint8_t* data = nullptr;
  std::size_t bytes = 0;

  std::int64_t elements() const;
  std::string shape_text() const;  // "[16, 3, 3, 8]"
};

// A file that was read and checked whole. Movable; views stay valid as long as it lives.
class File {
 public:
  // Throw UserError: E0301 (cannot be read), E0302 (header) or E0303 (tensors; all that are wrong, at once).
  static File open(const std::string& path);
  static File from_bytes(const void* bytes, std::size_t size, const std::string& name);  // copies

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::vector<View>& tensors() const { return tensors_; }  // by name
  const View* find(std::string_view name) const;                 // nullptr if there is none

  // The elements of a tensor, or UserError E0304 (missing) or E0305 (another type).
  template <class T>
  std::vector<T> read(std::string_view name) const {
    const View& view = require(name, DtypeOf<T>::value);
    std::vector<T> out(view.bytes / sizeof(T));
    copy(view, out.data());
    return out;
  }
  const View& require(std::string_view name, Dtype dtype) const;

 private:
  File() = default;
  void parse(std::size_t size);
  static void copy(const View& view, void* out);

  std::string path_;
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::map<std::string, std::string> metadata_;
  std::vector<View> tensors_;
};

// Collects tensors and writes them. Data is not copied: it must live until write() has returned.
class Writer {
 public:
  void set_metadata(const std::string& key, std::string value) { metadata_[key] = std::move(value); }
  void add(const std::string& name, Dtype dtype, std::vector<std::int64_t> shape, const void* data);
  template <class T>
  void add(const std::string& name, std::vector<std::int64_t> shape, const T* data) {
    add(name, DtypeOf<T>::value, std::move(shape), data);
  }

  void write(const std::string& path) const;  // atomically; UserError as write_file_atomically() (base/files.hpp)
  std::string bytes() const;                  // what write() would write

 private:
  struct Item {
    std::string name;
    Dtype dtype;
    std::vector<std::int64_t> shape;
    const void* data;
    std::size_t bytes;
  };
  std::string header() const;

  std::map<std::string, std::string> metadata_;
  std::vector<Item> items_;
};

}  // namespace gemel::safetensors
