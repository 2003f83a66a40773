// SPDX-License-Identifier: Apache-2.0
// A block at its ports, clocked: what the stepper wires up, whoever stands behind it (beat model, Verilated RTL, both in
// lockstep). Two phases: out() is what is on the wires in this cycle; step() is the rising edge at its end. Pointers in Out stay valid
// until the step after the next one has begun, so blocks may be clocked in any order.
// What runs in every cycle is marked [[gnu::hot]]: it then lies side by side in the program, and its parts do not drive one another out of
// the instruction cache.
#pragma once

namespace gemel {

template <class In, class Out>
class Clocked {
 public:
  virtual ~Clocked() = default;
  virtual void reset() = 0;
  virtual const Out& out() const = 0;
  virtual void step(const In& in) = 0;
  // Another clock with unchanged inputs would change nothing that can be seen from outside.
  virtual bool quiet() const = 0;
};

}  // namespace gemel
