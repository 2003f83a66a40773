// SPDX-License-Identifier: Apache-2.0
// A Verilated block behind a block's ports: what all adapters (blocks/x/x_rtl.hpp) share. An adapter says how In is driven onto
// the ports and how Out is sampled from them; clocking, reset and the watch for combinational paths are here.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clocked.hpp"
#include "base/error.hpp"
#include "config/machine.hpp"
#include "isa/isa.hpp"
#include "rtl_host/library.hpp"

namespace gemel {

// ---- bits ----------------------------------------------------------------------------------------------------------------

// Storage as Verilator lays it out: 1, 2, 4 or 8 bytes up to 64 bits, whole 32-bit words beyond. What sets a port says whether it
// changed.

template <class Word>
bool replace(std::uint8_t* bytes, std::uint64_t value) {
  Word before;
  std::memcpy(&before, bytes, sizeof before);
  const auto after = static_cast<Word>(value);
  std::memcpy(bytes, &after, sizeof after);
  return before != after;
}
template <class Word>
std::uint64_t fetch(const std::uint8_t* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

inline std::uint64_t get_bits(const RtlPort& port) {  // up to 64
  if (port.width <= 8) return *port.bytes;
  if (port.width <= 16) return fetch<std::uint16_t>(port.bytes);
  if (port.width <= 32) return fetch<std::uint32_t>(port.bytes);
  return fetch<std::uint64_t>(port.bytes);
}
inline bool set_bits(const RtlPort& port, std::uint64_t value) {
  if (port.width <= 8) return replace<std::uint8_t>(port.bytes, value);
  if (port.width <= 16) return replace<std::uint16_t>(port.bytes, value);
  if (port.width <= 32) return replace<std::uint32_t>(port.bytes, value);
  return replace<std::uint64_t>(port.bytes, value);
}
// A port whose width does not depend on the machine, up to 64 bits: nothing has to look which of the sizes above it has.
template <int Width>
class RtlBits {
 public:
  using Word = std::conditional_t<(Width <= 8), std::uint8_t,
                                  std::conditional_t<(Width <= 16), std::uint16_t, std::conditional_t<(Width <= 32), std::uint32_t, std::uint64_t>>>;
  explicit RtlBits(const RtlPort& port) : bytes_(port.bytes) {
    if (port.width != Width) throw InternalError("a port of " + std::to_string(port.width) + " bits where " + std::to_string(Width) + " are meant");
  }
  std::uint8_t* bytes() const { return bytes_; }

 private:
  std::uint8_t* bytes_;
};
template <int Width>
typename RtlBits<Width>::Word get_bits(const RtlBits<Width>& port) {
  typename RtlBits<Width>::Word word;
  std::memcpy(&word, port.bytes(), sizeof word);
  return word;
}
template <int Width>
bool set_bits(const RtlBits<Width>& port, std::uint64_t value) {
  return replace<typename RtlBits<Width>::Word>(port.bytes(), value);
}

// In words of the sizes in which Verilated code writes and reads them: a wider load would wait until what it spans has left the
// processor's store buffer, and ports are too short for calls of memcpy() and memcmp() to pay.
inline bool set_bytes(const RtlPort& port, const void* bytes) {  // widths that are whole bytes
  if (bytes == nullptr) return false;
  const auto count = static_cast<std::size_t>(port.width / 8);
  const auto* from = static_cast<const std::uint8_t*>(bytes);
  std::uint64_t changed = 0;
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    std::uint64_t before, after;
    std::memcpy(&before, port.bytes + i, 8);
    std::memcpy(&after, from + i, 8);
    std::memcpy(port.bytes + i, &after, 8);
    changed |= before ^ after;
  }
  if (i + 4 <= count && count > 8) {  // beyond 64 bits: words of 4 bytes
    std::uint32_t before, after;
    std::memcpy(&before, port.bytes + i, 4);
    std::memcpy(&after, from + i, 4);
    std::memcpy(port.bytes + i, &after, 4);
    changed |= before ^ after;
    i += 4;
  }
  for (; i < count; ++i) {
    changed |= port.bytes[i] ^ from[i];
    port.bytes[i] = from[i];
  }
  return changed != 0;
}
inline void get_bytes(const RtlPort& port, void* bytes) {  // widths that are whole bytes
  const auto count = static_cast<std::size_t>(port.width / 8);
  auto* to = static_cast<std::uint8_t*>(bytes);
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const std::uint64_t two = fetch<std::uint32_t>(port.bytes + i) | fetch<std::uint32_t>(port.bytes + i + 4) << 32;
    std::memcpy(to + i, &two, 8);
  }
  for (; i < count; ++i) to[i] = port.bytes[i];
}
// `count` numbers of Bits each, packed; two's complement. The last word is written whole, as Verilated code reads it.
template <int Bits, class T>
bool pack(const RtlPort& port, const T* values, int count) {
  constexpr std::uint64_t Mask = (std::uint64_t{1} << Bits) - 1;
  std::uint64_t hold = 0;
  int held = 0;
  std::uint8_t* out = port.bytes;
  const auto put = [&](std::uint64_t bits, int width) {
    hold |= bits << held;
    held += width;
    if (held < 64) return;
    std::memcpy(out, &hold, 8);
    out += 8;
    held -= 64;
    hold = held > 0 ? bits >> (width - held) : 0;
  };
  int i = 0;
  if constexpr (sizeof(T) == 2) {  // four at once: two to a pair, then two pairs
    constexpr std::uint64_t Twice = 0x0000000100000001u, Pair = Mask << Bits | Mask;
    for (; i + 4 <= count; i += 4) {
      std::uint64_t four;
      std::memcpy(&four, values + i, 8);
      const std::uint64_t pairs = (four & Mask * Twice) | (four >> (16 - Bits) & (Mask << Bits) * Twice);
      put((pairs & Pair) | (pairs >> (32 - 2 * Bits) & Pair << 2 * Bits), 4 * Bits);
    }
  }
  for (; i < count; ++i) put(static_cast<std::uint64_t>(values[i]) & Mask, Bits);
  if (held == 0) return true;
  if (port.width <= 32) {
    gemel::set_bits(port, hold);
  } else {
    std::memcpy(out, &hold, port.width <= 64 || held > 32 ? 8 : 4);
  }
  return true;
}
template <int Bits, class T>
void unpack(const RtlPort& port, T* values, int count) {
  const auto number = [](std::uint64_t word) { return static_cast<T>(static_cast<std::int64_t>(word << (64 - Bits)) >> (64 - Bits)); };
  if (port.width <= 64) {
    const std::uint64_t all = get_bits(port);
    for (int i = 0; i < count; ++i) values[i] = number(all >> i * Bits);
    return;
  }
  const int last = (port.width - 1) / 32;
  const auto from = [&](int at) {  // 33 bits or more
    const int word = at / 32;
    const std::uint64_t two = fetch<std::uint32_t>(port.bytes + 4 * word) | fetch<std::uint32_t>(port.bytes + 4 * std::min(word + 1, last)) << 32;
    return two >> at % 32;
  };
  int i = 0;
  if constexpr (sizeof(T) == 2 && Bits == 9) {  // four at once: they begin at a multiple of 4 bits and so lie within two words
    constexpr std::uint64_t Twice = 0x0000000100000001u, Mask = 0x1ff, Signs = 0x0100010001000100u;
    for (; i + 4 <= count; i += 4) {
      const std::uint64_t several = from(i * Bits);
      const std::uint64_t pairs = (several & (Mask << 9 | Mask)) | (several >> 18 & (Mask << 9 | Mask)) << 32;
      const std::uint64_t four = (pairs & Mask * Twice) | (pairs & (Mask << 9) * Twice) << 7;
      const std::uint64_t extended = four | (four & Signs) * 0xfe;
      std::memcpy(values + i, &extended, 8);
    }
  }
  constexpr int Together = 33 / Bits;
  for (; i + Together <= count; i += Together) {
    const std::uint64_t several = from(i * Bits);
    for (int k = 0; k < Together; ++k) values[i + k] = number(several >> k * Bits);
  }
  for (; i < count; ++i) values[i] = number(from(i * Bits));
}

