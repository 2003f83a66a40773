# SPDX-License-Identifier: Apache-2.0
"""What the functions of operators see of a TFLite model, what they make of it, and how they refuse."""

import numpy as np

from .files import MOST_BYTES
from .messages import Refused
from .tflite_file import Graph, Operator, Tensor
from .workload import LEAST_SCALE, MOST_LENGTH, MOST_RANK, MOST_SCALE, Quantization, Workload, shape_text

ACTIVATION_TYPES = {"INT8": "int8", "UINT8": "uint8"}

QUANTIZE_HINT = "convert it with full integer quantization (TFLITE_BUILTINS_INT8 and a representative data set)"


class Context:
    """What the operators' functions see of the model, and where they put layers."""

    def __init__(self, graph: Graph, workload: Workload):
        self.graph, self.workload = graph, workload
        self.names: dict[Tensor, str] = {}  # in the workload, of those that it has
        self._padding: dict[Tensor, tuple[Tensor, tuple[int, int, int, int]]] = {}
        self._ends: dict[Tensor, Tensor] = {}  # a float output of the model -> what it is the float form of
        self._bytes = 0

    # What an operator asks.

    def is_input(self, t: Tensor) -> bool:
        return t in self.graph.inputs

    def is_output(self, t: Tensor) -> bool:
        return t in self.graph.outputs

    @staticmethod
    def check_plain(t: Tensor) -> None:
        for wrong, what in (
            (t.is_sparse, "sparse"),
            (t.is_variable, "a variable"),
            (t.other_quantization, "quantized by blocks or in a custom way"),
        ):
            if wrong:
                raise Refused(f"{t}", what, "dense tensors that are written once, with scales and zero points")

    def scales(self, t: Tensor) -> np.ndarray:
        """Scales as float32, at least one."""
        if t.scale.size == 0:
            raise Refused(f"quantization of {t}", "none", "a scale and a zero point", code="E1107")
        wrong = ~((t.scale >= LEAST_SCALE) & (t.scale <= MOST_SCALE))  # NaN is wrong, too
        if wrong.any():
            i = int(np.argmax(wrong))
            raise Refused(f"scale {i} of {t}", f"{t.scale[i]:.9g}", f"{LEAST_SCALE:g} to {MOST_SCALE:g}", code="E1107")
        return t.scale.astype(np.float32)

    def quantization(self, t: Tensor) -> Quantization:
        """Of a tensor that is computed."""
        self.check_plain(t)
        if t.type not in ACTIVATION_TYPES:
            raise Refused(f"type of {t}", t.type, "INT8", QUANTIZE_HINT if "FLOAT" in t.type else "", code="E1106")
        scales = self.scales(t)
        if len(scales) != 1:
            raise Refused(f"scales of {t}", len(scales), "one: only weights have a scale per channel", code="E1107")
        kind = ACTIVATION_TYPES[t.type]
        low = -128 if kind == "int8" else 0
        zero = int(t.zero_point[0])
        if not low <= zero <= low + 255:
            raise Refused(f"zero point of {t}", zero, f"{low} to {low + 255}", code="E1107")
        return Quantization(kind, float(scales[0]), zero)

    def name(self, t: Tensor) -> str:
        """Of a tensor that an operator reads."""
        self.quantization(t)
        if t.constant:
            raise Refused(f"{t}", "a constant", "a tensor that the network computes")
        if t in self._padding:
            raise Refused(f"{t}", "padded", "a tensor without padding")
        return self.names.get(t, "")  # "": its own operator was refused

    def padded(self, t: Tensor) -> tuple[Tensor, tuple[int, int, int, int]]:
        """What stands before a PAD, and its pixels top, left, bottom, right; of another tensor itself."""
        return self._padding.get(t, (t, (0, 0, 0, 0)))

    def must_end(self, op: Operator) -> None:
        """For what runs on the host, when the program has halted: only views and other steps of the host may follow."""
        for reader in (r for t in op.outputs for r in t.read_by):
            if reader.type not in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "DEQUANTIZE", "ARG_MAX", "SOFTMAX"):
                raise Refused(
                    "place",
                    f"before {reader}",
                    "the end of the model: it runs on the host, when the machine's program has ended",
                )

    # What an operator does.

    def store(self, size: int) -> None:
        """Counts bytes of constants: several tensors of a model may share a buffer, but a workload stores each."""
        self._bytes += size
        if self._bytes > MOST_BYTES:
            raise Refused("constants", f"more than {MOST_BYTES} bytes in all", f"{MOST_BYTES} bytes")

    def fold_padding(self, out: Tensor, source: Tensor, pixels: tuple[int, int, int, int]) -> None:
        before, extra = self.padded(source)
        self._padding[out] = before, tuple(a + b for a, b in zip(extra, pixels))

    def begin_behind(self, out: Tensor) -> None:
        self._input(out)
        self.workload.notes.append(
            f"input `{self.names[out]}` takes int8 bytes: the model's QUANTIZE from float32 is left to whoever gives them"
        )

    def end_before(self, out: Tensor, source: Tensor) -> None:
        self._ends[out] = source
        self.workload.notes.append(
            f"output `{self.names.get(source, '')}` is int8 bytes: the model's DEQUANTIZE to float32 is left to whoever reads them"
        )

    def view(self, t: Tensor, shape: tuple[int, ...]) -> str:
        return self.workload.layer(f"{self.name(t)}.rows", "reshape", [self.name(t)], shape=list(shape))

    def add(
        self,
        op: Operator,
        kind: str,
        inputs: list,
        made: tuple[int, ...] | None = None,
        keeps: bool = False,
        integer: bool = False,
        tensors: dict | None = None,
        **keys,
    ) -> None:
        """A layer that makes the operator's output. `made`: its shape, where that is another than the file's; a view follows then.
        `keeps`: the quantization is the input's, and no layer says it. `integer`: it has none."""
        out = op.outputs[0]
        check_size(out)
        output = None if integer else self.quantization(out)
        inputs = [t if isinstance(t, str) else self.name(t) for t in inputs]
        name = readable(out)
        view = made is not None and tuple(made) != out.shape
        layer = self.workload.layer(
            f"{name}.{kind}" if view else name, kind, inputs, None if keeps else output, tensors, **keys
        )
        self._set_name(
            out, self.workload.layer(name, "reshape", [layer], shape=list(out.shape) or [1]) if view else layer
        )

    def _set_name(self, t: Tensor, name: str) -> None:
        self.names[t] = name
        self.workload.sources[name] = t.index

    # The edges of the network.

    def _input(self, t: Tensor) -> None:
        check_size(t)
        self._set_name(t, self.workload.input(readable(t), t.shape, self.quantization(t)))

    def begin(self) -> None:
        for t in self.graph.inputs:
            only_quantized = t.type == "FLOAT32" and t.read_by and all(op.type == "QUANTIZE" for op in t.read_by)
            if not only_quantized:
                self._input(t)

    def end(self) -> None:
        inputs = {entry["name"] for entry in self.workload.inputs}
        for t in self.graph.outputs:
            t = self._ends.get(t, t)
            if self.names.get(t) in inputs:
                raise Refused(f"output, {t}", "an input of the model", "a tensor that an operator makes")
            if t in self.names and self.names[t] not in self.workload.outputs:
                self.workload.outputs.append(self.names[t])


def readable(t: Tensor) -> str:
    """The last of the names that converters join by `;` when they fuse operators."""
    return t.name.split(";")[-1].strip() or f"tensor_{t.index}"


def check_size(t: Tensor) -> None:
    if len(t.shape) > MOST_RANK or any(not 1 <= n <= MOST_LENGTH for n in t.shape):
        raise Refused(f"shape of {t}", shape_text(t.shape), f"at most {MOST_RANK} dimensions of 1 to 2^24")
