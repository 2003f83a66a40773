// SPDX-License-Identifier: Apache-2.0
// Tensors and layers.
#include "bindings.hpp"

namespace gemel::python {
namespace {

// As the layers of results have it (gemel/_result.py, which imports this module).
py::object mapping_of(const LayerMapping& part) {
  using namespace py::literals;
  const bool is_array = part.accumulated_channels > 0;
  return py::module_::import("gemel._result")
      .attr("LayerMapping")("unit"_a = std::string(unit_name(part.unit)), "beside"_a = part.beside, "first_channel"_a = part.first_channel,
                            "channels"_a = part.channels, "output"_a = as_tuple(part.output), "tile"_a = as_tuple(part.tile),
                            "reduction"_a = is_array ? py::object(as_tuple(part.reduction)) : py::none(),
                            "accumulated_channels"_a = is_array ? py::object(py::int_(part.accumulated_channels)) : py::none(),
                            "loops"_a = as_tuple(part.loops), "resident"_a = as_tuple(part.resident));
}

py::object weight_tiles_of(const WeightTiles& tiles) {
  using namespace py::literals;
  return py::module_::import("gemel._result").attr("WeightTiles")("count"_a = tiles.count, "zero"_a = tiles.zero, "left_out"_a = tiles.left_out);
}

}  // namespace

void bind_values(py::module_& module) {
  py::class_<TensorInfo>(module, "TensorInfo", "A tensor. In memory it is dense; images are NHWC.")
      .def_readonly("name", &TensorInfo::name)
      .def_property_readonly("shape", [](const TensorInfo& t) { return as_tuple(t.shape); })
      .def_readonly("type", &TensorInfo::type, "Of an element: \"int8\", \"uint8\".")
      .def_readonly("scale", &TensorInfo::scale, "Real value = scale * (element - zero_point).")
      .def_readonly("zero_point", &TensorInfo::zero_point)
      .def_readonly("bytes", &TensorInfo::bytes)
      .def(py::pickle([](const TensorInfo& t) { return py::make_tuple(t.name, t.shape, t.type, t.scale, t.zero_point, t.bytes); },
                      [](const py::tuple& t) {
                        return TensorInfo{t[0].cast<std::string>(), t[1].cast<std::vector<std::int64_t>>(), t[2].cast<std::string>(),
                                          t[3].cast<double>(),      t[4].cast<int>(),                       t[5].cast<std::int64_t>()};
                      }));
  // A buffer of bytes that lives as long as the result or network that it belongs to; gemel/_arrays.py makes an array of it without a copy.
  py::class_<TensorData, TensorInfo>(module, "TensorData", "The bytes of a tensor, as a buffer that may only be read.", py::buffer_protocol())
      .def_buffer([](TensorData& t) {
        return py::buffer_info(t.data.data(), 1, py::format_descriptor<std::uint8_t>::format(), 1, {static_cast<py::ssize_t>(t.data.size())}, {py::ssize_t{1}},
                               true);
      });
  py::class_<LayerInfo>(module, "LayerInfo", "A layer of a network or of a program.")
      .def_readonly("name", &LayerInfo::name)
      .def_readonly("op", &LayerInfo::op, "\"conv2d\", ...")
      .def_readonly("macs", &LayerInfo::macs, "Multiply-accumulates of the whole batch, taps in the padding included.")
      .def_readonly("weight_bytes", &LayerInfo::weight_bytes, "In memory, as the array wants them.")
      .def_property_readonly("inputs",
                             [](const LayerInfo& layer) {
                               py::tuple shapes(layer.inputs.size());
                               for (std::size_t i = 0; i < layer.inputs.size(); ++i) shapes[i] = as_tuple(layer.inputs[i]);
                               return shapes;
                             },
                             "Shapes.")
      .def_property_readonly("output", [](const LayerInfo& layer) { return as_tuple(layer.output); }, "Shape.")
      .def_property_readonly("kernel", [](const LayerInfo& layer) { return as_tuple(layer.kernel); }, "Height, width.")
      .def_property_readonly("stride", [](const LayerInfo& layer) { return as_tuple(layer.stride); }, "Height, width.")
      .def_property_readonly("dilation", [](const LayerInfo& layer) { return as_tuple(layer.dilation); }, "Height, width.")
      .def_property_readonly("padding", [](const LayerInfo& layer) { return as_tuple(layer.padding); }, "Top, left, bottom, right.")
      .def_readonly("groups", &LayerInfo::groups)
      .def_property_readonly("weight_tiles", [](const LayerInfo& layer) { return weight_tiles_of(layer.weight_tiles); }, "Of a program; a network's are 0.")
      .def_property_readonly("mapping",
                             [](const LayerInfo& layer) {
                               py::tuple parts(layer.mapping.size());
                               for (std::size_t i = 0; i < layer.mapping.size(); ++i) parts[i] = mapping_of(layer.mapping[i]);
                               return parts;
                             },
                             "By unit. Empty: of a network; or another layer's instructions compute it, a view, or on the host.")
      .def("__repr__", [](const LayerInfo& layer) { return "<gemel.LayerInfo " + layer.name + ": " + layer.op + ">"; });
}

}  // namespace gemel::python
