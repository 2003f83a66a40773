// SPDX-License-Identifier: Apache-2.0
// requantizer, adapter: its ports as RTL has them.
#pragma once
#include "blocks/requantizer/requantizer_ports.hpp"
#include "rtl_host/block.hpp"

namespace gemel {

class RequantizerRtl : public RtlBlock<RequantizerIn, RequantizerOut> {
 public:
  RequantizerRtl(const Machine& machine, std::unique_ptr<RtlModel> model)
      : RtlBlock("requantizer", std::move(model)), lanes_(machine.lanes) {
    for (auto& y : y_) y.resize(static_cast<std::size_t>(lanes_));
  }

 protected:
  void drive(const RequantizerIn& in) override {
    set_bits(valid_i_, in.valid);
    if (!in.valid) return;
    set_bits(rounding_, static_cast<std::uint64_t>(in.rounding));
    set_bytes(x_, in.x);
    set_bytes(multiplier_, in.multiplier);
    pack<6>(shift_, in.shift, lanes_);
  }
  void sample(RequantizerOut& out, int flip) override {
    out.valid = get_bits(valid_o_) != 0;
    if (!out.valid) return;
    get_bytes(y_port_, y_[flip].data());
    out.y = y_[flip].data();
  }

 private:
  int lanes_;
  RtlBits<1> valid_i_{port("valid_i")};
  RtlBits<2> rounding_{port("rounding_i")};
  RtlPort x_ = port("x_i"), multiplier_ = port("multiplier_i"), shift_ = port("shift_i");
  RtlBits<1> valid_o_{port("valid_o")};
  RtlPort y_port_ = port("y_o");
  std::vector<std::int32_t> y_[2];
};

inline void compare(const Machine& machine, const RequantizerIn&, const RequantizerOut& expected, const RequantizerOut& actual,
                    Comparison& c) {
  c.belongs(expected.valid, {Carries::RequantizedRow});
  c.value("valid_o", expected.valid, actual.valid);
  if (expected.valid && actual.valid) c.elements<std::int32_t>("y_o", expected.y, actual.y, static_cast<std::size_t>(machine.lanes));
}

}  // namespace gemel
