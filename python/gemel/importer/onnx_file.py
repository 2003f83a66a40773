# SPDX-License-Identifier: Apache-2.0
"""An .onnx file as a graph of nodes and constants, with everything checked that the file says about itself.

Protobuf's own reader finds broken encodings. Here each count is limited, a constant has as many bytes as its shape and type need, weights in
files beside the model lie in the model's folder, and each value is made once and before it is read. What is wrong is a ModelError: E1101
to E1103.
"""

import hashlib
import math
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from .files import MOST_BYTES
from .messages import Damaged, Diagnostic, ModelError, damaged_model
from .workload import shape_text

# Protobuf's objects take up to some 60 times the bytes of a file's structure, that is of everything but the weights.
MOST_STRUCTURE = 32 << 20
MOST_NODES = 1 << 16
MOST_CONSTANTS = 1 << 17
MOST_OPERANDS = 1 << 10  # of one node
MOST_ATTRIBUTES = 64  # likewise
MOST_RANK = 8
MOST_ELEMENTS = 1 << 40  # of one tensor, as everywhere in Gemel
# Whose operators are known by their types alone. QONNX's moved from FINN's domain to its own.
DOMAINS = {"": "", "ai.onnx": "", "com.microsoft": "com.microsoft", "qonnx.custom_op.general": "qonnx", "finn.custom_op.general": "qonnx"}

# What a tensor of constants can be of, with the bits of an element.
BITS = {
    "FLOAT": 32, "FLOAT16": 16, "BFLOAT16": 16, "DOUBLE": 64, "INT8": 8, "UINT8": 8, "INT16": 16, "UINT16": 16, "INT32": 32, "UINT32": 32,
    "INT64": 64, "UINT64": 64, "BOOL": 8, "INT4": 4, "UINT4": 4, "INT2": 2, "UINT2": 2, "FLOAT4E2M1": 4,
    "FLOAT8E4M3FN": 8, "FLOAT8E4M3FNUZ": 8, "FLOAT8E5M2": 8, "FLOAT8E5M2FNUZ": 8,
}  # fmt: skip
NARROW = tuple(kind for kind, bits in BITS.items() if bits < 8 or kind.startswith("FLOAT8"))  # read as a wider type, of weights alone
SUBGRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
SINGLE = {"FLOAT": "f", "INT": "i", "STRING": "s", "TENSOR": "t"}
SEVERAL = {"FLOATS": "floats", "INTS": "ints", "STRINGS": "strings"}


@dataclass(frozen=True)
class Value:
    """An input of the graph."""

    name: str
    type: str  # "FLOAT", as in TensorProto.DataType
    shape: tuple[int | str, ...] | None  # a name: of a dimension whose length the file leaves open


@dataclass(eq=False)
class Node:
    index: int
    type: str  # "Conv", or "domain::Type" where the domain is another than ONNX's and com.microsoft
    inputs: list[str]  # "": left out
    outputs: list[str]
    attributes: dict = field(default_factory=dict)  # numbers, texts, lists of them, arrays

    def __str__(self) -> str:
        name = next((o for o in self.outputs if o), "")
        return f"node {self.index}, {self.type}" + (f" `{name}`" if name else "")


@dataclass
class Graph:
    file: str
    sha256: str
    opset: int
    nodes: list[Node]
    constants: dict[str, np.ndarray]
    inputs: list[Value]
    outputs: list[str]
    readers: dict[str, list[Node]]  # of each value
    narrow: dict[str, str]  # constants whose type in the file is of NARROW, and that type


def read_onnx(path: Path, data: bytes) -> Graph:
    """The graph of a model file with the contents `data`. ModelError: E1102 it is no ONNX model, E1103 it is damaged."""
    try:
        check_structure(data)
        model = onnx.ModelProto.FromString(data)
        return _reader(path, data, model)
    except Damaged as damage:
        raise damaged_model(str(path), damage) from None
    except Exception as error:
        # protobuf's DecodeError, whose class depends on its version
        if type(error).__name__ != "DecodeError":
            raise
        raise damaged_model(str(path), Damaged("", f"protobuf cannot read it: {error}")) from None


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise Damaged(f"byte {at}", "a number does not end")


