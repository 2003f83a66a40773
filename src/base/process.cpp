// SPDX-License-Identifier: Apache-2.0
#include "base/process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <thread>

extern char** environ;

namespace gemel {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<std::string> environment_of(const ProcessRequest& request) {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::string name = text.substr(0, text.find('='));
    const auto changed = [&name](const auto& other) { return other.first == name; };
    if (std::none_of(request.environment.begin(), request.environment.end(), changed)) all.push_back(text);
  }
  for (const auto& [name, value] : request.environment) {
    if (!value.empty()) all.push_back(name + "=" + value);
  }
  return all;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

class Child {
 public:
  Child(const ProcessRequest& request, Clock::time_point end) : end_(end) {
    const std::vector<std::string> environment = environment_of(request);
    const std::vector<char*> argv = pointers(request.arguments), envp = pointers(environment);
    output_ = ::memfd_create("gemel", MFD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output_, 1);
    posix_spawn_file_actions_adddup2(&actions, output_, 2);
    if (!request.folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, request.folder.c_str());
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t
        heard_again;  // the caller's handlers are gone in a new program by themselves, what the caller ignores is not
    sigemptyset(&heard_again);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&heard_again, signal);
    posix_spawnattr_setsigdefault(&attributes, &heard_again);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    const int failed = ::posix_spawnp(&pid_, argv[0], &actions, &attributes, argv.data(), envp.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failed == 0) return;
    pid_ = 0;
    result_ = {ProcessResult::End::NotStarted, failed, std::strerror(failed)};
  }
  ~Child() {
    if (pid_ != 0) end_group();
    if (output_ >= 0) ::close(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Whether it has ended, by itself or because its time is over.
  bool has_ended() {
    if (pid_ == 0) return true;
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_) {
      pid_ = 0;
      result_.end = WIFEXITED(status) ? ProcessResult::End::Exited : ProcessResult::End::Killed;
      result_.status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    } else if (got < 0 && errno != EINTR) {  // somebody else has waited for it
      pid_ = 0;
      result_.end = ProcessResult::End::Killed;
    } else if (Clock::now() > end_) {
      stop(ProcessResult::End::TooLong);
    } else {
      return false;
    }
    return true;
  }
  void stop(ProcessResult::End why) {
    if (pid_ == 0) return;
    end_group();
    result_.end = why;
  }
  ProcessResult result() {
    if (result_.end == ProcessResult::End::NotStarted || output_ < 0) return result_;
    char part[4096];
    ::lseek(output_, 0, SEEK_SET);
    for (ssize_t got = 0; (got = ::read(output_, part, sizeof part)) > 0;)
      result_.output.append(part, static_cast<std::size_t>(got));
    return result_;
  }

 private:
  // Ends it and what it has started, and waits until they no longer write anything.
  void end_group() {
    ::kill(-pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    for (int i = 0; i < 50 && ::kill(-pid_, 0) == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    pid_ = 0;
  }

  Clock::time_point end_;
  pid_t pid_ = 0;  // 0: has ended
  int output_ = -1;
  ProcessResult result_;
};

}  // namespace

std::vector<ProcessResult> run_processes(const std::vector<ProcessRequest>& requests, int jobs,
                                         std::chrono::seconds limit, const std::atomic<bool>* interrupted) {
  std::vector<ProcessResult> results(requests.size());
  std::vector<std::pair<std::size_t, std::unique_ptr<Child>>> running;
  std::size_t begun = 0;
  bool failed = false;
  const auto stop_all = [&](ProcessResult::End why) {
    for (auto& [number, child] : running) {
      child->stop(why);
      results[number] = child->result();
    }
    running.clear();
  };
  for (int sleep_ms = 1;;) {
    while (!failed && begun < requests.size() && static_cast<int>(running.size()) < std::max(1, jobs)) {
      running.emplace_back(begun, std::make_unique<Child>(requests[begun], Clock::now() + limit));
      ++begun;
    }
    if (running.empty()) return results;
    bool ended = false;
    for (auto& [number, child] : running) {
      if (!child->has_ended()) continue;
      results[number] = child->result();
      failed = failed || !results[number].good();
      child.reset();
      ended = true;
    }
    running.erase(std::remove_if(running.begin(), running.end(), [](const auto& one) { return one.second == nullptr; }),
                  running.end());
    if (failed) {
      stop_all(ProcessResult::End::NotRun);
    } else if (interrupted != nullptr && interrupted->load()) {
      stop_all(ProcessResult::End::Interrupted);
      if (!results.empty()) results.front().end = ProcessResult::End::Interrupted;
      return results;
    } else if (ended) {
      sleep_ms = 1;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(sleep_ms));
      sleep_ms = std::min(2 * sleep_ms, 50);
    }
  }
}

ProcessResult run_process(const ProcessRequest& request, std::chrono::seconds limit,
                          const std::atomic<bool>* interrupted) {
  return run_processes({request}, 1, limit, interrupted).front();
}

int usable_cores() {
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0) return std::max(1, CPU_COUNT(&cores));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace gemel
