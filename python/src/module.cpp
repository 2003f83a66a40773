// SPDX-License-Identifier: Apache-2.0
// The module gemel._gemel.
#include "bindings.hpp"

PYBIND11_MODULE(_gemel, module) {
  module.doc() = "Gemel's C++ library; use the package gemel, which stands on it.";
  module.def("version", &gemel::version);
  module.def("commit", &gemel::commit);
  module.def("report_style", &gemel::report_style);
  module.def("report_script", &gemel::report_script);
  gemel::python::bind_errors(module);
  gemel::python::bind_values(module);
  gemel::python::bind_machine(module);
  gemel::python::bind_network(module);
  gemel::python::bind_program(module);
  gemel::python::bind_run(module);
  gemel::python::bind_yaml(module);
}
