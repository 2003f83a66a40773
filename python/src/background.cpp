// SPDX-License-Identifier: Apache-2.0
#include "background.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace gemel::python {
namespace {

constexpr std::chrono::milliseconds LookForSignals{50};

}  // namespace

struct Background::State {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false, abandoned = false;
  std::exception_ptr error;
};

Background::Background(StopToken stop) : stop_(std::move(stop)), state_(std::make_shared<State>()) {}

void Background::run(std::function<void()> work) {
  std::optional<py::error_already_set> raised;  // by the handler of a signal
  std::exception_ptr error;
  {
    const py::gil_scoped_release release;
    std::thread thread([state = state_, work = std::move(work)]() mutable {
      std::exception_ptr thrown;
      try {
        work();
      } catch (...) {
        thrown = std::current_exception();
      }
      work = nullptr;  // nobody waits for what it owns after `done`
      const std::lock_guard<std::mutex> lock(state->mutex);
      state->done = true;
      if (thrown) state->error = thrown;
      state->changed.notify_all();
    });
    std::unique_lock<std::mutex> lock(state_->mutex);
    const auto ended = [&] { return state_->done || state_->abandoned; };
    while (!state_->changed.wait_for(lock, LookForSignals, ended)) {
      lock.unlock();
      {
        const py::gil_scoped_acquire acquire;
        if (PyErr_CheckSignals() != 0) {  // 0 in all threads but the main one
          raised.emplace();
          stop_.request_stop();
        }
      }
      lock.lock();
    }
    error = state_->error;
    const bool leave = state_->abandoned;
    lock.unlock();
    if (leave) thread.detach();
    else thread.join();
  }
  if (raised) throw std::move(*raised);
  if (error) std::rethrow_exception(error);
}

void Background::abandon(std::exception_ptr error) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  if (state_->done) return;
  state_->abandoned = true;
  state_->error = std::move(error);
  state_->changed.notify_all();
}

bool Background::abandoned() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->abandoned;
}

}  // namespace gemel::python
