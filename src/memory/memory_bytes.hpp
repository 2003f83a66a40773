// SPDX-License-Identifier: Apache-2.0
// The bytes of a memory, and which of them can be accessed: addresses from 0 on, less a poisoned range.
#pragma once
#include <cstdint>

namespace gemel {

enum class MemoryFault : std::uint8_t { None, Outside, Poisoned };

// A view: whoever owns the bytes keeps them.
class MemoryBytes {
 public:
  MemoryBytes(std::uint8_t* data, std::uint64_t size) : data_(data), size_(size) {}

  std::uint8_t* data() const { return data_; }
  std::uint64_t size() const { return size_; }
  // Accesses that touch [first, last] are answered with an error, for tests. first > last: none.
  void poison(std::uint64_t first, std::uint64_t last) {
    poison_first_ = first;
    poison_last_ = last;
  }
  MemoryFault fault(std::uint64_t address, std::uint64_t bytes) const {
    if (address >= size_ || bytes > size_ - address) return MemoryFault::Outside;
    const bool poisoned = poison_first_ <= poison_last_ && address <= poison_last_ && poison_first_ < address + bytes;
    return poisoned ? MemoryFault::Poisoned : MemoryFault::None;
  }

 private:
  std::uint8_t* data_;
  std::uint64_t size_;
  std::uint64_t poison_first_ = 1, poison_last_ = 0;
};

// Bytes from the host, all zero, backed when they are touched first.
class MappedBytes {
 public:
  // Throws UserError E0914 if the host cannot map so many.
  explicit MappedBytes(std::uint64_t size);
  ~MappedBytes();
  MappedBytes(const MappedBytes&) = delete;
  MappedBytes& operator=(const MappedBytes&) = delete;
  std::uint8_t* data() const { return data_; }
  std::uint64_t size() const { return size_; }
  void clear();  // all zero again

 private:
  std::uint8_t* data_ = nullptr;
  std::uint64_t size_;
};

}  // namespace gemel
