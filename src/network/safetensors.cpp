// SPDX-License-Identifier: Apache-2.0
// Safetensors reader and writer. Reader: (1) length and JSON of the header, duplicates included; (2) each tensor by
// itself: type, shape, offsets, size; (3) all together: in order of offset they must cover the data without hole or overlap.
#include "network/safetensors.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/files.hpp"

namespace gemel::safetensors {
namespace {

constexpr std::size_t LengthBytes = 8;
constexpr std::uint64_t MaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr int MaxHeaderDepth = 4;                      // {tensor: {shape: [..]}} needs 3
constexpr int MaxRank = 8;
constexpr std::size_t Alignment = 8;  // the header is padded with spaces, so that the data starts aligned

constexpr Dtype AllDtypes[] = {Dtype::I8, Dtype::U8, Dtype::I32, Dtype::I64, Dtype::F32, Dtype::F64};
constexpr char AllDtypesText[] = "I8, U8, I32, I64, F32, F64";

Diagnostic diagnostic(const char* code, const std::string& file, std::string message, std::string hint = {}) {
  Diagnostic d;
  d.code = code;
  d.file = file;
  d.message = std::move(message);
  d.hint = std::move(hint);
  return d;
}

[[noreturn]] void fail(const char* code, const std::string& file, std::string message, std::string hint = {}) {
  throw UserError(std::vector<Diagnostic>{diagnostic(code, file, std::move(message), std::move(hint))});
}

std::string errno_text() { return std::strerror(errno); }

// Refuses what a DOM would hide: names that stand twice, and depth.
class HeaderGuard {
 public:
  bool operator()(int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > MaxHeaderDepth) throw std::invalid_argument("it is nested too deeply");
    if (event == Event::object_start) {
      keys_[depth + 1].clear();
    } else if (event == Event::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_[depth].insert(key).second) throw std::invalid_argument("the name `" + key + "` stands twice");
    }
    return true;
  }

 private:
  std::array<std::set<std::string>, MaxHeaderDepth + 2> keys_;  // of the object that is open, one level up
};

std::string shape_to_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

// False if the product does not fit.
bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

// One entry of the header. Returns why it is wrong, or an empty string.
std::string parse_entry(const nlohmann::json& entry, std::uint64_t data_bytes, View& view, std::uint64_t& begin) {
  if (!entry.is_object()) return "its entry is not an object";
  for (const auto& [key, value] : entry.items()) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") return "its entry has an unknown key `" + key + "`";
    (void)value;
  }
  const auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string()) return "it has no `dtype`";
  const auto& dtype_name = dtype->get_ref<const std::string&>();
  const auto* known = std::find_if(std::begin(AllDtypes), std::end(AllDtypes),
                                   [&](Dtype d) { return dtype_name == to_string(d); });
  if (known == std::end(AllDtypes)) return "its type `" + dtype_name + "` is not one of " + AllDtypesText;
  view.dtype = *known;

  const auto shape = entry.find("shape");
  if (shape == entry.end() || !shape->is_array()) return "it has no `shape`";
  if (shape->size() > MaxRank) return "it has more than " + std::to_string(MaxRank) + " dimensions";
  std::uint64_t expected = static_cast<std::uint64_t>(size_bytes(view.dtype));
  for (const auto& dimension : *shape) {
    if (!dimension.is_number_unsigned()) return "its `shape` holds " + dimension.dump() + ", which is no length";
    const auto length = dimension.get<std::uint64_t>();
    if (length > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) ||
        !multiply(expected, length, expected))
      return "its `shape` is larger than any file";
    view.shape.push_back(static_cast<std::int64_t>(length));
  }

  const auto offsets = entry.find("data_offsets");
  if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2 || !(*offsets)[0].is_number_unsigned() ||
      !(*offsets)[1].is_number_unsigned())
    return "its `data_offsets` are not two positions";
  begin = (*offsets)[0].get<std::uint64_t>();
  const auto end = (*offsets)[1].get<std::uint64_t>();
  if (begin > end) return "it ends (" + std::to_string(end) + ") before it begins (" + std::to_string(begin) + ")";
  if (end > data_bytes)
    return "it ends at byte " + std::to_string(end) + ", but the file holds " + std::to_string(data_bytes) +
           " bytes of data";
  if (end - begin != expected)
    return "it occupies " + std::to_string(end - begin) + " bytes, but " + to_string(view.dtype) + " " +
           shape_to_text(view.shape) + " needs " + std::to_string(expected);
  view.bytes = static_cast<std::size_t>(expected);
  return {};
}

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

