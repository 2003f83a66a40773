// SPDX-License-Identifier: Apache-2.0
// Lockstep: the model drives, the RTL gets the same inputs, and every output beat is compared. The first difference is told to
// whoever asked, with the cycle in which it is on the wires.
#pragma once
#include <functional>
#include <memory>
#include <utility>

#include "rtl_host/block.hpp"

namespace gemel {

// Called in every cycle that differs; `clock`: clocks of this block since reset.
using DivergenceSink = std::function<void(const Difference&, std::int64_t clock)>;

template <class In, class Out, class Base, class Compare>
class Checked : public Base {
 public:
  Checked(const Machine& machine, std::unique_ptr<Base> model, std::unique_ptr<Base> rtl, Compare compare, DivergenceSink sink)
      : machine_(machine), model_(std::move(model)), rtl_(std::move(rtl)), compare_(std::move(compare)), sink_(std::move(sink)) {}

  void reset() override {
    model_->reset();
    rtl_->reset();
    clock_ = 0;
  }
  const Out& out() const override { return model_->out(); }
  void step(const In& in) override {
    model_->step(in);
    rtl_->step(in);
    Comparison c;
    compare_(machine_, in, model_->out(), rtl_->out(), c);
    ++clock_;
    if (c.any()) sink_(c.first(), clock_);
  }
  bool quiet() const override { return model_->quiet() && rtl_->quiet(); }

 protected:
  Base& model() { return *model_; }
  const Base& model() const { return *model_; }
  Base& rtl() { return *rtl_; }

 private:
  const Machine& machine_;
  std::unique_ptr<Base> model_, rtl_;
  Compare compare_;
  DivergenceSink sink_;
  std::int64_t clock_ = 0;
};

}  // namespace gemel
