// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/cache.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "rtl_host/toolchain.hpp"

namespace gemel {
namespace fs = std::filesystem;
namespace {

constexpr const char* BuildPrefix = "build.";
constexpr const char* AliveName = "alive";

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw UserError("E1009", "the cache folder cannot be written: " + path + ": " + reason,
                  "set GEMEL_CACHE to another folder");
}

std::string users_own_folder() {
  if (const char* folder = std::getenv("XDG_CACHE_HOME"); folder != nullptr && *folder != '\0')
    return std::string(folder) + "/gemel";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr && *home != '\0' ? home : "/tmp") + "/.cache/gemel";
}

std::optional<std::string> contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path)) return {};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool starts_with(const std::string& name, const std::string& prefix) { return name.rfind(prefix, 0) == 0; }

// Whether the process that made a folder build.*, or one that it started, still lives. One without a lock yet may have
// just been made.
bool is_alive(const fs::path& folder) {
  const int file = ::open((folder / AliveName).c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) {
    std::error_code failed;
    const auto age = fs::file_time_type::clock::now() - fs::last_write_time(folder, failed);
    return !failed && age < std::chrono::minutes(10);
  }
  const bool alive = ::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return alive;
}

// Removes what ended processes left behind.
void remove_leftovers(const std::string& cache) {
  std::error_code ignored;
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(cache, ignored)) {
    if (starts_with(entry.path().filename(), BuildPrefix) && !is_alive(entry.path())) left.push_back(entry.path());
  }
  for (const fs::path& path : left) fs::remove_all(path, ignored);
}

std::int64_t bytes_of(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return static_cast<std::int64_t>(fs::file_size(path, ignored));
  std::int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path, ignored)) {
    if (entry.is_regular_file(ignored)) bytes += static_cast<std::int64_t>(entry.file_size(ignored));
  }
  return bytes;
}

}  // namespace

std::string rtl_cache_folder() {
  const char* folder = std::getenv("GEMEL_CACHE");
  const std::string path = folder != nullptr && *folder != '\0' ? folder : users_own_folder();
  return fs::absolute(path);  // compilers work in other folders
}

RtlCache open_rtl_cache() {
  RtlCache cache;
  const std::string first = rtl_cache_folder();
  std::error_code failed;
  fs::create_directories(first, failed);
  if (failed) refuse(first, failed.message());
  cache.folders.push_back(first);
  if (::access(first.c_str(), W_OK | X_OK) == 0) {
    cache.writable = first;
    return cache;
  }
  cache.reason = std::strerror(errno);
  const std::string own = fs::absolute(users_own_folder());
  fs::create_directories(own, failed);
  if (failed || own == first) return cache;
  cache.folders.push_back(own);
  if (::access(own.c_str(), W_OK | X_OK) == 0) cache.writable = own;
  return cache;
}

void warn(const RtlHost& host, const char* code, const std::string& message) {
  if (!host.notice) return;
  Diagnostic warning;
  warning.code = code;
  warning.message = message;
  warning.severity = Severity::Warning;
  host.notice(warning);
}

EntryCheck check_entry(const std::string& folder, const std::string& list, const std::vector<std::string>& names) {
  const auto damaged = [](const std::string& text) { return EntryCheck{EntryState::Damaged, text}; };
  const auto text = contents(list);
  const auto there = [&](const std::string& name) { return fs::exists(folder + "/" + name); };
  if (!text) {
    if (std::none_of(names.begin(), names.end(), there)) return {};
    return damaged("`" + fs::path(list).filename().string() + "` is missing");
  }
  std::istringstream lines(*text);
  std::string description;
  std::getline(lines, description);
  std::size_t listed = 0;
  for (std::string hash, name; true; ++listed) {
    std::size_t bytes = 0;
    if (!(lines >> bytes >> hash >> name)) break;
    if (listed >= names.size() || name != names[listed]) return damaged("its list is not that of this entry");
    const auto found = contents(folder + "/" + name);
    if (!found) return damaged("`" + name + "` is missing");
    if (found->size() != bytes)
      return damaged("`" + name + "` has " + std::to_string(found->size()) + " bytes instead of " +
                     std::to_string(bytes));
    if (content_hash(*found) != hash) return damaged("the contents of `" + name + "` are not those that were written");
  }
  if (listed != names.size()) return damaged("its list is not complete");
  return {EntryState::Whole, ""};
}