def _fields(data: bytes, at: int, end: int):
    """Fields of a protobuf message: number, and begin and end of what has a length (else begin and end are equal)."""
    while at < end:
        key, at = _varint(data, at, end)
        kind, length = key & 7, 0
        if kind == 0:
            _, at = _varint(data, at, end)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        elif kind == 2:
            length, at = _varint(data, at, end)
            at += length
        else:
            raise Damaged(f"byte {at}", f"protobuf has no fields of the kind {kind} here")
        if at > end:
            raise Damaged(f"byte {at - length}", "a field reaches beyond the end of what holds it")
        yield key >> 3, at - length, at


def check_structure(data: bytes) -> None:
    """Before protobuf makes objects of it: Damaged, if the objects would take far more memory than the file."""
    raw = constants = nodes = 0
    for number, begin, end in _fields(data, 0, len(data)):
        if number != 7:  # ModelProto.graph
            continue
        for inner, first, last in _fields(data, begin, end):
            nodes += inner == 1
            if inner != 5:  # GraphProto.initializer
                continue
            constants += 1
            # TensorProto.raw_data, and the packed numbers float_data, int32_data, int64_data, double_data, uint64_data
            raw += sum(b - a for n, a, b in _fields(data, first, last) if n in (4, 5, 7, 9, 10, 11))
    for what, count, most in (
        ("nodes", nodes, MOST_NODES),
        ("constants", constants, MOST_CONSTANTS),
        ("bytes beside its constants", len(data) - raw, MOST_STRUCTURE),
    ):
        if count > most:
            raise Damaged("graph", f"it has {count} {what}, and at most {most} are read")


def _reader(path: Path, data: bytes, model: onnx.ModelProto) -> Graph:
    graph = model.graph
    if not model.ir_version or not (graph.node or graph.output):
        hint = "an .onnx file is a protobuf message ModelProto with a graph"
        raise ModelError(Diagnostic("E1102", f"`{path}` is no ONNX model", hint=hint))
    opsets = {DOMAINS.get(o.domain, o.domain): o.version for o in model.opset_import}
    if "" not in opsets:
        raise Damaged("opset_import", "it does not say which version of ONNX's operators it has")
    loader = _Constants(path)
    constants: dict[str, np.ndarray] = {}
    for i, tensor in enumerate(graph.initializer):
        place = f"graph.initializer[{i}]"
        if not tensor.name or tensor.name in constants:
            raise Damaged(place, f"its name, `{tensor.name}`, is empty or another one's")
        constants[tensor.name] = loader.array(tensor, place)
        if type_name(tensor.data_type, place) in NARROW:
            loader.narrow[tensor.name] = type_name(tensor.data_type, place)
    if graph.sparse_initializer:
        raise Damaged("graph.sparse_initializer", "sparse constants are not read")
    nodes = [_node(i, node, loader) for i, node in enumerate(graph.node)]
    inputs = [_value(f"graph.input[{i}]", v) for i, v in enumerate(graph.input) if v.name not in constants]
    outputs = [v.name for v in graph.output]
    result = Graph(str(path), hashlib.sha256(data).hexdigest(), opsets[""], nodes, constants, inputs, outputs, {}, loader.narrow)
    _check_order(result)
    return result


def type_name(number: int, place: str) -> str:
    try:
        return onnx.TensorProto.DataType.Name(number)
    except ValueError:
        raise Damaged(place, f"there is no type of tensors with the number {number}") from None


