// SPDX-License-Identifier: Apache-2.0
// Programs that Gemel runs: how they end, what they said, what reaches them of the environment, and that nothing of
// them is left.
#include "base/process.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace gemel {
namespace {

namespace fs = std::filesystem;
using End = ProcessResult::End;
constexpr std::chrono::seconds Long(3600);

ProcessRequest shell(const std::string& script) {
  ProcessRequest request;
  request.arguments = {"sh", "-c", script};
  return request;
}

// A zombie has ended, too: in a container nobody may be there to bury it.
bool runs(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  return std::getline(in, text) && text.compare(text.rfind(')'), 3, ") Z") != 0;
}

// Waits until the file has a line; the pid in it.
pid_t pid_in(const fs::path& file) {
  for (;;) {
    std::ifstream in(file);
    pid_t pid = 0;
    if (in >> pid) return pid;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "gemel-process-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(Process, TellsStatusAndBothStreams) {
  const ProcessResult r = run_process(shell("echo out; echo err >&2; exit 7"), Long, nullptr);
  EXPECT_EQ(r.end, End::Exited);
  EXPECT_EQ(r.status, 7);
  EXPECT_EQ(r.output, "out\nerr\n");
  EXPECT_FALSE(r.good());
  EXPECT_TRUE(run_process(shell("exit 0"), Long, nullptr).good());
}

TEST(Process, OutputOfAnyLengthIsKept) {
  const ProcessResult r = run_process(shell("yes 0123456 | head -c 3000000"), Long, nullptr);
  EXPECT_EQ(r.output.size(), 3'000'000u);  // a pipe that nobody empties holds 64 KiB
}

TEST(Process, TellsTheSignal) {
  const ProcessResult r = run_process(shell("kill -9 $$"), Long, nullptr);
  EXPECT_EQ(r.end, End::Killed);
  EXPECT_EQ(r.status, SIGKILL);
  EXPECT_FALSE(r.good());
}

TEST(Process, TellsWhyItCannotBeStarted) {
  ProcessRequest request;
  request.arguments = {"/no/such/program"};
  const ProcessResult r = run_process(request, Long, nullptr);
  EXPECT_EQ(r.end, End::NotStarted);
  EXPECT_EQ(r.status, ENOENT);
  EXPECT_EQ(r.output, "No such file or directory");
}

TEST(Process, ArgumentsPassNoShell) {
  ProcessRequest request;
  request.arguments = {"printf", "%s|", "a b", "$HOME", "'\"\\;&", "*"};
  EXPECT_EQ(run_process(request, Long, nullptr).output, "a b|$HOME|'\"\\;&|*|");
}

TEST(Process, WorksInItsFolderWithItsEnvironment) {
  ::setenv("GEMEL_TEST_KEPT", "kept", 1);
  ::setenv("GEMEL_TEST_CHANGED", "before", 1);
  ::setenv("GEMEL_TEST_GONE", "before", 1);
  const Folder folder;
  ProcessRequest request = shell("pwd; echo $GEMEL_TEST_KEPT $GEMEL_TEST_CHANGED ${GEMEL_TEST_GONE-gone}");
  request.folder = folder.path();
  request.environment = {{"GEMEL_TEST_CHANGED", "after"}, {"GEMEL_TEST_GONE", ""}};
  EXPECT_EQ(run_process(request, Long, nullptr).output, fs::canonical(folder.path()).string() + "\nkept after gone\n");
}

TEST(Process, SignalsThatTheCallerIgnoresAreHeard) {
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGINT, &ignore, &before);
  const ProcessResult r = run_process(shell("kill -2 $$; echo deaf"), Long, nullptr);
  ::sigaction(SIGINT, &before, nullptr);
  EXPECT_EQ(r.end, End::Killed);
  EXPECT_EQ(r.status, SIGINT);
}

TEST(Process, PastItsLimitItEndsWithAllThatItHasStarted) {
  const Folder folder;
  const std::string file = folder.path() / "pid";
  const ProcessResult r =
      run_process(shell("sleep 3000 & echo $! > '" + file + "'; wait"), std::chrono::seconds(1), nullptr);
  EXPECT_EQ(r.end, End::TooLong);
  EXPECT_FALSE(runs(pid_in(file)));
}

TEST(Process, StopEndsAllThatIsRunning) {
  const Folder folder;
  const fs::path one = folder.path() / "1", two = folder.path() / "2";
  std::atomic<bool> stop{false};
  std::thread asker([&] {
    pid_in(one);
    pid_in(two);
    stop = true;
  });
  const auto sleeper = [](const fs::path& file) {
    return shell("sleep 3000 & echo $! > '" + file.string() + "'; wait");
  };
  const auto results = run_processes({sleeper(one), sleeper(two), shell("echo never")}, 2, Long, &stop);
  asker.join();
  EXPECT_EQ(results[0].end, End::Interrupted);
  EXPECT_EQ(results[1].end, End::Interrupted);
  EXPECT_EQ(results[2].end, End::NotRun);
  EXPECT_FALSE(runs(pid_in(one)));
  EXPECT_FALSE(runs(pid_in(two)));
}

TEST(Process, ManyGiveTheirResultsInOrder) {
  std::vector<ProcessRequest> requests;
  for (int i = 0; i < 9; ++i)
    requests.push_back(shell("sleep 0.0" + std::to_string(9 - i) + "; echo " + std::to_string(i)));
  const auto results = run_processes(requests, 4, Long, nullptr);
  for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].output, std::to_string(i) + "\n");
}

TEST(Process, NoMoreThanAskedForRunAtATime) {
  const Folder folder;
  const std::string here = folder.path();
  // Each looks how many are there while it is.
  const auto one = [&](int i) {
    const std::string mine = here + "/" + std::to_string(i);
    return shell("touch '" + mine + "'; sleep 0.05; ls '" + here + "' | wc -l; rm '" + mine + "'");
  };
  std::vector<ProcessRequest> requests;
  for (int i = 0; i < 8; ++i) requests.push_back(one(i));
  for (const ProcessResult& r : run_processes(requests, 3, Long, nullptr)) EXPECT_LE(std::stoi(r.output), 3);
}

TEST(Process, AfterAFailureNoOtherBegins) {
  const auto results = run_processes({shell("exit 1"), shell("echo never")}, 1, Long, nullptr);
  EXPECT_EQ(results[0].status, 1);
  EXPECT_EQ(results[1].end, End::NotRun);
  const auto beside = run_processes({shell("sleep 3000"), shell("exit 1")}, 2, Long, nullptr);
  EXPECT_EQ(beside[0].end, End::NotRun);
  EXPECT_EQ(beside[1].status, 1);
}

TEST(Process, CoresAreThoseOfThisProcess) {
  cpu_set_t all, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
  EXPECT_EQ(usable_cores(), CPU_COUNT(&all));
  int core = 0;
  while (!CPU_ISSET(core, &all)) ++core;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_cores(), 1);
  ASSERT_EQ(::sched_setaffinity(0, sizeof all, &all), 0);
}

}  // namespace
}  // namespace gemel
