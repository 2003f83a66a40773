// SPDX-License-Identifier: Apache-2.0
// Safetensors: what is written reads back; whatever lies about itself is refused, with the reason; a file changed at
// random never does worse than that.
#include "network/safetensors.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/error.hpp"
#include "support/random_seed.hpp"

namespace gemel::safetensors {
namespace {

namespace fs = std::filesystem;

// A folder of its own for each test, removed at the end.
class SafetensorsFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "gemel-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name = "x.safetensors") const { return (folder_ / name).string(); }
  std::size_t files() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {})); }
  fs::path folder_;
};

std::string with_header(const std::string& json, const std::string& data) {
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(json.size() >> (8 * i));
  return out + json + data;
}

std::string refusal(const std::string& bytes) {
  try {
    File::from_bytes(bytes.data(), bytes.size(), "x");
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape, int begin, int end) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[" + std::to_string(begin) + "," +
         std::to_string(end) + "]}";
}

TEST_F(SafetensorsFile, ReadsBackWhatWasWritten) {
  const std::vector<std::int8_t> a = {-128, -1, 0, 127, 5, 6};
  const std::vector<std::int32_t> b = {INT32_MIN, INT32_MAX};
  const std::vector<float> c = {0.5f};
  const std::vector<std::int64_t> d = {std::int64_t{1} << 40};
  const std::vector<double> e;
  Writer writer;
  writer.set_metadata("format", "test \"quoted\" \xC3\xA4");
  writer.add("a", {2, 3}, a.data());
  writer.add("b", {2}, b.data());
  writer.add("c", {}, c.data());
  writer.add("d", {1, 1, 1}, d.data());
  writer.add("e", {0, 7}, e.data());
  writer.write(path());

  const File file = File::open(path());
  EXPECT_EQ(file.metadata().at("format"), "test \"quoted\" \xC3\xA4");
  ASSERT_EQ(file.tensors().size(), 5u);
  EXPECT_EQ(file.read<std::int8_t>("a"), a);
  EXPECT_EQ(file.find("a")->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.find("a")->shape_text(), "[2, 3]");
  EXPECT_EQ(file.read<std::int32_t>("b"), b);
  EXPECT_EQ(file.read<float>("c"), c);
  EXPECT_EQ(file.read<std::int64_t>("d"), d);
  EXPECT_EQ(file.find("e")->elements(), 0);
  EXPECT_EQ(file.find("f"), nullptr);
  EXPECT_EQ(files(), 1u) << "the temporary file is gone";
}

TEST_F(SafetensorsFile, TheDataIsAlignedTo8Bytes) {
  for (int letters = 1; letters < 20; ++letters) {
    const std::int8_t byte = 7;
    Writer writer;
    writer.add(std::string(letters, 'n'), {1}, &byte);
    EXPECT_EQ((writer.bytes().size() - 1) % 8, 0u);
  }
}

TEST_F(SafetensorsFile, AMissingOrOtherTensorIsNamed) {
  const std::int8_t byte = 1;
  Writer writer;
  writer.add("a", {1}, &byte);
  writer.write(path());
  const File file = File::open(path());
  try {
    file.read<std::int32_t>("b");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(std::string(error.what()), "error[E0304]: there is no tensor `b`\n  " + path());
  }
  try {
    file.read<std::int32_t>("a");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(std::string(error.what()), "error[E0305]: tensor `a` is I8, and I32 is needed\n  " + path());
  }
}

TEST_F(SafetensorsFile, AFileThatCannotBeReadIsNamed) {
  try {
    File::open(path("none"));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(std::string(error.what()),
              "error[E0301]: cannot open `" + path("none") + "`: No such file or directory\n  " + path("none"));
  }
  EXPECT_THROW(File::open(folder_.string()), UserError) << "a folder";
}

TEST_F(SafetensorsFile, AFailedWriteLeavesTheOldFileAndNothingElse) {
  const std::int8_t old_byte = 1, new_byte = 2;
  Writer writer, other;
  writer.add("a", {1}, &old_byte);
  writer.write(path());
  other.add("a", {1}, &new_byte);
  EXPECT_THROW(other.write(path("no/such/folder")), UserError);
  fs::create_directory(folder_ / "occupied");
  EXPECT_THROW(other.write(path("occupied")), UserError) << "a folder stands there";
  EXPECT_EQ(File::open(path()).read<std::int8_t>("a"), std::vector<std::int8_t>{1});
  EXPECT_EQ(files(), 2u);
}

TEST_F(SafetensorsFile, AFullDiskLeavesTheOldFileAndNothingElse) {
  const std::vector<std::int8_t> small(8), large(1 << 20);
  Writer writer, other;
  writer.add("a", {8}, small.data());
  writer.write(path());
  other.add("a", {1 << 20}, large.data());
  // A limit on the size of files stops the write half way, as a full disk would.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit tight{4096, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  EXPECT_THROW(other.write(path()), UserError);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(File::open(path()).read<std::int8_t>("a"), small);
  EXPECT_EQ(files(), 1u);
}

TEST(SafetensorsHeader, EachLieIsRefusedWithItsReason) {
  const std::string good = "{" + entry("a", "I8", "[4]", 0, 4) + "}";
  ASSERT_EQ(refusal(with_header(good, "1234")), "accepted");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "error[E0302]: this is no safetensors file: it has 0 bytes, and 8 hold the header's length"},
      {std::string("1234567"), "error[E0302]: this is no safetensors file: it has 7 bytes, and 8 hold the header's length"},
      {std::string(8, '\xFF') + "{}",
       "error[E0302]: this is no safetensors file: its header would have 18446744073709551615 bytes, more than 100000000"},
      {with_header(good, "").substr(0, 40), "error[E0302]: the header says it has 53 bytes, but only 32 follow"},
      {with_header("{\"a\"", ""), "error[E0302]: the header is not JSON: it breaks off or errs at byte 5"},
      {with_header("", ""), "error[E0302]: the header is not JSON: it breaks off or errs at byte 1"},
      {with_header("[]", ""), "error[E0302]: the header is not a JSON object"},
      {with_header("{\"a\":{\"dtype\":1e999}}", ""), "error[E0302]: the header is not JSON: a number is out of range"},
      {with_header("{" + entry("a", "I8", "[2]", 0, 2) + "," + entry("a", "I8", "[2]", 2, 4) + "}", "1234"),
       "error[E0302]: the header is refused: the name `a` stands twice"},
      {with_header("{\"a\":[[[[[[[]]]]]]]}", ""), "error[E0302]: the header is refused: it is nested too deeply"},
      {with_header("{\"__metadata__\":[]}", ""), "error[E0302]: `__metadata__` is not an object"},
      {with_header("{\"__metadata__\":{\"k\":1}}", ""), "error[E0302]: `__metadata__` key `k` is not a string"},
      {with_header("{\"a\":7}", ""), "error[E0303]: tensor `a`: its entry is not an object"},
      {with_header("{\"a\":{\"shape\":[],\"data_offsets\":[0,0]}}", ""), "error[E0303]: tensor `a`: it has no `dtype`"},
      {with_header("{\"a\":{\"dtype\":\"I8\",\"data_offsets\":[0,0]}}", ""), "error[E0303]: tensor `a`: it has no `shape`"},
      {with_header("{\"a\":{\"dtype\":\"I8\",\"shape\":[]}}", ""),
       "error[E0303]: tensor `a`: its `data_offsets` are not two positions"},
      {with_header("{\"a\":{\"dtype\":\"I8\",\"shape\":[],\"more\":1}}", ""),
       "error[E0303]: tensor `a`: its entry has an unknown key `more`"},
      {with_header("{" + entry("a", "BF16", "[2]", 0, 4) + "}", "1234"),
       "error[E0303]: tensor `a`: its type `BF16` is not one of I8, U8, I32, I64, F32, F64"},
      {with_header("{" + entry("a", "I8", "[-4]", 0, 4) + "}", "1234"),
       "error[E0303]: tensor `a`: its `shape` holds -4, which is no length"},
      {with_header("{" + entry("a", "I8", "[4294967296,4294967296]", 0, 4) + "}", "1234"),
       "error[E0303]: tensor `a`: its `shape` is larger than any file"},
      {with_header("{" + entry("a", "I8", "[1,1,1,1,1,1,1,1,4]", 0, 4) + "}", "1234"),
       "error[E0303]: tensor `a`: it has more than 8 dimensions"},
      {with_header("{" + entry("a", "I8", "[4]", 4, 0) + "}", "1234"), "error[E0303]: tensor `a`: it ends (0) before it begins (4)"},
      {with_header("{" + entry("a", "I8", "[4]", 0, 5) + "}", "1234"),
       "error[E0303]: tensor `a`: it ends at byte 5, but the file holds 4 bytes of data"},
      {with_header("{" + entry("a", "I32", "[4]", 0, 4) + "}", "1234"),
       "error[E0303]: tensor `a`: it occupies 4 bytes, but I32 [4] needs 16"},
      {with_header("{" + entry("a", "I8", "[3]", 0, 3) + "," + entry("b", "I8", "[2]", 2, 4) + "}", "1234"),
       "error[E0303]: tensor `b`: it overlaps `a`"},
      {with_header("{" + entry("a", "I8", "[1]", 0, 1) + "," + entry("b", "I8", "[2]", 2, 4) + "}", "1234"),
       "error[E0303]: tensor `b`: 1 bytes before it belong to no tensor"},
      {with_header(good, "123456"), "error[E0303]: the last 2 bytes of the file belong to no tensor"},
      {with_header("{}", "1"), "error[E0303]: the last 1 bytes of the file belong to no tensor"},
  };
  for (const auto& [bytes, text] : cases) {
    const std::string found = refusal(bytes);
    EXPECT_EQ(found.substr(0, found.find('\n')), text);
  }
}

