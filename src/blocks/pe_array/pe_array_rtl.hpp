// SPDX-License-Identifier: Apache-2.0
// pe_array, adapter: its ports as RTL has them.
#pragma once
#include "blocks/pe_array/pe_array_ports.hpp"
#include "rtl_host/block.hpp"

namespace gemel {

class PeArrayRtl : public RtlBlock<PeArrayIn, PeArrayOut> {
 public:
  PeArrayRtl(const Machine& machine, std::unique_ptr<RtlModel> model)
      : RtlBlock("pe_array", std::move(model)), rows_(machine.rows), columns_(machine.columns) {
    for (auto& sums : sums_) sums.resize(static_cast<std::size_t>(columns_));
  }

 protected:
  void drive(const PeArrayIn& in) override {
    set_bits(weight_valid_, in.weight_valid);
    if (in.weight_valid) pack<9>(weight_, in.weight, columns_);
    set_bits(activation_valid_, in.activation_valid);
    set_bits(activation_switch_, in.activation_valid && in.activation_switch);
    if (in.activation_valid) pack<9>(activation_, in.activation, rows_);
  }
  void sample(PeArrayOut& out, int flip) override {
    out.valid = get_bits(sums_valid_) != 0;
    if (!out.valid) return;
    get_bytes(sums_port_, sums_[flip].data());
    out.sums = sums_[flip].data();
  }

 private:
  int rows_, columns_;
  RtlBits<1> weight_valid_{port("weight_valid_i")};
  RtlPort weight_ = port("weight_i");
  RtlBits<1> activation_valid_{port("activation_valid_i")}, activation_switch_{port("activation_switch_i")};
  RtlPort activation_ = port("activation_i");
  RtlBits<1> sums_valid_{port("sums_valid_o")};
  RtlPort sums_port_ = port("sums_o");
  std::vector<std::int32_t> sums_[2];
};

inline void compare(const Machine& machine, const PeArrayIn&, const PeArrayOut& expected, const PeArrayOut& actual, Comparison& c) {
  c.belongs(expected.valid, {Carries::ArraySums});
  c.value("sums_valid_o", expected.valid, actual.valid);
  if (expected.valid && actual.valid) c.elements<std::int32_t>("sums_o", expected.sums, actual.sums, static_cast<std::size_t>(machine.columns));
}

}  // namespace gemel