const char* to_string(Dtype dtype) {
  switch (dtype) {
    case Dtype::I8: return "I8";
    case Dtype::U8: return "U8";
    case Dtype::I32: return "I32";
    case Dtype::I64: return "I64";
    case Dtype::F32: return "F32";
    case Dtype::F64: return "F64";
  }
  throw InternalError("a Dtype without a name");
}

int size_bytes(Dtype dtype) {
  switch (dtype) {
    case Dtype::I8:
    case Dtype::U8: return 1;
    case Dtype::I32:
    case Dtype::F32: return 4;
    case Dtype::I64:
    case Dtype::F64: return 8;
  }
  throw InternalError("a Dtype without a size");
}

std::int64_t View::elements() const {
  return static_cast<std::int64_t>(bytes) / size_bytes(dtype);
}

std::string View::shape_text() const { return shape_to_text(shape); }

File File::open(const std::string& path) {
  Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() < 0) fail("E0301", path, "cannot open `" + path + "`: " + errno_text());
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) fail("E0301", path, "cannot read `" + path + "`: " + errno_text());
  if (!S_ISREG(status.st_mode)) fail("E0301", path, "cannot read `" + path + "`: it is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  File file;
  file.path_ = path;
  file.bytes_.reset(new std::uint8_t[std::max<std::size_t>(size, 1)]);  // left uninitialized: it is read over at once
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = ::read(descriptor.get(), file.bytes_.get() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("E0301", path, "cannot read `" + path + "`: " + errno_text());
    if (got == 0) fail("E0301", path, "`" + path + "` became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
  file.parse(size);
  return file;
}

File File::from_bytes(const void* bytes, std::size_t size, const std::string& name) {
  File file;
  file.path_ = name;
  file.bytes_.reset(new std::uint8_t[std::max<std::size_t>(size, 1)]);
  if (size > 0) std::memcpy(file.bytes_.get(), bytes, size);
  file.parse(size);
  return file;
}

void File::parse(std::size_t size) {
  if (size < LengthBytes)
    fail("E0302", path_, "this is no safetensors file: it has " + std::to_string(size) + " bytes, and 8 hold the header's length");
  std::uint64_t header_bytes = 0;
  for (int i = LengthBytes - 1; i >= 0; --i) header_bytes = header_bytes << 8 | bytes_[i];
  if (header_bytes > MaxHeaderBytes)
    fail("E0302", path_,
         "this is no safetensors file: its header would have " + std::to_string(header_bytes) + " bytes, more than 100000000");
  if (header_bytes > size - LengthBytes)
    fail("E0302", path_,
         "the header says it has " + std::to_string(header_bytes) + " bytes, but only " +
             std::to_string(size - LengthBytes) + " follow",
         "the file may be truncated");

  const char* text = reinterpret_cast<const char*>(bytes_.get()) + LengthBytes;
  if (std::memchr(text, '\0', static_cast<std::size_t>(header_bytes)))  // nlohmann takes it for the end, and skips the rest
    fail("E0302", path_, "the header is not JSON: it has a zero byte in it");
  nlohmann::json header;
  try {
    header = nlohmann::json::parse(text, text + header_bytes, HeaderGuard());
  } catch (const nlohmann::json::parse_error& error) {
    fail("E0302", path_, "the header is not JSON: it breaks off or errs at byte " + std::to_string(error.byte));
  } catch (const nlohmann::json::exception&) {
    fail("E0302", path_, "the header is not JSON: a number is out of range");
  } catch (const std::invalid_argument& error) {
    fail("E0302", path_, std::string("the header is refused: ") + error.what());
  }
  if (!header.is_object()) fail("E0302", path_, "the header is not a JSON object");

  const std::uint64_t data_bytes = size - LengthBytes - header_bytes;
  const std::uint8_t* data = bytes_.get() + LengthBytes + header_bytes;
  std::vector<Diagnostic> errors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) fail("E0302", path_, "`__metadata__` is not an object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) fail("E0302", path_, "`__metadata__` key `" + key + "` is not a string");
        metadata_[key] = value.get<std::string>();
      }
      continue;
    }
    View view;
    view.name = name;
    std::uint64_t begin = 0;
    const std::string problem = parse_entry(entry, data_bytes, view, begin);
    if (!problem.empty()) {
      errors.push_back(diagnostic("E0303", path_, "tensor `" + name + "`: " + problem));
      continue;
    }
    view.data = data + begin;
    tensors_.push_back(std::move(view));
  }
  if (!errors.empty()) throw UserError(std::move(errors));

  // Empty tensors sort before the one that starts where they stand, so the cover below is one pass.
  std::vector<const View*> by_offset;
  for (const View& view : tensors_) by_offset.push_back(&view);
  std::sort(by_offset.begin(), by_offset.end(), [](const View* a, const View* b) {
    return a->data != b->data ? a->data < b->data : a->bytes < b->bytes;
  });
  const std::uint8_t* covered = data;
  const View* previous = nullptr;
  for (const View* view : by_offset) {
    if (view->data < covered)
      errors.push_back(diagnostic("E0303", path_, "tensor `" + view->name + "`: it overlaps `" + previous->name + "`"));
    else if (view->data > covered)
      errors.push_back(diagnostic("E0303", path_, "tensor `" + view->name + "`: " + std::to_string(view->data - covered) +
                                                      " bytes before it belong to no tensor"));
    if (view->data + view->bytes >= covered) {
      covered = view->data + view->bytes;
      previous = view;
    }
  }
  if (covered != data + data_bytes)
    errors.push_back(diagnostic("E0303", path_, "the last " + std::to_string(data + data_bytes - covered) +
                                                    " bytes of the file belong to no tensor"));
  if (!errors.empty()) throw UserError(std::move(errors));
  // nlohmann's objects are ordered by key, so tensors_ already is by name: find() relies on it.
}

