# SPDX-License-Identifier: Apache-2.0
"""Which values of a float network become bytes, and which of them share a scale.

1. Operators that the machine has are quantized; others stay in float32, and so do those that the caller names.
2. A Relu, or a Clip around 0, that alone reads a layer's result is part of the layer: the range of its result, which begins at 0, cuts as it does.
3. A chain of functions of one value (HardSwish, or what exporters make of it) is one function: nothing within it becomes bytes.
4. What is computed of integer inputs alone (an attention's mask) stays as it is, and so does its sum with what a Softmax reads: bytes would lose either the
   mask or the scores. So does what factors of channels make for a LayerNormalization. A Softmax's result has the scale 1/256.
5. What only moves elements (MaxPool, Reshape, Slice, ...) keeps the scale of its input. A Concat has a scale of its own: one for all of its inputs would
   take from a Relu before it that its range begins at 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..importer import ort
from ..importer.onnx_model import VIEWS
from ..importer.onnx_ops import FLOAT_PAIRS
from .graph import Graph, attributes
from .runtime import onnx

LAYERS = ("Conv", "Gemm", "MatMul")
POOLS = ("AveragePool", "GlobalAveragePool")
KEEPS = ("DepthToSpace", "MaxPool", "Pad", "Resize", "Slice", "SpaceToDepth", "Split", *VIEWS)
BORDERS = (b"constant", b"edge", b"reflect", b"wrap")
SHARES = (1 / 256, -128)  # scale and zero point of what a Softmax makes
PAIRS = ("Add", "Sub", "Mul")  # of two computed tensors


@dataclass
class Plan:
    nodes: list[onnx.NodeProto] = field(default_factory=list)  # that compute on bytes, in order
    left: list[onnx.NodeProto] = field(default_factory=list)  # that stay in float32
    why: dict[str, str] = field(default_factory=dict)  # output of such a node -> the reason
    group: dict[str, str] = field(default_factory=dict)  # value of bytes -> name of the group of values with one scale
    observed: dict[str, list[str]] = field(default_factory=dict)  # group -> values whose range it is
    layers: list[onnx.NodeProto] = field(default_factory=list)  # of `nodes` those with weights
    stacks: list[onnx.NodeProto] = field(default_factory=list)  # of `nodes` products with constant weights of more than 2 dimensions
    shares: set[str] = field(default_factory=set)  # groups that have SHARES
    tables: dict[str, str] = field(default_factory=dict)  # result of a Gather -> its table
    made: dict[str, str] = field(default_factory=dict)  # output of a node of `nodes` -> value of bytes that it ends in, behind its activation


def weights_of(graph: Graph, node: onnx.NodeProto) -> tuple[np.ndarray, int] | None:
    """Constant weights of a layer, and their dimension of output channels."""
    if node.op_type not in LAYERS or len(node.input) < 2:
        return None
    w = graph.constants.get(node.input[1])
    if w is None or w.dtype != np.float32 or w.size == 0 or (len(node.input) > 2 and node.input[2] and node.input[2] not in graph.constants):
        return None
    if node.op_type == "Conv":
        return (w, 0) if w.ndim in (3, 4) else None
    given = attributes(node)
    if w.ndim != 2 or given.get("transA", 0):
        return None
    return w, 0 if node.op_type == "Gemm" and given.get("transB", 0) else 1


def clip_bounds(graph: Graph, node: onnx.NodeProto) -> tuple[float, float] | None:
    """Of Relu and Clip with constant bounds."""
    if node.op_type == "Relu":
        return 0.0, float("inf")
    if node.op_type != "Clip":
        return None
    found = [float("-inf"), float("inf")]
    for i, name in enumerate(node.input[1:3]):
        if name:
            bound = graph.constants.get(name)
            if bound is None or bound.size != 1:
                return None
            found[i] = float(bound.reshape(-1)[0])
    return found[0], found[1]


def make_plan(graph: Graph, keep_float: set[str] | None = None) -> Plan:
    """keep_float: outputs of nodes that stay in float32."""
    return _Planner(graph, keep_float or set()).plan()


class _Planner:
    def __init__(self, graph: Graph, keep_float: set[str]):
        self.graph, self.keep_float = graph, keep_float
        self.readers, self.makers = graph.readers(), graph.makers()
        self.outputs = set(graph.outputs)
        self.of_integers = self.computed_of_integers()
        self.joined: dict[str, str] = {}  # result of a layer -> that of the activation which is part of it
        self.why: dict[str, str] = {}

    def computed(self, node: onnx.NodeProto) -> list[str]:
        return [name for name in node.input if name and name not in self.graph.constants]

    def computed_of_integers(self) -> set[str]:
        """Rule 4: values that are made of integer inputs and constants alone, but for rows of tables."""
        found = set(self.graph.integers)
        for node in self.graph.nodes:
            computed = self.computed(node)
            if computed and node.op_type != "Gather" and all(name in found for name in computed):
                found.update(node.output)
        return found

    def kind(self, node: onnx.NodeProto) -> str:
        """"layer", "stack", "pool", "keep", "pair", "concat", "function", "product", "norm", "softmax", "gather", "numbers"; "index": of bytes, whose result
        is none; "integers", "masked", "scaled": float32, which the operator behind it reads as such; "": stays in float32."""
        if node.output[0] in self.of_integers:
            return "integers"
        if node.output[0] in self.keep_float:
            return self.stays(node, "it was to")
        if any(node.output[1:]) and node.op_type != "Split":
            return self.stays(node, "it gives more than one value")
        shapes = self.graph.shapes
        computed = self.computed(node)
        if not computed:
            return self.stays(node, "it reads constants alone")
        if any(0 in shapes.get(name, (0,)) for name in (*computed, *node.output[:1])):
            return self.stays(node, "it reads or makes a tensor of an unknown shape, or without elements")
        kind = self.encoder_kind(node, computed)
        if kind is not None:
            return kind
        if node.op_type in LAYERS:
            if computed != [node.input[0]]:
                return self.stays(node, "its weights or its bias are computed by the network")
            if self.is_stack(node):
                return "stack"
            return "layer" if weights_of(self.graph, node) is not None else self.stays(node, "its weights have another form than a layer's")
        if node.op_type in POOLS:
            if len(shapes[computed[0]]) not in (3, 4):
                return self.stays(node, f"it is of {len(shapes[computed[0]]) - 2} dimensions; supported: 1 and 2")
            return "pool" if set(attributes(node).get("dilations", [1])) == {1} else self.stays(node, "it has dilations")
        if node.op_type in KEEPS:
            mode = attributes(node).get("mode", b"constant")
            if node.op_type == "Pad" and (mode not in BORDERS or (mode == b"constant" and self.pads_other_than_zero(node))):
                return self.stays(node, "its border is another number than 0, which may lie outside of the input's range")
            if node.op_type == "Resize" and attributes(node).get("mode", b"nearest") != b"nearest":
                return self.stays(node, "it interpolates; supported: to the nearest pixel, or linearly to 2, 4 or 8 times the size")
            return "keep" if computed == [node.input[0]] else self.stays(node, "other operands than the first one are computed by the network")
        if node.op_type == "Concat":
            return "concat" if len(computed) == len(node.input) else self.stays(node, "it joins constants")
        if node.op_type in FLOAT_PAIRS:
            if len(computed) == 1:
                alone = all(self.graph.constants[n].size == 1 for n in node.input if n in self.graph.constants)
                return "function" if alone else self.stays(node, "its constant is more than one number")
            return "pair"
        if node.op_type == "Clip":
            return "function" if clip_bounds(self.graph, node) is not None else self.stays(node, "its bounds are computed by the network")
        return "function" if node.op_type in ort.UNARY else self.stays(node, "the machine has no such operator for it")

    def is_stack(self, node: onnx.NodeProto) -> bool:
        """[..., M, K] times constant [..., K, N] of the same outer dimensions, or of ones."""
        w, shape = self.graph.constants.get(node.input[1]), self.graph.shapes[node.input[0]]
        if node.op_type != "MatMul" or w is None or w.dtype != np.float32 or w.size == 0 or not 2 < w.ndim <= len(shape):
            return False
        outer = (1,) * (len(shape) - w.ndim) + w.shape[:-2]
        return outer == shape[:-2] or set(outer) == {1}

    def stays(self, node: onnx.NodeProto, why: str) -> str:
        """In float32."""
        self.why[node.output[0]] = why
        return ""

    def encoder_kind(self, node: onnx.NodeProto, computed: list[str]) -> str | None:
        """Of what transformer encoders have; None: something else."""
        shapes, constants = self.graph.shapes, self.graph.constants
        rank, given = len(shapes[node.output[0]]), attributes(node)
        if node.op_type == "MatMul" and len(computed) == 2:
            a, b = (shapes[name] for name in node.input)
            return "product" if len(a) == len(b) >= 2 and a[:-2] == b[:-2] else self.stays(node, "its operands have different outer dimensions")
        if node.op_type == "LayerNormalization":
            plain = computed == [node.input[0]] and given.get("axis", -1) in (-1, rank - 1)
            return "norm" if plain else self.stays(node, "it is over more than the last dimension, or its scale is computed")
        if node.op_type == "Softmax":
            if node.output[0] in self.outputs or not self.readers.get(node.output[0]):  # it is left to whoever reads the scores
                return self.stays(node, "it is at the end")
            plain = self.graph.opset >= 13 and given.get("axis", -1) in (-1, rank - 1)
            return "softmax" if plain else self.stays(node, "it is over another dimension than the last one")
        if node.op_type == "ArgMax":
            at_end = node.output[0] in self.outputs and not self.readers.get(node.output[0]) and not given.get("select_last_index", 0)
            return "index" if at_end else self.stays(node, "it is within the model, or takes the last one of equal values")
        if node.op_type == "Gather":
            table = constants.get(node.input[0])
            plain = table is not None and table.dtype == np.float32 and table.ndim == 2 and given.get("axis", 0) == 0
            rows = plain and computed[0] in self.graph.integers
            return "gather" if rows else self.stays(node, "it is none of rows of a constant table, by an input of integers")
        if node.op_type == "Mul" and len(computed) == 1:
            factors = next(constants[name] for name in node.input if name in constants)
            readers = self.readers.get(node.output[0], [])
            alone = len(readers) == 1 and readers[0].op_type == "LayerNormalization" and node.output[0] not in self.outputs
            if factors.shape == shapes[node.output[0]][-1:] and factors.size > 1 and factors.dtype == np.float32:
                return "scaled" if alone else self.stays(node, "it has a constant factor for each element of the last dimension")
        if node.op_type == "Add" and len(computed) == 2 and any(name in self.of_integers for name in computed):
            readers = self.readers.get(node.output[0], [])
            masked = len(readers) == 1 and readers[0].op_type == "Softmax" and node.output[0] not in self.outputs
            return "masked" if masked else self.stays(node, "it adds what is made of integers, and no Softmax alone reads it")
        if node.op_type in ("Add", "Sub") and len(computed) == 1 and computed[0] == node.input[0 if node.op_type == "Sub" else node.input[0] in constants]:
            numbers = next(constants[name] for name in node.input if name in constants)
            of = numbers.shape
            while len(of) > 1 and of[0] == 1:
                of = of[1:]
            if numbers.size > 1 and numbers.dtype == np.float32:
                plain = numbers.ndim <= rank and of == shapes[computed[0]][rank - len(of) :]
                return "numbers" if plain else self.stays(node, "its constant is none of numbers for each element of the innermost dimensions")
        return None

    def pads_other_than_zero(self, node: onnx.NodeProto) -> bool:
        number = self.graph.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        return number is not None and bool((number != 0).any())

    def plan(self) -> Plan:
        kinds = [(node, self.kind(node)) for node in self.graph.nodes]
        self.join(kinds)
        roots: dict[str, str] = {}
        ends: set[str] = set()  # values within chains that become bytes all the same
        while True:
            roots, chained = self.chains(kinds, ends)
            more = {out for out in roots if out in self.outputs or any(id(reader) not in chained for reader in self.readers.get(out, ()))}
            if more <= ends:
                break
            ends |= more
        return self.assemble(kinds, chained, ends)

    def join(self, kinds: list[tuple[onnx.NodeProto, str]]) -> None:
        """Rule 2."""
        results: set[str] = set()  # of layers, pools and sums, and of activations behind them
        for node, kind in kinds:
            x = node.input[0] if node.input else ""
            bounds = clip_bounds(self.graph, node) if kind == "function" else None
            if kind in ("layer", "pool", "pair"):
                results.add(node.output[0])
            elif bounds and bounds[0] <= 0 <= bounds[1] and x in results and len(self.readers[x]) == 1 and x not in self.outputs:
                self.joined[x] = node.output[0]
                results.add(node.output[0])

    def chains(self, kinds: list[tuple[onnx.NodeProto, str]], ends: set[str]) -> tuple[dict[str, str], set[int]]:
        """Rule 3: results of functions with the value that they are functions of, and the ids of their nodes."""
        roots: dict[str, str] = {}
        chained: set[int] = set()
        parts = set(self.joined.values())
        for node, kind in kinds:
            out = node.output[0] if node.output else ""
            if kind not in ("function", "pair") or out in parts:
                continue
            sources = {name if name in ends else roots.get(name, name) for name in self.computed(node)}
            if len(sources) == 1:
                roots[out] = sources.pop()
                chained.add(id(node))
        return roots, chained

    def assemble(self, kinds: list[tuple[onnx.NodeProto, str]], chained: set[int], ends: set[str]) -> Plan:
        plan = Plan()
        quantized: dict[str, None] = {}  # in order
        floats = self.of_integers | {node.output[0] for node, kind in kinds if kind in ("index", "masked", "scaled")}
        for node, kind in kinds:
            if not kind:
                plan.left.append(node)
                plan.why[node.output[0]] = self.why[node.output[0]]
            if kind in ("", "integers"):
                continue
            if kind not in ("masked", "scaled"):
                plan.nodes.append(node)
            if kind == "layer":
                plan.layers.append(node)
            if kind == "stack":
                plan.stacks.append(node)
            for name in (*self.computed(node), *node.output):
                within = id(node) in chained and name == node.output[0] and name not in ends
                if not within and name not in self.joined and name not in floats and not self.within_chain(name, chained, ends):
                    quantized[name] = None
            if kind == "gather":
                plan.tables[node.output[0]] = node.input[0]
        for node, kind in kinds:
            if kind == "keep":
                source = node.input[0]
                if source in quantized:
                    for out in node.output:
                        if out in quantized:
                            self.share(plan, out, source)
                    continue
            for name in node.output:
                if name in quantized:
                    plan.group.setdefault(name, name)
                    plan.observed.setdefault(plan.group[name], [name])
                    plan.shares.update([plan.group[name]] if kind == "softmax" else [])
            for name in self.computed(node):
                if name in quantized and name in self.graph.inputs:
                    plan.group.setdefault(name, name)
                    plan.observed.setdefault(plan.group[name], [name])
        for node in plan.nodes:
            out = node.output[0]
            while out in self.joined:
                out = self.joined[out]
            plan.made[node.output[0]] = out
        return plan

    def within_chain(self, name: str, chained: set[int], ends: set[str]) -> bool:
        maker = self.makers.get(name)
        return maker is not None and id(maker) in chained and name not in ends

    def share(self, plan: Plan, out: str, source: str) -> None:
        """Rule 5."""
        plan.group.setdefault(source, source)
        plan.observed.setdefault(plan.group[source], [source])
        plan.group[out] = plan.group[source]
