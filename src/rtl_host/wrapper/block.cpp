// SPDX-License-Identifier: Apache-2.0
// What stands between Gemel and the code that Verilator has made of one block: compiled with it into a shared object,
// with a plain C interface. Gemel carries this text and compiles it when a block is first needed
// (rtl_host/wrapper.cpp), with
//   GEMEL_RANDOM_RESET  0: registers start as zero; 2: with random bits
//   GEMEL_ASSERTIONS    0 or 1: assertions of the Verilog are checked
//   GEMEL_SHORT_CLOCK   1: a clock takes the steps below in place of two calls of eval()
//   GEMEL_WAVES         1: built with FST waves
//   GEMEL_COVERAGE      1: built to count lines and toggles
// and with ports.inc: GEMEL_PORT(name) for each port of the contract.
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>

#include "Vblock.h"
#include "Vblock___024root.h"
#include "verilated.h"
#if GEMEL_WAVES
#include "verilated_fst_c.h"
#endif
#if GEMEL_COVERAGE
#include "verilated_cov.h"
#endif

namespace {

// What a call says; the same numbers stand in rtl_host/library.cpp.
enum CallResult { Done = 0, Stopped = 1, Unsettled = 2, NoMemory = 3 };

struct Model {
  VerilatedContext context;
  Vblock* top = nullptr;
  bool begun = false;                                      // the first eval() initializes
  long long by_eval = 0;                                   // clocks that took eval()
  void (*listener)(void* of, const char* text) = nullptr;  // gets what the Verilog displays
  void* listener_of = nullptr;
#if GEMEL_WAVES
  VerilatedFstC* waves = nullptr;
#endif
};

struct Ended {
  CallResult how;
};

// Verilator's run-time calls the functions below without saying for which model. A model is evaluated in one thread at
// a time.
thread_local std::string displayed;      // in the call under way
std::atomic<bool> has_displayed{false};  // ever, in any thread: looked at often, and cheaper than the above
thread_local std::string reason;         // why the last call ended otherwise

[[noreturn]] void end(CallResult how, const char* what, const char* file, int line) {
  reason = std::string(what) + " (" + (file != nullptr ? file : "") + ":" + std::to_string(line) + ")";
  throw Ended{how};
}

// Calls Verilated code. `model` may be null: nobody listens.
template <class F>
int guarded(Model* model, F&& call) {
  try {
    call();
    if (has_displayed.load(std::memory_order_relaxed) && !displayed.empty()) {
      if (model != nullptr && model->listener != nullptr) model->listener(model->listener_of, displayed.c_str());
      displayed.clear();
    }
    return Done;
  } catch (const Ended& ended) {
    while (!displayed.empty() && displayed.back() == '\n') displayed.pop_back();
    if (!displayed.empty()) reason += ": " + displayed;
    displayed.clear();
    return ended.how;
  } catch (const std::bad_alloc&) {
    return NoMemory;
  }
}

}  // namespace

// ---- what Verilator's run-time calls in place of printing, stopping or aborting the process
// ---------------------------------------

extern "C" int gemel_printf(const char* format, ...) {
  char text[4096];
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  has_displayed.store(true, std::memory_order_relaxed);
  constexpr std::size_t Enough = 8u << 20;
  if (displayed.size() < Enough) displayed += text;
  return length;
}
void vl_finish(const char* file, int line, const char*) { end(Stopped, "$finish", file, line); }
void vl_stop(const char* file, int line, const char*) { end(Stopped, "$stop", file, line); }
void vl_fatal(const char* file, int line, const char*, const char* message) {
  const bool unsettled = std::strstr(message, "converge") != nullptr;
  end(unsettled ? Unsettled : Stopped, message, file, line);
}

// ---- the short clock
// ---------------------------------------------------------------------------------------------------------------

