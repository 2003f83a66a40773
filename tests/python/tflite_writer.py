# SPDX-License-Identifier: Apache-2.0
"""Writes .tflite files for tests, with the Python package `tflite` (generated from the schema), so that what the importer reads was not
written by the importer's idea of the format."""

from dataclasses import dataclass, field

import flatbuffers
import numpy as np
import tflite

TYPES = {
    "int8": tflite.TensorType.INT8,
    "uint8": tflite.TensorType.UINT8,
    "int32": tflite.TensorType.INT32,
    "int64": tflite.TensorType.INT64,
    "float32": tflite.TensorType.FLOAT32,
    "float16": tflite.TensorType.FLOAT16,
    "int16": tflite.TensorType.INT16,
    "int4": tflite.TensorType.INT4,
}


@dataclass
class Tensor:
    name: str
    shape: tuple
    type: str = "int8"
    scale: list | None = None
    zero_point: list | None = None
    axis: int = 0
    data: np.ndarray | None = None
    outside: tuple[int, int] | None = (
        None  # the constant is so many bytes, from so far on in the file, behind the flatbuffer
    )
    variable: bool = False


@dataclass
class Operator:
    type: str  # "CONV_2D"
    inputs: list[int]
    outputs: list[int]
    options: str = ""  # "Conv2DOptions"
    values: dict = field(default_factory=dict)  # {"StrideW": 2}, as the package's Add functions call them


class Model:
    """Tensors and operators by index; write() gives the file's bytes."""

    def __init__(self):
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self.version = 3
        self.subgraphs = 1  # all of them the same

    def tensor(self, name, shape, type="int8", scale=None, zero_point=None, axis=0, data=None) -> int:
        as_list = lambda v: None if v is None else list(np.atleast_1d(v))
        self.tensors.append(Tensor(name, tuple(shape), type, as_list(scale), as_list(zero_point), axis, data))
        return len(self.tensors) - 1

    def operator(self, type, inputs, outputs, options="", **values) -> None:
        self.operators.append(Operator(type, list(inputs), list(outputs), options, values))

    def write(self) -> bytes:
        b = flatbuffers.Builder(1024)

        def table(name, **fields):
            # Children are made before their parents: `fields` holds offsets and scalars.
            getattr(tflite, f"{name}Start")(b)
            for key, value in fields.items():
                if value is not None:
                    getattr(tflite, f"{name}Add{key}")(b, value)
            return getattr(tflite, f"{name}End")(b)

        def numbers(values, kind):
            return b.CreateNumpyVector(np.asarray(values, kind))

        def offsets(values):
            b.StartVector(4, len(values), 4)
            for v in reversed(values):
                b.PrependUOffsetTRelative(v)
            return b.EndVector()

        buffers = [table("Buffer")]
        tensors = []
        for t in self.tensors:
            index = 0
            if t.outside is not None:
                index = len(buffers)
                buffers.append(table("Buffer", Offset=t.outside[0], Size=t.outside[1]))
            elif t.data is not None:
                # A constant begins at a multiple of 16, as TensorFlow writes it.
                raw = np.frombuffer(np.ascontiguousarray(t.data).tobytes(), np.uint8)
                b.StartVector(1, len(raw), 16)
                b.head -= len(raw)
                b.Bytes[b.head : b.head + len(raw)] = raw.tobytes()
                data = b.EndVector()
                index = len(buffers)
                buffers.append(table("Buffer", Data=data))
            quantization = None
            if t.scale is not None:
                scale, zero = (
                    numbers(t.scale, np.float32),
                    numbers(t.zero_point if t.zero_point is not None else [0] * len(t.scale), np.int64),
                )
                quantization = table("QuantizationParameters", Scale=scale, ZeroPoint=zero, QuantizedDimension=t.axis)
            name, shape = b.CreateString(t.name), numbers(t.shape, np.int32)
            tensors.append(
                table("Tensor", Shape=shape, Type=TYPES[t.type], Buffer=index, Name=name, Quantization=quantization, IsVariable=t.variable)
            )
        kinds = sorted({o.type for o in self.operators})
        codes = []
        for kind in kinds:
            number = getattr(tflite.BuiltinOperator, kind)
            codes.append(table("OperatorCode", DeprecatedBuiltinCode=min(number, 127), Version=1, BuiltinCode=number))
        operators = []
        for o in self.operators:
            inputs, outputs = numbers(o.inputs, np.int32), numbers(o.outputs, np.int32)
            values = {k: numbers(v, np.int32) if isinstance(v, tuple) else v for k, v in o.values.items()}
            options = table(o.options, **values) if o.options else None
            number = getattr(tflite.BuiltinOptions, o.options) if o.options else None
            operators.append(
                table(
                    "Operator",
                    OpcodeIndex=kinds.index(o.type),
                    Inputs=inputs,
                    Outputs=outputs,
                    BuiltinOptionsType=number,
                    BuiltinOptions=options,
                )
            )
        graph = table(
            "SubGraph",
            Tensors=offsets(tensors),
            Inputs=numbers(self.inputs, np.int32),
            Outputs=numbers(self.outputs, np.int32),
            Operators=offsets(operators),
            Name=b.CreateString("main"),
        )
        model = table(
            "Model",
            Version=self.version,
            OperatorCodes=offsets(codes),
            Subgraphs=offsets([graph] * self.subgraphs),
            Description=b.CreateString("gemel test"),
            Buffers=offsets(buffers),
        )
        b.Finish(model, b"TFL3")
        return bytes(b.Output())
