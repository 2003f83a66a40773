# SPDX-License-Identifier: Apache-2.0
"""A .tflite file as a graph of tensors and operators, with everything checked that the file says about itself.

TensorFlow has no verifier of its models in Python. Here each offset, length, count and index is checked before it is used, each tensor
has a shape whose elements can be counted, a constant has as many bytes as its shape and type need, and each tensor is made once and before
it is read. What is wrong is a ModelError: E1101 to E1103.
"""

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .flatbuffer import Table
from .messages import Damaged, Diagnostic, ModelError, damaged_model
from .schema import FIELDS, IDENTIFIER, OPERATORS, OPTIONS, TYPES, VERSION
from .workload import shape_text

MOST_TENSORS = 1 << 17
MOST_OPERATORS = 1 << 16
MOST_OPERANDS = 1 << 10  # of one operator
MOST_RANK = 8
MOST_ELEMENTS = 1 << 40  # of one tensor, as everywhere in Gemel

NUMPY_TYPES = {
    "FLOAT32": "<f4",
    "FLOAT16": "<f2",
    "INT32": "<i4",
    "UINT8": "u1",
    "INT64": "<i8",
    "BOOL": "u1",
    "INT16": "<i2",
    "INT8": "i1",
    "FLOAT64": "<f8",
    "UINT64": "<u8",
    "UINT32": "<u4",
    "UINT16": "<u2",
    "INT4": "u1",
}


@dataclass(eq=False)
class Tensor:
    index: int
    name: str  # as the file has it; "" where it has none
    shape: tuple[int, ...]
    type: str  # "INT8", as in the schema
    data: np.ndarray | None = (
        None  # of a constant, in its shape (INT4: as packed); None: computed, or of a type that is not read
    )
    constant: bool = False
    scale: np.ndarray = field(
        default_factory=lambda: np.empty(0, np.float32)
    )  # as many as there are zero points; none: not quantized
    zero_point: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    axis: int = 0  # of more than one scale
    is_variable: bool = False
    is_sparse: bool = False
    other_quantization: bool = False  # quantized in a way that has no scales and zero points
    read_by: list["Operator"] = field(default_factory=list)

    def __str__(self) -> str:
        return f"tensor {self.index}" + (f" `{self.name}`" if self.name else "")


@dataclass(eq=False)
class Operator:
    index: int
    type: str  # "CONV_2D", or "CUSTOM(name)"
    inputs: list[Tensor | None]  # None: left out
    outputs: list[Tensor]
    options_name: str  # of their table in the schema; "": none, or of no operator that is imported
    options: dict[str, int | float | bool]  # those that the file gives

    def __str__(self) -> str:
        name = next((t.name for t in self.outputs if t.name), "")
        return f"operator {self.index}, {self.type}" + (f" `{name}`" if name else "")


@dataclass
class Graph:
    file: str
    sha256: str
    tensors: list[Tensor]
    operators: list[Operator]  # in their order of execution
    inputs: list[Tensor]
    outputs: list[Tensor]


def is_tflite(data: bytes) -> bool:
    return data[4:8] == IDENTIFIER


def read_tflite(path: Path, data: bytes) -> Graph:
    """The graph of a model file with the contents `data`. ModelError: E1103 it is damaged."""
    try:
        return _Reader(data, str(path)).graph()
    except Damaged as damage:
        raise damaged_model(str(path), damage) from None