std::string entry_list(const std::string& description, const std::string& folder,
                       const std::vector<std::string>& names) {
  std::string text = description;
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, '?');  // names of sources may hold anything
  text += "\n";
  for (const std::string& name : names) {
    const auto found = contents(folder + "/" + name);
    if (!found) refuse(folder + "/" + name, "it cannot be read again");
    text += std::to_string(found->size()) + " " + content_hash(*found) + " " + name + "\n";
  }
  return text;
}

void move_into_cache(const std::string& from, const std::string& to) {
  std::error_code failed;
  fs::rename(from, to, failed);
  if (failed && fs::is_directory(to)) {  // a folder takes the place of an empty one only
    fs::remove_all(to, failed);
    fs::rename(from, to, failed);
  }
  if (failed) refuse(to, failed.message());
}

FileLock::FileLock(const std::string& path, const std::atomic<bool>* interrupted)
    : descriptor_(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) refuse(path, std::strerror(errno));
  for (int sleep_ms = 1; ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0; sleep_ms = std::min(2 * sleep_ms, 50)) {
    if (errno != EWOULDBLOCK && errno != EINTR) break;  // a file system without locks
    if (interrupted != nullptr && interrupted->load()) {
      ::close(descriptor_);
      throw Interrupted("interrupted while another process was building the same RTL");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(sleep_ms));
  }
}

FileLock::~FileLock() { ::close(descriptor_); }

BuildFolder::BuildFolder(const std::string& cache) {
  remove_leftovers(cache);
  std::string pattern = cache + "/" + BuildPrefix + "XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) refuse(cache, std::strerror(errno));
  path_ = pattern;
  // Not O_CLOEXEC: a compiler that outlives this process keeps the folder, until it has ended, too.
  // It gets its name when it is locked: unlocked under that name, even for a moment, it would tell others that nobody is here any more.
  const std::string name = path_ + "/" + AliveName, unlocked = name + ".new";
  alive_ = ::open(unlocked.c_str(), O_CREAT | O_RDWR, 0666);
  if (alive_ >= 0) ::flock(alive_, LOCK_EX | LOCK_NB);
  std::error_code ignored;  // without it the folder counts as alive while it is young
  fs::rename(unlocked, name, ignored);
}

BuildFolder::~BuildFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (alive_ >= 0) ::close(alive_);
}

std::string why_nothing_can_be_written(const std::string& folder) {
  const std::string path = folder + "/probe";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return std::strerror(errno);
  const std::string bytes(100'000, 'x');
  std::string reason;
  const ssize_t written = ::write(file, bytes.data(), bytes.size());
  if (written < 0) reason = std::strerror(errno);
  if (written >= 0 && static_cast<std::size_t>(written) < bytes.size()) reason = std::strerror(ENOSPC);
  if (::close(file) != 0 && reason.empty()) reason = std::strerror(errno);
  ::unlink(path.c_str());
  return reason;
}

std::vector<RtlCacheEntry> list_rtl_cache() {
  std::vector<RtlCacheEntry> entries;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(rtl_cache_folder(), ignored)) {
    RtlCacheEntry e;
    const fs::path& path = entry.path();
    e.hash = path.stem();
    e.bytes = bytes_of(path);
    if (path.extension() == ".so") {
      std::ifstream text(path.string() + ".txt");
      std::getline(text, e.description);
    } else if (starts_with(path.filename(), BuildPrefix)) {
      e.hash = path.filename();
      e.state = is_alive(path) ? RtlCacheEntry::State::BeingBuilt : RtlCacheEntry::State::LeftOver;
      e.description = e.state == RtlCacheEntry::State::BeingBuilt
                          ? "(being built)"
                          : "(left by a process that was killed; the next build removes it)";
    } else {
      continue;
    }
    entries.push_back(e);
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.state, a.description) < std::tie(b.state, b.description);
  });
  return entries;
}

std::int64_t clear_rtl_cache() {
  std::int64_t bytes = 0;
  std::error_code ignored;
  std::vector<fs::path> all;
  for (const auto& entry : fs::directory_iterator(rtl_cache_folder(), ignored)) all.push_back(entry.path());
  for (const fs::path& path : all) {
    const std::string name = path.filename();
    const bool build = starts_with(name, BuildPrefix);
    const bool ours = build || path.extension() == ".so" || path.extension() == ".lock" ||
                      name.find(".so.txt") != std::string::npos || starts_with(name, "runtime.") ||
                      is_remembered_answer(name);
    if (!ours || (build && is_alive(path))) continue;
    const std::int64_t here = bytes_of(path);
    if (fs::remove_all(path, ignored) > 0) bytes += here;
  }
  return bytes;
}

}  // namespace gemel
