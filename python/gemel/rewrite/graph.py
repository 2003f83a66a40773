# SPDX-License-Identifier: Apache-2.0
"""An ONNX model that can be changed: nodes in order, constants as arrays, who makes and who reads each value."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..importer.messages import Diagnostic, ModelError
from .names import unique_name
from .restore import restore
from .runtime import Session, lowered, onnx, simplified

from onnx import helper, numpy_helper  # isort: skip  (the module above has said so if there is no onnx)

OPSET = 17  # of models whose own is older than PER_CHANNEL
PER_CHANNEL = 13  # the first with one scale per channel
QUANTIZED = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Quant"}
RESTORED = {"DequantizeLinear", "DynamicQuantizeLinear", "MatMulNBits"}
INTEGERS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
FIXED_HINT = "fix them: python -m onnxruntime.tools.make_dynamic_shape_fixed"


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Numbers, texts (as bytes), lists and tensors by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    drop_attribute(node, name)
    node.attribute.append(helper.make_attribute(name, value))


def drop_attribute(node: onnx.NodeProto, name: str) -> None:
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)


class Graph:
    """`shapes`: of every value whose shape is known; `inputs` and `outputs`: names, in the model's order; `integers`: inputs of int32 and int64. All other
    inputs are float32."""

    def __init__(self, model: onnx.ModelProto, file: str):
        self.file = file
        self._shell = onnx.ModelProto()  # all but nodes and constants
        self._shell.CopyFrom(model)
        del self._shell.graph.node[:], self._shell.graph.initializer[:], self._shell.graph.value_info[:]
        self.nodes = list(model.graph.node)
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        given = [v for v in model.graph.input if v.name not in self.constants]
        del self._shell.graph.input[:]
        self._shell.graph.input.extend(given)
        self.inputs = [v.name for v in given]
        self.integers = {v.name for v in given if v.type.tensor_type.elem_type in INTEGERS}
        self.outputs = [v.name for v in model.graph.output]
        self.opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self._taken = {name for node in self.nodes for name in (*node.input, *node.output)} | set(self.constants) | set(self.inputs)
        self.restored = 0  # constants and layers that had been quantized alone, or while the model runs
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.infer()

    def infer(self) -> None:
        """Shapes anew, after nodes have changed."""
        for value in self._shell.graph.output:
            value.type.tensor_type.ClearField("shape")
        try:
            inferred = onnx.shape_inference.infer_shapes(self.proto(), data_prop=True)
        except Exception as error:  # onnx.shape_inference.InferenceError and what its C++ throws
            raise ModelError(Diagnostic("E1103", f"the model is damaged: its shapes contradict each other: {error}", self.file)) from None
        self.shapes = {name: array.shape for name, array in self.constants.items()}
        for value in [*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output]:
            dims = value.type.tensor_type.shape.dim
            if value.type.tensor_type.HasField("shape") and all(d.WhichOneof("value") == "dim_value" for d in dims):
                self.shapes[value.name] = tuple(d.dim_value for d in dims)
        for value in self._shell.graph.output:  # a model that says nothing of their shapes is none for onnx.checker
            for length in self.shapes.get(value.name, ()):
                value.type.tensor_type.shape.dim.add().dim_value = length

    def proto(self) -> onnx.ModelProto:
        """The model, with the constants that somebody reads."""
        made = onnx.ModelProto()
        made.CopyFrom(self._shell)
        made.graph.node.extend(self.nodes)
        read = {name for node in self.nodes for name in node.input} | set(self.outputs)
        made.graph.initializer.extend(numpy_helper.from_array(np.ascontiguousarray(a) if a.ndim else a, n) for n, a in self.constants.items() if n in read)
        return made

    def copy(self) -> Graph:
        return Graph(self.proto(), self.file)

    def readers(self) -> dict[str, list[onnx.NodeProto]]:
        found: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.input):
                found.setdefault(name, []).append(node)
        return found

    def makers(self) -> dict[str, onnx.NodeProto]:
        return {name: node for node in self.nodes for name in node.output if name}

    def constant(self, name: str) -> np.ndarray | None:
        return self.constants.get(name)

    def add_constant(self, wanted: str, array: np.ndarray) -> str:
        name = self.unique(wanted)
        self.constants[name] = array
        return name

    def unique(self, wanted: str) -> str:
        """A name like `wanted` that nothing has yet."""
        return unique_name(self._taken, wanted)

    def replace(self, old: onnx.NodeProto, new: list[onnx.NodeProto]) -> None:
        at = next(i for i, node in enumerate(self.nodes) if node is old)
        self.nodes[at : at + 1] = new

    def raise_opset(self, version: int) -> None:
        """To the first one that has an operator; of PER_CHANNEL and later, whose nodes stay what they are up to `version`."""
        for one in self._shell.opset_import:
            if one.domain in ("", "ai.onnx"):
                one.version = self.opset = max(one.version, version)

    def sweep(self) -> None:
        """Takes out nodes whose results nobody reads."""
        read, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if any(name in read for name in node.output):
                kept.append(node)
                read.update(node.input)
        self.nodes = kept[::-1]

    def added(self, new: list[onnx.NodeProto], kind: str, name: str, inputs: list[str], **more: Any) -> str:
        """The result of one node more in `new`."""
        result = self.unique(name)
        new.append(helper.make_node(kind, inputs, [result], name=result, **more))
        return result

    def where(self, node: onnx.NodeProto) -> str:
        """For messages."""
        return f"{node.op_type} `{next((name for name in node.output if name), '')}`"

    def save(self, path: str | Path) -> None:
        save(self.proto(), path)


def save(model: onnx.ModelProto, path: str | Path) -> None:
    """The file, whole or not at all. ModelError E0902."""
    path = Path(path)
    part = Path(f"{path}.part")
    try:
        part.write_bytes(model.SerializeToString())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ModelError(Diagnostic("E0902", f"cannot write `{path}`: {error.strerror or error}")) from None


def load_float(path: str | Path) -> Graph:
    """A float32 ONNX model, or what a float TFLite model becomes, simplified, its shapes fixed (a number of images that is left open is 1).

    ModelError: E1101 to E1103 the file, E1104 an operator of TFLite, E1105 open shapes and attributes of TFLite,
    E1106 it is not float32 or quantized already, E1109 ONNX Runtime refuses it.
    """
    from ..importer.onnx_file import read_onnx
    from .recurrent import time_first
    from .tflite import model_bytes

    path = Path(path)
    data, of_weights = model_bytes(path)
    checked = read_onnx(path, data)
    model = onnx.ModelProto.FromString(data)
    for tensor in model.graph.initializer:  # of files beside the model, which read_onnx() has looked at
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(numpy_helper.from_array(checked.constants[tensor.name], tensor.name))
    restored = restore(model, checked.constants, str(path), checked.narrow) if any(node.type in RESTORED for node in checked.nodes) else 0
    if any(node.op_type in QUANTIZED or node.op_type.startswith("QLinear") for node in model.graph.node):
        raise ModelError(Diagnostic("E1106", "the model is quantized already", str(path), hint="give the float32 model that it was made of"))
    fix_shapes(model, str(path), set(checked.constants))
    if checked.opset < PER_CHANNEL:
        try:
            model = onnx.version_converter.convert_version(model, OPSET)
        except Exception as error:
            hint = f"export the model anew with opset {PER_CHANNEL} or later"
            raise ModelError(Diagnostic("E1109", f"the model is of opset {checked.opset}, and cannot be converted to {OPSET}: {error}", str(path),
                                        hint=hint)) from None  # fmt: skip
    model = lowered(model)
    time_first(model)
    graph = Graph(simplified(model, str(path)), str(path))
    graph.restored = restored + of_weights
    # What the runtime finds wrong when it runs only, such as a bias of the wrong length.
    Session(graph.proto(), file=str(path)).run({name: np.ones(graph.shapes[name], np.float32) for name in graph.inputs})
    return graph


def fix_shapes(model: onnx.ModelProto, file: str, constants: Iterable[str]) -> None:
    found = []
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        if tensor.elem_type not in (onnx.TensorProto.FLOAT, *INTEGERS):
            kind = onnx.TensorProto.DataType.Name(tensor.elem_type) if tensor.elem_type in onnx.TensorProto.DataType.values() else "no tensor"
            found.append(Diagnostic("E1106", f"input `{value.name}` is {kind}", file, "supported: FLOAT; INT32 and INT64 of indices and masks",
                                    "export the model in float32"))  # fmt: skip
            continue
        dims = tensor.shape.dim
        if dims and dims[0].WhichOneof("value") != "dim_value":
            dims[0].dim_value = 1
        if not tensor.HasField("shape") or not dims or any(d.WhichOneof("value") != "dim_value" or d.dim_value < 1 for d in dims):
            shape = ", ".join(d.dim_param or str(d.dim_value) for d in dims)
            found.append(Diagnostic("E1105", f"shape of input `{value.name}` is [{shape}]", file, "supported: one fixed length or more",
                                    FIXED_HINT if dims else "give it a dimension of 1"))  # fmt: skip
    if found:
        raise ModelError(*found)
    for value in model.graph.output:  # may still say that the number of images is open
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