// ---- differences ---------------------------------------------------------------------------------------------------------

// What a beat carries, where that can be traced to an element of a tensor (src/sim/locate.hpp).
enum class Carries : std::uint8_t {
  Nothing,
  LoadedWord,       // load_dma into a scratchpad
  AccumulatorWord,  // matrix_unit into accumulator_buffer
  ArraySums,        // pe_array to matrix_unit
  RequantizedRow,   // requantizer to vector_unit
  ResultWord,       // vector_unit into vector_buffer
  StoredBeat,       // store_dma to memory
  ReadWord,         // a scratchpad to `client`
  Count
};

struct CarriedBeat {
  Carries carries = Carries::Nothing;
  std::uint32_t address = 0;  // of the word in its scratchpad
  int client = 0;
};

struct Difference {
  std::string port;
  std::string expected, actual;
  CarriedBeat beat;
  std::int64_t byte = 0;  // of the payload: the first that differs
};

// Collects the first difference between what a block must say and what it says.
class Comparison {
 public:
  // What is compared from here on belongs to this beat of the model, if it sends one.
  void belongs(bool sent, const CarriedBeat& beat) { beat_ = sent ? beat : CarriedBeat{}; }
  void value(const char* port, std::uint64_t expected, std::uint64_t actual) {
    if (expected != actual) found(port, std::to_string(expected), std::to_string(actual));
  }
  // Of a port that carries `count` numbers of type T: the first that differs is named, `y_o[3]`.
  template <class T>
  void elements(const char* port, const void* expected, const void* actual, std::size_t count) {
    if (expected == nullptr || actual == nullptr) {
      if (expected != actual) found(port, expected ? "data" : "none", actual ? "data" : "none");
    } else if (!any() && std::memcmp(expected, actual, count * sizeof(T)) != 0) {
      std::vector<T> e(count), a(count);
      std::memcpy(e.data(), expected, count * sizeof(T));
      std::memcpy(a.data(), actual, count * sizeof(T));
      const auto first = static_cast<std::size_t>(std::mismatch(e.begin(), e.end(), a.begin()).first - e.begin());
      std::size_t wrong = 0;
      for (std::size_t i = first; i < count; ++i) wrong += e[i] != a[i];
      const std::string more = wrong > 1 ? " (" + std::to_string(wrong) + " of " + std::to_string(count) + " elements differ)" : "";
      found(port + ("[" + std::to_string(first) + "]"), std::to_string(e[first]) + more, std::to_string(a[first]),
            static_cast<std::int64_t>(first * sizeof(T)));
    }
  }
  // Of a port that carries an instruction, which is shown disassembled.
  void instruction(const char* port, const isa::Word& expected, const isa::Word& actual) {
    if (!any() && expected != actual) found(port, "`" + isa::disassemble(expected) + "`", "`" + isa::disassemble(actual) + "`");
  }
  bool any() const { return first_ != nullptr; }
  const Difference& first() const { return *first_; }  // if there is any

