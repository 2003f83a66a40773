// SPDX-License-Identifier: Apache-2.0
#include "base/heap.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#include <sys/mman.h>
#endif

namespace gemel {

void prepare_heap() {
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)  // a sanitizer has a heap of its own
  constexpr std::size_t Room = std::size_t{512} << 20, HugePage = std::size_t{2} << 20;
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  // Address space only: nothing of it is touched before somebody needs it.
  void* room = std::malloc(Room);
  if (room == nullptr) return;
  const auto first = (reinterpret_cast<std::uintptr_t>(room) + HugePage - 1) / HugePage * HugePage;
  ::madvise(reinterpret_cast<void*>(first), Room - HugePage, MADV_HUGEPAGE);
  std::free(room);
#endif
}

}  // namespace gemel
