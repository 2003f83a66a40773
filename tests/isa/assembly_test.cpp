// SPDX-License-Identifier: Apache-2.0
// Instructions as text: exact lines, exact messages, and that reading undoes writing for every word.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "isa/isa.hpp"
#include "isa/random_instruction.hpp"

namespace gemel::isa {
namespace {

// The whole message that `text` gets, as the user sees it.
std::string message(const std::string& text) {
  try {
    assemble_program(text, "program.s");
  } catch (const UserError& error) {
    std::string all;
    for (const Diagnostic& d : error.diagnostics()) all += (all.empty() ? "" : "\n") + to_string(d);
    return all;
  }
  return "no error";
}

TEST(Assembly, ReadingUndoesWriting) {
  test::Random random(test::seed());
  for (int n = 0; n < 20'000; ++n) {
    const Word w = test::random_legal(random);
    const std::string text = disassemble(w);
    ASSERT_EQ(text.substr(0, 4) == "word", false) << text;
    ASSERT_EQ(assemble(text), w) << text;
  }
}

TEST(Assembly, ReadingUndoesWritingOfIllegalWords) {
  test::Random random(test::seed());
  for (int n = 0; n < 5'000; ++n) {
    Word w;
    for (std::uint64_t& q : w) q = random();
    ASSERT_EQ(assemble(disassemble(w)), w) << disassemble(w);
  }
}

TEST(Assembly, WritesOnlyWhatIsNotDefault) {
  EXPECT_EQ(disassemble(encode(Halt{})), "halt");
  EXPECT_EQ(disassemble(encode(Matrix{})), "matrix");
  Matrix m;
  m.tag = 3;
  m.wait_mask = 0b0011;
  m.chain = 1;
  m.post_mask = 1 << 8;
  m.act_last = 511;
  m.weight_base = 16;
  m.weight_last = 31;
  m.kernel_h = 3;
  m.origin_y = -1;
  EXPECT_EQ(disassemble(encode(m)),
            "matrix tag=3 wait=4,5 chain post=8 act=[0..511] weight=[16..31] kernel_h=3 origin_y=-1");
  Load l;
  l.buffer = static_cast<int>(BufferId::Param);
  l.address = 0x1f000;
  l.run_bytes = 64;
  l.group_bytes = 8;
  l.word_last = 7;
  l.wait_mask = 8;
  EXPECT_EQ(disassemble(encode(l)), "load wait=3 buffer=param word=[0..7] address=0x1f000 run_bytes=64 group_bytes=8");
}

TEST(Assembly, ReadsFieldsInAnyOrderWithComments) {
  EXPECT_EQ(assemble("store run_bytes=0x20   group_bytes=16 # two groups"), assemble("store group_bytes=16\trun_bytes=32"));
  EXPECT_EQ(assemble_program("# nothing\n\n  halt # the end\r\nhalt").size(), 2u);
  EXPECT_EQ(assemble("requantize rounding=float"), assemble("requantize clamp_max=0 rounding=float"));
}

TEST(Assembly, NamesAnUnknownInstruction) {
  std::string names;
  for (int i = 0; i < OpcodeCount; ++i) names += (i == 0 ? "" : i + 1 == OpcodeCount ? " or " : ", ") + std::string(Opcodes[i].name);
  EXPECT_EQ(message("  martix"),
            "error[E0701]: unknown instruction `martix`\n"
            "  program.s:1:3\n"
            "1 |   martix\n"
            "  |   ^^^^^^ did you mean `matrix`?\n"
            "hint: instructions are " + names);
}

TEST(Assembly, NamesAnUnknownField) {
  EXPECT_EQ(message("halt\nmatrix kernal_h=3"),
            "error[E0702]: `matrix` has no field `kernal_h`\n"
            "  program.s:2:8\n"
            "2 | matrix kernal_h=3\n"
            "  |        ^^^^^^^^ did you mean `kernel_h`?");
}

TEST(Assembly, SaysWhichValuesAreAllowed) {
  EXPECT_EQ(message("matrix kernel_h=256"),
            "error[E0703]: kernel_h = 256 is outside 1..255\n"
            "  program.s:1:17\n"
            "1 | matrix kernel_h=256\n"
            "  |                 ^^^");
  EXPECT_EQ(message("load buffer=accumulator"),
            "error[E0703]: `accumulator` is no value of `buffer`\n"
            "  program.s:1:13\n"
            "1 | load buffer=accumulator\n"
            "  |             ^^^^^^^^^^^\n"
            "hint: it may be activation, weight, vector or param");
  EXPECT_EQ(message("matrix wait=3"),
            "error[E0703]: semaphore = 3 is outside 4..7\n"
            "  program.s:1:13\n"
            "1 | matrix wait=3\n"
            "  |             ^");
  EXPECT_EQ(message("matrix act=0..3"),
            "error[E0703]: `act` needs an interval of words: act=[0..15]\n"
            "  program.s:1:12\n"
            "1 | matrix act=0..3\n"
            "  |            ^^^^");
  EXPECT_EQ(message("matrix kernel_h"),
            "error[E0703]: field `kernel_h` needs a value: kernel_h=...\n"
            "  program.s:1:8\n"
            "1 | matrix kernel_h\n"
            "  |        ^^^^^^^^");
}

TEST(Assembly, RefusesNumbersThatAreNone) {
  for (const char* value : {"", "-", "0x", "1.5", "12a", "0xg", "99999999999999999999", "--1", "+1", "0x10000000000000000"}) {
    EXPECT_NE(message(std::string("store count1=") + value).find("E0703"), std::string::npos) << value;
  }
}

TEST(Assembly, RefusesRepetition) {
  EXPECT_EQ(message("matrix chain chain"),
            "error[E0704]: field `chain` is given twice\n"
            "  program.s:1:14\n"
            "1 | matrix chain chain\n"
            "  |              ^^^^^");
  EXPECT_EQ(message("matrix post=1,1"),
            "error[E0704]: semaphore 1 is given twice\n"
            "  program.s:1:15\n"
            "1 | matrix post=1,1\n"
            "  |               ^");
}

TEST(Assembly, RefusesIllegalInstructions) {
  EXPECT_EQ(message("load run_bytes=3 group_bytes=0"),
            "error[E0705]: this is not a legal instruction: load.group_bytes = 0: must be at least 1 in rows mode\n"
            "  program.s:1:1\n"
            "1 | load run_bytes=3 group_bytes=0\n"
            "  | ^^^^");
}

TEST(Assembly, ReportsEveryLine) {
  const std::string all = message("hlat\nhalt\nmatrix x=1\n");
  EXPECT_NE(all.find("program.s:1:1"), std::string::npos) << all;
  EXPECT_NE(all.find("program.s:3:8"), std::string::npos) << all;
}

TEST(Assembly, SurvivesNoise) {
  test::Random random(test::seed());
  constexpr char Letters[] = "halt matrix=[0..9],x-_#\t\n\r\0word";
  const std::string letters(Letters, sizeof Letters - 1);  // with the zero in it
  int refused = 0;
  for (int n = 0; n < 20'000; ++n) {
    std::string text = disassemble(test::random_legal(random));
    for (int edits = 1 + static_cast<int>(random() % 4); edits > 0; --edits) {
      text[random() % text.size()] = letters[random() % letters.size()];
    }
    refused += message(text) != "no error";
  }
  EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace gemel::isa
