// SPDX-License-Identifier: Apache-2.0
// Long calls: in a thread of their own, without Python's lock, while the calling thread looks for Ctrl-C.
#pragma once
#include <exception>
#include <functional>
#include <memory>

#include "bindings.hpp"

namespace gemel::python {

class Background {
 public:
  // `stop`: what the work looks at.
  explicit Background(StopToken stop);

  // Returns when `work` has, and throws what it throws. A signal whose handler raises (Ctrl-C: KeyboardInterrupt) asks the work to stop, and when
  // it has, is raised. Called with Python's lock, which it releases meanwhile. `work` must own all that it uses: after abandon() it goes on.
  void run(std::function<void()> work);
  // From any thread: the work will never end. run() throws `error`, and the work's thread is left to itself.
  void abandon(std::exception_ptr error);
  bool abandoned() const;

 private:
  struct State;
  StopToken stop_;
  std::shared_ptr<State> state_;
};

}  // namespace gemel::python
