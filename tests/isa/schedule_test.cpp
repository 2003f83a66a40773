// SPDX-License-Identifier: Apache-2.0
// Schedule files: what is saved comes back, and what is damaged, cut short, made for another machine or no schedule at all is
// refused with a message of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/error.hpp"
#include "config/digest.hpp"
#include "isa/isa.hpp"
#include "isa/random_instruction.hpp"
#include "isa/schedule.hpp"
#include "network/safetensors.hpp"

namespace gemel {
namespace {

using ::testing::HasSubstr;

Machine machine() {
  Machine m;
  m.name = "small";
  for (ScratchpadParams& buffer : m.buffers) buffer = {16384, 1};
  return m;
}

Schedule schedule() {
  Schedule s;
  s.network = "two \"layers\"";
  s.machine = "small";
  s.machine_text = machine_text(machine());
  s.batch = 2;
  s.program_base = 0x4000;
  s.program = isa::assemble_program(
      "load buffer=activation word=[0..3] address=0x40 run_bytes=64 group_bytes=16 post=4\n"
      "store word=[0..3] address=0x1000 run_bytes=64 group_bytes=16 tag=1\n"
      "halt\n");
  s.constants = {{0x2000, {1, 2, 3, 255}}, {0x3000, {}}, {0x3001, std::vector<std::uint8_t>(1000, 7)}};
  ScheduleTensor input;
  input.name = "image";
  input.shape = {2, 2, 2, 8};
  input.scale = 1.0 / 3.0;
  input.zero_point = -128;
  input.address = 0x40;
  input.bytes = 64;
  input.is_input = true;
  ScheduleTensor output = input;
  output.name = "out";
  output.type = ElementType::UInt8;
  output.address = 0x1000;
  output.layer = 0;
  output.is_input = false;
  output.is_output = true;
  s.tensors = {input, output};
  ScheduleLayer layer;
  layer.name = "out";
  layer.op = Op::MaxPool;
  layer.output = 1;
  layer.macs = std::int64_t{1} << 40;
  layer.weight_bytes = 12;
  layer.weight_tiles = {7, 5, 2};
  layer.first_instruction = 0;
  layer.last_instruction = 1;
  layer.complete_after = 1;
  layer.predicted_cycles = 123456789012;
  LayerMapping mapping;
  mapping.unit = static_cast<int>(isa::Unit::Vector);
  mapping.beside = true;
  mapping.first_channel = 3;
  mapping.channels = 5;
  mapping.output = {1, 20, 30, 5};
  mapping.tile = {1, 2, 30, 4};
  mapping.reduction = {3, 2, 16};
  mapping.accumulated_channels = 4;
  mapping.loops = {"channels", "tiles"};
  mapping.resident = {"weights"};
  layer.mapping = {mapping};
  s.layers = {layer};
  s.memory_bytes_used = 0x5000;
  return s;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UserError& error) {
    EXPECT_EQ(error.diagnostics().size(), 1u);
    return to_string(error.diagnostics().front());
  }
  return "no error";
}

std::string error_of(const std::string& bytes) {
  return error_of([&] { Schedule::from_bytes(bytes.data(), bytes.size(), "x.gemel"); });
}

// Bytes of a schedule with a changed description or version, its checksum right: not damaged, but lying.
std::string lying(const std::function<void(Schedule&)>& change) {
  Schedule s = schedule();
  change(s);
  return s.bytes();
}

std::string temporary_folder() {
  std::string path = (std::filesystem::temp_directory_path() / "gemel_schedule_XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
  return path;
}

TEST(Schedule, ComesBackAsItWasSaved) {
  const std::string folder = temporary_folder();
  const Schedule s = schedule();
  s.save(folder + "/a.gemel");
  const Schedule t = Schedule::load(folder + "/a.gemel");
  std::filesystem::remove_all(folder);
  EXPECT_EQ(t.network, s.network);
  EXPECT_EQ(t.machine, s.machine);
  EXPECT_EQ(t.machine_text, s.machine_text);
  EXPECT_EQ(t.batch, 2);
  EXPECT_EQ(t.program_base, 0x4000u);
  EXPECT_EQ(t.program, s.program);
  EXPECT_EQ(t.memory_bytes_used, 0x5000);
  ASSERT_EQ(t.constants.size(), 3u);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(t.constants[c].address, s.constants[c].address);
    EXPECT_EQ(t.constants[c].bytes, s.constants[c].bytes);
  }
  ASSERT_EQ(t.tensors.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(t.tensors[i].name, s.tensors[i].name);
    EXPECT_EQ(t.tensors[i].shape, s.tensors[i].shape);
    EXPECT_EQ(t.tensors[i].type, s.tensors[i].type);
    EXPECT_EQ(t.tensors[i].scale, s.tensors[i].scale);  // to the last bit
    EXPECT_EQ(t.tensors[i].zero_point, -128);
    EXPECT_TRUE(t.tensors[i].in_memory);
    EXPECT_EQ(t.tensors[i].address, s.tensors[i].address);
    EXPECT_EQ(t.tensors[i].bytes, 64);
    EXPECT_EQ(t.tensors[i].layer, s.tensors[i].layer);
    EXPECT_EQ(t.tensors[i].is_input, i == 0);
    EXPECT_EQ(t.tensors[i].is_output, i == 1);
  }
  ASSERT_EQ(t.layers.size(), 1u);
  EXPECT_EQ(t.layers[0].name, "out");
  EXPECT_EQ(t.layers[0].op, Op::MaxPool);
  EXPECT_EQ(t.layers[0].output, 1);
  EXPECT_EQ(t.layers[0].macs, std::int64_t{1} << 40);
  EXPECT_EQ(t.layers[0].weight_bytes, 12);
  EXPECT_EQ(t.layers[0].weight_tiles.count, 7);
  EXPECT_EQ(t.layers[0].weight_tiles.zero, 5);
  EXPECT_EQ(t.layers[0].weight_tiles.left_out, 2);
  ASSERT_EQ(t.layers[0].mapping.size(), 1u);
  const LayerMapping &is = t.layers[0].mapping[0], &must = s.layers[0].mapping[0];
  EXPECT_EQ(std::tie(is.unit, is.beside, is.first_channel, is.channels, is.output, is.tile, is.reduction, is.accumulated_channels, is.loops, is.resident),
            std::tie(must.unit, must.beside, must.first_channel, must.channels, must.output, must.tile, must.reduction, must.accumulated_channels, must.loops,
                     must.resident));
  EXPECT_EQ(t.layers[0].first_instruction, 0);
  EXPECT_EQ(t.layers[0].last_instruction, 1);
  EXPECT_EQ(t.layers[0].complete_after, 1);
  EXPECT_EQ(t.layers[0].predicted_cycles, 123456789012);
}

TEST(Schedule, SavesTheSameBytesEachTime) { EXPECT_EQ(schedule().bytes(), schedule().bytes()); }

TEST(Schedule, NoticesEveryFlippedBit) {
  const std::string good = schedule().bytes();
  ASSERT_EQ(error_of(good), "no error");
  int damaged = 0;
  for (std::size_t byte = 0; byte < good.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = good;
      bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
      const std::string error = error_of(bytes);
      ASSERT_NE(error, "no error") << "byte " << byte << " bit " << bit;
      ASSERT_THAT(error, ::testing::StartsWith("error[E050")) << "byte " << byte << " bit " << bit;
      damaged += error.find("E0504") != std::string::npos;
    }
  }
  EXPECT_GT(damaged, 8 * 1200) << "most bits are seen by the checksum alone";
}