const View* File::find(std::string_view name) const {
  const auto found = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                      [](const View& view, std::string_view n) { return view.name < n; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

const View& File::require(std::string_view name, Dtype dtype) const {
  const View* view = find(name);
  if (!view) fail("E0304", path_, "there is no tensor `" + std::string(name) + "`");
  if (view->dtype != dtype)
    fail("E0305", path_, "tensor `" + view->name + "` is " + to_string(view->dtype) + ", and " + to_string(dtype) + " is needed");
  return *view;
}

void File::copy(const View& view, void* out) {
  if (view.bytes > 0) std::memcpy(out, view.data, view.bytes);
}

void Writer::add(const std::string& name, Dtype dtype, std::vector<std::int64_t> shape, const void* data) {
  std::uint64_t bytes = static_cast<std::uint64_t>(size_bytes(dtype));
  for (const std::int64_t length : shape)
    if (length < 0 || !multiply(bytes, static_cast<std::uint64_t>(length), bytes))
      throw InternalError("tensor `" + name + "` has the shape " + shape_to_text(shape));
  for (const Item& item : items_)
    if (item.name == name) throw InternalError("tensor `" + name + "` is written twice");
  if (name == "__metadata__") throw InternalError("a tensor cannot be called `__metadata__`");
  items_.push_back({name, dtype, std::move(shape), data, static_cast<std::size_t>(bytes)});
}

std::string Writer::header() const {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata_.empty()) header["__metadata__"] = metadata_;
  std::uint64_t offset = 0;
  for (const Item& item : items_) {
    header[item.name] = {{"dtype", to_string(item.dtype)},
                         {"shape", item.shape},
                         {"data_offsets", {offset, offset + item.bytes}}};
    offset += item.bytes;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((Alignment - (LengthBytes + text.size()) % Alignment) % Alignment, ' ');
  std::string out(LengthBytes, '\0');
  for (std::size_t i = 0; i < LengthBytes; ++i) out[i] = static_cast<char>(std::uint64_t{text.size()} >> (8 * i));
  return out + text;
}

void Writer::write(const std::string& path) const { write_file_atomically(path, bytes()); }

std::string Writer::bytes() const {
  std::string out = header();
  std::size_t size = out.size();
  for (const Item& item : items_) size += item.bytes;
  out.reserve(size);
  for (const Item& item : items_) out.append(static_cast<const char*>(item.data), item.bytes);
  return out;
}

}  // namespace gemel::safetensors