class _Reader:
    def __init__(self, data: bytes, file: str):
        self.file = file
        self.model = Table(data, int.from_bytes(data[:4], "little"), "")
        self.data = data

    def graph(self) -> Graph:
        model = FIELDS.Model
        version = self.model.scalar(model.version, 0)
        if version != VERSION:
            raise Damaged("version", f"its schema has version {version}, and only version {VERSION} exists")
        graphs = self.model.count(model.subgraphs)
        if graphs != 1:
            raise ModelError(
                Diagnostic(
                    "E1105",
                    f"the model has {graphs} subgraphs, and one is supported",
                    self.file,
                    hint="control flow (IF, WHILE, CALL_ONCE) and several signatures make more of them; export one function",
                )
            )
        graph = next(self.model.tables(model.subgraphs))
        for what, table, field_, most in (
            ("tensors", graph, FIELDS.SubGraph.tensors, MOST_TENSORS),
            ("operators", graph, FIELDS.SubGraph.operators, MOST_OPERATORS),
            ("operator codes", self.model, model.operator_codes, MOST_OPERATORS),
            ("buffers", self.model, model.buffers, 2 * MOST_TENSORS),
        ):
            if table.count(field_) > most:
                raise Damaged("", f"it claims {table.count(field_)} {what}, and at most {most} are read")
        buffers = list(self.model.tables(model.buffers))
        tensors = [self.tensor(i, table, buffers) for i, table in enumerate(graph.tables(FIELDS.SubGraph.tensors))]
        codes = [self.code(table) for table in self.model.tables(model.operator_codes)]
        inputs = self.operands(graph, FIELDS.SubGraph.inputs, tensors)
        outputs = self.operands(graph, FIELDS.SubGraph.outputs, tensors)
        operators = [self.operator(i, t, tensors, codes) for i, t in enumerate(graph.tables(FIELDS.SubGraph.operators))]
        self.check_order(tensors, operators, inputs, outputs)
        return Graph(self.file, hashlib.sha256(self.data).hexdigest(), tensors, operators, inputs, outputs)

    def tensor(self, index: int, table: Table, buffers: list[Table]) -> Tensor:
        fields = FIELDS.Tensor
        shape = table.vector(fields.shape)
        shape = tuple(int(n) for n in shape[: MOST_RANK + 1]) if shape is not None else ()
        if len(shape) > MOST_RANK:
            raise Damaged(f"{table.place}.shape", f"a tensor has at most {MOST_RANK} dimensions here")
        if any(n < 0 for n in shape) or math.prod(shape) > MOST_ELEMENTS:
            raise Damaged(
                f"{table.place}.shape", f"{shape_text(shape)} is no shape of a tensor with at most 2^40 elements"
            )
        kind = table.scalar(fields.type, 0)
        if kind < 0:
            raise Damaged(f"{table.place}.type", f"there is no type of tensors with the number {kind}")
        known = kind < len(TYPES)  # others, such as INT2, are of a schema newer than ours
        tensor = Tensor(index, table.string(fields.name)[:1000], shape, TYPES[kind] if known else f"number {kind}")
        tensor.is_variable = table.scalar(fields.is_variable, False)
        tensor.is_sparse = table.table(fields.sparsity) is not None
        self.quantization(tensor, table.table(fields.quantization))
        self.constant(tensor, table, buffers)
        return tensor

    def quantization(self, tensor: Tensor, table: Table | None) -> None:
        if table is None:
            return
        fields = FIELDS.QuantizationParameters
        scale, zero_point = table.vector(fields.scale), table.vector(fields.zero_point)
        tensor.other_quantization = table.scalar(fields.details_type, 0) != 0
        tensor.axis = table.scalar(fields.quantized_dimension, 0)
        if scale is None or len(scale) == 0:
            return
        if zero_point is None or len(zero_point) == 0:
            zero_point = np.zeros(len(scale), np.int64)
        if len(zero_point) != len(scale):
            raise Damaged(table.place, f"it has {len(scale)} scales and {len(zero_point)} zero points")
        if len(scale) > 1 and not (0 <= tensor.axis < len(tensor.shape) and tensor.shape[tensor.axis] == len(scale)):
            raise Damaged(
                table.place,
                f"it has {len(scale)} scales along dimension {tensor.axis} of a tensor of the shape {shape_text(tensor.shape)}",
            )
        tensor.scale, tensor.zero_point = scale, zero_point

    def constant(self, tensor: Tensor, table: Table, buffers: list[Table]) -> None:
        index = table.scalar(FIELDS.Tensor.buffer, 0)
        if index >= len(buffers):
            raise Damaged(f"{table.place}.buffer", f"there is no buffer {index} of {len(buffers)}")
        fields, buffer = FIELDS.Buffer, buffers[index]
        data = buffer.vector(fields.data)
        offset, size = buffer.scalar(fields.offset, 0), buffer.scalar(fields.size, 0)
        if offset > 1:  # behind the flatbuffer, as files above 2 GiB have it
            if offset + size > len(self.data):
                raise Damaged(buffer.place, f"{size} bytes from byte {offset} on reach beyond the end of the file")
            data = np.frombuffer(self.data, np.uint8, size, offset)
        if index == 0 or data is None or len(data) == 0:
            return
        tensor.constant = True
        if tensor.type not in NUMPY_TYPES:
            return
        kind = np.dtype(NUMPY_TYPES[tensor.type])
        packed = tensor.type == "INT4"  # two in a byte
        needed = (math.prod(tensor.shape) + 1) // 2 if packed else math.prod(tensor.shape) * kind.itemsize
        if len(data) != needed:
            raise Damaged(
                table.place,
                f"its buffer {index} has {len(data)} bytes, and {shape_text(tensor.shape)} of {tensor.type} takes {needed}",
            )
        tensor.data = data if packed else data.view(kind).reshape(tensor.shape)

    def code(self, table: Table) -> str:
        fields = FIELDS.OperatorCode
        number = max(table.scalar(fields.deprecated_builtin_code, 0), table.scalar(fields.builtin_code, 0))
        if not 0 <= number < len(OPERATORS):
            return f"number {number}"  # of a schema newer than ours: an operator that is not supported
        return (
            f"CUSTOM({table.string(fields.custom_code)[:100]})" if OPERATORS[number] == "CUSTOM" else OPERATORS[number]
        )

    def operands(self, table: Table, field_, tensors: list[Tensor], optional: bool = False) -> list:
        indices = table.vector(field_)
        place = f"{table.place}.{field_[1]}"
        if indices is None:
            return []
        if len(indices) > MOST_OPERANDS:
            raise Damaged(place, f"it claims {len(indices)} entries, and at most {MOST_OPERANDS} are read")
        for i in indices:
            if not (0 <= i < len(tensors) or (optional and i == -1)):
                raise Damaged(place, f"there is no tensor {i} of {len(tensors)}")
        return [None if i < 0 else tensors[i] for i in indices]

    def operator(self, index: int, table: Table, tensors: list[Tensor], codes: list[str]) -> Operator:
        fields = FIELDS.Operator
        code = table.scalar(fields.opcode_index, 0)
        if code >= len(codes):
            raise Damaged(f"{table.place}.opcode_index", f"there is no operator code {code} of {len(codes)}")
        inputs = self.operands(table, fields.inputs, tensors, optional=True)
        outputs = self.operands(table, fields.outputs, tensors)
        options_name = OPTIONS.get(table.scalar(fields.builtin_options_type, 0), "")
        found = table.table(fields.builtin_options) if options_name else None
        options = {}
        if found is not None:
            values = {name: found.scalar(option, None) for name, option in vars(getattr(FIELDS, options_name)).items()}
            options = {name: value for name, value in values.items() if value is not None}
        return Operator(index, codes[code], inputs, outputs, options_name, options)

    def check_order(self, tensors, operators, inputs, outputs) -> None:
        """Each tensor is made once, and before it is read (so that there is no cycle)."""
        place = "subgraphs[0]"
        for what, listed in (("inputs", inputs), ("outputs", outputs)):
            if not listed:
                raise Damaged(f"{place}.{what}", f"the model has no {what}")
            if len({id(t) for t in listed}) != len(listed):
                raise Damaged(f"{place}.{what}", "one tensor is listed twice")
        ready = {id(t) for t in tensors if t.constant or t.is_variable} | {id(t) for t in inputs}
        for t in inputs:
            if t.constant:
                raise Damaged(f"{place}.inputs", f"{t} is a constant")
        makers = {id(t): op for op in operators for t in op.outputs}
        for op in operators:
            where = f"{place}.operators[{op.index}]"
            for t in op.inputs:
                if t is None:
                    continue
                if id(t) not in ready:
                    maker = makers.get(id(t))
                    raise Damaged(
                        where,
                        f"{op} reads {t}, which "
                        + (f"{maker} makes, later or of its own output" if maker else "nobody makes"),
                    )
                t.read_by.append(op)
            for t in op.outputs:
                if id(t) in ready:
                    raise Damaged(where, f"{op} makes {t}, which is an input, a constant, or made already")
                ready.add(id(t))
        for t in outputs:
            if id(t) not in ready:
                raise Damaged(f"{place}.outputs", f"nobody makes {t}")
