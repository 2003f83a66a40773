// SPDX-License-Identifier: Apache-2.0
// The cache folder of compiled RTL: every kind of damage is noticed, leftovers go and builds under way stay.
#include "rtl_host/cache.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace gemel {
namespace {

namespace fs = std::filesystem;

class Cache : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "gemel-cache-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    ::setenv("GEMEL_CACHE", folder_.c_str(), 1);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  void keep(const std::vector<std::string>& names) const { write("list.txt", entry_list("an entry", folder_, names)); }
  EntryCheck check(const std::vector<std::string>& names) const {
    return check_entry(folder_, path("list.txt"), names);
  }
  void expect_damage(const std::vector<std::string>& names, const std::string& text) const {
    const EntryCheck found = check(names);
    EXPECT_EQ(found.state, EntryState::Damaged);
    EXPECT_EQ(found.damage, text);
  }

  std::string folder_;
};

TEST_F(Cache, NoEntryAndAWholeOne) {
  EXPECT_EQ(check({"a.o", "b.o"}).state, EntryState::Missing);
  write("a.o", "some bytes");
  write("b.o", "");
  keep({"a.o", "b.o"});
  EXPECT_EQ(check({"a.o", "b.o"}).state, EntryState::Whole);
}

TEST_F(Cache, EveryDamageIsNamed) {
  const std::vector<std::string> names = {"a.o", "b.o"};
  write("a.o", "some bytes");
  expect_damage(names, "`list.txt` is missing");
  write("b.o", "others");
  keep(names);
  write("a.o", "some byte");
  expect_damage(names, "`a.o` has 9 bytes instead of 10");
  write("a.o", "some bytez");
  expect_damage(names, "the contents of `a.o` are not those that were written");
  write("a.o", "some bytes");
  fs::remove(path("b.o"));
  expect_damage(names, "`b.o` is missing");
  fs::create_directory(path("b.o"));
  expect_damage(names, "`b.o` is missing");
  fs::remove(path("b.o"));
  write("b.o", "others");
  EXPECT_EQ(check(names).state, EntryState::Whole);
  expect_damage({"a.o"}, "its list is not that of this entry");
  expect_damage({"b.o", "a.o"}, "its list is not that of this entry");
  expect_damage({"a.o", "b.o", "c.o"}, "its list is not complete");
}

TEST_F(Cache, EveryPrefixOfAListIsNoticed) {
  write("a.o", "some bytes");
  const std::string list = entry_list("an entry", folder_, {"a.o"});
  for (std::size_t length = 0; length + 1 < list.size(); ++length) {  // without its last end of line it says the same
    write("list.txt", list.substr(0, length));
    EXPECT_EQ(check({"a.o"}).state, EntryState::Damaged) << length << " bytes of " << list;
  }
}

// A folder of a build is never taken for one that nobody uses any more, however young.
TEST_F(Cache, BuildsThatBeginTogetherLeaveEachOthersFoldersAlone) {
  std::atomic<int> gone{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const BuildFolder build(folder_);
        std::this_thread::yield();
        if (!fs::exists(build.path())) ++gone;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(gone, 0);
}

TEST_F(Cache, ADescriptionIsOneLine) {
  write("a.o", "some bytes");
  write("list.txt", entry_list("of\na\tfile\x01.sv", folder_, {"a.o"}));
  EXPECT_EQ(check({"a.o"}).state, EntryState::Whole);
}

TEST_F(Cache, AFolderTakesThePlaceOfAnother) {
  fs::create_directory(path("old"));
  write("old/x", "1");
  fs::create_directory(path("new"));
  write("new/y", "2");
  move_into_cache(path("new"), path("old"));
  EXPECT_TRUE(fs::exists(path("old/y")));
  EXPECT_FALSE(fs::exists(path("old/x")));
  EXPECT_FALSE(fs::exists(path("new")));
}

TEST_F(Cache, ABuildFolderGoesWithItsOwner) {
  std::string left;
  {
    const BuildFolder build(folder_);
    left = build.path();
    EXPECT_TRUE(fs::is_directory(left));
    const auto entries = list_rtl_cache();
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_EQ(entries.front().state, RtlCacheEntry::State::BeingBuilt);
    clear_rtl_cache();
    EXPECT_TRUE(fs::is_directory(left)) << "a build under way stays";
  }
  EXPECT_FALSE(fs::exists(left));
}

TEST_F(Cache, WhatAKilledBuildLeftIsListedAndGoes) {
  const pid_t child = ::fork();
  if (child == 0) {
    new BuildFolder(folder_);  // its destructor never runs, as in a process that is killed
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto entries = list_rtl_cache();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries.front().state, RtlCacheEntry::State::LeftOver);
  const fs::path left = path(entries.front().hash);
  EXPECT_TRUE(fs::is_directory(left));
  const BuildFolder next(folder_);
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::is_directory(next.path()));
}

TEST_F(Cache, ALockIsHeldByOneAtATime) {
  std::atomic<bool> stop{true};
  auto first = std::make_unique<FileLock>(path("x.lock"), nullptr);
  EXPECT_THROW(FileLock(path("x.lock"), &stop), Interrupted);
  first.reset();
  FileLock(path("x.lock"), &stop);  // nobody holds it: no wait, so nothing to interrupt
}

TEST_F(Cache, ClearLeavesWhatIsNotOurs) {
  write("notes.txt", "mine");
  write("abc.so", "1234");
  write("abc.so.txt", "12");
  write("abc.lock", "");
  fs::create_directory(path("runtime.abc"));
  write("runtime.abc/verilated.o", "123");
  EXPECT_EQ(clear_rtl_cache(), 9);
  EXPECT_TRUE(fs::exists(path("notes.txt")));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(Cache, TellsWhyNothingCanBeWritten) {
  EXPECT_EQ(why_nothing_can_be_written(folder_), "");
  EXPECT_EQ(fs::is_empty(folder_), true) << "it leaves nothing";
  EXPECT_EQ(why_nothing_can_be_written(path("nowhere")), "No such file or directory");
}

}  // namespace
}  // namespace gemel
