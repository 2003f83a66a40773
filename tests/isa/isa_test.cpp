// SPDX-License-Identifier: Apache-2.0
// Encoding, decoding and legality. Two witnesses that share no code with src/isa: vectors.gen.json, made in Python from
// isa.toml, and a checker in this file that takes the layout from there and states the rules between fields once more.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "isa/isa.hpp"
#include "isa/random_instruction.hpp"

namespace gemel::isa {
namespace {

using nlohmann::json;

const json& vectors() {
  static const json all = json::parse(std::ifstream(GEMEL_SOURCE_DIR "/tests/isa/vectors.gen.json"));
  return all;
}

Word from_hex(const std::string& hex) {
  Word w{};
  for (std::size_t byte = 0; byte < hex.size() / 2; ++byte) {
    w[byte / 8] |= std::stoull(hex.substr(2 * byte, 2), nullptr, 16) << (8 * (byte % 8));
  }
  return w;
}

// Any word of which all that can be said from outside is said: by name.
using Values = std::map<std::string, std::int64_t>;

// The second checker: one bit at a time, from the layout in the vectors.
class Oracle {
 public:
  Oracle() {
    for (const auto& [format, layout] : vectors()["layout"].items()) {
      Format f;
      f.name = format;
      std::vector<bool> used(InstructionBytes * 8, false);
      for (const auto& row : layout["fields"]) {
        Field field{row[0], row[1], row[2], row[3], row[4], row[5]};
        for (int bit = 0; bit < field.width; ++bit) used[static_cast<std::size_t>(field.lsb + bit)] = true;
        f.fields.push_back(field);
      }
      for (std::size_t bit = 0; bit < used.size(); ++bit) {
        if (!used[bit]) f.reserved.push_back(static_cast<int>(bit));
      }
      for (const auto& [name, value] : layout["opcodes"].items()) {
        f.opcode_name = name;
        formats_[value.get<int>()] = f;
      }
    }
  }

  bool accepts(const Word& w) const {
    const auto found = formats_.find(static_cast<int>(w[0] & 0xff));
    if (found == formats_.end()) return false;
    const Format& f = found->second;
    for (const int bit : f.reserved) {
      if ((w[static_cast<std::size_t>(bit / 64)] >> (bit % 64)) & 1) return false;
    }
    thread_local std::vector<std::int64_t> v;
    v.clear();
    for (const Field& field : f.fields) {
      std::int64_t value = 0;
      for (int bit = field.width - 1; bit >= 0; --bit) {
        const int at = field.lsb + bit;
        const int one = (w[static_cast<std::size_t>(at / 64)] >> (at % 64)) & 1;
        value = value * 2 + (field.is_signed && bit == field.width - 1 ? -one : one);
      }
      if (value < field.min || value > field.max) return false;
      v.push_back(value);
    }
    const auto at = [&](const char* name) -> std::int64_t {
      for (std::size_t i = 0; i < f.fields.size(); ++i) {
        if (f.fields[i].name == name) return v[i];
      }
      throw std::logic_error(std::string("no field ") + name);
    };
    return rules(f.name, f.opcode_name, at);
  }

 private:
  struct Field {
    std::string name;
    int lsb, width;
    bool is_signed;
    std::int64_t min, max;
  };
  struct Format {
    std::string name, opcode_name;
    std::vector<Field> fields;
    std::vector<int> reserved;
  };

