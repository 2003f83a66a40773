# SPDX-License-Identifier: Apache-2.0
"""What the functions of operators see of an ONNX model, and what they make of it.

Values of the model are followed as what they are to the workload: a Tensor of bytes in memory, a Real (float32, a function of one such byte), a
Pending (float32 of an operator that waits for its QuantizeLinear), a Constant, or a float32 input of the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from . import ort
from .files import MOST_BYTES
from .layout import Layout
from .messages import Refused
from .onnx_file import Graph, Node
from .workload import LEAST_SCALE, MOST_LENGTH, MOST_RANK, MOST_SCALE, Quantization, Workload, shape_text

TYPES = {"INT8": "int8", "UINT8": "uint8"}
INTEGERS = ("INT32", "INT64")  # of indices and masks
NUMPY_TYPES = {np.dtype(np.int8): "int8", np.dtype(np.uint8): "uint8"}
QUANTIZE_HINT = "quantize it first: gemel quantize MODEL --data IMAGES.npz; or onnxruntime.quantization.quantize_static(), QDQ or QOperator"


PICKERS = ("DepthToSpace", "Slice", "Split")
CLAMPED = {"conv2d", "dense", "matmul", "grouped_matmul", "add", "sub", "mul", "max_pool", "global_avg_pool"}  # layers with the key `clamp`


class Restart(Exception):
    """Something about an input of the model became known that its layers must have known from the start."""


@dataclass(eq=False)
class Tensor:
    name: str  # in the workload; "": its own operator was refused
    value: str  # the model's, for messages
    shape: tuple[int, ...]  # as the workload has it
    layout: Layout
    q: Quantization
    free: str = ""  # input of the model whose order in memory is not settled, and this one's with it
    open: str = ""  # input of 8 bits whose quantization nobody has said yet, and this one's with it

    def __str__(self) -> str:
        return f"`{self.value}`"

    def viewed(self, value: str, layout: Layout | None = None) -> Tensor:
        """The same bytes as another value of the model."""
        return Tensor(self.name, value, self.shape, layout or self.layout, self.q, self.free, self.open)


@dataclass(eq=False)
class Real:
    """float32: for each value of the tensor's type, ascending, what DequantizeLinear and the functions behind it make of it."""

    tensor: Tensor
    values: np.ndarray
    joined: bool = True  # the runtime joins the DequantizeLinear with what reads it

    @property
    def layout(self) -> Layout:
        return self.tensor.layout

    @property
    def plain(self) -> bool:
        return np.array_equal(self.values, ort.dequantized(self.tensor.q))

    def __str__(self) -> str:
        return str(self.tensor)


@dataclass(eq=False)
class RealInput:
    """A float32 input of the model. `order`: see Context.orders."""

    value: str
    layout: Layout

    def __str__(self) -> str:
        return f"`{self.value}`"


@dataclass(eq=False)
class IntegerInput:
    """An input of the model of int32 or int64: indices, or a mask of which a Cast makes float32."""

    value: str
    layout: Layout

    def __str__(self) -> str:
        return f"`{self.value}`"


@dataclass(eq=False)
class Constant:
    data: np.ndarray
    value: str = ""
    scale: np.ndarray | None = None  # float32; with it `data` are integers, and the constant is their real values
    zero_point: np.ndarray | None = None
    axis: int = 0  # of more than one scale

    @property
    def real(self) -> np.ndarray:
        if self.scale is None or self.zero_point is None:
            return self.data
        along = [1] * self.data.ndim
        if self.scale.size > 1:
            along[self.axis] = -1
        return (self.data.astype(np.int64) - self.zero_point.reshape(along)).astype(np.float32) * self.scale.reshape(along)

    @property
    def layout(self) -> Layout:
        return Layout.dense(self.data.shape)

    def __str__(self) -> str:
        return f"`{self.value}`" if self.value else "a constant"


@dataclass(eq=False)
class Pending:
    """What an operator gives in float32; the machine computes it with the QuantizeLinear that follows."""

    node: Node
    operands: list
    bounds: tuple[float, float] = (-math.inf, math.inf)  # of a Relu or Clip behind it

    def __str__(self) -> str:
        return f"float32 of {self.node}"