def _value(place: str, value: onnx.ValueInfoProto) -> Value:
    if value.type.WhichOneof("value") != "tensor_type":
        return Value(value.name, "no tensor", None)
    tensor = value.type.tensor_type
    shape = None
    if tensor.HasField("shape"):
        if len(tensor.shape.dim) > MOST_RANK:
            raise Damaged(place, f"a tensor has at most {MOST_RANK} dimensions here")
        shape = tuple(
            d.dim_value if d.WhichOneof("value") == "dim_value" else d.dim_param or "?" for d in tensor.shape.dim
        )
        known = [n for n in shape if isinstance(n, int)]
        if any(n < 0 for n in known) or math.prod(known) > MOST_ELEMENTS:
            raise Damaged(place, f"{shape_text(known)} is no shape of a tensor with at most 2^40 elements")
    return Value(value.name, type_name(tensor.elem_type, place), shape)


def _node(index: int, node: onnx.NodeProto, loader: "_Constants") -> Node:
    place = f"graph.node[{index}]"
    if len(node.input) > MOST_OPERANDS or len(node.output) > MOST_OPERANDS:
        raise Damaged(place, f"it claims {max(len(node.input), len(node.output))} operands, and at most {MOST_OPERANDS} are read")
    if len(node.attribute) > MOST_ATTRIBUTES:
        raise Damaged(place, f"it claims {len(node.attribute)} attributes, and at most {MOST_ATTRIBUTES} are read")
    domain = DOMAINS.get(node.domain)
    kind = node.op_type[:100] if domain is not None else f"{node.domain[:100]}::{node.op_type[:100]}"
    attributes = {}
    for a in node.attribute:
        where = f"{place}.attribute[{a.name[:100]}]"
        if a.type in SUBGRAPHS:
            attributes[a.name] = "a subgraph"
            continue
        try:
            name = onnx.AttributeProto.AttributeType.Name(a.type)
        except ValueError:
            raise Damaged(where, f"there is no type of attributes with the number {a.type}") from None
        if name == "TENSOR":
            attributes[a.name] = loader.array(a.t, where)
            if node.op_type == "Constant" and type_name(a.t.data_type, where) in NARROW:
                loader.narrow.update((name, type_name(a.t.data_type, where)) for name in node.output[:1])
        elif name in SINGLE:
            value = getattr(a, SINGLE[name])
            attributes[a.name] = value.decode("utf-8", "replace") if name == "STRING" else value
        elif name in SEVERAL:
            values = list(getattr(a, SEVERAL[name]))
            attributes[a.name] = [v.decode("utf-8", "replace") for v in values] if name == "STRINGS" else values
        else:
            attributes[a.name] = f"of the type {name}"
    return Node(index, kind, list(node.input), list(node.output), attributes)


