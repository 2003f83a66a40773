// SPDX-License-Identifier: Apache-2.0
// Runs, what is told of them meanwhile, and results.
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>

#include "archive.hpp"
#include "background.hpp"
#include "bindings.hpp"

namespace gemel::python {
namespace {

// A result with the machine that its reports need.
struct ResultHandle {
  Result result;
  Machine machine;
};

std::string bytes_of(const ResultHandle& handle) {
  Writer writer;
  std::string version = gemel::version() + " " + commit(), machine = to_yaml(handle.machine);
  ResultHandle copy = handle;
  fields(writer, version, machine, copy.result);
  return std::move(writer.bytes);
}

std::shared_ptr<ResultHandle> result_of(const std::string& bytes) {
  Reader reader(bytes);
  std::string version, machine;
  field(reader, version);
  if (const std::string own = gemel::version() + " " + commit(); version != own) {
    throw py::value_error("a result that was pickled by Gemel " + version + " cannot be read by " + own);
  }
  auto handle = std::make_shared<ResultHandle>();
  fields(reader, machine, handle->result);
  if (!reader.at_end()) throw py::value_error("the pickle of a result is damaged");
  handle->machine = parse_machine(machine, "the machine in the pickle");
  return handle;
}

// The figures of the whole run, by their names in result.json; those of units as "matrix_unit.busy".
py::dict figures(const ResultHandle& handle) {
  const Result& r = handle.result;
  py::dict figures;
  const std::pair<const char*, std::int64_t> counts[] = {
      {"batch", r.batch},           {"cycles", r.cycles},           {"macs", r.macs},
      {"array_cycles", r.array_cycles}, {"instructions", r.instructions}, {"load_bytes", r.load_bytes},
      {"store_bytes", r.store_bytes},   {"fetch_bytes", r.fetch_bytes},   {"load_bursts", r.load_bursts},
      {"store_bursts", r.store_bursts}, {"fetch_bursts", r.fetch_bursts}};
  for (const auto& [name, value] : counts) figures[name] = value;
  figures["seconds_at_clock"] = static_cast<double>(r.cycles) / (r.clock_mhz * 1e6);
  figures["utilization"] = r.utilization();
  for (std::size_t unit = 0; unit < r.counters.size(); ++unit) {
    for (std::size_t cause = 0; cause < r.counters[unit].size(); ++cause) {
      const std::string name = std::string(unit_name(static_cast<int>(unit))) + "." + std::string(cause_name(static_cast<int>(cause)));
      figures[py::str(name)] = r.counters[unit][cause];
    }
  }
  return figures;
}

// Tells Python of a run. Callbacks come in the run's thread; what a callback raises stops the run, and run() raises it.
class Listener : public Observer {
 public:
  Listener(py::object progress, py::object text, StopToken stop) : progress_(std::move(progress)), text_(std::move(text)), stop_(std::move(stop)) {}

  void progress(const Progress& progress) override {
    if (!progress_.is_none()) call([&] { progress_(progress); });
  }
  void log(const std::string& line) override { say(line + "\n"); }
  void rtl_displays(const std::string&, const std::string& text) override { say(text); }
  void warning(const Diagnostic& warning) override { warnings.push_back(warning); }
  void rtl_hangs(const UserError& error) override { hangs(std::make_exception_ptr(error)); }

  std::vector<Diagnostic> warnings;
  std::optional<py::error_already_set> raised;
  std::function<void(std::exception_ptr)> hangs;