@dataclass(eq=False)
class Operation:
    """One operator, however the model writes it: its node (for messages and attributes), operands, and the quantization of what it makes.
    `target` None: it keeps the input's."""

    node: Node
    operands: list
    output: str  # value of the model
    target: Quantization | None
    given: dict = field(default_factory=dict)  # attributes that stand elsewhere

    def get(self, name: str, default):
        value = self.given.get(name, self.node.attributes.get(name, default))
        same = type(value) is type(default) or (isinstance(value, int) and isinstance(default, float))
        if default is not None and not same:
            raise Refused(name, value, f"like {default!r}")
        return value

    def integers(self, name: str, default: list[int], least: int, most: int = 1 << 20) -> list[int]:
        value = self.get(name, None)
        value = default if value is None else value
        wrong = not isinstance(value, list) or len(value) != len(default)
        if wrong or any(not isinstance(n, int) or not least <= n <= most for n in value):
            raise Refused(name, value, f"{len(default)} numbers of {least} to {most}")
        return value

    def only(self, name: str, default, supported: str = "") -> None:
        """Refuses other values of an attribute."""
        value = self.get(name, None)
        if value is not None and value != default:
            raise Refused(name, value, supported or f"{default}")

    def knows(self, *names: str) -> None:
        """Refuses attributes of other names, which would be ignored."""
        for name in sorted(set(self.node.attributes) - set(names)):
            raise Refused(name, self.node.attributes[name], f"the attributes {', '.join(names)}" if names else "no attributes")


def operands(op: Operation, least: int, most: int | None = None) -> list:
    """Those that the model leaves out are None."""
    most = least if most is None else most
    found = op.operands + [None] * (most - len(op.operands))
    if len(found) > most or any(v is None for v in found[:least]):
        raise Refused("operands", len(op.operands), f"{least if least == most else f'{least} to {most}'}")
    return found


def made_image(t: Tensor, n: int, channels: int, size: list[int]):
    """Shape in memory and layout of an image that is made of `t`: of 2 dimensions, or of 1 as `t` is."""
    one_dimension = len(t.layout.shape) == 3
    dense = Layout.dense((n, size[1], channels) if one_dimension else (n, *size, channels))
    return (n, *size, channels), dense.transposed((0, 2, 1) if one_dimension else (0, 3, 1, 2))


