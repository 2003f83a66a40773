// SPDX-License-Identifier: Apache-2.0
// Queues of the fast models: a FIFO without allocation once it has grown, and the last values of a numbered series. Both are
// powers of two long, so places are found by a mask.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace gemel {

// T is default-constructible; what has been popped stays in its place until it is overwritten.
template <class T>
class Ring {
 public:
  bool empty() const { return first_ == end_; }
  std::size_t size() const { return end_ - first_; }
  T& front() { return places_[first_ & mask_]; }
  const T& front() const { return places_[first_ & mask_]; }
  T& back() { return places_[(end_ - 1) & mask_]; }
  T& operator[](std::size_t i) { return places_[(first_ + i) & mask_]; }
  const T& operator[](std::size_t i) const { return places_[(first_ + i) & mask_]; }
  void push_back(T value) {
    if (size() == capacity_) grow();
    places_[end_++ & mask_] = std::move(value);
  }
  // A place at the end for the caller to fill: it holds what an earlier value left there.
  T& push() {
    if (size() == capacity_) grow();
    return places_[end_++ & mask_];
  }
  void pop_front() { ++first_; }
  void pop_back() { --end_; }
  // Up to so many values stay where they are until they are popped.
  void reserve(std::size_t count) {
    while (capacity_ < count) grow();
  }

 private:
  void grow() {
    std::vector<T> places(capacity_ == 0 ? 16 : 2 * capacity_);
    const std::size_t count = size();
    for (std::size_t i = 0; i < count; ++i) places[i] = std::move((*this)[i]);
    places_ = std::move(places);
    capacity_ = places_.size();
    mask_ = capacity_ - 1;
    first_ = 0;
    end_ = count;
  }

  std::vector<T> places_;
  std::size_t capacity_ = 0, mask_ = 0, first_ = 0, end_ = 0;
};

// Value k of a series that is looked up at most `depth` - 1 places back.
template <class T>
class Recent {
 public:
  explicit Recent(std::size_t depth) {
    std::size_t size = 1;
    while (size < depth) size *= 2;
    values_.resize(size);
    mask_ = size - 1;
  }
  T& operator[](std::int64_t k) { return values_[static_cast<std::size_t>(k) & mask_]; }
  const T& operator[](std::int64_t k) const { return values_[static_cast<std::size_t>(k) & mask_]; }

  // The same values, for a loop that is to keep their place in registers; valid as long as they stay where they are.
  struct Series {
    T* values;
    std::size_t mask;
    T& operator[](std::int64_t k) const { return values[static_cast<std::size_t>(k) & mask]; }
  };
  Series series() { return {values_.data(), mask_}; }

 private:
  std::vector<T> values_;
  std::size_t mask_;
};

inline int log2_of(std::uint64_t power_of_two) {
  int exponent = 0;
  while (power_of_two >> exponent > 1) ++exponent;
  return exponent;
}

}  // namespace gemel