TEST(Schedule, NoticesEveryTruncation) {
  const std::string good = schedule().bytes();
  for (std::size_t size = 0; size < good.size(); ++size) {
    const std::string error = error_of(good.substr(0, size));
    ASSERT_THAT(error, HasSubstr("E0502")) << size;
  }
  std::string longer = good;
  longer.push_back(0);
  EXPECT_THAT(error_of(longer), HasSubstr("E0502"));
}

TEST(Schedule, SaysThatBytesAreDamaged) {
  std::string bytes = schedule().bytes();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  EXPECT_EQ(error_of(bytes),
            "error[E0504]: the schedule is damaged: its checksum is not that of its contents\n"
            "  x.gemel\n"
            "hint: compile the network again, or copy the file again");
}

TEST(Schedule, SaysThatAFileIsCutShort) {
  std::string bytes = schedule().bytes();
  bytes.resize(20);
  EXPECT_THAT(error_of(bytes), HasSubstr("error[E0502]: this is no schedule of Gemel, or it is damaged: the header says it has "));
}

TEST(Schedule, SaysThatAFileIsNoSchedule) {
  safetensors::Writer other;
  const std::uint8_t byte = 1;
  other.add("weights", safetensors::Dtype::U8, {1}, &byte);
  EXPECT_EQ(error_of(other.bytes()),
            "error[E0502]: this is no schedule of Gemel: it has no metadata `gemel_schedule`\n"
            "  x.gemel\n"
            "hint: `gemel compile` makes schedules");
}