 private:
  void found(std::string port, std::string expected, std::string actual, std::int64_t byte = 0) {
    if (!any()) first_ = std::make_unique<Difference>(Difference{std::move(port), std::move(expected), std::move(actual), beat_, byte});
  }
  CarriedBeat beat_;
  std::unique_ptr<Difference> first_;
};

// ---- the block -----------------------------------------------------------------------------------------------------------

// Base may be Clocked<In, Out> or an interface derived from it.
template <class In, class Out, class Base = Clocked<In, Out>>
class RtlBlock : public Base {
 public:
  RtlBlock(std::string name, std::unique_ptr<RtlModel> model) : name_(std::move(name)), model_(std::move(model)) {}

  void reset() override {
    drive(In{});
    model_->set_reset(true);
    model_->clock();
    model_->clock();
    model_->set_reset(false);
    model_->clock();
    time_ = 0;
    flip_ ^= 1;
    out_[flip_] = Out{};
    sample(out_[flip_], flip_);
  }
  const Out& out() const override { return out_[flip_]; }
  [[gnu::hot]] void step(const In& in) override {
    changed_ = false;
    drive(in);
    const bool waves = waves_first_ <= time_ && time_ <= waves_last_;
    if (waves || (watched_ && (noisy_.empty() || (!changed_ && this->quiet())))) {
      careful_clock(waves);
    } else if (!changed_ && skips_ && this->quiet()) {  // nothing would change; out() stays
      ++time_;
      return;
    } else if (noisy_.empty()) {
      model_->clock();
    } else {
      noisy_clock();
    }
    ++time_;
    flip_ ^= 1;
    sample(out_[flip_], flip_);
  }
  bool quiet() const override { return model_->quiet(); }

