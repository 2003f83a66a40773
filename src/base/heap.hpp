// SPDX-License-Identifier: Apache-2.0
// For programs, not for libraries: a heap that a short run of hundreds of megabytes fills quickly.
#pragma once

namespace gemel {

// Asks the C library to take all memory from one heap, to keep it, and the kernel to back it by huge pages: tensors then cost one
// page fault per 2 MiB instead of 512. Without effect where the host knows nothing of it. Before the first large allocation.
void prepare_heap();

}  // namespace gemel