// A clock of Gemel's own blocks. Verilator's eval() looks after classes, threads and messages, and looks again and
// again whether what it has done asks for more; Gemel's blocks have none of these: wires follow inputs, registers
// follow the rising edge, wires follow registers. After the falling edge there is nothing to do but to tell Verilator
// that there was one. The names are Verilator's own and differ between versions: GEMEL_SHORT_CLOCK is set for those
// only in which the result was compared with eval() (has_proven_short_clock()). A block that lacks one of the names (no
// wire hangs on an input) is told apart here.
#if GEMEL_SHORT_CLOCK
__attribute__((weak)) void Vblock___024root___eval_triggers__ico(Vblock___024root*);
__attribute__((weak)) void Vblock___024root___eval_ico(Vblock___024root*);
__attribute__((weak)) void Vblock___024root___eval_triggers__act(Vblock___024root*);
__attribute__((weak)) void Vblock___024root___eval_nba(Vblock___024root*);
namespace {
template <class Root>
auto follow_inputs(Root* root, int) -> decltype(root->__VicoIterCount = 0, root->__VicoTriggered, true) {
  if (Vblock___024root___eval_triggers__ico == nullptr || Vblock___024root___eval_ico == nullptr) return false;
  root->__VicoIterCount = 0;
  Vblock___024root___eval_triggers__ico(root);
  Vblock___024root___eval_ico(root);
  return true;
}
template <class Root>
auto follow_inputs(Root* root, long) -> decltype(root->__VicoTriggered, true) {
  return false;
}
bool follow_inputs(void*, ...) { return true; }  // no wire hangs on an input
template <class Root>
auto clock_registers(Root* root, int)
    -> decltype(root->__Vtrigrprev__TOP__clk_i = 0, root->__VnbaTriggered.set(root->__VactTriggered), true) {
  if (Vblock___024root___eval_triggers__act == nullptr || Vblock___024root___eval_nba == nullptr ||
      !follow_inputs(root, 0))
    return false;
  Vblock___024root___eval_triggers__act(root);
  // By bytes, as they have just been written: a wider load would wait until they have left the processor's store
  // buffer.
  const auto* from = reinterpret_cast<const volatile char*>(&root->__VactTriggered);
  auto* to = reinterpret_cast<volatile char*>(&root->__VnbaTriggered);
  for (unsigned i = 0; i < sizeof root->__VnbaTriggered; ++i) to[i] = from[i];
  Vblock___024root___eval_nba(root);
  root->__Vtrigrprev__TOP__clk_i = 0;
  return true;
}
bool clock_registers(void*, long) { return false; }
}  // namespace
#endif

// ---- the interface
// -----------------------------------------------------------------------------------------------------------------

#define GEMEL_API extern "C" __attribute__((visibility("default")))

GEMEL_API unsigned long long gemel_bytes() { return sizeof(Vblock) + sizeof(Vblock___024root); }

GEMEL_API const char* gemel_reason() { return reason.c_str(); }

GEMEL_API void* gemel_create(int seed) {
  Model* m = nullptr;
  const int failed = guarded(nullptr, [&] {
    m = new Model;
    m->context.randReset(GEMEL_RANDOM_RESET);
    m->context.randSeed(seed);
    m->context.assertOn(GEMEL_ASSERTIONS != 0);
#if GEMEL_WAVES
    m->context.traceEverOn(true);
#endif
    m->top = new Vblock(&m->context);
    m->top->clk_i = 0;
  });
  if (failed == Done) return m;
  delete m;
  return nullptr;
}

GEMEL_API void gemel_listen(void* p, void (*to)(void* of, const char* text), void* of) {
  auto* m = static_cast<Model*>(p);
  m->listener = to;
  m->listener_of = of;
}

GEMEL_API int gemel_eval(void* p) {
  auto* m = static_cast<Model*>(p);
  return guarded(m, [m] { m->top->eval(); });
}

GEMEL_API int gemel_clock(void* p) {
  auto* m = static_cast<Model*>(p);
  Vblock* top = m->top;
  return guarded(m, [m, top] {
    top->clk_i = 1;
#if GEMEL_SHORT_CLOCK
    if (m->begun && clock_registers(top->rootp, 0)) {
      top->clk_i = 0;
      return;
    }
#endif
    m->begun = true;
    ++m->by_eval;
    top->eval();
    top->clk_i = 0;
    top->eval();
  });
}

// Clocks that took eval(), of all: for the test of the short clock.
GEMEL_API long long gemel_clocks_by_eval(void* p) { return static_cast<Model*>(p)->by_eval; }

GEMEL_API void* gemel_port(void* p, const char* name) {
  Vblock* top = static_cast<Model*>(p)->top;
#define GEMEL_PORT(port) \
  if (std::strcmp(name, #port) == 0) return &top->port;
#include <ports.inc>
#undef GEMEL_PORT
  return nullptr;
}

#if GEMEL_WAVES
GEMEL_API void gemel_waves_open(void* p, const char* path) {
  auto* m = static_cast<Model*>(p);
  m->waves = new VerilatedFstC;
  m->top->trace(m->waves, 99);
  m->waves->open(path);
}
GEMEL_API void gemel_waves_dump(void* p, long long time) {
  static_cast<Model*>(p)->waves->dump(static_cast<vluint64_t>(time));
}
GEMEL_API void gemel_waves_close(void* p) {
  auto* m = static_cast<Model*>(p);
  if (m->waves == nullptr) return;
  m->waves->close();
  delete m->waves;
  m->waves = nullptr;
}
#endif

#if GEMEL_COVERAGE
GEMEL_API int gemel_coverage(void* p, const char* path) {
  auto* m = static_cast<Model*>(p);
  return guarded(m, [m, path] { m->context.coveragep()->write(path); });
}
#endif

GEMEL_API void gemel_destroy(void* p) {
  auto* m = static_cast<Model*>(p);
#if GEMEL_WAVES
  guarded(m, [p] { gemel_waves_close(p); });
#endif
  delete m->top;
  delete m;
}
