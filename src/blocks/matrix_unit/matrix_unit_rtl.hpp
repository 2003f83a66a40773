// SPDX-License-Identifier: Apache-2.0
// matrix_unit, adapter: its ports as RTL has them.
#pragma once
#include "blocks/matrix_unit/matrix_unit_ports.hpp"
#include "rtl_host/block.hpp"

namespace gemel {

class MatrixUnitRtl : public RtlBlock<MatrixUnitIn, MatrixUnitOut> {
 public:
  MatrixUnitRtl(const Machine& machine, std::unique_ptr<RtlModel> model)
      : RtlBlock("matrix_unit", std::move(model)), rows_(machine.rows), columns_(machine.columns) {
    for (auto& s : store_) {
      s.sums.resize(static_cast<std::size_t>(columns_) * 4);
      s.weight.resize(static_cast<std::size_t>(columns_));
      s.activation.resize(static_cast<std::size_t>(rows_));
    }
  }

 protected:
  void drive(const MatrixUnitIn& in) override {
    set_bits(command_valid_, in.command.valid);
    if (in.command.valid) set_bytes(command_, in.command.word);
    set_bytes(activation_data_, in.activation);
    set_bytes(weight_data_, in.weight);
    set_bytes(accumulator_data_, in.accumulator);
    set_bits(sums_valid_, in.array.valid);
    if (in.array.valid) set_bytes(sums_, in.array.sums);
  }
  void sample(MatrixUnitOut& out, int flip) override {
    Storage& s = store_[flip];
    out.completion.done = get_bits(done_) != 0;
    out.completion.chain = get_bits(chain_) != 0;
    out.activation = {get_bits(activation_read_) != 0, static_cast<std::uint32_t>(get_bits(activation_address_))};
    out.weight = {get_bits(weight_read_) != 0, static_cast<std::uint32_t>(get_bits(weight_address_))};
    out.accumulator_read = {get_bits(acc_read_) != 0, static_cast<std::uint32_t>(get_bits(acc_read_address_))};
    out.accumulator_write.enable = get_bits(acc_write_) != 0;
    out.accumulator_write.address = static_cast<std::uint32_t>(get_bits(acc_write_address_));
    if (out.accumulator_write.enable) get_bytes(acc_write_data_, s.sums.data());
    out.accumulator_write.data = s.sums.data();
    out.array.weight_valid = get_bits(array_weight_valid_) != 0;
    if (out.array.weight_valid) unpack<9>(array_weight_, s.weight.data(), columns_);
    out.array.weight = s.weight.data();
    out.array.activation_valid = get_bits(array_activation_valid_) != 0;
    out.array.activation_switch = out.array.activation_valid && get_bits(array_switch_) != 0;
    if (out.array.activation_valid) unpack<9>(array_activation_, s.activation.data(), rows_);
    out.array.activation = s.activation.data();
  }

 private:
  struct Storage {
    std::vector<std::uint8_t> sums;
    std::vector<std::int16_t> weight, activation;
  };
  int rows_, columns_;
  RtlBits<1> command_valid_{port("command_valid_i")};
  RtlPort command_ = port("command_i");
  RtlBits<1> done_{port("done_o")}, chain_{port("chain_o")};
  RtlBits<1> activation_read_{port("activation_read_o")};
  RtlBits<18> activation_address_{port("activation_address_o")};
  RtlPort activation_data_ = port("activation_data_i");
  RtlBits<1> weight_read_{port("weight_read_o")};
  RtlBits<18> weight_address_{port("weight_address_o")};
  RtlPort weight_data_ = port("weight_data_i");
  RtlBits<1> acc_read_{port("accumulator_read_o")};
  RtlBits<18> acc_read_address_{port("accumulator_read_address_o")};
  RtlPort accumulator_data_ = port("accumulator_data_i");
  RtlBits<1> acc_write_{port("accumulator_write_o")};
  RtlBits<18> acc_write_address_{port("accumulator_write_address_o")};
  RtlPort acc_write_data_ = port("accumulator_write_data_o");
  RtlBits<1> array_weight_valid_{port("array_weight_valid_o")};
  RtlPort array_weight_ = port("array_weight_o");
  RtlBits<1> array_activation_valid_{port("array_activation_valid_o")}, array_switch_{port("array_activation_switch_o")};
  RtlPort array_activation_ = port("array_activation_o");
  RtlBits<1> sums_valid_{port("array_sums_valid_i")};
  RtlPort sums_ = port("array_sums_i");
  Storage store_[2];
};

inline void compare(const Machine& machine, const MatrixUnitIn&, const MatrixUnitOut& e, const MatrixUnitOut& a, Comparison& c) {
  const auto rows = static_cast<std::size_t>(machine.rows), columns = static_cast<std::size_t>(machine.columns);
  c.value("done_o", e.completion.done, a.completion.done);
  c.value("chain_o", e.completion.chain, a.completion.chain);
  c.value("activation_read_o", e.activation.enable, a.activation.enable);
  if (e.activation.enable) c.value("activation_address_o", e.activation.address, a.activation.address);
  c.value("weight_read_o", e.weight.enable, a.weight.enable);
  if (e.weight.enable) c.value("weight_address_o", e.weight.address, a.weight.address);
  c.value("accumulator_read_o", e.accumulator_read.enable, a.accumulator_read.enable);
  if (e.accumulator_read.enable) c.value("accumulator_read_address_o", e.accumulator_read.address, a.accumulator_read.address);
  c.belongs(e.accumulator_write.enable, {Carries::AccumulatorWord, e.accumulator_write.address});
  c.value("accumulator_write_o", e.accumulator_write.enable, a.accumulator_write.enable);
  if (e.accumulator_write.enable && a.accumulator_write.enable) {
    c.value("accumulator_write_address_o", e.accumulator_write.address, a.accumulator_write.address);
    c.elements<std::int32_t>("accumulator_write_data_o", e.accumulator_write.data, a.accumulator_write.data, columns);
  }
  c.belongs(false, {});
  c.value("array_weight_valid_o", e.array.weight_valid, a.array.weight_valid);
  if (e.array.weight_valid && a.array.weight_valid) c.elements<std::int16_t>("array_weight_o", e.array.weight, a.array.weight, columns);
  c.value("array_activation_valid_o", e.array.activation_valid, a.array.activation_valid);
  if (e.array.activation_valid && a.array.activation_valid) {
    c.value("array_activation_switch_o", e.array.activation_switch, a.array.activation_switch);
    c.elements<std::int16_t>("array_activation_o", e.array.activation, a.array.activation, rows);
  }
}

}  // namespace gemel
