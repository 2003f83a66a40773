# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: the float engine of calibration, and the reference of what has been quantized."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..importer.messages import Diagnostic, ModelError

try:
    import onnx
    import onnxruntime
except ImportError as error:
    raise ModelError(
        Diagnostic(
            "E1212", f"float models are run by ONNX Runtime, and {sys.executable} lacks it: {error}",
            hint=f"install it: {sys.executable} -m pip install onnx onnxruntime; or let GEMEL_PYTHON name a Python that has both",
        )  # fmt: skip
    ) from None

if TYPE_CHECKING:
    import numpy as np

Level = onnxruntime.GraphOptimizationLevel
# Joins products and biases, under names that it uses again when it meets the model a second time, and fails: prepare.py does it instead.
UNWANTED = "MatMulAddFusion"
TYPES = {"tensor(int32)": "int32", "tensor(int64)": "int64"}  # of inputs that come as whole numbers in float32


def _options(level: Level) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.add_session_config_entry("session.qdqisint8allowed", "1")  # int8 layers on integers, as docs/reference/onnx.md has it
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.log_severity_level = 4  # what is wrong is told once, as ours
    return options


class Session:
    """A model that runs. `wanted`: values to give besides the model's outputs."""

    def __init__(self, model: onnx.ModelProto, wanted: list[str] | None = None, file: str = ""):
        have = {v.name for v in [*model.graph.output, *model.graph.input]}
        more = sorted(set(wanted or ()) - have)
        if more:
            whole = onnx.ModelProto()
            whole.CopyFrom(model)
            whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in more)
            model = whole
        try:
            self._session = onnxruntime.InferenceSession(model.SerializeToString(), _options(Level.ORT_ENABLE_EXTENDED), ["CPUExecutionProvider"])
        except Exception as error:  # its exceptions are of classes that have no names
            raise refused(file, error) from None
        self.outputs = [o.name for o in self._session.get_outputs()]
        self._integers = {i.name: TYPES[i.type] for i in self._session.get_inputs() if i.type in TYPES}
        self._file = file

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        inputs = {name: array.astype(self._integers[name]) if name in self._integers else array for name, array in inputs.items()}
        try:
            made = self._session.run(None, inputs)
        except Exception as error:
            raise refused(self._file, error) from None
        return inputs | dict(zip(self.outputs, made, strict=True))


def refused(file: str, error: Exception) -> ModelError:
    text = str(error).strip().splitlines()
    return ModelError(Diagnostic("E1109", f"ONNX Runtime does not run the model: {text[0] if text else type(error).__name__}", file,
                                 hint="the runtime must be able to run a model before it can be quantized or compressed"))  # fmt: skip


@functools.cache
def newest_opset() -> int:
    """The newest version of ONNX's operators whose QuantizeLinear ONNX Runtime has: onnx is often ahead of it."""
    helper, kind = onnx.helper, onnx.TensorProto
    node = helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["y"])
    inputs = [helper.make_tensor_value_info(name, of, []) for name, of in (("x", kind.FLOAT), ("scale", kind.FLOAT), ("zero", kind.UINT8))]
    graph = helper.make_graph([node], "one", inputs, [helper.make_tensor_value_info("y", kind.UINT8, [])])
    for version in range(onnx.defs.onnx_opset_version(), 13, -1):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), _options(Level.ORT_DISABLE_ALL), ["CPUExecutionProvider"])
            return version
        except Exception:  # of classes that have no names
            continue
    return 13


def lowered(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model of the newest opset that ONNX Runtime has, or of the oldest one above it in which each node means the same: as its operators differ in the
    types that they allow alone, or as onnx's own converter finds."""
    entry = next((one for one in model.opset_import if one.domain in ("", "ai.onnx")), None)
    if entry is None or entry.version <= newest_opset() or entry.version > onnx.defs.onnx_opset_version():
        return model
    version, kinds = entry.version, {node.op_type for node in _nodes(model) if node.domain in ("", "ai.onnx")}
    while version > newest_opset() and all(_contract(kind, version) == _contract(kind, version - 1) for kind in kinds):
        version -= 1
    if version > newest_opset() and all(node.domain in ("", "ai.onnx") for node in _nodes(model)):
        try:
            return onnx.version_converter.convert_version(model, newest_opset())
        except Exception:  # RuntimeError and what its C++ throws: an attribute that the older operator lacks, say
            pass
    if version == entry.version:
        return model
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for one in [*made.opset_import, *(one for function in made.functions for one in function.opset_import)]:
        if one.domain in ("", "ai.onnx"):
            one.version = min(one.version, version)
    return made


def _nodes(model: onnx.ModelProto) -> Iterable[onnx.NodeProto]:
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            waiting += [inner for graph in (attribute.g, *attribute.graphs) for inner in graph.node]


def _contract(kind: str, version: int) -> object:
    """What an operator of an opset is, but for the types that it allows."""
    try:
        schema = onnx.defs.get_schema(kind, version)
    except Exception:  # onnx.defs.SchemaError: there is none
        return None
    attributes = {name: (a.type, a.required, a.default_value.SerializeToString()) for name, a in schema.attributes.items()}
    values = [(v.name, v.type_str, v.option) for v in (*schema.inputs, *schema.outputs)]
    return attributes, values, len(schema.inputs), schema.min_input, schema.doc


def simplified(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    """The same function with constants, batch norms, identities and computed shapes folded: ONNX Runtime's optimization level basic, whose graphs
    have ONNX's own operators only."""
    options = _options(Level.ORT_ENABLE_BASIC)
    with tempfile.TemporaryDirectory(prefix="gemel-") as folder:
        options.optimized_model_filepath = str(Path(folder, "simplified.onnx"))
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"], disabled_optimizers=[UNWANTED])
        except Exception as error:
            raise refused(file, error) from None
        return onnx.load(options.optimized_model_filepath)
