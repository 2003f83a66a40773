// SPDX-License-Identifier: Apache-2.0
// Compiled programs, and predictions.
#include <memory>
#include <optional>

#include "background.hpp"
#include "bindings.hpp"

namespace gemel::python {

NetworkPtr network_of(const py::object& handle);  // network.cpp

void bind_program(py::module_& module) {
  py::class_<Estimate>(module, "Estimate")
      .def_readonly("cycles", &Estimate::cycles)
      .def_readonly("error_share", &Estimate::error_share)
      .def_property_readonly("layers", [](const Estimate& e) {
        py::dict layers;
        for (const Estimate::Layer& layer : e.layers) layers[py::str(layer.name)] = layer.cycles;
        return layers;
      });

  py::class_<Program>(module, "Program")
      .def_static("load", &Program::load, py::arg("path"), py::call_guard<py::gil_scoped_release>())
      .def_static(
          "compile",
          [](const py::object& network, const Machine& machine, bool fuse, bool overlap_layers, std::uint64_t memory_base, const StopToken& stop) {
            ProgramOptions options;
            options.fuse = fuse;
            options.overlap_layers = overlap_layers;
            options.memory_base = memory_base;
            options.stop = stop;
            auto result = std::make_shared<std::optional<Program>>();
            Background(stop).run([=, network = network_of(network), machine = machine] { *result = compile(network, machine, options); });
            return **result;
          },
          py::kw_only(), py::arg("network"), py::arg("machine"), py::arg("fuse"), py::arg("overlap_layers"), py::arg("memory_base"), py::arg("stop"))
      .def("save", &Program::save, py::arg("path"), py::call_guard<py::gil_scoped_release>())
      .def("estimate", &estimate, py::arg("machine"), py::call_guard<py::gil_scoped_release>())
      .def("compiled_for", &Program::compiled_for, py::arg("overrides"))
      .def("disassemble",
           [](const Program& program, std::int64_t index) {
             if (index < 0 || index >= program.instructions()) {
               throw py::index_error("the program has instructions 0 to " + std::to_string(program.instructions() - 1));
             }
             return program.disassemble(index);
           },
           py::arg("index"))
      .def_property_readonly("network", &Program::network)
      .def_property_readonly("machine", &Program::machine)
      .def_property_readonly("batch", &Program::batch)
      .def_property_readonly("timing_only", &Program::timing_only)
      .def_property_readonly("stores_inputs", &Program::stores_inputs)
      .def_property_readonly("instructions", &Program::instructions)
      .def_property_readonly("memory_base", &Program::memory_base)
      .def_property_readonly("memory_bytes", &Program::memory_bytes)
      .def_property_readonly("digest", &Program::digest)
      .def_property_readonly("inputs", [](const Program& program) { return as_tuple(program.inputs()); })
      .def_property_readonly("outputs", [](const Program& program) { return as_tuple(program.outputs()); })
      .def_property_readonly("layers", [](const Program& program) { return as_tuple(program.layers()); });
}

}  // namespace gemel::python
