// SPDX-License-Identifier: Apache-2.0
// Building a block: Verilator, then the C++ compiler, in a folder of the cache.
#pragma once
#include <string>

#include "rtl_host/library.hpp"
#include "rtl_host/sources.hpp"
#include "rtl_host/toolchain.hpp"
#include "rtl_host/wrapper.hpp"

namespace gemel {

struct BuildPlan {
  const RtlRequest& request;
  const RtlSources& sources;
  const Wrapper& wrapper;
  const Toolchain& tools;
  std::string cache;  // writable
  std::string name;   // of the object in it: "HASH.so"; its list is "HASH.so.txt"
};

// Errors as of RtlLibrary::get().
void build_block(const BuildPlan& plan, const RtlHost& host);

}  // namespace gemel