  template <class At>
  static bool rules(const std::string& format, const std::string& op, const At& at) {
    if (format == "halt") return at("wait_mask") + at("post_mask") + at("chain") == 0;
    if (format == "matrix") {
      const auto fits = [&at](const char* zero, const char* is_unsigned) {
        return at(is_unsigned) ? at(zero) >= 0 : at(zero) <= 127;  // the fields' own bounds are -128 and 255
      };
      return fits("act_zero", "act_unsigned") && fits("weight_zero", "weight_unsigned") && at("act_last") >= at("act_base") &&
             at("weight_last") >= at("weight_base") && at("acc_last") >= at("acc_base");
    }
    if (format == "store") return at("word_last") >= at("word_base");
    if (format == "load") {
      if (at("word_last") < at("word_base")) return false;
      const std::int64_t bytes = at("window_bytes"), step = at("window_step"), offset = at("window_offset");
      if (at("window_count") == 0) {
        return bytes == 0 && step == 0 && offset == 0 && at("group_bytes") > 0;
      }
      return at("group_bytes") == 0 && bytes > 0 && 0 < step && step <= bytes && -offset < bytes;
    }
    const bool one_tap = at("kernel_h") == 1 && at("kernel_w") == 1;
    const bool has_source = at("src_height") > 0 && at("src_width") > 0;
    const bool no_second = at("src1_base") == 0 && at("src1_last") == 0;
    if (at("chain") || at("clamp_max") < at("clamp_min") || at("src0_last") < at("src0_base") ||
        at("src1_last") < at("src1_base") || at("dst_last") < at("dst_base") || at("param_last") < at("param_base")) {
      return false;
    }
    if (op == "requantize") return one_tap && no_second && at("src_height") == 0 && at("src_width") == 0;
    if (op == "add" || op == "sub") return one_tap && has_source && at("param_shared") == 1;
    if (op == "mul") return one_tap && has_source;
    if (op == "depthwise") return has_source && no_second && at("param_shared") == 0;
    if (op == "pool_max") return has_source && no_second && (at("table") || at("param_last") == at("param_base"));
    return op == "pool_sum" && has_source && no_second;
  }

