// SPDX-License-Identifier: Apache-2.0
#include "memory/memory_bytes.hpp"

#include <sys/mman.h>

#include <string>

#include "base/error.hpp"

namespace gemel {

MappedBytes::MappedBytes(std::uint64_t size) : size_(size) {
  void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    throw UserError("E0914", "the host cannot map " + std::to_string(size) + " bytes for the simulated memory",
                    "choose a smaller memory.size_bytes");
  }
  data_ = static_cast<std::uint8_t*>(mapped);
  ::madvise(mapped, size, MADV_HUGEPAGE);  // fewer faults where the host does it; a hint
}

void MappedBytes::clear() { ::madvise(data_, size_, MADV_DONTNEED); }

MappedBytes::~MappedBytes() { ::munmap(data_, size_); }

}  // namespace gemel
