# SPDX-License-Identifier: Apache-2.0
"""LSTM and GRU unrolled over time into products, sums and functions, which the machine has.

Each gate has a product of its own, so that no channels have to be taken apart, and a range of its own. Of the input it is one product for all steps,
whose rows are then taken step by step; of the state it is one product per step, and all of them read the same constant.
A state that is zero at first costs nothing; one that is another constant becomes biases and factors (depthwise convolutions of 1x1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..importer.messages import Findings, Refused
from ..importer.workload import shape_text
from .graph import FIXED_HINT, Graph, attributes, drop_attribute
from .names import unique_name
from .runtime import onnx

MOST_STEPS = 1024  # in all directions of one node
GATES = {"LSTM": ("input", "output", "forget", "cell"), "GRU": ("update", "reset", "hidden")}  # in the order of their weights
FUNCTIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}  # of gates, of what enters the state, of an LSTM's cell
OPERANDS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
BY_TIME = (1, 0, 2)  # permutation between [images, time, ...] and [time, images, ...]
State = np.ndarray | str | None  # [images, hidden] as a constant, or the name of a value; None: zeros


def time_first(model: onnx.ModelProto) -> None:
    """Nodes with layout 1, which ONNX Runtime does not run, as such with layout 0 between Transposes."""
    nodes: list[onnx.NodeProto] = []
    taken = {name for node in model.graph.node for name in (*node.input, *node.output)} | {t.name for t in model.graph.initializer}

    def moved(name: str, result: str, permutation: tuple[int, ...]) -> onnx.NodeProto:
        return onnx.helper.make_node("Transpose", [name], [result], name=result, perm=permutation)

    for node in model.graph.node:
        behind: list[onnx.NodeProto] = []
        if node.op_type in GATES and node.domain in ("", "ai.onnx") and attributes(node).get("layout", 0) == 1:
            drop_attribute(node, "layout")
            for i in (0, 5, 6):
                if i < len(node.input) and node.input[i]:
                    name = unique_name(taken, f"{node.input[i]}_by_time")
                    nodes.append(moved(node.input[i], name, BY_TIME))
                    node.input[i] = name
            for i, out in enumerate(node.output):
                if out:
                    node.output[i] = unique_name(taken, f"{out}_by_time")
                    behind.append(moved(node.output[i], out, (2, 0, 1, 3) if i == 0 else BY_TIME))
        nodes += [node, *behind]
    made = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(made)


def unroll(graph: Graph) -> None:
    """ModelError with all that is not supported."""
    found = Findings(graph.file)
    nodes = [node for node in graph.nodes if node.op_type in GATES]
    for node in nodes:
        before = len(found.diagnostics)
        for check in _checks(graph, node):
            found.attempt(graph.where(node), check)
        if len(found.diagnostics) == before:
            graph.replace(node, _Cell(graph, node).unrolled())
    found.raise_any()
    if nodes:
        graph.sweep()
        graph.infer()


def _operand(node: onnx.NodeProto, which: str) -> str:
    """The name of an operand; "": left out."""
    at = OPERANDS.index(which)
    return node.input[at] if len(node.input) > at else ""


def _output(node: onnx.NodeProto, which: int) -> str:
    """"": nobody wants it."""
    return node.output[which] if len(node.output) > which else ""


def _checks(graph: Graph, node: onnx.NodeProto) -> Iterator[Callable[[], None]]:
    given = attributes(node)
    x = graph.shapes.get(node.input[0])
    time = None if x is None else x[0]

    def shape() -> None:
        if x is None:
            raise Refused("shape of X", "unknown", "fixed lengths", FIXED_HINT)

    def constant(which: str) -> None:
        name = _operand(node, which)
        if name and name not in graph.constants:
            raise Refused(which, "computed by the network", "a constant")

    def lengths() -> None:
        name = _operand(node, "sequence_lens")
        array = graph.constants.get(name)
        if name and (array is None or (array != time).any()):
            state = "computed by the network" if array is None else shape_text(array[:8])
            raise Refused("sequence_lens", state, f"none, or {time}, the length of X, everywhere", "export the model for sequences of one length")

    def peepholes() -> None:
        name = _operand(node, "P")
        if name and (name not in graph.constants or graph.constants[name].any()):
            raise Refused("P (peepholes)", "other than zeros", "none, or zeros", "train the network without peepholes")

    def functions() -> None:
        names = [name.decode() for name in given.get("activations", [])]
        default = FUNCTIONS[node.op_type]
        if [name.lower() for name in names] not in ([], [name.lower() for name in default * (len(names) // len(default))]):
            raise Refused("activations", ", ".join(names), ", ".join(default))

    def only(name: str, value: int) -> None:
        if given.get(name, value) != value:
            raise Refused(name, given[name], f"{value}")

    def clipped() -> None:
        if "clip" in given:
            raise Refused("clip", given["clip"], "none", "train the network without it")

    def steps() -> None:
        directions = 2 if given.get("direction") == b"bidirectional" else 1
        if time is not None and time * directions > MOST_STEPS:
            raise Refused("steps", time * directions, f"at most {MOST_STEPS}, of all directions", "cut sequences, and give the state of one to the next")

    yield shape
    for which in ("W", "R", "B"):
        yield lambda which=which: constant(which)  # type: ignore[misc]
    yield from (lengths, peepholes, functions, clipped, steps)
    if node.op_type == "LSTM":
        yield lambda: only("input_forget", 0)


class _Cell:
    """One node. Values within are [images, hidden]."""

    def __init__(self, graph: Graph, node: onnx.NodeProto):
        self.graph, self.node, self.new = graph, node, list[onnx.NodeProto]()
        given = attributes(node)
        self.before_reset = bool(given.get("linear_before_reset", 0))
        self.directions = {b"reverse": [True], b"bidirectional": [False, True]}.get(given.get("direction", b"forward"), [False])
        self.makers = graph.makers()
        self.time, self.images, self.inputs = graph.shapes[node.input[0]]
        self.x, self.images_first = self.as_made(node.input[0])
        self.w, self.r = (graph.constants[_operand(node, which)] for which in "WR")
        self.hidden = self.r.shape[2]
        b = _operand(node, "B")
        width = len(GATES[node.op_type]) * self.hidden
        self.b = graph.constants[b] if b else np.zeros((len(self.directions), 2 * width), np.float32)
        self.name = next(name for name in (*node.output, node.name, node.op_type) if name)
        self.step = self.name  # beginning of the names of what is made
        self.order: dict[str, str] = {}  # value -> the same with the dimension last from which lines are taken

    def unrolled(self) -> list[onnx.NodeProto]:
        rows = self.reshape(self.x, (self.images * self.time, self.inputs))
        hidden: list[list[str]] = []  # of each direction, by time
        last: list[tuple[str, str]] = []
        for d, reverse in enumerate(self.directions):
            one = _Direction(self, d, rows)
            states = [self.initial("initial_h", d), self.initial("initial_c", d)]
            by_time = [""] * self.time
            for t in reversed(range(self.time)) if reverse else range(self.time):
                self.step = f"{self.name}.{'back.' if reverse else ''}{t}"
                states = list(one.next(t, *states))
                by_time[t] = str(states[0])
            hidden.append(by_time)
            last.append((str(states[0]), str(states[1])))
        self.step = self.name
        d = len(self.directions)
        every = [one[t] for t in range(self.time) for one in hidden]
        if d == 1 and _output(self.node, 0):
            self.take_steps(hidden[0])
        self.result(0, every, (self.time, d))
        for i in range(2):
            self.result(1 + i, [one[i] for one in last], (d,))
        return self.new

    def as_made(self, name: str) -> tuple[str, bool]:
        """What a Transpose has put in the order of time, as it was, and whether there was one: images come first then, in memory, too."""
        maker = self.makers.get(name)
        if maker is None or maker.op_type != "Transpose" or tuple(attributes(maker).get("perm", ())) != BY_TIME:
            return name, False
        return maker.input[0], True

    def take_steps(self, by_time: list[str]) -> None:
        """Nodes that take one step of Y, the last say, take its value: then nobody has to put all of them behind each other."""
        graph, readers = self.graph, self.graph.readers()
        followed = [(self.node.output[0], "tdbh")]  # value, its dimensions
        for value, dims in followed:
            for node in readers.get(value, ()):
                given, numbers = attributes(node), [graph.constants.get(name) for name in node.input[1:]]
                if node.op_type == "Transpose":
                    followed.append((node.output[0], "".join(dims[i] for i in given.get("perm", range(len(dims))[::-1]))))
                elif node.op_type == "Squeeze" and numbers and numbers[0] is not None:
                    gone = {int(a) % len(dims) for a in numbers[0].reshape(-1)}
                    followed.append((node.output[0], "".join(name for i, name in enumerate(dims) if i not in gone)))
                elif node.op_type in ("Gather", "Slice") and value == node.input[0] and dims.find("b") < dims.find("h"):
                    step = _step_taken(node, numbers, dims.find("t"), len(dims), len(by_time))
                    shape = graph.shapes.get(node.output[0])
                    if step is not None and shape is not None:
                        view = onnx.helper.make_node("Reshape", [by_time[step], self.numbers(shape)], [node.output[0]], name=node.name or node.output[0])
                        graph.replace(node, [view])

    def result(self, which: int, parts: list[str], shape: tuple[int, ...]) -> None:
        """An output of the node, [*shape, images, hidden], of values behind each other: for each image, or each of them for all images."""
        out = _output(self.node, which)
        if not out:
            return
        if not self.images_first:
            parts = [self.reshape(part, (1, self.images * self.hidden)) for part in parts]
        whole = parts[0] if len(parts) == 1 else self.add("Concat", f"{out}.parts", parts, axis=1)
        if self.images_first:
            whole = self.reshape(whole, (self.images, *shape, self.hidden))
            order = (*range(1, len(shape) + 1), 0, len(shape) + 1)
            self.new.append(onnx.helper.make_node("Transpose", [whole], [out], name=out, perm=order))
        else:
            self.new.append(onnx.helper.make_node("Reshape", [whole, self.numbers((*shape, self.images, self.hidden))], [out], name=out))

    def initial(self, which: str, d: int) -> State:
        name = _operand(self.node, which)
        if not name:
            return None
        count = len(self.directions)
        array = self.graph.constants.get(name)
        if array is not None:
            return array[d] if array[d].any() else None
        value, images_first = self.as_made(name)
        return self.reshape(value, (self.images, self.hidden)) if count == 1 else self.line(value, count, d, images_first)

    # What nodes are made of.

    def add(self, kind: str, name: str, inputs: list[str], **more: Any) -> str:
        return self.graph.added(self.new, kind, name, inputs, **more)

    def at_step(self, kind: str, what: str, inputs: list[str], **more: Any) -> str:
        return self.add(kind, f"{self.step}.{what}", inputs, **more)

    def numbers(self, values: tuple[int, ...]) -> str:
        return self.graph.add_constant(f"{self.step}.numbers", np.array(values, np.int64))

    def reshape(self, value: str, shape: tuple[int, ...]) -> str:
        return self.add("Reshape", f"{value}.view", [value, self.numbers(shape)])

    def line(self, value: str, length: int, at: int, images_first: bool) -> str:
        """One of `length` values [images, hidden] that lie behind each other, for each image or each for all images."""
        if length == 1:
            return value
        outer, inner = (self.images, self.hidden) if images_first else (1, self.images * self.hidden)
        if value not in self.order:
            self.order[value] = self.add("Transpose", f"{value}.columns", [self.reshape(value, (outer, length, inner))], perm=[0, 2, 1])
        numbers = [self.numbers((n,)) for n in (at, at + 1, 2)]
        return self.reshape(self.add("Slice", f"{value}.{at}", [self.order[value], *numbers]), (self.images, self.hidden))

    def affine(self, value: str, what: str, factor: np.ndarray | None, addend: np.ndarray | None = None) -> str:
        """value * factor + addend, both [images, hidden]."""
        count = self.images * self.hidden
        ones = np.ones((self.images, self.hidden), np.float32)
        operands = [np.broadcast_to(ones if factor is None else factor, ones.shape).reshape(count, 1, 1)]
        operands += [] if addend is None else [np.broadcast_to(addend, ones.shape).reshape(count)]
        names = [self.graph.add_constant(f"{self.step}.{what}.{i}", np.ascontiguousarray(array, np.float32)) for i, array in enumerate(operands)]
        made = self.at_step("Conv", what, [self.reshape(value, (1, count, 1)), *names], group=count, kernel_shape=[1])
        return self.reshape(made, (self.images, self.hidden))


def _step_taken(node: onnx.NodeProto, numbers: list[np.ndarray | None], axis: int, rank: int, time: int) -> int | None:
    """The only element that a Gather or a Slice takes of the dimension `axis`; None: it takes something else."""
    given = [array.reshape(-1) for array in numbers if array is not None]
    if len(given) < len(numbers):
        return None
    if node.op_type == "Gather":
        axes, taken = np.array([attributes(node).get("axis", 0)]), given[0]
    else:
        starts, ends, axes, steps = (*given, np.arange(given[0].size), np.ones_like(given[0]))[:4] if len(given) == 2 else (*given, np.ones_like(given[0]))[:4]
        taken = np.arange(time)[starts[0] : ends[0] : steps[0]]
    return int(taken[0]) % time if axes.size == 1 and int(axes[0]) % rank == axis and taken.size == 1 else None


class _Direction:
    """Weights of one direction, and a step with them."""

    def __init__(self, cell: _Cell, d: int, rows: str):
        self.cell = cell
        graph, hidden, gates = cell.graph, cell.hidden, GATES[cell.node.op_type]
        self.matrix: dict[str, np.ndarray] = {}  # of the state, [hidden, hidden of the gate]
        self.state: dict[str, str] = {}  # the same as a constant of the model
        self.projected: dict[str, str] = {}  # products with the input, of all steps, with the biases
        self.inner = np.zeros(hidden, np.float32)  # bias that the reset gate multiplies
        side = f"{cell.name}.{'back.' if cell.directions[d] else ''}"
        for g, gate in enumerate(gates):
            span = slice(g * hidden, (g + 1) * hidden)
            bias, other = cell.b[d][span], cell.b[d][len(gates) * hidden :][span]
            if gate == "hidden" and cell.before_reset:
                self.inner = other
            else:
                bias = bias + other
            self.matrix[gate] = np.ascontiguousarray(cell.r[d, span].T)
            self.state[gate] = graph.add_constant(f"{side}{gate}.R", self.matrix[gate])
            operands = [graph.add_constant(f"{side}{gate}.W", np.ascontiguousarray(cell.w[d, span].T))]
            operands += [graph.add_constant(f"{side}{gate}.B", bias)] if bias.any() else []
            self.projected[gate] = cell.add("Gemm", f"{side}{gate}.inputs", [rows, *operands])
        self.inner_bias = [graph.add_constant(f"{side}reset.B", self.inner)] if self.inner.any() else []

    def next(self, t: int, h: State, c: State) -> tuple[State, State]:
        return self.lstm(t, h, c) if self.cell.node.op_type == "LSTM" else (self.gru(t, h), None)

    def row(self, gate: str, t: int) -> str:
        return self.cell.line(self.projected[gate], self.cell.time, t, self.cell.images_first)

    def sum_of(self, gate: str, t: int, h: State) -> str:
        """What goes into a gate's function."""
        x = self.row(gate, t)
        if h is None:
            return x
        if isinstance(h, np.ndarray):
            return self.cell.affine(x, f"{gate}.sum", None, h @ self.matrix[gate])
        product = self.cell.at_step("MatMul", f"{gate}.state", [h, self.state[gate]])
        return self.cell.at_step("Add", f"{gate}.sum", [x, product])

    def gate(self, gate: str, t: int, h: State, function: str = "Sigmoid") -> str:
        return self.cell.at_step(function, gate, [self.sum_of(gate, t, h)])

    def times(self, value: str, what: str, state: np.ndarray | str) -> str:
        if isinstance(state, np.ndarray):
            return self.cell.affine(value, what, state)
        return self.cell.at_step("Mul", what, [value, state])

    def lstm(self, t: int, h: State, c: State) -> tuple[str, str]:
        add = self.cell.at_step
        cell = add("Mul", "new", [self.gate("input", t, h), self.gate("cell", t, h, "Tanh")])
        if c is not None:
            cell = add("Add", "c", [self.times(self.gate("forget", t, h), "kept", c), cell])
        return add("Mul", "h", [self.gate("output", t, h), add("Tanh", "shown", [cell])]), cell

    def gru(self, t: int, h: State) -> str:
        add = self.cell.at_step
        update = self.gate("update", t, h)
        new = add("Tanh", "hidden", [self.reset(t, h)])
        one = self.cell.graph.add_constant(f"{self.cell.step}.one", np.array(1, np.float32))
        new = add("Mul", "new", [add("Sub", "open", [one, update]), new])
        return new if h is None else add("Add", "h", [new, self.times(update, "kept", h)])

    def reset(self, t: int, h: State) -> str:
        """What goes into the function of a GRU's hidden gate."""
        cell, add = self.cell, self.cell.at_step
        x = self.row("hidden", t)
        if h is None and not self.inner.any():
            return x
        if not cell.before_reset:
            reset = self.times(self.gate("reset", t, h), "reset_state", h)  # type: ignore[arg-type]
            return add("Add", "hidden.sum", [x, add("MatMul", "hidden.state", [reset, self.state["hidden"]])])
        reset = self.gate("reset", t, h)
        if isinstance(h, str):
            operands = [h, self.state["hidden"], *self.inner_bias]
            held: np.ndarray | str = add("Gemm" if self.inner_bias else "MatMul", "hidden.state", operands)
        else:
            held = self.inner if h is None else h @ self.matrix["hidden"] + self.inner
        return add("Add", "hidden.sum", [x, self.times(reset, "reset_state", held)])