  std::map<int, Format> formats_;
};

TEST(Isa, DecodesAndEncodesTheVectors) {
  int count = 0;
  for (const json& vector : vectors()["legal"]) {
    const Word w = from_hex(vector["hex"]);
    const OpcodeInfo* info = find(opcode(w));
    ASSERT_NE(info, nullptr);
    EXPECT_EQ(vector["op"], info->name);
    const auto bad = check(w);
    ASSERT_FALSE(bad) << vector.dump() << '\n' << to_string(*bad);
    for (const FieldInfo& f : HeaderFields) EXPECT_EQ(get_field(w, f), vector["fields"][f.name].get<std::int64_t>()) << f.name;
    for (int f = 0; f < info->format->field_count; ++f) {
      const FieldInfo& field = info->format->fields[f];
      EXPECT_EQ(get_field(w, field), vector["fields"][field.name].get<std::int64_t>()) << field.name;
    }
    EXPECT_EQ(encode(decode(w)), w) << vector.dump();
    ++count;
  }
  EXPECT_GE(count, 100);
}

TEST(Isa, StructsHoldTheFieldsOfTheVectors) {
  // encode(decode()) and get_field() do not see two struct members exchanged; a few are read by name here.
  int seen = 0;
  for (const json& vector : vectors()["legal"]) {
    const Instruction i = decode(from_hex(vector["hex"]));
    const json& f = vector["fields"];
    EXPECT_EQ(i.header().tag, f["tag"].get<int>());
    EXPECT_EQ(i.header().wait_mask, f["wait_mask"].get<int>());
    EXPECT_EQ(i.header().post_mask, f["post_mask"].get<int>());
    EXPECT_EQ(i.header().chain, f["chain"].get<int>());
    switch (i.unit) {
      case Unit::Load:
        EXPECT_EQ(i.load.address, f["address"].get<std::uint64_t>());
        EXPECT_EQ(i.load.stride1, f["stride1"].get<std::uint32_t>());
        EXPECT_EQ(i.load.stride2, f["stride2"].get<std::uint32_t>());
        EXPECT_EQ(i.load.window_offset, f["window_offset"].get<int>());
        break;
      case Unit::Matrix:
        EXPECT_EQ(i.matrix.origin_y, f["origin_y"].get<int>());
        EXPECT_EQ(i.matrix.origin_x, f["origin_x"].get<int>());
        EXPECT_EQ(i.matrix.cin_blocks, f["cin_blocks"].get<int>());
        EXPECT_EQ(i.matrix.weight_zero, f["weight_zero"].get<int>());
        break;
      case Unit::Vector:
        EXPECT_EQ(i.vector.src1_last, f["src1_last"].get<int>());
        EXPECT_EQ(i.vector.dst_zero, f["dst_zero"].get<int>());
        EXPECT_EQ(i.vector.clamp_min, f["clamp_min"].get<int>());
        EXPECT_EQ(i.vector.stride_x, f["stride_x"].get<int>());
        break;
      case Unit::Store:
        EXPECT_EQ(i.store.address, f["address"].get<std::uint64_t>());
        EXPECT_EQ(i.store.count2, f["count2"].get<int>());
        break;
      case Unit::None: EXPECT_EQ(i.opcode, Opcode::Halt); break;
    }
    seen |= 1 << static_cast<int>(i.unit);
  }
  EXPECT_EQ(seen, 0x1f) << "every unit has vectors";
}

TEST(Isa, RejectsTheIllegalVectors) {
  int reserved = 0, opcodes = 0, fields = 0;
  for (const json& vector : vectors()["illegal"]) {
    const auto bad = check_fields(from_hex(vector["hex"]));
    ASSERT_TRUE(bad) << vector.dump();
    const std::string field = vector["field"];
    EXPECT_THAT(bad->field, ::testing::EndsWith(field));
    EXPECT_EQ(bad->code, ErrorCode::IllegalInstruction);
    ++(field == "reserved" ? reserved : field == "opcode" ? opcodes : fields);
  }
  EXPECT_GE(reserved, 20);
  EXPECT_EQ(opcodes, 256 - OpcodeCount);
  EXPECT_GE(fields, 50);
}

TEST(Isa, RejectsEveryReservedBitAlone) {
  int bits = 0;
  for (const OpcodeInfo& info : Opcodes) {
    Word legal{};
    for (const json& vector : vectors()["legal"]) {
      if (vector["op"] == info.name) legal = from_hex(vector["hex"]);
    }
    ASSERT_FALSE(check(legal)) << info.name;
    for (int bit = 0; bit < InstructionBytes * 8; ++bit) {
      const auto q = static_cast<std::size_t>(bit / 64);
      if (!((info.format->reserved[q] >> (bit % 64)) & 1)) continue;
      Word w = legal;
      w[q] ^= std::uint64_t{1} << (bit % 64);
      const auto bad = check(w);
      ASSERT_TRUE(bad) << info.name << " bit " << bit;
      EXPECT_EQ(to_string(*bad), "bit " + std::to_string(bit) + " is reserved: must be 0");
      ++bits;
    }
  }
  EXPECT_GT(bits, 500);
}

TEST(Isa, ReservedBitsAreExactlyThoseOutsideTheFields) {
  for (const OpcodeInfo& info : Opcodes) {
    Word covered{};
    const auto cover = [&](const FieldInfo& f) {
      for (int bit = f.lsb; bit < f.lsb + f.width; ++bit) {
        std::uint64_t& q = covered[static_cast<std::size_t>(bit / 64)];
        EXPECT_EQ((q >> (bit % 64)) & 1, 0u) << info.name << "." << f.name << " overlaps";
        q |= std::uint64_t{1} << (bit % 64);
      }
      EXPECT_EQ(f.lsb / 64, (f.lsb + f.width - 1) / 64) << info.name << "." << f.name << " crosses a word";
    };
    for (const FieldInfo& f : HeaderFields) cover(f);
    for (int f = 0; f < info.format->field_count; ++f) cover(info.format->fields[f]);
    for (std::size_t q = 0; q < covered.size(); ++q) EXPECT_EQ(covered[q], ~info.format->reserved[q]);
  }
}

TEST(Isa, AgreesWithTheSecondCheckerOnAMillionWords) {
  test::Random random(test::seed());
  const Oracle oracle;
  int accepted = 0, rejected = 0;
  for (int n = 0; n < 1'000'000; ++n) {
    Word w;
    switch (n % 4) {
      case 0:  // noise under a known opcode
        for (std::uint64_t& q : w) q = random();
        w[0] = (w[0] & ~std::uint64_t{0xff}) | static_cast<std::uint64_t>(Opcodes[random() % OpcodeCount].opcode);
        break;
      case 1: w = test::random_in_range(random, Opcodes[random() % OpcodeCount]); break;
      case 2: w = test::random_legal(random); break;
      default:  // legal but for one bit
        w = test::random_legal(random);
        const std::uint64_t bit = random() % (InstructionBytes * 8);
        w[bit / 64] ^= std::uint64_t{1} << (bit % 64);
    }
    const bool is_legal = !check(w);
    ASSERT_EQ(is_legal, oracle.accepts(w)) << disassemble(w) << (is_legal ? "" : "\n" + to_string(*check(w)));
    ++(is_legal ? accepted : rejected);
  }
  EXPECT_GT(accepted, 100'000);
  EXPECT_GT(rejected, 100'000);
}

TEST(Isa, AcceptsEveryRandomLegalInstruction) {
  test::Random random(test::seed());
  for (int n = 0; n < 50'000; ++n) {
    const Word w = test::random_legal(random);
    const auto bad = check(w);
    ASSERT_FALSE(bad) << to_string(*bad);
    ASSERT_EQ(encode(decode(w)), w);
  }
}

// ---- one row per rule between fields: what is changed in a legal instruction, and what is said about it

struct RuleCase {
  const char* name;
  const char* text;  // a legal instruction
  std::function<void(Instruction&)> change;
  const char* message;
};

class Rule : public ::testing::TestWithParam<RuleCase> {};

TEST_P(Rule, IsKept) {
  Instruction i = decode(assemble(GetParam().text));
  GetParam().change(i);
  const auto bad = check(encode(i));
  ASSERT_TRUE(bad);
  EXPECT_EQ(to_string(*bad), GetParam().message);
  EXPECT_EQ(bad->code == ErrorCode::AddressOutsideBuffer, bad->field.find("_last") != std::string::npos &&
                                                              bad->rule.find("_base = ") != std::string::npos &&
                                                              bad->rule.rfind("must be at least", 0) == 0);
}

constexpr char Rows[] = "load run_bytes=32 group_bytes=16 word=[0..1]";
constexpr char Windows[] = "load run_bytes=32 window_count=8 window_bytes=12 window_step=4 window_offset=-4 word=[0..7]";
constexpr char Requantizing[] = "requantize src0=[0..3] dst=[0..3] param=[0..8]";
constexpr char Adding[] = "add param_shared src_height=1 src_width=1 src0=[0..3] src1=[4..7] dst=[8..11] param=[0..26]";
constexpr char Subtracting[] = "sub param_shared src_height=1 src_width=1 src0=[0..3] src1=[4..7] dst=[8..11] param=[0..26]";
constexpr char Multiplying[] = "mul src_height=1 src_width=1 src0=[0..3] src1=[4..7] dst=[8..11] param=[0..8]";
constexpr char Pooling[] = "pool_max src_height=2 src_width=2 src0=[0..3] dst=[8..11]";
constexpr char Sliding[] = "depthwise src_height=2 src_width=2 src0=[0..3] dst=[8..11] param=[0..9]";

INSTANTIATE_TEST_SUITE_P(
    All, Rule,
    ::testing::Values(
        RuleCase{"HaltWaitsForNothing", "halt", [](Instruction& i) { i.halt.wait_mask = 2; },
                 "header.wait_mask = 2: must be 0 in halt, which waits for everything"},
        RuleCase{"HaltDoesNotChain", "halt", [](Instruction& i) { i.halt.chain = 1; }, "header.chain = 1: must be 0 in halt"},
        RuleCase{"HaltPostsNothing", "halt", [](Instruction& i) { i.halt.post_mask = 1; },
                 "header.post_mask = 1: must be 0 in halt"},
        RuleCase{"RowsHaveGroups", Rows, [](Instruction& i) { i.load.group_bytes = 0; },
                 "load.group_bytes = 0: must be at least 1 in rows mode"},
        RuleCase{"RowsHaveNoWindowBytes", Rows, [](Instruction& i) { i.load.window_bytes = 1; },
                 "load.window_bytes = 1: must be 0 in rows mode"},
        RuleCase{"RowsHaveNoWindowStep", Rows, [](Instruction& i) { i.load.window_step = 1; },
                 "load.window_step = 1: must be 0 in rows mode"},
        RuleCase{"RowsHaveNoWindowOffset", Rows, [](Instruction& i) { i.load.window_offset = -1; },
                 "load.window_offset = -1: must be 0 in rows mode"},
        RuleCase{"LoadClaimsForward", Rows, [](Instruction& i) { i.load.word_base = 2; },
                 "load.word_last = 1: must be at least word_base = 2"},
        RuleCase{"WindowsHaveNoGroups", Windows, [](Instruction& i) { i.load.group_bytes = 4; },
                 "load.group_bytes = 4: must be 0 in window mode"},
        RuleCase{"WindowsAreNotEmpty", Windows, [](Instruction& i) { i.load.window_bytes = 0; },
                 "load.window_bytes = 0: must be at least 1 in window mode"},
        RuleCase{"WindowsStep", Windows, [](Instruction& i) { i.load.window_step = 0; },
                 "load.window_step = 0: must be 1..window_bytes = 12"},
        RuleCase{"WindowsLeaveNoGaps", Windows, [](Instruction& i) { i.load.window_step = 13; },
                 "load.window_step = 13: must be 1..window_bytes = 12"},
        RuleCase{"FirstWindowReachesTheRow", Windows, [](Instruction& i) { i.load.window_offset = -12; },
                 "load.window_offset = -12: must be above -window_bytes = -12"},
        RuleCase{"ZeroPointOfSignedActivations", "matrix", [](Instruction& i) { i.matrix.act_zero = 128; },
                 "matrix.act_zero = 128: must be -128..127 for signed bytes"},
        RuleCase{"ZeroPointOfUnsignedWeights", "matrix",
                 [](Instruction& i) {
                   i.matrix.weight_unsigned = 1;
                   i.matrix.weight_zero = -1;
                 },
                 "matrix.weight_zero = -1: must be 0..255 for unsigned bytes"},
        RuleCase{"ActivationsClaimForward", "matrix", [](Instruction& i) { i.matrix.act_base = 1; },
                 "matrix.act_last = 0: must be at least act_base = 1"},
        RuleCase{"WeightsClaimForward", "matrix", [](Instruction& i) { i.matrix.weight_base = 1; },
                 "matrix.weight_last = 0: must be at least weight_base = 1"},
        RuleCase{"AccumulatorsClaimForward", "matrix", [](Instruction& i) { i.matrix.acc_base = 1; },
                 "matrix.acc_last = 0: must be at least acc_base = 1"},
        RuleCase{"VectorDoesNotChain", Requantizing, [](Instruction& i) { i.vector.chain = 1; },
                 "header.chain = 1: must be 0 in requantize: only load, matrix and store chain"},
        RuleCase{"RequantizeHasOneTapDown", Requantizing, [](Instruction& i) { i.vector.kernel_h = 2; },
                 "vector.kernel_h = 2: must be 1 in requantize"},
        RuleCase{"RequantizeHasOneTapAcross", Requantizing, [](Instruction& i) { i.vector.kernel_w = 3; },
                 "vector.kernel_w = 3: must be 1 in requantize"},
        RuleCase{"RequantizeHasNoSourceHeight", Requantizing, [](Instruction& i) { i.vector.src_height = 1; },
                 "vector.src_height = 1: must be 0 in requantize"},
        RuleCase{"RequantizeHasNoSourceWidth", Requantizing, [](Instruction& i) { i.vector.src_width = 1; },
                 "vector.src_width = 1: must be 0 in requantize"},
        RuleCase{"RequantizeHasNoSecondSource", Requantizing, [](Instruction& i) { i.vector.src1_last = 1; },
                 "vector.src1_last = 1: must be 0 in requantize"},
        RuleCase{"AddHasOneTap", Adding, [](Instruction& i) { i.vector.kernel_h = 2; }, "vector.kernel_h = 2: must be 1 in add"},
        RuleCase{"AddSharesItsSets", Adding, [](Instruction& i) { i.vector.param_shared = 0; },
                 "vector.param_shared = 0: must be 1 in add"},
        RuleCase{"AddHasASource", Adding, [](Instruction& i) { i.vector.src_height = 0; },
                 "vector.src_height = 0: must be at least 1 in add"},
        RuleCase{"SubSharesItsSets", Subtracting, [](Instruction& i) { i.vector.param_shared = 0; },
                 "vector.param_shared = 0: must be 1 in sub"},
        RuleCase{"MulHasOneTap", Multiplying, [](Instruction& i) { i.vector.kernel_w = 2; }, "vector.kernel_w = 2: must be 1 in mul"},
        RuleCase{"MulHasASource", Multiplying, [](Instruction& i) { i.vector.src_width = 0; },
                 "vector.src_width = 0: must be at least 1 in mul"},
        RuleCase{"SecondSourceClaimsForward", Adding, [](Instruction& i) { i.vector.src1_base = 8; },
                 "vector.src1_last = 7: must be at least src1_base = 8"},
        RuleCase{"PoolHasASource", Pooling, [](Instruction& i) { i.vector.src_width = 0; },
                 "vector.src_width = 0: must be at least 1 in pool_max"},
        RuleCase{"PoolHasNoSecondSource", Pooling, [](Instruction& i) { i.vector.src1_base = 1; },
                 "vector.src1_base = 1: must be 0 in pool_max"},
        RuleCase{"PoolMaxClaimsNoParameters", Pooling, [](Instruction& i) { i.vector.param_last = 1; },
                 "vector.param_last = 1: must be param_base = 0, for no parameter is read"},
        RuleCase{"DepthwiseSharesNothing", Sliding, [](Instruction& i) { i.vector.param_shared = 1; },
                 "vector.param_shared = 1: must be 0 in depthwise"},
        RuleCase{"ClampsAreOrdered", Sliding, [](Instruction& i) { i.vector.clamp_min = 1; },
                 "vector.clamp_min = 1: must be at most clamp_max = 0"},
        RuleCase{"FirstSourceClaimsForward", Sliding, [](Instruction& i) { i.vector.src0_base = 4; },
                 "vector.src0_last = 3: must be at least src0_base = 4"},
        RuleCase{"DestinationClaimsForward", Sliding, [](Instruction& i) { i.vector.dst_base = 12; },
                 "vector.dst_last = 11: must be at least dst_base = 12"},
        RuleCase{"ParametersClaimForward", Sliding, [](Instruction& i) { i.vector.param_base = 10; },
                 "vector.param_last = 9: must be at least param_base = 10"},
        RuleCase{"StoreClaimsForward", "store", [](Instruction& i) { i.store.word_base = 1; },
                 "store.word_last = 0: must be at least word_base = 1"}),
    [](const auto& rule) { return std::string(rule.param.name); });

TEST(Isa, EncodeRefusesWhatDoesNotFit) {
  Vector v;
  v.blocks = 4096;
  try {
    encode(v);
    FAIL() << "4096 blocks do not fit 12 bits";
  } catch (const std::out_of_range& error) {
    EXPECT_STREQ(error.what(), "instruction field vector.blocks = 4096 is outside 1..4095");
  }
  Load l;
  l.address = std::uint64_t{1} << 40;
  EXPECT_THROW(encode(l), std::out_of_range);
  l.address -= 1;
  l.group_bytes = 1;
  EXPECT_EQ(decode(encode(l)).load.address, l.address);
}

}  // namespace
}  // namespace gemel::isa
