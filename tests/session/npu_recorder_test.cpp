// SPDX-License-Identifier: Apache-2.0
// The results of a program on an Npu in a platform are those of gemel::run().
#include "gemel/npu_recorder.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "gemel/gemel.hpp"
#include "memory/ideal_memory.hpp"
#include "session/session.hpp"
#include "sim/platform.hpp"
#include "top/engine.hpp"

namespace gemel {
namespace {

void expect_same(const Result& is, const Result& must) {
  EXPECT_EQ(is.engine, must.engine);
  EXPECT_EQ(is.cycles, must.cycles);
  EXPECT_EQ(is.counters, must.counters);
  EXPECT_EQ(is.macs, must.macs);
  EXPECT_EQ(is.array_cycles, must.array_cycles);
  EXPECT_EQ(is.instructions, must.instructions);
  EXPECT_EQ(is.load_bytes, must.load_bytes);
  EXPECT_EQ(is.load_bursts, must.load_bursts);
  EXPECT_EQ(is.store_bytes, must.store_bytes);
  EXPECT_EQ(is.store_bursts, must.store_bursts);
  EXPECT_EQ(is.fetch_bytes, must.fetch_bytes);
  EXPECT_EQ(is.fetch_bursts, must.fetch_bursts);
  EXPECT_EQ(is.machine_digest, must.machine_digest);
  EXPECT_EQ(is.network_digest, must.network_digest);
  EXPECT_EQ(is.program_digest, must.program_digest);
  EXPECT_EQ(is.version, must.version);
  ASSERT_EQ(is.layers.size(), must.layers.size());
  for (std::size_t l = 0; l < is.layers.size(); ++l) {
    const LayerResult &a = is.layers[l], &b = must.layers[l];
    SCOPED_TRACE(b.name);
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.first_cycle, b.first_cycle);
    EXPECT_EQ(a.last_cycle, b.last_cycle);
    EXPECT_EQ(a.array_cycles, b.array_cycles);
    EXPECT_EQ(a.load_bytes, b.load_bytes);
    EXPECT_EQ(a.store_bytes, b.store_bytes);
    EXPECT_EQ(a.counters, b.counters);
  }
  ASSERT_EQ(is.trace.size(), must.trace.size());
  for (std::size_t e = 0; e < is.trace.size(); ++e) {
    EXPECT_EQ(is.trace[e].unit, must.trace[e].unit);
    EXPECT_EQ(is.trace[e].layer, must.trace[e].layer);
    EXPECT_EQ(is.trace[e].start, must.trace[e].start);
    EXPECT_EQ(is.trace[e].end, must.trace[e].end);
    EXPECT_EQ(is.trace[e].instruction, must.trace[e].instruction);
  }
}

// Software that runs programs one after the other.
class Software : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Software);
  Software(sc_core::sc_module_name name, std::vector<ProgramImage> programs) : sc_module(name), programs_(std::move(programs)) { SC_THREAD(run); }
  tlm_utils::simple_initiator_socket<Software> csr{"csr"};
  int ended = 0;
  std::function<void()> after = [] {};  // each program

 private:
  std::uint32_t access(tlm::tlm_command command, std::uint32_t offset, std::uint32_t value = 0) {
    tlm::tlm_generic_payload payload;
    payload.set_command(command);
    payload.set_address(offset);
    payload.set_data_ptr(reinterpret_cast<std::uint8_t*>(&value));
    payload.set_data_length(4);
    payload.set_streaming_width(4);
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    csr->b_transport(payload, delay);
    wait(delay);
    return value;
  }
  void run() {
    for (const ProgramImage& program : programs_) {
      access(tlm::TLM_WRITE_COMMAND, isa::csr::ProgramBaseLow, static_cast<std::uint32_t>(program.base));
      access(tlm::TLM_WRITE_COMMAND, isa::csr::ProgramBytes, program.bytes);
      access(tlm::TLM_WRITE_COMMAND, isa::csr::Control, 3);
      while ((access(tlm::TLM_READ_COMMAND, isa::csr::Status) & 1) != 0) wait(100, sc_core::SC_NS);
      ++ended;
      after();
    }
  }
  std::vector<ProgramImage> programs_;
};

TEST(NpuRecorder, GivesTheResultsOfARun) {
  const Machine machine = load_machine("tiny8");
  const Program program = compile(load_network("digits"), machine);
  ProgramOptions elsewhere;
  elsewhere.memory_base = 1 << 20;
  const Program other = compile(load_network("dense_1000"), machine, elsewhere);
  for (const Engine engine : {Engine::Systemc, Engine::Beat}) {
    RunOptions options;
    options.engine = engine;
    options.trace = true;
    options.compare = false;
    const Result must = run(program, machine, options);
    SCOPED_TRACE(must.engine);
    const SystemcContext context;
    NpuParts parts;
    parts.machine = machine;
    if (engine == Engine::Beat) parts.choices = {{"none", BlockKind::Model, {}}};  // anything: without choices there are fast models
    Npu npu("npu", parts);
    IdealMemory memory("memory", machine, npu.period());
    // Twice, with another program in between and after it.
    Software software("software", {program.image(), other.image(), program.image(), other.image()});
    software.csr.bind(npu.csr);
    npu.fetch.bind(memory.fetch);
    npu.load.bind(memory.load);
    npu.store.bind(memory.store);
    for (const Program* p : {&program, &other}) {
      const ProgramImage image = p->image();
      for (const auto& segment : image.segments) std::memcpy(memory.data() + segment.address, segment.bytes.data(), segment.bytes.size());
    }
    const NpuRecorder recorder(npu, program, true);
    EXPECT_EQ(recorder.result().cycles, 0);
    software.after = [&] { expect_same(recorder.result(), must); };
    sc_core::sc_start();
    EXPECT_EQ(software.ended, 4);
    EXPECT_NE(result_json(recorder.result(), machine).find("\"cycles\""), std::string::npos);
  }
}

TEST(NpuRecorder, RefusesAProgramForAnotherMachine) {
  const SystemcContext context;
  const Program program = compile(load_network("digits"), load_machine("tiny8"));
  NpuConfig config;
  config.machine = "edge16";
  Npu npu("npu", config);
  try {
    const NpuRecorder recorder(npu, program);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(error.diagnostics().front().code, "E0505");
  }
}

}  // namespace
}  // namespace gemel
