// SPDX-License-Identifier: Apache-2.0
// What the files of the module gemel._gemel share. The module is a thin face of include/gemel: values and handles, no texts and no defaults of
// its own; python/gemel/*.py is what people see. Arrays cross as buffers, so that the module is bound to no version of NumPy.
#pragma once
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "gemel/gemel.hpp"

namespace gemel::python {

namespace py = pybind11;

// One for each thing that is bound, called by the module in this order.
void bind_errors(py::module_& module);    // first: the others raise errors
void bind_values(py::module_& module);    // tensors and layers
void bind_machine(py::module_& module);
void bind_network(py::module_& module);
void bind_program(py::module_& module);
void bind_run(py::module_& module);
void bind_yaml(py::module_& module);

template <typename Container>
py::tuple as_tuple(const Container& values) {
  py::tuple result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i] = py::cast(values[i]);
  return result;
}

}  // namespace gemel::python
