# SPDX-License-Identifier: Apache-2.0
"""The network with QuantizeLinear and DequantizeLinear around what a plan has on bytes: weights symmetric, of 8 or 4 bits (int8 of -7 to 7), per tensor or
per output channel, activations asymmetric int8, biases int32 with the scale of input times weights."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from ..importer import ort
from ..importer.workload import Quantization
from .graph import Graph, attributes
from .plan import SHARES, Plan, weights_of
from .ranges import scale_of
from .rounding import rounded
from .runtime import onnx

MOST_BIAS = 2.0**30
LEAST_SCALE = 1e-10
TRIES = 64  # of scales, for a sum that the machine shall compute to the bit
LARGEST = {8: 127, 4: 7}  # bits -> of weights
SHRUNK = np.linspace(1, 0.5, 41)  # scales that are tried for 4 bits: they lose more by rounding than by cutting their largest


@dataclass
class Scales:
    """`values`: group -> scale and zero point."""

    values: dict[str, tuple[float, int]]
    inexact: list[str] = field(default_factory=list)  # sums and products for which no scale near by is exact

    def of(self, plan: Plan, value: str) -> Quantization:
        scale, zero_point = self.values[plan.group[value]]
        return Quantization("int8", scale, zero_point)


def choose_scales(graph: Graph, plan: Plan, ranges: dict[str, tuple[float, float]]) -> Scales:
    """`ranges`: of each observed value. Of sums and products of two tensors ONNX Runtime computes in float32; the scale of the result is raised by
    2^-11 parts, until there are multipliers of the machine that give the same for all 65,536 pairs of bytes."""
    scales = Scales({})
    for group, observed in plan.observed.items():
        lows, highs = zip(*(_range(graph, plan, ranges, name) for name in observed), strict=True)
        scales.values[group] = SHARES if group in plan.shares else scale_of(min(lows), max(highs))
    for node in plan.nodes:
        out = plan.made[node.output[0]]
        inputs = [name for name in node.input if name in plan.group]
        if node.op_type not in ("Add", "Sub", "Mul") or len(inputs) != 2 or inputs[0] == inputs[1] or out not in plan.group:
            continue
        group = plan.group[out]
        if any(plan.group[name] == group for name in inputs):
            tries = 1  # its inputs' scale would move with it
        else:
            tries = TRIES
        scale, zero_point = scales.values[group]
        for i in range(tries):
            scales.values[group] = float(np.float32(scale * (1 + i * 2.0**-11))), zero_point
            if is_exact(node.op_type, *(scales.of(plan, name) for name in inputs), scales.of(plan, out)):
                break
        else:
            scales.values[group] = scale, zero_point
            scales.inexact.append(out)
    return scales


def _range(graph: Graph, plan: Plan, ranges: dict[str, tuple[float, float]], name: str) -> tuple[float, float]:
    """Of rows of a table that of the whole table: other words may come."""
    if name in plan.tables:
        table = graph.constants[plan.tables[name]]
        return float(table.min()), float(table.max())
    return ranges[name]


def is_exact(kind: str, a: Quantization, b: Quantization, y: Quantization) -> bool:
    if kind == "Mul":
        return ort.product_multiplier(ort.multiplied(a, b, y), a, b, y).differences == 0
    wanted = ort.added(a, b, y) if kind == "Add" else ort.in_float(np.subtract)(a, b, y)
    return ort.sum_multipliers(wanted, a, b, y, 1 if kind == "Add" else -1).differences == 0


def weight_scales(w: np.ndarray, axis: int, per_channel: bool, least: np.ndarray | float = 0.0, bits: int = 8) -> np.ndarray:
    """float32, one per output channel or one in all: 8 bits reach the largest weight, 4 those with which the squares of the errors are least.
    `least`: below which a bias would not fit, likewise one per channel."""
    others = tuple(d for d in range(w.ndim) if d != axis)
    most = np.abs(w).max(axis=others).astype(np.float64)
    least = np.broadcast_to(np.asarray(least, np.float64), most.shape)
    if not per_channel:
        most, least = most.max(keepdims=True), least.max(keepdims=True)
    typical = (most.max() if most.max() > 0 else 1.0) / LARGEST[bits]
    scale = np.where(most > 0, most / LARGEST[bits], typical)  # of a channel of zeros any scale will do
    if bits < 8:
        tried = np.outer(SHRUNK, scale).astype(np.float32)
        errors = np.array([_squares(to_whole(w, axis, one, bits) * along(one, axis, w.ndim) - w, others, per_channel) for one in tried])
        scale = tried[errors.argmin(axis=0), np.arange(scale.size)].astype(np.float64)
    return np.maximum(np.maximum(scale, least), LEAST_SCALE).astype(np.float32)


def along(scale: np.ndarray, axis: int, rank: int) -> np.ndarray:
    return scale.reshape([-1 if d == axis else 1 for d in range(rank)]) if scale.size > 1 else scale.reshape(())


def _squares(error: np.ndarray, others: tuple[int, ...], per_channel: bool) -> np.ndarray:
    sums: np.ndarray = np.square(error, dtype=np.float64).sum(axis=others)
    return sums if per_channel else sums.sum(keepdims=True)


def to_whole(w: np.ndarray, axis: int, scale: np.ndarray, bits: int) -> np.ndarray:
    return np.clip(np.rint(w / along(scale, axis, w.ndim)), -LARGEST[bits], LARGEST[bits]).astype(np.int8)


@dataclass
class Quantized:
    model: onnx.ModelProto
    scales: Scales
    weight_sqnr: dict[str, float]  # output of a layer -> dB


def insert(graph: Graph, plan: Plan, scales: Scales, per_channel: bool, means: dict[str, np.ndarray] | None = None,
           int4: Collection[str] = (), moments: dict[str, np.ndarray] | None = None) -> Quantized:  # fmt: skip
    """means: of the inputs of layers, by channel: with them biases take out the mean of what the rounding of weights adds (bias correction).
    int4: results of the layers whose weights are of 4 bits. moments: results of layers -> covariances with which their weights are rounded (rounding.py)."""
    return _Writer(graph.copy(), graph, plan, scales, per_channel, means or {}, int4, moments or {}).write()


class _Writer:
    def __init__(self, made: Graph, graph: Graph, plan: Plan, scales: Scales, per_channel: bool, means: dict[str, np.ndarray],
                 int4: Collection[str], moments: dict[str, np.ndarray]):  # fmt: skip
        self.means, self.int4, self.moments = means, int4, moments
        self.made, self.graph, self.plan, self.scales, self.per_channel = made, graph, plan, scales, per_channel
        self.nodes: list[onnx.NodeProto] = []
        self.parameters: dict[str, tuple[str, str]] = {}
        self.sqnr: dict[str, float] = {}
        self.renamed: dict[str, str] = {}
        self.written: dict[tuple[str, int, int, bytes], str] = {}  # weights with their scales, which layers may share

    def write(self) -> Quantized:
        for name in self.graph.inputs:
            if name in self.plan.group:
                self.renamed[name] = self.made.unique(f"{name}_DequantizeLinear_Output")
                self.pair(name, name, self.renamed[name])
        layers, stacks = ({node.output[0] for node in nodes} for nodes in (self.plan.layers, self.plan.stacks))
        for node in self.made.nodes:
            for i, name in enumerate(node.input):
                if name in self.renamed:
                    node.input[i] = self.renamed[name]
            if node.output[0] in layers:
                self.weights(node)
            if node.output[0] in stacks:
                self.stack(node)
            if node.output[0] in self.plan.tables:
                self.table(node)
            outputs = [name for name in node.output if name in self.plan.group]
            inner = {name: self.made.unique(f"{name}_QuantizeLinear_Input") for name in outputs}
            for i, name in enumerate(node.output):
                node.output[i] = inner.get(name, name)
            self.nodes.append(node)
            for name in outputs:
                self.pair(name, inner[name], name)
        self.made.nodes = self.nodes
        return Quantized(self.made.proto(), self.scales, self.sqnr)

    def table(self, node: onnx.NodeProto) -> None:
        """As bytes, with the scale of the rows that are taken."""
        value = node.output[0]
        q = self.scales.of(self.plan, value)
        rows = self.made.add_constant(f"{value}.table_quantized", ort.quantized(self.graph.constants[node.input[0]], q).astype(np.int8))
        table = self.made.unique(f"{value}.table")
        self.nodes.append(onnx.helper.make_node("DequantizeLinear", [rows, *self.numbers(value)], [table], name=f"{value}.table_DequantizeLinear"))
        node.input[0] = table

    def pair(self, value: str, source: str, result: str) -> None:
        """`source` in float32 -> bytes -> `result` in float32."""
        parameters = self.numbers(value)
        middle = self.made.unique(f"{value}_QuantizeLinear_Output")
        self.nodes.append(onnx.helper.make_node("QuantizeLinear", [source, *parameters], [middle], name=f"{value}_QuantizeLinear"))
        self.nodes.append(onnx.helper.make_node("DequantizeLinear", [middle, *parameters], [result], name=f"{value}_DequantizeLinear"))

    def numbers(self, value: str) -> tuple[str, str]:
        """Scale and zero point."""
        group = self.plan.group[value]
        if group not in self.parameters:
            scale, zero_point = self.scales.values[group]
            self.parameters[group] = (
                self.made.add_constant(f"{group}_scale", np.array(scale, np.float32)),
                self.made.add_constant(f"{group}_zero_point", np.array(zero_point, np.int8)),
            )
        return self.parameters[group]

    def weights(self, node: onnx.NodeProto) -> None:
        found = weights_of(self.graph, node)
        assert found is not None
        w, axis = found
        out, source = node.output[0], self.original(node.input[0])
        x_scale = np.float32(self.scales.values[self.plan.group[source]][0])
        bias = self.graph.constants[node.input[2]] if len(node.input) > 2 and node.input[2] else None
        least = np.abs(bias.reshape(-1)).astype(np.float64) / (float(x_scale) * MOST_BIAS) if bias is not None else 0.0
        bits = 4 if out in self.int4 else 8
        scale = weight_scales(w, axis, self.per_channel, least, bits)
        q = rounded(w, axis, scale, LARGEST[bits], self.moments[out]) if out in self.moments else to_whole(w, axis, scale, bits)
        self.sqnr[out] = sqnr(w, q.astype(np.float32) * along(scale, axis, w.ndim))
        mean = self.means.get(source) if node.op_type != "MatMul" else None  # which has no bias
        if mean is not None:
            added = _mean_error(node, q.astype(np.float32) * along(scale, axis, w.ndim) - w, axis, mean)
            bias = (np.zeros(w.shape[axis]) if bias is None else bias.reshape(-1).astype(np.float64)) - added
            del node.input[2:]
            node.input.append("")
        shaped = scale if scale.size > 1 else scale.reshape(())
        key = node.input[1], axis, bits, scale.tobytes()
        if key not in self.written:
            self.written[key] = self.constant(f"{out}.weight", q, shaped, axis)
        node.input[1] = self.written[key]
        if bias is not None:
            bias_scale = x_scale * scale
            whole = np.clip(np.rint(bias.reshape(-1).astype(np.float64) / bias_scale), -(2**31) + 1, 2**31 - 1).astype(np.int32)
            node.input[2] = self.constant(f"{out}.bias", whole, bias_scale if scale.size > 1 else bias_scale.reshape(()), 0)

    def stack(self, node: onnx.NodeProto) -> None:
        """One scale for all matrices, as the importer takes them."""
        w, out = self.graph.constants[node.input[1]], node.output[0]
        scale = weight_scales(w, w.ndim - 1, False).reshape(())
        q = to_whole(w, w.ndim - 1, scale, 8)
        self.sqnr[out] = sqnr(w, q.astype(np.float32) * scale)
        node.input[1] = self.constant(f"{out}.weight", q, scale, w.ndim - 1)

    def original(self, name: str) -> str:
        return next((old for old, new in self.renamed.items() if new == name), name)

    def constant(self, name: str, array: np.ndarray, scale: np.ndarray, axis: int) -> str:
        """A constant in float32, of integers with their scales."""
        zero = np.zeros(scale.shape, array.dtype)
        inputs = [self.made.add_constant(f"{name}_quantized", array), self.made.add_constant(f"{name}_scale", scale),
                  self.made.add_constant(f"{name}_zero_point", zero)]  # fmt: skip
        made = self.made.unique(name)
        more = {"axis": axis} if scale.ndim else {}
        self.nodes.append(onnx.helper.make_node("DequantizeLinear", inputs, [made], name=f"{name}_DequantizeLinear", **more))
        return made


def _mean_error(node: onnx.NodeProto, error: np.ndarray, axis: int, mean: np.ndarray) -> np.ndarray:
    """For each output, what errors of weights add to it on average, paddings aside. `mean`: of the inputs."""
    if node.op_type != "Conv":
        return np.moveaxis(error, axis, 0) @ mean
    groups = attributes(node).get("group", 1)
    sums = error.reshape(*error.shape[:2], -1).sum(axis=2).astype(np.float64)  # [outputs, inputs of a group]
    blocks = sums.reshape(groups, -1, sums.shape[1])
    made: np.ndarray = np.einsum("goi,gi->go", blocks, mean.reshape(groups, -1)).reshape(-1)
    return made


def sqnr(signal: np.ndarray, noisy: np.ndarray) -> float:
    """Ratio of signal to noise in dB."""
    return ratio(float(np.square(signal, dtype=np.float64).sum()), float(np.square(signal.astype(np.float64) - noisy).sum()))


def ratio(signal: float, noise: float) -> float:
    if noise == 0:
        return float("inf")
    return 10 * float(np.log10(signal / noise)) if signal > 0 else float("-inf")