TEST(SafetensorsHeader, AllWrongTensorsAreReportedAtOnce) {
  const std::string found =
      refusal(with_header("{" + entry("a", "I9", "[4]", 0, 4) + "," + entry("b", "I8", "[9]", 0, 4) + "}", "1234"));
  EXPECT_NE(found.find("tensor `a`"), std::string::npos);
  EXPECT_NE(found.find("tensor `b`"), std::string::npos);
}

TEST(SafetensorsHeader, EveryTruncationIsRefused) {
  const std::vector<std::int32_t> data = {1, 2, 3};
  Writer writer;
  writer.set_metadata("k", "v");
  writer.add("a", {3}, data.data());
  const std::string whole = writer.bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(refusal(whole.substr(0, size)), "accepted") << size;
  EXPECT_EQ(refusal(whole), "accepted");
}

TEST(SafetensorsHeader, ChangedBytesAreRefusedOrStayInside) {
  std::mt19937_64 random(test::random_seed(7));
  const std::vector<std::int32_t> data = {1, 2, 3};
  const std::int8_t more[5] = {};
  Writer writer;
  writer.set_metadata("k", "v");
  writer.add("a", {3}, data.data());
  writer.add("b", {5}, more);
  const std::string whole = writer.bytes();
  int refused = 0, accepted = 0;
  std::uint64_t read = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = whole;
    for (int k = static_cast<int>(random() % 3); k >= 0; --k) bytes[random() % bytes.size()] = static_cast<char>(random());
    try {
      const File file = File::from_bytes(bytes.data(), bytes.size(), "x");
      ++accepted;
      std::size_t sum = 0;
      for (const View& view : file.tensors()) sum += view.bytes;  // data plus header is the file, exactly
      EXPECT_LE(sum, 17u);
      for (const View& view : file.tensors())
        for (std::size_t b = 0; b < view.bytes; ++b) read = read * 31 + view.data[b];  // a sanitizer would object
    } catch (const UserError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_NE(read, 0u);
  EXPECT_GT(accepted, 100) << "changes in the data are nobody's lie";
}

}  // namespace
}  // namespace gemel::safetensors