 private:
  void say(const std::string& text) {
    if (!text_.is_none()) call([&] { text_(py::bytes(text).attr("decode")("utf-8", "replace")); });
  }
  template <typename Action>
  void call(const Action& action) {
    const py::gil_scoped_acquire acquire;
    if (raised) return;
    try {
      action();
    } catch (py::error_already_set& error) {
      raised.emplace(error);
      stop_.request_stop();
    }
  }
  py::object progress_, text_;
  StopToken stop_;
};

// Set once the Verilog of a run hangs, which has its thread and its turn for as long as the process lives.
std::atomic<bool> one_hangs{false};

// SystemC's state and that of RTL belong to the process: such runs come one after the other. Waiting ends when a stop is requested.
class OneAtATime {
 public:
  explicit OneAtATime(const StopToken& stop) : lock_(mutex(), std::defer_lock) {
    while (!lock_.try_lock_for(std::chrono::milliseconds(20))) {
      if (stop.stop_requested()) throw Interrupted("interrupted before the run began: it waited for another one");
      if (one_hangs) {
        throw UserError("E1016", "the Verilog of an earlier run hangs in this process, so that no other run with RTL or SystemC can begin",
                        "start Python anew; the engines `plain` and `beat` without RTL go on");
      }
    }
  }

 private:
  static std::timed_mutex& mutex() {
    static auto* const only = new std::timed_mutex;  // never destroyed: a run that hangs may hold it to the end
    return *only;
  }
  std::unique_lock<std::timed_mutex> lock_;
};

// Each keeps `owner`, which has them, alive.
py::list handles(std::vector<TensorData>& tensors, const py::object& owner) {
  py::list list;
  for (TensorData& data : tensors) list.append(py::cast(&data, py::return_value_policy::reference_internal, owner));
  return list;
}

std::optional<Engine> engine_of(const std::optional<std::string>& name) {
  if (!name) return std::nullopt;
  return *name == "beat" ? Engine::Beat : *name == "plain" ? Engine::Plain : Engine::Systemc;
}

std::shared_ptr<ResultHandle> run_program(const Program& program, const Machine& machine, const std::vector<py::buffer>& inputs,
                                          const std::vector<std::string>& keep, const std::vector<std::string>& blocks,
                                          const std::optional<std::string>& engine, std::uint64_t seed,
                                          bool test_images, bool compare, bool timing_only, bool trace, std::int64_t max_cycles, bool keep_going,
                                          bool no_skip, std::optional<int> reset_seed, const std::string& waves_folder, const std::string& case_file,
                                          const py::object& progress, const py::object& text, const py::object& warn, const StopToken& stop) {
  RunOptions options;
  for (const py::buffer& input : inputs) {
    const py::buffer_info info = input.request();
    const auto* bytes = static_cast<const std::uint8_t*>(info.ptr);
    options.inputs.emplace_back(bytes, bytes + info.size * info.itemsize);
  }
  options.keep_tensors = keep;
  options.blocks = blocks;
  options.engine = engine_of(engine);
  options.seed = seed;
  options.test_images = test_images;
  options.compare = compare;
  options.timing_only = timing_only;
  options.trace = trace;
  options.max_cycles = max_cycles;
  options.keep_going = keep_going;
  options.no_skip = no_skip;
  options.reset_seed = reset_seed;
  options.waves_folder = waves_folder;
  options.case_file = case_file;
  options.stop = stop;
  check(options);
  const bool alone = !blocks.empty() || !options.engine || *options.engine == Engine::Systemc;

  auto listener = std::make_unique<Listener>(progress, text, stop);
  auto result = std::make_shared<ResultHandle>();
  result->machine = machine;
  auto background = std::make_shared<Background>(stop);
  listener->hangs = [background](std::exception_ptr error) {
    one_hangs = true;
    background->abandon(std::move(error));
  };
  options.observer = listener.get();
  std::exception_ptr thrown;
  try {
    background->run([=] {
      std::optional<OneAtATime> turn;
      if (alone) turn.emplace(stop);
      result->result = run(program, result->machine, options);
    });
  } catch (...) {
    thrown = std::current_exception();
  }
  if (background->abandoned()) static_cast<void>(listener.release());  // the run that hangs goes on to know it
  else if (listener->raised) throw py::error_already_set(*listener->raised);
  if (thrown) std::rethrow_exception(thrown);
  for (const Diagnostic& warning : listener->warnings) warn(warning);
  return result;
}

}  // namespace

void bind_run(py::module_& module) {
  py::class_<Progress>(module, "Progress", "How far a run is.")
      .def_readonly("instructions", &Progress::instructions)
      .def_readonly("total_instructions", &Progress::total_instructions)
      .def_readonly("cycles", &Progress::cycles)
      .def_readonly("layer", &Progress::layer, "From 0.")
      .def_readonly("layers", &Progress::layers);

  py::class_<ResultHandle, std::shared_ptr<ResultHandle>>(module, "Result")
      .def_property_readonly("cycles", [](const ResultHandle& r) { return r.result.cycles; })
      .def_property_readonly("traced", [](const ResultHandle& r) { return !r.result.trace.empty(); })
      .def("figures", &figures)
      .def("outputs", [](const py::object& self) { return handles(self.cast<ResultHandle&>().result.outputs, self); })
      .def("tensors", [](const py::object& self) { return handles(self.cast<ResultHandle&>().result.tensors, self); })
      .def("add_settings",
           [](ResultHandle& r, const std::vector<std::pair<std::string, std::string>>& settings) {
             r.result.settings.insert(r.result.settings.end(), settings.begin(), settings.end());
           },
           py::arg("settings"))
      .def("json", [](const ResultHandle& r) { return result_json(r.result, r.machine); }, py::call_guard<py::gil_scoped_release>())
      .def("summary", [](const ResultHandle& r) { return summary_text(r.result, r.machine); }, py::call_guard<py::gil_scoped_release>())
      .def("html", [](const ResultHandle& r) { return report_html(r.result, r.machine); }, py::call_guard<py::gil_scoped_release>())
      .def("comparison_html",
           [](const ResultHandle& r, const ResultHandle& other) { return comparison_html(r.result, r.machine, other.result, other.machine); },
           py::arg("other"), py::call_guard<py::gil_scoped_release>())
      .def("trace_json", [](const ResultHandle& r) { return trace_json(r.result); }, py::call_guard<py::gil_scoped_release>())
      .def("write",
           [](const ResultHandle& r, const std::string& folder) {
             prepare_reports(folder, !r.result.trace.empty());
             return write_reports(folder, r.result, r.machine);
           },
           py::arg("folder"), py::call_guard<py::gil_scoped_release>())
      .def(py::pickle([](const ResultHandle& r) { return py::bytes(bytes_of(r)); }, [](const py::bytes& bytes) { return result_of(bytes); }));

  module.def("real_time",
             [](std::int64_t run_cycles, double clock_mhz, double period_seconds, int frames, std::optional<double> deadline_seconds) {
               const RealTime r = real_time({run_cycles, clock_mhz, period_seconds, frames, deadline_seconds});
               std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t, int, bool>> rows;
               for (const RealTime::Frame& f : r.frames) rows.emplace_back(f.arrival, f.start, f.end, f.waiting, f.missed);
               return std::make_tuple(rows, r.frames_per_second, r.busy_share, real_time_text(r));
             },
             py::kw_only(), py::arg("run_cycles"), py::arg("clock_mhz"), py::arg("period_seconds"), py::arg("frames"), py::arg("deadline_seconds"));
  module.def("run", &run_program, py::kw_only(), py::arg("program"), py::arg("machine"), py::arg("inputs"), py::arg("keep"), py::arg("blocks"),
             py::arg("engine"), py::arg("seed"), py::arg("test_images"), py::arg("compare"), py::arg("timing_only"), py::arg("trace"), py::arg("max_cycles"),
             py::arg("keep_going"), py::arg("no_skip"), py::arg("reset_seed"), py::arg("waves_folder"), py::arg("case_file"), py::arg("progress"),
             py::arg("text"), py::arg("warn"), py::arg("stop"));
}

}  // namespace gemel::python
