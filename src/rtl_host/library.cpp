// SPDX-License-Identifier: Apache-2.0
// Compiled blocks: found in the cache or built, checked, loaded, and driven through the C interface of
// wrapper/block.cpp.
#include "rtl_host/library.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <new>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "rtl_host/build.hpp"
#include "rtl_host/cache.hpp"
#include "rtl_host/sources.hpp"
#include "rtl_host/toolchain.hpp"
#include "rtl_host/wrapper.hpp"

namespace gemel {
namespace fs = std::filesystem;
namespace {

// What a call across the C interface may say; the same numbers stand in wrapper/block.cpp.
enum CallResult { CallDone = 0, CallStopped = 1, CallUnsettled = 2, CallNoMemory = 3 };

class SharedObject {
 public:
  explicit SharedObject(const std::string& path) : handle_(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ != nullptr) return;
    const char* reason = ::dlerror();  // a file system from which nothing may be run, for one
    throw UserError(
        "E1009",
        "a compiled block cannot be loaded from the cache folder: " + std::string(reason != nullptr ? reason : path),
        "set GEMEL_CACHE to another folder");
  }
  ~SharedObject() { ::dlclose(handle_); }
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;

  template <class Function>
  void get(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(::dlsym(handle_, name));
    if (function == nullptr) throw InternalError(std::string("a compiled block lacks the function `") + name + "`");
  }

 private:
  void* handle_;
};

class LoadedModel;

constexpr unsigned long long MaxStateBytes = 1ull << 30;  // of one instance

class LoadedLibrary : public RtlLibrary, public std::enable_shared_from_this<LoadedLibrary> {
 public:
  LoadedLibrary(const std::string& path, RtlRequest request)
      : path_(path), request_(std::move(request)), object_(path) {
    unsigned long long (*bytes_of)() = nullptr;
    object_.get(bytes_of, "gemel_bytes");
    if (const unsigned long long bytes = bytes_of(); bytes > MaxStateBytes) {
      throw UserError("E1014",
                      "block `" + request_.block + "` has " + std::to_string(bytes >> 20) +
                          " MiB of registers and memories; the limit is " + std::to_string(MaxStateBytes >> 20) +
                          " MiB",
                      "is an array in it much larger than it should be?");
    }
    object_.get(create_, "gemel_create");
    object_.get(destroy_, "gemel_destroy");
    object_.get(eval_, "gemel_eval");
    object_.get(clocked_, "gemel_clock");
    object_.get(clocks_by_eval_, "gemel_clocks_by_eval");
    object_.get(reason_, "gemel_reason");
    object_.get(listen_, "gemel_listen");
    object_.get(port_, "gemel_port");
    if (request_.trace) {
      object_.get(open_, "gemel_waves_open");
      object_.get(dump_, "gemel_waves_dump");
      object_.get(close_, "gemel_waves_close");
    }
    if (!request_.coverage.empty()) object_.get(coverage_, "gemel_coverage");
    for (const PortSpec& spec : expected_ports(request_)) widths_[spec.name] = spec.width;
  }
  std::unique_ptr<RtlModel> create(int seed, RtlPulse* pulse) override;
  const std::string& path() const override { return path_; }

 private:
  friend class LoadedModel;
  std::string path_;
  RtlRequest request_;
  SharedObject object_;
  std::map<std::string, int> widths_;
  void* (*create_)(int) = nullptr;
  void (*destroy_)(void*) = nullptr;
  int (*eval_)(void*) = nullptr;
  int (*clocked_)(void*) = nullptr;
  long long (*clocks_by_eval_)(void*) = nullptr;
  const char* (*reason_)() = nullptr;
  void (*listen_)(void*, void (*)(void*, const char*), void*) = nullptr;
  void* (*port_)(void*, const char*) = nullptr;
  void (*open_)(void*, const char*) = nullptr;
  void (*dump_)(void*, long long) = nullptr;
  void (*close_)(void*) = nullptr;
  int (*coverage_)(void*, const char*) = nullptr;
};

class LoadedModel : public RtlModel {
 public:
  LoadedModel(std::shared_ptr<LoadedLibrary> library, int seed, RtlPulse* pulse)
      : library_(std::move(library)), pulse_(pulse != nullptr ? *pulse : unwatched_), model_(library_->create_(seed)) {
    if (model_ == nullptr) throw std::bad_alloc();
    clock_ = port("clk_i").bytes;
    reset_ = port("rst_ni").bytes;
    quiet_ = port("quiet_o").bytes;
    eval_ = library_->eval_;
    clocked_ = library_->clocked_;
  }
  ~LoadedModel() override {
    if (library_->coverage_ != nullptr) write_counts();
    library_->destroy_(model_);
  }
  void listen(RtlListener listener) override {
    listener_ = std::move(listener);
    library_->listen_(
        model_, [](void* of, const char* text) { (*static_cast<RtlListener*>(of))(text); }, &listener_);
  }
  RtlPort port(const std::string& name) override {
    void* bytes = library_->port_(model_, name.c_str());
    if (bytes == nullptr) throw InternalError("block `" + library_->request_.block + "` has no port `" + name + "`");
    return {static_cast<std::uint8_t*>(bytes), library_->widths_.at(name)};
  }
  void set_clock(bool high) override {
    *clock_ = high ? 1 : 0;
    clocks_ += high ? 1 : 0;
  }
  void set_reset(bool active) override {
    // Verilator resets registers at the edge of an asynchronous reset, not by its level. The edge is made between two
    // clocks: if it came with a clock, or never, as at power-up, a write enable that holds anything would write a word
    // of its SRAM in that clock.
    if (active) {
      *reset_ = 1;
      eval();
    }
    *reset_ = active ? 0 : 1;
    if (active) eval();
    clocks_ = -1;  // one more clock belongs to the reset
  }
  void eval() override { call(eval_); }
  void clock() override {
    ++clocks_;
    call(clocked_);
  }
  bool quiet() const override { return *quiet_ != 0; }
  std::int64_t clocks_by_eval() const override { return library_->clocks_by_eval_(model_); }
  void open_waves(const std::string& path) override { library_->open_(model_, path.c_str()); }
  void dump_waves(std::int64_t time) override { library_->dump_(model_, time); }
  void close_waves() override { library_->close_(model_); }