  // For somebody's block. Every step looks whether an output follows an input within the cycle (UserError E1007 names the port)
  // and whether one changes although quiet_o was 1 and no input has changed (E1015).
  void watch(const std::vector<PortSpec>& ports) {
    watched_ = true;
    for (const PortSpec& spec : ports) {
      if (spec.clock) continue;
      Watched w{spec.name, model_->port(spec.name), {}};
      if (!spec.input && !spec.valid.empty()) w.counts_under = model_->port(spec.valid);
      (spec.input ? inputs_ : outputs_).push_back(w);
    }
  }
  // From now on payload inputs hold random bits in every clock in which the valid beside them is 0: nobody may look at them then.
  void noise(const std::vector<PortSpec>& ports, std::uint64_t seed) {
    random_ = seed * 0x9E3779B97F4A7C15 | 1;
    noisy_.clear();
    for (const PortSpec& spec : ports) {
      if (spec.input && !spec.valid.empty() && spec.delay <= 1) noisy_.push_back({model_->port(spec.name), model_->port(spec.valid), spec.delay, 0, {}});
    }
    noisy_time_ = -1;
  }
  // Evaluates every clock, also while the block is quiet.
  void never_skip() { skips_ = false; }
  RtlModel& model() { return *model_; }
  std::int64_t clock_number() const { return time_; }  // clocks since reset
  // Waves of the clocks first .. last since reset.
  void open_waves(const std::string& path, std::int64_t first, std::int64_t last) {
    model_->open_waves(path);
    waves_first_ = first;
    waves_last_ = last;
  }

 protected:
  virtual void drive(const In& in) = 0;
  virtual void sample(Out& out, int flip) = 0;  // `flip`: which of two storages what Out points to must lie in
  RtlPort port(const char* name) { return model_->port(name); }
  // For drive(): a clock without a change of the inputs, while the block is quiet, is left out.
  template <class Port>
  void set_bits(const Port& port, std::uint64_t value) {
    note(gemel::set_bits(port, value));
  }
  void set_bytes(const RtlPort& port, const void* bytes) { note(gemel::set_bytes(port, bytes)); }
  template <int Bits, class T>
  void pack(const RtlPort& port, const T* values, int count) {
    note(gemel::pack<Bits>(port, values, count));
  }
  void note(bool changed) { changed_ |= changed; }