class Context:
    """What the operators' functions see of the model, and where they put layers."""

    def __init__(self, graph: Graph, workload: Workload, orders: dict, given: dict, nearest: bool):
        self.graph, self.workload = graph, workload
        self.orders: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = orders  # input -> its axes in memory, and its shape there
        self.given: dict[str, Quantization] = given  # input of 8 bits -> quantization, which the operator that reads it says
        self.nearest = nearest  # see import_model()
        self.values: dict[str, object] = {}  # of the model; None: what makes it was refused
        self.layouts: dict[str, Layout] = {}  # of the workload's tensors
        self.given_bytes: set[str] = set()  # inputs of the workload that are such of the model
        self._inputs: dict[str, Tensor] = {}
        self._moved: dict[tuple[str, tuple[int, ...]], Tensor] = {}  # tensors in another order, by their names and the order of their axes
        self._integers: dict[str, Layout] = {}  # inputs of the model of INTEGERS
        self._bytes = 0

    # What an operator asks.

    def scales(self, array, what: str) -> np.ndarray:
        """Scales as float32, at least one."""
        if not isinstance(array, Constant):
            raise Refused(f"scale of {what}", "computed by the network", "a constant", code="E1107")
        scale = np.asarray(array.real)
        if scale.dtype.kind != "f" or scale.ndim > 1 or scale.size == 0:
            raise Refused(f"scale of {what}", f"{scale.dtype} {shape_text(scale.shape)}", "one float32, or one per channel", code="E1107")
        scale = scale.reshape(-1).astype(np.float32)
        wrong = ~((scale >= LEAST_SCALE) & (scale <= MOST_SCALE))  # NaN is wrong, too
        if wrong.any():
            i = int(np.argmax(wrong))
            raise Refused(f"scale {i} of {what}", f"{scale[i]:.9g}", f"{LEAST_SCALE:g} to {MOST_SCALE:g}", code="E1107")
        return scale

    def quantization(self, scale, zero_point, what: str, default: str = "uint8") -> Quantization:
        """Of a tensor that is computed."""
        scales = self.scales(scale, what)
        if scales.size != 1:
            raise Refused(f"scales of {what}", scales.size, "one: only weights have a scale per channel", code="E1107")
        if zero_point is None:
            return Quantization(default, float(scales[0]), 0)
        if not isinstance(zero_point, Constant):
            raise Refused(f"zero point of {what}", "computed by the network", "a constant", code="E1107")
        zero = np.asarray(zero_point.data)
        if zero.dtype not in NUMPY_TYPES or zero_point.value in self.graph.narrow:
            kind = self.graph.narrow.get(zero_point.value, str(zero.dtype)).lower()
            raise Refused(f"type of {what}", kind, "int8, uint8", code="E1106")
        if zero.size != 1:
            raise Refused(f"zero points of {what}", zero.size, "one", code="E1107")
        return Quantization(NUMPY_TYPES[zero.dtype], float(scales[0]), int(zero.reshape(-1)[0]))

    def scaled(self, constant: Constant, scale, zero_point, axis: int, what: str) -> Constant:
        """Integers with their scales."""
        scales = self.scales(scale, what)
        if constant.data.dtype.kind not in "iu":
            raise Refused(f"type of {what}", constant.data.dtype, "integers", code="E1106")
        zero = np.zeros(scales.size, np.int64)
        if zero_point is not None:
            if not isinstance(zero_point, Constant):
                raise Refused(f"zero point of {what}", "computed by the network", "a constant", code="E1107")
            zero = zero_point.data.reshape(-1).astype(np.int64)
            if zero.size not in (1, scales.size):
                raise Refused(f"zero points of {what}", zero.size, f"{scales.size}, as many as it has scales", code="E1107")
            zero = np.broadcast_to(zero, scales.shape)
        rank = constant.data.ndim
        if scales.size > 1:
            if not -rank <= axis < rank or constant.data.shape[axis] != scales.size:
                raise Refused(
                    f"scales of {what}", f"{scales.size} along dimension {axis} of {shape_text(constant.data.shape)}",
                    "one, or one for each element of the dimension", code="E1107"
                )  # fmt: skip
            axis %= rank
        return Constant(constant.data, constant.value, scales, zero, axis)

    def tensor(self, value, supported: str = "a tensor of 8 bits that the network computes") -> Tensor:
        """The bytes that an operator reads."""
        if isinstance(value, Tensor):
            return value
        if isinstance(value, Real) and value.plain:
            return value.tensor
        hint = QUANTIZE_HINT
        if isinstance(value, Real):
            state, hint = "float32, a function of it", "give it a QuantizeLinear and a DequantizeLinear"
        elif isinstance(value, RealInput):
            state = "a float32 input of the model"
        elif isinstance(value, IntegerInput):
            state, hint = "an integer input of the model", "supported of such: indices of a Gather, and a mask before a Softmax, behind a Cast to float32"
        elif isinstance(value, Pending):
            state = "float32, without a QuantizeLinear behind what makes it"
        elif isinstance(value, Constant):
            state, hint = "a constant", ""
        else:
            state = "left out"
        raise Refused(f"operand {value}" if value is not None else "an operand", state, supported, hint)

    def read(self, value, q: Quantization) -> Tensor:
        """Bytes that an operator of the QOperator form reads with a quantization that it names itself."""
        t = self.tensor(value)
        if t.open and t.q != q and t.q.type == q.type:
            self.given[t.open] = q
            raise Restart
        if t.q != q:
            raise Refused(
                f"quantization of {t}", f"{q.type}, scale {q.scale:.9g}, zero point {q.zero_point}",
                f"that of its maker: {t.q.type}, scale {t.q.scale:.9g}, zero point {t.q.zero_point}", code="E1107"
            )  # fmt: skip
        return t

    def workload_inputs(self) -> set[str]:
        return {entry["name"] for entry in self.workload.inputs}

    def ordered(self, t: Tensor, dims: tuple[int, ...], shape: tuple[int, ...] | None, what: str) -> Tensor:
        """The tensor in the order of `dims` in memory, as the workload's shape `shape` (None: any); moved by the host if it lies in another one."""
        if not t.layout.lies(*dims):
            axes = t.layout.axes(*dims)
            if t.free and t.free not in self.orders and t.layout.memory == self._inputs[t.free].layout.memory:
                self.orders[t.free] = axes, shape or t.shape
                raise Restart
            t = self.moved(t, dims, what)
        return t if shape is None else self.view(t, shape)

    def moved(self, t: Tensor, dims: tuple[int, ...], what: str) -> Tensor:
        """The tensor with its elements in memory in the order of `dims`, by a step on the host."""
        layout = t.layout.plain()
        axes = layout.axes(*dims)
        if (t.name, axes) not in self._moved:
            outer = (1,) if 1 in (t.shape[0], layout.shape[0]) else ()  # the number of images, which stays outside
            if len(outer) + len(axes) > MOST_RANK:
                raise Refused(f"order of {t} in memory", shape_text(t.shape), what, f"at most {MOST_RANK} dimensions can be moved")
            source = self.view(t, outer + layout.memory)
            order = [*range(len(outer)), *(len(outer) + a for a in axes)]
            name = self.workload.layer(f"{t.name}.moved", "transpose", [source.name], order=order)
            made = layout.ordered(axes)
            self._moved[t.name, axes] = Tensor(name, t.value, outer + made.memory, made, t.q, open=t.open)
            self.workload.notes.append(f"layer `{name}`: the host moves elements into another order, because what reads them takes {what}")
        done = self._moved[t.name, axes]
        return Tensor(done.name, t.value, done.shape, t.layout.plain().ordered(axes), t.q, open=t.open)

    def integers(self, source: IntegerInput, kind: str) -> Tensor:
        """The workload's input of `kind`, int32 (indices) or uint8 (numbers of 0 to 255), for one of the model's."""
        if source.value not in self._inputs:
            given = next(v for v in self.graph.inputs if v.name == source.value)
            t = self.input(source.value, source.value, self._integers[source.value], Quantization(kind, 1.0, 0))
            t.free = ""
            range_text = "" if kind == "int32" else ", numbers of 0 to 255"
            self.workload.notes.append(f"input `{t.name}` takes {kind} in place of {given.type}{range_text}")
        t = self._inputs[source.value]
        if t.q.type != kind:
            raise Refused(f"{source}", "read as indices and as numbers", "one of both")
        return t.viewed(source.value, source.layout)

    def image(self, value) -> Tensor:
        """[n, height, width, channels] of the model's [N, C, H, W] or [N, C, L]."""
        t = self.tensor(value)
        n = t.layout.shape
        if len(n) == 3:
            return self.ordered(t, (0, 2, 1), (n[0], 1, n[2], n[1]), "[N, L, C] of the model's [N, C, L]")
        if len(n) != 4:
            raise Refused(f"shape of {t}", shape_text(n), "3 or 4 dimensions: [images, channels, height, width]")
        return self.ordered(t, (0, 2, 3, 1), (n[0], n[2], n[3], n[1]), "[N, H, W, C] of the model's [N, C, H, W]")

    def only_picked(self, value: str) -> bool:
        """Whether all that reads the bytes `value` takes some of its channels."""
        readers = self.graph.readers.get(value, ())
        if value in self.graph.outputs or not readers:
            return False
        return all(node.type in PICKERS or (node.type == "DequantizeLinear" and self.only_picked(node.outputs[0])) for node in readers)

    def common_root(self, a: Tensor, b: Tensor) -> tuple[Tensor, tuple[np.ndarray, np.ndarray]] | None:
        """A tensor of which both are functions, and for each of its values, ascending, the places of theirs among all 256."""
        found = self.workload.common_root(a.name, b.name)
        root = self.values.get(str(self.workload.sources.get(found[0]))) if found else None
        if found is None or not isinstance(root, Tensor) or root.name != found[0] or root.layout.plain() != a.layout.plain():
            return None
        raw = ort.elements(root.q).astype(np.uint8)
        places = [of_raw[raw] ^ np.uint8(128 if t.q.type == "int8" else 0) for t, of_raw in zip((a, b), found[1:])]
        return root, (places[0], places[1])

    # What an operator does.

    def approximate(self, attribute: str, value: str, supported: str, note: str) -> None:
        """What the runtime does in float32 and the machine does not: refused, but for those who take the nearest."""
        if not self.nearest:
            raise Refused(attribute, value, supported, "--nearest takes it as near as integers come")
        self.workload.notes.append(note)

    def store(self, size: int) -> None:
        self._bytes += size
        if self._bytes > MOST_BYTES:
            raise Refused("constants", f"more than {MOST_BYTES} bytes in all", f"{MOST_BYTES} bytes")

    def view(self, t: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The same bytes under another shape of the workload."""
        if t.shape == tuple(shape):
            return t
        check_shape(t, shape)
        name = self.workload.layer(f"{t.name}.view", "reshape", [t.name], shape=list(shape) or [1])
        return Tensor(name, t.value, tuple(shape), t.layout, t.q, t.free, t.open)

    def layer(
        self, op: Operation, kind: str, inputs: list[Tensor], shape, layout: Layout, tensors: dict | None = None, /, **keys
    ) -> None:
        """A layer that makes the operation's output. `shape`: as the workload has it; `layout`: of the model's tensor."""
        q = op.target or inputs[0].q
        check_shape(f"`{op.output}`", shape)
        for array in (tensors or {}).values():
            self.store(array.nbytes)
        free = next((t.free for t in inputs if t.free), "")
        name = self.workload.layer(readable(op.output), kind, [t.name for t in inputs], op.target, tensors, **keys)
        made = Tensor(name, op.output, tuple(int(n) for n in shape), layout, q, free if shape == inputs[0].shape else "")
        made.open = "" if op.target else inputs[0].open
        self.workload.sources[name] = op.output
        self.layouts[name] = layout
        self.values[op.output] = made

    def shaped(self, op: Operation, t: Tensor, shape, layout: Layout) -> None:
        """The operation's output is the same bytes under another shape."""
        check_shape(f"`{op.output}`", shape)
        name = self.workload.layer(readable(op.output), "reshape", [t.name], shape=[int(n) for n in shape])
        self.workload.sources[name] = op.output
        self.layouts[name] = layout
        self.values[op.output] = Tensor(name, op.output, tuple(int(n) for n in shape), layout, t.q, open=t.open)

    def clamp(self, t: Tensor, low: int, high: int, output: str) -> None:
        """Cuts what a tensor has: where the layer that makes it can, which nobody else may read then."""
        least, most = ort.limits(t.q)
        if low <= least and high >= most:
            self.values[output] = t.viewed(output)
            return
        layer = next((one for one in self.workload.layers if one.name == t.name), None)
        alone = len(self.graph.readers.get(t.value, ())) == 1 and t.value not in self.graph.outputs
        if layer is not None and alone and layer.op in CLAMPED and "clamp" not in layer.keys:
            layer.keys["clamp"] = [low, high]
            self.workload.sources[t.name] = output
            self.values[output] = t.viewed(output)
        elif layer is None and t.name not in self.given_bytes:
            self.workload.notes.append(f"input `{t.name}` has values of {low} to {high} only")
            self.values[output] = t.viewed(output)
        else:
            op = Operation(Node(-1, "Clip", [t.value], [output]), [t], output, t.q)
            self.table(op, t, np.clip(ort.elements(t.q), low, high))

    def integer_layer(self, op: Operation, kind: str, t: Tensor, shape, layout: Layout) -> None:
        """On the host, with int32 for a result: only an output of the model can be."""
        if op.output not in self.graph.outputs or self.graph.readers.get(op.output):
            raise Refused("place", f"before {self.graph.readers.get(op.output, ['nothing'])[0]}", "the end of the model, as its output")
        name = self.workload.layer(readable(op.output), kind, [t.name])
        self.workload.sources[name] = op.output
        self.layouts[name] = layout
        self.values[op.output] = Tensor(name, op.output, tuple(shape), layout, t.q)

    def table(self, op: Operation, t: Tensor, values: np.ndarray) -> None:
        """`values`: results for the values of the tensor's type, ascending."""
        if np.array_equal(values, ort.elements(t.q)) and op.target == t.q:
            self.values[op.output] = t.viewed(op.output)
            return
        self.layer(op, "table", [t], t.shape, t.layout, {"table": ort.table_of(t.q, values)})

    # The edges of the network.

    def input(self, value: str, name: str, layout: Layout, q: Quantization) -> Tensor:
        """An input of the workload: the model's input `value`, in the order that its readers need."""
        shape = layout.shape
        if value in self.orders:
            axes, shape = self.orders[value]
            layout = layout.ordered(axes)
        check_shape(f"`{value}`", shape)
        made = self.workload.input(readable(name), shape, q)
        t = Tensor(made, name, tuple(shape), layout, q, value)
        self.workload.sources[made] = name
        self.layouts[made] = layout
        self._inputs[value] = t
        return t

    def input_behind(self, source: RealInput, output: str, q: Quantization) -> Tensor:
        """Of the model's QuantizeLinear from float32."""
        known = self._inputs.get(source.value)
        if known is not None:
            axes = self.orders[source.value][0] if source.value in self.orders else tuple(range(len(source.layout.memory)))
            if known.q != q or known.layout != source.layout.ordered(axes):
                raise Refused(f"{source}", "quantized in two ways", "one QuantizeLinear for an input of the model")
            return known
        t = self.input(source.value, output, source.layout, q)
        self.workload.notes.append(
            f"input `{t.name}` takes {q.type} bytes: the model's QuantizeLinear from float32 is left to whoever gives them"
        )
        return t

    def begin(self) -> None:
        for v in self.graph.inputs:
            if v.shape is None:
                raise Refused(f"shape of input `{v.name}`", "unknown", "fixed lengths", FIXED_HINT)
            shape = v.shape
            if shape and isinstance(shape[0], str):  # the number of images
                shape = (1, *shape[1:])
            if any(isinstance(n, str) or not 1 <= n <= MOST_LENGTH for n in shape):
                raise Refused(f"shape of input `{v.name}`", "[" + ", ".join(map(str, v.shape)) + "]", "fixed lengths of 1 to 2^24", FIXED_HINT)
            layout = Layout.dense(shape)
            if v.type in INTEGERS:
                self._integers[v.name] = layout
                self.values[v.name] = IntegerInput(v.name, layout)
            elif v.type == "FLOAT":
                self.values[v.name] = RealInput(v.name, layout)
            elif v.type in TYPES:
                q = self.given.get(v.name, Quantization(TYPES[v.type], 1.0, 0))
                t = self.values[v.name] = self.input(v.name, v.name, layout, q)
                t.open = "" if v.name in self.given else v.name
                self.given_bytes.add(t.name)
            else:
                raise Refused(f"type of input `{v.name}`", v.type, "FLOAT before a QuantizeLinear, INT8, UINT8", QUANTIZE_HINT, "E1106")

    def end(self) -> None:
        inputs = self.workload_inputs()
        places = {self._inputs[v.name].name: i for i, v in enumerate(self.graph.inputs) if v.name in self._inputs}
        self.workload.inputs.sort(key=lambda entry: places[entry["name"]])
        for name in self.graph.outputs:
            value = self.values.get(name)
            if value is None:
                continue
            # Which of the outputs is the largest stays as it is.
            function = isinstance(value, Real) and not value.plain and bool((np.diff(value.values) >= 0).all())
            t = value.tensor if isinstance(value, Real) and function else self.tensor(value)
            if t.name in inputs:
                raise Refused(f"output `{name}`", "an input of the model", "a tensor that an operator makes")
            if t.name and t.name not in self.workload.outputs:
                self.workload.outputs.append(t.name)
                self.layouts[t.name] = t.layout
                self.workload.sources[t.name] = t.value
                if function:
                    self.workload.notes.append(
                        f"output `{name}` is a growing function in float32 of the {t.q.type} bytes `{t.name}`: it is left to whoever reads them"
                    )
                elif isinstance(value, Real):
                    self.workload.notes.append(
                        f"output `{t.name}` is {t.q.type} bytes: the model's DequantizeLinear to float32 is left to whoever reads them"
                    )
        edges = [(n, "input") for n in sorted(inputs)] + [(n, "output") for n in self.workload.outputs]
        for name, edge in edges:
            layout = self.layouts[name]
            if not layout.lies(*range(len(layout.dims))):
                order = sorted(range(len(layout.dims)), key=lambda d: layout.dims[d][:1] or (-1,))
                told = ", ".join(str(d) for d in order)
                self.workload.notes.append(f"{edge} `{name}` lies in memory by the model's dimensions {told} (NHWC): one change of order at this edge")


FIXED_HINT = "fix them: python -m onnxruntime.tools.make_dynamic_shape_fixed"


def readable(value: str) -> str:
    """The name of what was quantized, without what quantizers append."""
    for suffix in ("_QuantizeLinear_Output", "_quantized", "_QuantizeLinear"):
        if value.endswith(suffix) and len(value) > len(suffix):
            return value[: -len(suffix)]
    return value


def check_shape(what, shape) -> None:
    if len(shape) > MOST_RANK or any(not 1 <= n <= MOST_LENGTH for n in shape):
        raise Refused(f"shape of {what}", shape_text(shape), f"at most {MOST_RANK} dimensions of 1 to 2^24")