 private:
  // A file of its own for each instance. Whoever merges them notices those that could not be written.
  void write_counts() {
    const std::string base =
        library_->request_.coverage + "/" + library_->request_.block + "." + std::to_string(::getpid()) + ".";
    int n = 0;
    while (fs::exists(base + std::to_string(n) + ".dat")) ++n;
    library_->coverage_(model_, (base + std::to_string(n) + ".dat").c_str());
  }
  void call(int (*function)(void*)) {
    constexpr auto Relaxed = std::memory_order_relaxed;  // plain stores: only this thread writes
    pulse_.clock.store(clocks_, Relaxed);
    pulse_.evaluations.store(pulse_.evaluations.load(Relaxed) + 1, Relaxed);
    pulse_.block.store(library_->request_.block.c_str(), Relaxed);
    const int result = function(model_);
    pulse_.block.store(nullptr, Relaxed);
    if (result != CallDone) refuse(result);
  }
  [[noreturn]] void refuse(int result) const {
    if (result == CallNoMemory) throw std::bad_alloc();
    const std::string where =
        "block `" + library_->request_.block + "`, clock " + std::to_string(std::max<std::int64_t>(0, clocks_)) + ": ";
    if (result == CallUnsettled) {
      throw UserError("E1013", where + "a combinational loop does not settle: " + library_->reason_(),
                      "`verilator --lint-only -Wall` on the source names the wires (UNOPTFLAT)");
    }
    throw RunError("E1012", where + "the Verilog ended the simulation: " + library_->reason_());
  }

  std::shared_ptr<LoadedLibrary> library_;
  RtlListener listener_;
  RtlPulse unwatched_;
  RtlPulse& pulse_;
  void* model_;
  std::int64_t clocks_ = 0;  // since reset
  std::uint8_t* clock_ = nullptr;
  std::uint8_t* reset_ = nullptr;
  std::uint8_t* quiet_ = nullptr;
  int (*eval_)(void*) = nullptr;
  int (*clocked_)(void*) = nullptr;
};

std::unique_ptr<RtlModel> LoadedLibrary::create(int seed, RtlPulse* pulse) {
  return std::make_unique<LoadedModel>(shared_from_this(), seed, pulse);
}

// All that decides what a compiled block is.
std::string key_of(const RtlRequest& request, const RtlSources& sources, const Wrapper& wrapper,
                   const Toolchain& tools) {
  std::string key = "gemel rtl 7\n" + tools.verilator + tools.compiler_and_processor + module_of(request.block) + "\n";
  for (const auto& [name, value] : request.parameters) key += name + "=" + std::to_string(value) + "\n";
  key += std::string(request.trace ? "t" : "-") + (request.random_reset ? "r" : "-") +
         (request.coverage.empty() ? "" : "c") + "\n";
  for (const std::string& define : wrapper.defines) key += define + "\n";
  return key + wrapper.ports + wrapper.text + text_of(sources);
}

}  // namespace

std::string rtl_tool_version() {
  const RtlCache cache = open_rtl_cache();
  return toolchain(cache.folders, cache.writable).verilator;
}

std::shared_ptr<RtlLibrary> RtlLibrary::get(const RtlRequest& request, const RtlHost& host) {
  build_seconds();  // a wrong setting is told whether something has to be built or not
  const RtlCache cache = open_rtl_cache();
  const Toolchain& tools = toolchain(cache.folders, cache.writable);
  const RtlSources sources = sources_of(request);
  const Wrapper wrapper = wrapper_of(request, tools.version);
  const std::string hash = content_hash(key_of(request, sources, wrapper, tools)), name = hash + ".so";
  const auto check_in = [&](const std::string& folder) {
    return check_entry(folder, folder + "/" + name + ".txt", {name});
  };
  const auto load_from = [&](const std::string& folder) {
    return std::make_shared<LoadedLibrary>(folder + "/" + name, request);
  };
  // Files come into the cache by renaming and are never written again, so a whole entry needs no lock.
  for (const std::string& folder : cache.folders) {
    if (check_in(folder).state == EntryState::Whole) return load_from(folder);
  }
  if (cache.writable.empty()) {
    throw UserError("E1009",
                    "the cache folder cannot be written: " + cache.folders.front() + ": " + cache.reason + "; block `" +
                        request.block + "` is not in it",
                    "set GEMEL_CACHE to another folder");
  }
  const FileLock lock(cache.writable + "/" + hash + ".lock", host.interrupted);
  for (const std::string& folder : cache.folders) {  // what is damaged, and not just being put there by somebody else
    const EntryCheck check = check_in(folder);
    if (check.state == EntryState::Whole) return load_from(folder);
    if (check.state == EntryState::Damaged) {
      warn(host, "E1020",
           "block `" + request.block + "` in the cache folder " + folder + " is damaged: " + check.damage +
               "; built again");
    }
  }
  if (cache.writable != cache.folders.front()) {
    warn(host, "E1021",
         "the cache folder cannot be written: " + cache.folders.front() + ": " + cache.reason + "; block `" +
             request.block + "` is built in " + cache.writable);
  }
  build_block({request, sources, wrapper, tools, cache.writable, name}, host);
  return load_from(cache.writable);
}

}  // namespace gemel
