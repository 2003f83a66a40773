// SPDX-License-Identifier: Apache-2.0
// vector_unit, adapter: its ports as RTL has them.
#pragma once
#include "blocks/vector_unit/vector_unit_ports.hpp"
#include "rtl_host/block.hpp"

namespace gemel {

class VectorUnitRtl : public RtlBlock<VectorUnitIn, VectorUnitOut> {
 public:
  VectorUnitRtl(const Machine& machine, std::unique_ptr<RtlModel> model)
      : RtlBlock("vector_unit", std::move(model)), lanes_(machine.lanes) {
    for (auto& s : store_) {
      s.word.resize(static_cast<std::size_t>(machine.columns));
      for (auto* v : {&s.x, &s.multiplier, &s.shift}) v->resize(static_cast<std::size_t>(lanes_));
    }
  }

 protected:
  void drive(const VectorUnitIn& in) override {
    set_bits(command_valid_, in.command.valid);
    if (in.command.valid) set_bytes(command_, in.command.word);
    set_bytes(accumulator_data_, in.accumulator);
    set_bytes(vector_data_, in.vector);
    set_bytes(param_data_, in.param);
    set_bits(requantizer_valid_i_, in.requantizer.valid);
    if (in.requantizer.valid) set_bytes(requantizer_y_, in.requantizer.y);
  }
  void sample(VectorUnitOut& out, int flip) override {
    Storage& s = store_[flip];
    out.completion.done = get_bits(done_) != 0;
    out.accumulator = {get_bits(accumulator_read_) != 0, static_cast<std::uint32_t>(get_bits(accumulator_address_))};
    out.vector_read = {get_bits(vector_read_) != 0, static_cast<std::uint32_t>(get_bits(vector_read_address_))};
    out.param = {get_bits(param_read_) != 0, static_cast<std::uint32_t>(get_bits(param_address_))};
    out.vector_write.enable = get_bits(vector_write_) != 0;
    out.vector_write.address = static_cast<std::uint32_t>(get_bits(vector_write_address_));
    if (out.vector_write.enable) get_bytes(vector_write_data_, s.word.data());
    out.vector_write.data = s.word.data();
    out.requantizer.valid = get_bits(requantizer_valid_o_) != 0;
    if (out.requantizer.valid) {
      out.requantizer.rounding = static_cast<isa::Rounding>(get_bits(requantizer_rounding_));
      get_bytes(requantizer_x_, s.x.data());
      get_bytes(requantizer_multiplier_, s.multiplier.data());
      unpack<6>(requantizer_shift_, s.shift.data(), lanes_);
    }
    out.requantizer.x = s.x.data();
    out.requantizer.multiplier = s.multiplier.data();
    out.requantizer.shift = s.shift.data();
  }

 private:
  struct Storage {
    std::vector<std::uint8_t> word;
    std::vector<std::int32_t> x, multiplier, shift;
  };
  int lanes_;
  RtlBits<1> command_valid_{port("command_valid_i")}, done_{port("done_o")};
  RtlPort command_ = port("command_i");
  RtlBits<1> accumulator_read_{port("accumulator_read_o")};
  RtlBits<18> accumulator_address_{port("accumulator_address_o")};
  RtlPort accumulator_data_ = port("accumulator_data_i");
  RtlBits<1> vector_read_{port("vector_read_o")};
  RtlBits<18> vector_read_address_{port("vector_read_address_o")};
  RtlPort vector_data_ = port("vector_data_i");
  RtlBits<1> param_read_{port("param_read_o")};
  RtlBits<18> param_address_{port("param_address_o")};
  RtlPort param_data_ = port("param_data_i");
  RtlBits<1> vector_write_{port("vector_write_o")};
  RtlBits<18> vector_write_address_{port("vector_write_address_o")};
  RtlPort vector_write_data_ = port("vector_write_data_o");
  RtlBits<1> requantizer_valid_o_{port("requantizer_valid_o")};
  RtlBits<2> requantizer_rounding_{port("requantizer_rounding_o")};
  RtlPort requantizer_x_ = port("requantizer_x_o"), requantizer_multiplier_ = port("requantizer_multiplier_o"),
          requantizer_shift_ = port("requantizer_shift_o");
  RtlBits<1> requantizer_valid_i_{port("requantizer_valid_i")};
  RtlPort requantizer_y_ = port("requantizer_y_i");
  Storage store_[2];
};

inline void compare(const Machine& machine, const VectorUnitIn&, const VectorUnitOut& e, const VectorUnitOut& a, Comparison& c) {
  c.value("done_o", e.completion.done, a.completion.done);
  c.value("accumulator_read_o", e.accumulator.enable, a.accumulator.enable);
  if (e.accumulator.enable) c.value("accumulator_address_o", e.accumulator.address, a.accumulator.address);
  c.value("vector_read_o", e.vector_read.enable, a.vector_read.enable);
  if (e.vector_read.enable) c.value("vector_read_address_o", e.vector_read.address, a.vector_read.address);
  c.value("param_read_o", e.param.enable, a.param.enable);
  if (e.param.enable) c.value("param_address_o", e.param.address, a.param.address);
  c.belongs(e.vector_write.enable, {Carries::ResultWord, e.vector_write.address});
  c.value("vector_write_o", e.vector_write.enable, a.vector_write.enable);
  if (e.vector_write.enable && a.vector_write.enable) {
    c.value("vector_write_address_o", e.vector_write.address, a.vector_write.address);
    c.elements<std::uint8_t>("vector_write_data_o", e.vector_write.data, a.vector_write.data, static_cast<std::size_t>(machine.columns));
  }
  c.belongs(false, {});
  c.value("requantizer_valid_o", e.requantizer.valid, a.requantizer.valid);
  if (e.requantizer.valid && a.requantizer.valid) {
    const auto lanes = static_cast<std::size_t>(machine.lanes);
    c.value("requantizer_rounding_o", static_cast<std::uint64_t>(e.requantizer.rounding), static_cast<std::uint64_t>(a.requantizer.rounding));
    c.elements<std::int32_t>("requantizer_x_o", e.requantizer.x, a.requantizer.x, lanes);
    c.elements<std::int32_t>("requantizer_multiplier_o", e.requantizer.multiplier, a.requantizer.multiplier, lanes);
    c.elements<std::int32_t>("requantizer_shift_o", e.requantizer.shift, a.requantizer.shift, lanes);
  }
}

}  // namespace gemel
