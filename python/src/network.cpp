// SPDX-License-Identifier: Apache-2.0
// Networks.
#include <memory>
#include <optional>

#include "background.hpp"
#include "bindings.hpp"

namespace gemel::python {
namespace {

struct NetworkHandle {
  NetworkPtr network;
};

NetworkHandle loaded(std::string source, std::optional<std::string> file, int batch, std::optional<std::uint64_t> seed, bool timing_only,
                     const StopToken& stop) {
  NetworkOptions options;
  options.batch = batch;
  options.seed = seed;
  options.timing_only = timing_only;
  options.stop = stop;
  auto result = std::make_shared<NetworkPtr>();
  Background(stop).run([=] { *result = file ? parse_network(source, *file, options) : load_network(source, options); });
  return {*result};
}

}  // namespace

NetworkPtr network_of(const py::object& handle) { return handle.cast<const NetworkHandle&>().network; }

void bind_network(py::module_& module) {
  py::class_<StopToken>(module, "StopToken",
                        "A wish to stop: give it to a call as `stop`, and call request_stop() in another thread; the call ends in gemel.Interrupted.")
      .def(py::init<>())
      .def("request_stop", &StopToken::request_stop, "May be called in any thread.")
      .def_property_readonly("stop_requested", &StopToken::stop_requested);

  module.def("list_networks", [] {
    py::dict names;
    for (const NetworkName& n : list_networks()) names[py::str(n.name)] = n.description;
    return names;
  });

  py::class_<NetworkInfo>(module, "NetworkInfo")
      .def_readonly("name", &NetworkInfo::name)
      .def_readonly("description", &NetworkInfo::description)
      .def_readonly("file", &NetworkInfo::file)
      .def_readonly("batch", &NetworkInfo::batch)
      .def_readonly("macs", &NetworkInfo::macs)
      .def_readonly("weights", &NetworkInfo::weights)
      .def_readonly("timing_only", &NetworkInfo::timing_only)
      .def_property_readonly("inputs", [](const NetworkInfo& n) { return as_tuple(n.inputs); })
      .def_property_readonly("outputs", [](const NetworkInfo& n) { return as_tuple(n.outputs); })
      .def_property_readonly("layers", [](const NetworkInfo& n) { return as_tuple(n.layers); });

  py::class_<NetworkHandle>(module, "Network")
      .def_static("load", &loaded, py::kw_only(), py::arg("source"), py::arg("file"), py::arg("batch"), py::arg("seed"), py::arg("timing_only"),
                  py::arg("stop"))
      .def("describe", [](const NetworkHandle& handle) { return describe(handle.network); })
      .def("digest", [](const NetworkHandle& handle) { return digest(handle.network); }, py::call_guard<py::gil_scoped_release>())
      .def("test_images", [](const NetworkHandle& handle) -> py::object {
        std::optional<TestImages> test = test_images(handle.network);
        if (!test) return py::none();
        TensorData images;
        static_cast<TensorInfo&>(images) = std::move(test->images);
        images.data = std::move(test->data);
        return py::make_tuple(std::move(images), std::move(test->labels), test->float_accuracy);
      });
}

}  // namespace gemel::python
