// SPDX-License-Identifier: Apache-2.0
// The cache folder of compiled RTL. An entry is a file or a folder with a list of its files beside it (.txt: a line
// that describes the entry, then size, hash and name of each file), so that a damaged entry is noticed before it is
// used. What is being made lies in a folder build.* that its process holds locked; it is renamed when it is whole. What
// a killed process left there is removed later.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "rtl_host/library.hpp"

namespace gemel {

// Where compiled RTL is looked for, and where it is kept. A folder that may be read and not written (a team's, one in
// an image) is used for what it holds, and the user's own folder takes what is missing. UserError E1009: it cannot be
// made.
struct RtlCache {
  std::vector<std::string> folders;  // the first one is rtl_cache_folder()
  std::string writable;              // one of them; empty: none can be written
  std::string reason;                // why the first one cannot be written
};
RtlCache open_rtl_cache();

// Tells the host, if it listens.
void warn(const RtlHost& host, const char* code, const std::string& message);

// What the list says of the files in `folder`, or that there is none.
enum class EntryState { Missing, Whole, Damaged };
struct EntryCheck {
  EntryState state = EntryState::Missing;
  std::string damage;  // "`x.so` has 5 bytes instead of 7"
};
EntryCheck check_entry(const std::string& folder, const std::string& list, const std::vector<std::string>& names);
// The text of a list. UserError E1009: a file cannot be read.
std::string entry_list(const std::string& description, const std::string& folder,
                       const std::vector<std::string>& names);

// Puts `from` in the place of `to`, whatever is there. UserError E1009.
void move_into_cache(const std::string& from, const std::string& to);

// One process at a time: others wait. UserError E1009: the file cannot be made; Interrupted.
class FileLock {
 public:
  FileLock(const std::string& path, const std::atomic<bool>* interrupted);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_ = -1;
};

// A folder build.XXXXXX to make an entry in; removed with all that is in it. Making one removes those that ended
// processes left. UserError E1009.
class BuildFolder {
 public:
  explicit BuildFolder(const std::string& cache);
  ~BuildFolder();
  BuildFolder(const BuildFolder&) = delete;
  BuildFolder& operator=(const BuildFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int alive_ = -1;  // locked as long as this process, or one that it has started, lives
};

// Why nothing of a hundred kilobytes can be written in the folder: the system's reason, or empty. Verilator does not
// tell.
std::string why_nothing_can_be_written(const std::string& folder);

}  // namespace gemel