class _Constants:
    """Tensors of a file and of the files beside it, at most MOST_BYTES of them."""

    def __init__(self, path: Path):
        self.path = path
        self.bytes = 0
        self.narrow: dict[str, str] = {}  # see Graph

    def array(self, tensor: onnx.TensorProto, place: str) -> np.ndarray:
        shape = tuple(tensor.dims)
        kind = type_name(tensor.data_type, place)
        if len(shape) > MOST_RANK or any(n < 0 for n in shape) or math.prod(shape) > MOST_ELEMENTS:
            raise Damaged(place, f"{shape_text(shape[:MOST_RANK])} is no shape of a constant")
        if kind not in BITS:
            if kind == "STRING":
                return np.array([], object)  # nothing here reads it
            raise Damaged(place, f"constants of the type {kind} are not read")
        needed = (math.prod(shape) * BITS[kind] + 7) // 8
        self.bytes += needed
        if self.bytes > MOST_BYTES:
            raise Damaged(place, f"with it the constants come to {self.bytes} bytes, and at most {MOST_BYTES} are read")
        if tensor.HasField("segment"):
            raise Damaged(place, "constants in segments are not read")
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raw = self.external(tensor, place, needed)
            if len(raw) != needed:
                raise Damaged(place, f"it has {len(raw)} bytes, and {shape_text(shape)} of {kind} takes {needed}")
            inside = onnx.TensorProto(data_type=tensor.data_type, dims=shape, raw_data=raw)
            return _widened(numpy_helper.to_array(inside))
        if tensor.HasField("raw_data") and len(tensor.raw_data) != needed:
            raise Damaged(place, f"it has {len(tensor.raw_data)} bytes, and {shape_text(shape)} of {kind} takes {needed}")
        if not tensor.HasField("raw_data"):
            numbers = max(len(tensor.float_data), len(tensor.int32_data), len(tensor.int64_data), len(tensor.double_data), len(tensor.uint64_data))
            wanted = -(-math.prod(shape) // (8 // BITS[kind] if BITS[kind] < 8 else 1))
            if numbers != wanted:
                raise Damaged(place, f"it has {numbers} numbers, and {shape_text(shape)} of {kind} takes {wanted}")
        try:
            return _widened(numpy_helper.to_array(tensor))
        except (ValueError, TypeError, OverflowError) as error:
            raise Damaged(place, f"its numbers are none of the type {kind}: {error}") from None

    def external(self, tensor: onnx.TensorProto, place: str, needed: int) -> bytes:
        """From a file of the model's folder. Not through symbolic links, and nothing but a regular file."""
        entries = {e.key: e.value for e in tensor.external_data}
        location = entries.get("location", "")
        if not location or "\0" in location or os.path.isabs(location) or ".." in Path(location).parts:
            raise Damaged(place, f"its data is in `{location}`, which is no file of the model's folder")
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", needed))
        except ValueError:
            raise Damaged(place, "offset and length of its data are no numbers") from None
        if offset < 0 or length != needed:
            raise Damaged(place, f"its data has {length} bytes from byte {offset} on, and it takes {needed}")
        folder = self.path.parent.resolve()
        file = folder / location
        try:
            if file.resolve() != file:
                raise Damaged(place, f"its data is in `{location}`, which leads through a symbolic link")
            with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW), "rb") as opened:
                status = os.fstat(opened.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise Damaged(place, f"its data is in `{location}`, which is no regular file")
                if offset + length > status.st_size:
                    raise Damaged(place, f"its data reaches to byte {offset + length} of `{location}`, which has {status.st_size} bytes")
                opened.seek(offset)
                return opened.read(length)
        except OSError as error:
            raise ModelError(
                Diagnostic("E1101", f"cannot read `{location}`, the model's weights: {error.strerror or error}", f"{self.path}: {place}",
                           hint="keep it beside the model")
            ) from None  # fmt: skip


def _widened(array: np.ndarray) -> np.ndarray:
    """Integers of less than 8 bits as int8 and uint8, floats of less than 32 bits as float32."""
    name = array.dtype.name
    if name.startswith(("int2", "int4", "uint2", "uint4")):
        return array.astype(np.uint8 if name.startswith("u") else np.int8)
    return array.astype(np.float32) if name.startswith(("bfloat16", "float16", "float8", "float4")) else array


def _check_order(graph: Graph) -> None:
    """Each value is made once, and before it is read (so that there is no cycle)."""
    for what, names in (("input", [v.name for v in graph.inputs]), ("output", graph.outputs)):
        if not names:
            raise Damaged(f"graph.{what}", f"the model has no {what}s")
        if len(set(names)) != len(names) or "" in names:
            raise Damaged(f"graph.{what}", f"an {what} has no name, or two have one")
    ready = set(graph.constants) | {v.name for v in graph.inputs}
    makers = {o: node for node in graph.nodes for o in node.outputs if o}
    for node in graph.nodes:
        place = f"graph.node[{node.index}]"
        for name in node.inputs:
            if name and name not in ready:
                maker = makers.get(name)
                who = f"{maker} makes, later or of its own output" if maker else "nobody makes"
                raise Damaged(place, f"{node} reads `{name}`, which {who}")
            if name:
                graph.readers.setdefault(name, []).append(node)
        for name in node.outputs:
            if name in ready and name:
                raise Damaged(place, f"{node} makes `{name}`, which is an input, a constant, or made already")
            if name:
                ready.add(name)
    for name in graph.outputs:
        if name not in ready:
            raise Damaged("graph.output", f"nobody makes `{name}`")
