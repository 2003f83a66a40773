// SPDX-License-Identifier: Apache-2.0
// Diagnostics, and the library's exceptions as those of gemel/_errors.py.
#include "bindings.hpp"

namespace gemel::python {
namespace {

// Looked up when it is needed, because _errors.py imports this module.
void raise(const char* kind, const py::object& argument) {
  const py::object type = py::module_::import("gemel._errors").attr(kind);
  PyErr_SetObject(type.ptr(), type(argument).ptr());
}

void translate(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const UserError& error) {
    raise("UserError", as_tuple(error.diagnostics()));
  } catch (const RunError& error) {
    raise("RunError", as_tuple(error.diagnostics()));
  } catch (const Error& error) {
    raise("InternalError", as_tuple(error.diagnostics()));
  } catch (const Interrupted& error) {
    raise("Interrupted", py::str(error.what()));
  }
}

}  // namespace

void bind_errors(py::module_& module) {
  py::class_<Diagnostic>(module, "Diagnostic", "One message: what was found, where, and what to do.")
      .def(py::init([](std::string code, std::string message, std::string file, int line, int column, int length, std::string excerpt, std::string note,
                       std::string hint, bool is_warning) {
             return Diagnostic{std::move(code),    std::move(message), std::move(file), line, column, length, std::move(excerpt), std::move(note),
                               std::move(hint), is_warning ? Severity::Warning : Severity::Error};
           }),
           py::kw_only(), py::arg("code"), py::arg("message"), py::arg("file") = "", py::arg("line") = 0, py::arg("column") = 0, py::arg("length") = 1,
           py::arg("excerpt") = "", py::arg("note") = "", py::arg("hint") = "", py::arg("is_warning") = false)
      .def_readonly("code", &Diagnostic::code, "Key into docs/reference/errors.md: \"E0103\".")
      .def_readonly("message", &Diagnostic::message)
      .def_readonly("file", &Diagnostic::file, "File, or what else the message is about; empty: nothing in particular.")
      .def_readonly("line", &Diagnostic::line, "From 1; 0: not known.")
      .def_readonly("column", &Diagnostic::column, "From 1; 0: not known.")
      .def_readonly("length", &Diagnostic::length, "Characters to underline.")
      .def_readonly("excerpt", &Diagnostic::excerpt, "The line of the file, where there is one.")
      .def_readonly("note", &Diagnostic::note, "Shown beside the underline: \"did you mean `columns`?\".")
      .def_readonly("hint", &Diagnostic::hint, "What to try next.")
      .def_property_readonly("is_warning", [](const Diagnostic& d) { return d.severity == Severity::Warning; })
      .def("__str__", [](const Diagnostic& d) { return to_string(d); })
      .def("__repr__", [](const Diagnostic& d) { return "<gemel.Diagnostic " + d.code + ": " + d.message + ">"; })
      .def(py::pickle(
          [](const Diagnostic& d) {
            return py::make_tuple(d.code, d.message, d.file, d.line, d.column, d.length, d.excerpt, d.note, d.hint, d.severity == Severity::Warning);
          },
          [](const py::tuple& t) {
            return Diagnostic{t[0].cast<std::string>(), t[1].cast<std::string>(), t[2].cast<std::string>(), t[3].cast<int>(),
                              t[4].cast<int>(),         t[5].cast<int>(),         t[6].cast<std::string>(), t[7].cast<std::string>(),
                              t[8].cast<std::string>(), t[9].cast<bool>() ? Severity::Warning : Severity::Error};
          }));
  module.def(
      "text_of", [](const std::vector<Diagnostic>& diagnostics) { return to_string(diagnostics); }, py::arg("diagnostics"));
  py::register_exception_translator(translate);
}

}  // namespace gemel::python
