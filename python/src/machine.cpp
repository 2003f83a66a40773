// SPDX-License-Identifier: Apache-2.0
// Machines and their parameters.
#include "bindings.hpp"

namespace gemel::python {
namespace {

// The library calls a changed parameter as the command line does; here there is no --set.
template <typename Load>
Machine without_flags(const Load& load) {
  try {
    return load();
  } catch (const UserError& error) {
    static const std::string Flag = "--set ";
    std::vector<Diagnostic> diagnostics = error.diagnostics();
    for (Diagnostic& d : diagnostics) {
      if (d.file.compare(0, Flag.size(), Flag) == 0) d.file.erase(0, Flag.size());
    }
    throw UserError(std::move(diagnostics));
  }
}

}  // namespace

void bind_machine(py::module_& module) {
  py::class_<ParameterInfo>(module, "ParameterInfo", "A parameter of machines.")
      .def_readonly("key", &ParameterInfo::key, "In machine files: \"pe_array.rows\".")
      .def_readonly("type", &ParameterInfo::type, "\"integer\", \"size\", \"number\", \"choice\", \"name\", \"text\".")
      .def_readonly("unit", &ParameterInfo::unit, "\"rows\", \"bytes\"; empty where there is none.")
      .def_readonly("range", &ParameterInfo::range, "\"1 to 256\"; empty: anything.")
      .def_readonly("sentence", &ParameterInfo::sentence, "What it is.")
      .def("__repr__", [](const ParameterInfo& p) { return "<gemel.ParameterInfo " + p.key + ": " + p.sentence + ">"; });
  module.def("list_parameters", [] { return as_tuple(list_parameters()); });
  module.def("list_machines", &list_machines);

  py::class_<Machine>(module, "Machine")
      .def_static(
          "load", [](const std::string& name_or_path, const std::vector<std::string>& overrides) {
            return without_flags([&] { return load_machine(name_or_path, overrides); });
          },
          py::arg("name_or_path"), py::arg("overrides"))
      .def_static(
          "parse", [](const std::string& text, const std::string& file, const std::vector<std::string>& overrides) {
            return without_flags([&] { return parse_machine(text, file, overrides); });
          },
          py::arg("text"), py::arg("file"), py::arg("overrides"))
      .def(
          "changed", [](const Machine& machine, const std::vector<std::string>& overrides) {
            return without_flags([&] { return change_machine(machine, overrides); });
          },
          py::arg("overrides"))
      .def_readonly("name", &Machine::name)
      .def_readonly("description", &Machine::description)
      .def("values",
           [](const Machine& machine) {
             py::dict values;
             for (const auto& [key, value] : parameter_values(machine)) values[py::str(key)] = py::cast(value);
             return values;
           })
      .def("digest", &parameters_digest)
      .def("yaml", [](const Machine& machine) { return to_yaml(machine); })
      .def("warnings", [](const Machine& machine) { return as_tuple(machine_warnings(machine)); });
}

}  // namespace gemel::python