TEST(Schedule, SaysThatAFileHasAnotherVersion) {
  safetensors::Writer other;
  other.set_metadata("gemel_schedule", "7");
  EXPECT_EQ(error_of(other.bytes()),
            "error[E0503]: the schedule has format 7, and this Gemel reads 2\n"
            "  x.gemel\n"
            "hint: compile the network again");
}

TEST(Schedule, SaysThatAFileCannotBeRead) {
  EXPECT_EQ(error_of([] { Schedule::load("no/such.gemel"); }),
            "error[E0501]: cannot open `no/such.gemel`: No such file or directory\n"
            "  no/such.gemel");
}

TEST(Schedule, LeavesNothingBehindWhereItCannotWrite) {
  const std::string folder = temporary_folder();
  const std::string path = folder + "/missing/a.gemel";
  EXPECT_THAT(error_of([&] { schedule().save(path); }), HasSubstr("error[E0902]: "));
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

TEST(Schedule, RunsOnItsMachineWhateverItsSpeed) {
  Machine m = machine();
  EXPECT_EQ(machine_digest(m), digest_of_machine_text(schedule().machine_text));
  m.name = "renamed";
  m.clock_mhz = 5;
  m.read_latency_cycles = 7;
  m.memory_bytes_per_cycle = 1;
  m.queue_depth = 1;
  m.load_outstanding = 1;
  m.memory_bytes *= 2;
  EXPECT_NO_THROW(require_machine(schedule(), m));
}

TEST(Schedule, SaysHowAnotherMachineDiffers) {
  Machine m = machine();
  m.name = "big";
  m.rows = 32;
  m.buffers[1].banks = 2;
  EXPECT_NE(machine_digest(m), machine_digest(machine()));
  EXPECT_EQ(error_of([&] { require_machine(schedule(), m); }),
            "error[E0505]: the schedule of `two \"layers\"` was compiled for machine `small`, and this is `big`: "
            "pe_array.rows 16 there and 32 here, weight_buffer.banks 1 there and 2 here\n"
            "hint: compile the network for this machine, or run it with --machine small");
}

TEST(Schedule, NeedsItsMemory) {
  Machine m = machine();
  m.memory_bytes = 0x4fff;
  EXPECT_EQ(error_of([&] { require_machine(schedule(), m); }),
            "error[E0506]: the schedule of `two \"layers\"` needs 20480 bytes of memory, and the machine `small` has 20479\n"
            "hint: raise memory.size_bytes; what was compiled stays as it is");
}

struct Lie {
  const char* name;
  std::function<void(Schedule&)> change;
  const char* message;
};
class LyingSchedule : public ::testing::TestWithParam<Lie> {};

TEST_P(LyingSchedule, IsRefused) {
  EXPECT_EQ(error_of(lying(GetParam().change)),
            std::string("error[E0507]: the schedule contradicts itself: ") + GetParam().message + "\n  x.gemel");
}

INSTANTIATE_TEST_SUITE_P(
    All, LyingSchedule,
    ::testing::Values(
        Lie{"IllegalInstruction", [](Schedule& s) { s.program[1][0] = 0xff; },
            "instruction 1 is illegal: opcode = 255: must be one of the instruction set"},
        Lie{"AnotherMachine", [](Schedule& s) {
              isa::Load load;
              load.group_bytes = 1;
              load.machine = digest_of_machine_text(s.machine_text) ^ 1;
              s.program[0] = isa::encode(load);
            }, "instruction 0 is for another machine than the schedule"},
        Lie{"Batch", [](Schedule& s) { s.batch = 0; }, "schedule.batch = 0 is outside 1..2147483647"},
        Lie{"ProgramBase", [](Schedule& s) { s.program_base = 0x4020; }, "schedule.program_base is not a multiple of 64"},
        Lie{"ProgramEnd", [](Schedule& s) { s.memory_bytes_used = 0x40bf; }, "schedule.program ends beyond memory_bytes_used"},
        Lie{"ConstantEnd", [](Schedule& s) { s.constants[2].address = 0x5000 - 999; },
            "schedule.constant_addresses lead beyond memory_bytes_used"},
        Lie{"TensorEnd", [](Schedule& s) { s.tensors[1].address = 0x5000 - 63; }, "schedule.tensors lead beyond memory_bytes_used"},
        Lie{"TensorBytes", [](Schedule& s) { s.tensors[1].bytes = 65; }, "tensors[1].bytes is not the size of the shape"},
        Lie{"TensorShape", [](Schedule& s) { s.tensors[0].shape[1] = 0; }, "tensors[0].shape = 0 is outside 1..2147483647"},
        Lie{"TensorLayer", [](Schedule& s) { s.tensors[1].layer = 1; }, "tensors[1].layer = 1 is outside -1..0"},
        Lie{"ZeroPoint", [](Schedule& s) { s.tensors[1].zero_point = 256; }, "tensors[1].zero_point = 256 is outside -128..255"},
        Lie{"Address", [](Schedule& s) { s.tensors[1].address = ~std::uint64_t{0}; },
            "tensors[1].address = 18446744073709551615 is outside 0..1099511627776"},
        Lie{"Scale", [](Schedule& s) { s.tensors[0].scale = std::numeric_limits<double>::quiet_NaN(); },
            "tensors[0].scale is not a number"},
        Lie{"LayerOutput", [](Schedule& s) { s.layers[0].output = 2; }, "layers[0].output = 2 is outside -1..1"},
        Lie{"LayerOrder", [](Schedule& s) { s.layers[0].first_instruction = 2; },
            "layers[0].last_instruction = 1 is outside 2..2"},
        Lie{"CompleteAfter", [](Schedule& s) { s.layers[0].complete_after = 3; },
            "layers[0].complete_after = 3 is outside -1..2"},
        Lie{"CompleteAfterNoStore", [](Schedule& s) { s.layers[0].complete_after = 0; },
            "layers[0].complete_after = 0 is not a store"},
        Lie{"MoreTilesLeftOutThanZero", [](Schedule& s) { s.layers[0].weight_tiles.left_out = 6; },
            "layers[0].weight_tiles are not all tiles, those that are zero, and those of them that are left out"},
        Lie{"MappedToADma", [](Schedule& s) { s.layers[0].mapping[0].unit = static_cast<int>(isa::Unit::Store); },
            "layers[0].mapping.unit = 3 is outside 1..2"},
        Lie{"TileOfNothing", [](Schedule& s) { s.layers[0].mapping[0].tile[1] = 0; },
            "layers[0].mapping.tile = 0 is outside 1..1099511627776"},
        Lie{"UnknownLoop", [](Schedule& s) { s.layers[0].mapping[0].loops = {"rows"}; },
            "layers[0].mapping.loops has \"rows\", which is none of its words"}),
    [](const auto& lie) { return std::string(lie.param.name); });

}  // namespace
}  // namespace gemel
