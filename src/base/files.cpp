// SPDX-License-Identifier: Apache-2.0
// Whole files or none; see files.hpp. POSIX calls rather than streams: a stream does not say why it failed, nor always that.
#include "base/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/error.hpp"

namespace gemel {
namespace {

// The file beside the target. The process number keeps two runs into one folder apart.
std::string temporary_name(const std::string& path) { return path + ".part" + std::to_string(::getpid()); }

[[noreturn]] void refuse(const std::string& path, int reason) {
  throw UserError("E0902", "cannot write `" + path + "`: " + std::strerror(reason),
                  reason == ENOSPC || reason == EDQUOT || reason == EFBIG
                      ? "nothing was left behind; make room, or choose another folder with --out"
                      : "nothing was left behind; choose another folder with --out");
}

}  // namespace

void write_file_atomically(const std::string& path, std::string_view contents) {
  const std::string temporary = temporary_name(path);
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) refuse(path, errno);
  int reason = 0;
  while (!contents.empty() && reason == 0) {
    const ssize_t written = ::write(file, contents.data(), contents.size());
    if (written >= 0) {
      contents.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      reason = errno;
    }
  }
  // Some file systems tell only at close that the disk is full.
  if (::close(file) != 0 && reason == 0) reason = errno;
  if (reason == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) reason = errno;
  if (reason != 0) {
    ::unlink(temporary.c_str());
    refuse(path, reason);
  }
}

void require_writable(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) refuse(path, EISDIR);
  const std::string probe = temporary_name(path);
  const int file = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) refuse(path, errno);
  ::close(file);
  ::unlink(probe.c_str());
}

void make_output_folder(const std::string& path) {
  const auto refuse_folder = [&](int reason) {
    throw UserError("E0901", "cannot write into folder `" + path + "`: " + std::strerror(reason),
                    "choose another folder with --out");
  };
  std::error_code problem;
  std::filesystem::create_directories(path, problem);
  if (problem) refuse_folder(problem.value());
  if (!std::filesystem::is_directory(path, problem)) refuse_folder(ENOTDIR);
  // Permissions alone do not tell (root, read-only mounts): try.
  const std::string probe = temporary_name(path + "/probe");
  const int file = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) refuse_folder(errno);
  ::close(file);
  ::unlink(probe.c_str());
}

}  // namespace gemel