 private:
  struct Watched {
    std::string name;
    RtlPort port;
    std::vector<std::uint8_t> before;
    RtlPort counts_under{};  // of a payload: the port that says whether it counts
  };
  struct Noisy {
    RtlPort payload, valid;            // bit k of `valid` belongs to part k of as many equal parts of the payload
    int delay;                         // 0; 1: what was valid in the cycle before counts
    std::uint8_t before;               // `valid` in the last clock
    std::vector<std::uint8_t> driven;  // the payload, while there is noise
  };
  std::uint8_t random_byte() {  // xorshift64
    random_ ^= random_ << 13, random_ ^= random_ >> 7, random_ ^= random_ << 17;
    return static_cast<std::uint8_t>(random_ >> 20);
  }
  // Bits first .. end - 1: any number, or as often a small one, as addresses and counts of small machines are.
  void randomize(const RtlPort& port, int first, int end) {
    const int zeros_from = (random_byte() & 1) != 0 ? end : first + random_byte() % (end - first + 1);
    for (int bit = first; bit < end;) {
      const int count = std::min(8 - bit % 8, (bit < zeros_from ? zeros_from : end) - bit);
      const auto mask = static_cast<std::uint8_t>(((1 << count) - 1) << bit % 8);
      std::uint8_t& byte = port.bytes[bit / 8];
      byte = static_cast<std::uint8_t>((byte & ~mask) | (bit < zeros_from ? random_byte() & mask : 0));
      bit += count;
    }
  }
  // A clock with noise. The ports hold what they were driven with afterwards: drive() compares.
  [[gnu::noinline]] void noisy_clock() {
    const bool skipped = noisy_time_ != time_ - 1;  // clocks in which nothing changed
    noisy_time_ = time_;
    for (Noisy& n : noisy_) {
      const std::uint8_t now = *n.valid.bytes;
      const std::uint8_t valid = n.delay == 0 || skipped ? now : n.before;
      n.before = now;
      n.driven.assign(n.payload.bytes, n.payload.bytes + (n.payload.width + 7) / 8);
      const int part = n.payload.width / n.valid.width;
      for (int k = 0; k < n.valid.width; ++k) {
        if ((valid >> k & 1) == 0) randomize(n.payload, k * part, (k + 1) * part);
      }
    }
    if (watched_) {
      careful_clock(false);
    } else {
      model_->clock();
    }
    for (Noisy& n : noisy_) std::copy(n.driven.begin(), n.driven.end(), n.payload.bytes);
  }
  // With waves, or of somebody's block.
  [[gnu::noinline, gnu::cold]] void careful_clock(bool waves) {
    if (watched_) watch();
    const bool still = watched_ && inputs_unchanged() && model_->quiet();  // in every clock: it remembers them
    model_->set_clock(true);
    model_->eval();
    if (waves) model_->dump_waves(2 * time_);
    model_->set_clock(false);
    model_->eval();
    if (waves) model_->dump_waves(2 * time_ + 1);
    if (still) require_quiet();
  }
  static void remember(Watched& w) { w.before.assign(w.port.bytes, w.port.bytes + (w.port.width + 7) / 8); }
  static bool changed(const Watched& w) { return w.before.empty() || std::memcmp(w.before.data(), w.port.bytes, w.before.size()) != 0; }
  bool inputs_unchanged() {
    bool same = true;
    for (Watched& w : inputs_) {
      if (!changed(w)) continue;
      same = false;
      remember(w);
    }
    return same;
  }
  void require_quiet() const {
    for (const Watched& w : outputs_) {
      if (!changed(w) || (w.counts_under.bytes != nullptr && (*w.counts_under.bytes & 1) == 0)) continue;
      throw UserError("E1015", "block `" + name_ + "`: `quiet_o` is 1, but without a new input output `" + w.name + "` changes (clock " +
                                   std::to_string(time_) + ")",
                      "quiet_o must be 0 while anything is under way; 0 is always safe");
    }
  }
  void watch() {
    for (Watched& w : outputs_) remember(w);
    model_->eval();
    for (Watched& w : outputs_) {
      if (changed(w)) {
        throw UserError("E1007", "block `" + name_ + "`: output `" + w.name + "` follows an input within the cycle (clock " + std::to_string(time_) + ")",
                        "every output must be a register (docs/reference/machine.md, 1)");
      }
    }
  }

  std::string name_;
  std::unique_ptr<RtlModel> model_;
  Out out_[2]{};
  int flip_ = 0;
  bool watched_ = false, changed_ = false, skips_ = true;
  std::vector<Noisy> noisy_;
  std::uint64_t random_ = 1;
  std::int64_t noisy_time_ = -1;  // of the last clock with noise
  std::int64_t time_ = 0;  // clocks since reset
  std::int64_t waves_first_ = 0, waves_last_ = -1;
  std::vector<Watched> inputs_, outputs_;
};

}  // namespace gemel
