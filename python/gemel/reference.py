# SPDX-License-Identifier: Apache-2.0
"""The integer reference in NumPy: a quantized workload computed as TFLite's int8 reference kernels do (double rounding).

It is written from docs/reference/arithmetic.md and shares no code with the C++ golden, so that the two check each other. Every
sum is exact: products are summed in float64, which holds integers up to 2^53, and the checks below keep them far from that.
It reads what `fixed_double` workloads use: conv2d, dense, add, sub, mul, max_pool, avg_pool, global_avg_pool, reshape.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from .numerics import quantize_multiplier, requantize
from .tensors import read_safetensors


def _pair(value) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """How an int8 or uint8 tensor stands for real numbers: scale * (q - zero_point)."""

    scale: float
    zero_point: int
    unsigned: bool = False

    @property
    def low(self) -> int:
        return 0 if self.unsigned else -128

    @property
    def high(self) -> int:
        return self.low + 255

    @staticmethod
    def of(entry: dict) -> "Quantization":
        kind = entry.get("type", "int8")
        if kind not in ("int8", "uint8"):
            raise ValueError(f"type {kind} is neither int8 nor uint8")
        return Quantization(scale=float(entry["scale"]), zero_point=int(entry["zero_point"]), unsigned=kind == "uint8")


def _clamp_bounds(layer: dict, q: Quantization) -> tuple[int, int]:
    if "clamp" in layer:
        return int(layer["clamp"][0]), int(layer["clamp"][1])
    low, high = {"none": (None, None), "relu": (0.0, None), "relu6": (0.0, 6.0), "relu_n1_to_1": (-1.0, 1.0)}[
        layer.get("activation", "none")
    ]

    def bound(v: float) -> int:
        return q.zero_point + int(math.copysign(math.floor(abs(v) / q.scale + 0.5), v))

    return (q.low if low is None else max(q.low, bound(low)), q.high if high is None else min(q.high, bound(high)))


def _padding(layer: dict, size: tuple[int, int], kernel, stride, dilation) -> tuple[int, int, int, int]:
    padding = layer.get("padding", "valid")
    if padding == "valid":
        return 0, 0, 0, 0
    if padding == "same":
        out = []
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            out += [total // 2, total - total // 2]  # the odd pixel at the end
        return out[0], out[2], out[1], out[3]
    return tuple(int(p) for p in padding)


def _bytes_of(sums: np.ndarray, count: int) -> np.ndarray:
    """The lowest bytes of all sums of a pixel, then the next ones."""
    return np.concatenate([sums >> 8 * i & 255 for i in range(count)], axis=-1)


def windows(x: np.ndarray, kernel, stride, dilation=(1, 1)) -> np.ndarray:
    """Views of the windows of a padded NHWC tensor: [n, oh, ow, kh, kw, c]."""
    n, h, w, c = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = (h - (kh - 1) * dh - 1) // sh + 1, (w - (kw - 1) * dw - 1) // sw + 1
    a, b, d, e = x.strides
    return np.lib.stride_tricks.as_strided(
        x, (n, oh, ow, kh, kw, c), (a, b * sh, d * sw, b * dh, d * dw, e), writeable=False
    )


class Workload:
    """A network read from a workload file, ready to run on NumPy arrays of any batch size."""

    def __init__(self, path: str | Path):
        path = Path(path)
        self.description = yaml.safe_load(path.read_text(encoding="utf-8"))
        if self.description.get("arithmetic", "fixed_double") != "fixed_double":
            raise ValueError(f"{path}: the reference computes fixed_double only")
        self.tensors = read_safetensors(path.parent / self.description["tensors"])
        self.quantization = {i["name"]: Quantization.of(i) for i in self.description["inputs"]}
        self.input = self.description["inputs"][0]["name"]

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Every tensor of the network for the (already quantized) images, by name, as int64."""
        values = {self.input: np.asarray(images).astype(np.int64)}
        previous = self.input
        for layer in self.description["layers"]:
            names = layer.get("inputs") or [layer.get("input", previous)]
            quantized = [self.quantization[n] for n in names]
            out = Quantization.of(layer["output"]) if "output" in layer else quantized[0]
            if "sum_bytes" in layer:
                out = Quantization(scale=1.0, zero_point=0, unsigned=True)
            compute = getattr(self, "_" + layer["op"], None)
            if compute is None:
                raise ValueError(f"layer {layer['name']}: the reference does not know {layer['op']}")
            values[layer["name"]] = compute(layer, [values[n] for n in names], quantized, out)
            self.quantization[layer["name"]] = out
            previous = layer["name"]
        return values

    def _sums(self, layer, x, q, kernel, stride, dilation):
        """Exact int32 sums of a convolution, zero points removed: padding then contributes nothing."""
        name = layer["name"]
        weight = self.tensors[f"{name}.weight"].astype(np.int64) - int(layer.get("weight", {}).get("zero_point", 0))
        top, left, bottom, right = _padding(layer, x.shape[1:3], kernel, stride, dilation)
        padded = np.pad(x - q.zero_point, ((0, 0), (top, bottom), (left, right), (0, 0))).astype(np.float64)
        view = windows(padded, kernel, stride, dilation)
        n, oh, ow, kh, kw, c = view.shape
        out_channels, inner = weight.shape[0], weight.shape[-1]
        groups = c // inner
        per_group = out_channels // groups
        sums = np.empty((n, oh, ow, out_channels), np.float64)
        for g in range(groups):
            patches = view[..., g * inner : (g + 1) * inner].reshape(n * oh * ow, kh * kw * inner)
            block = weight[g * per_group : (g + 1) * per_group].reshape(per_group, -1)
            sums[..., g * per_group : (g + 1) * per_group] = (patches @ block.T.astype(np.float64)).reshape(
                n, oh, ow, per_group
            )
        sums = sums.astype(np.int64) + self.tensors.get(f"{name}.bias", np.zeros(out_channels, np.int32)).astype(
            np.int64
        )
        if np.abs(sums).max(initial=0) >= 1 << 31:
            raise OverflowError(f"layer {name}: a sum leaves 32 bits")
        return sums

    def _conv2d(self, layer, xs, qs, out):
        kernel, stride, dilation = (_pair(layer.get(k, 1)) for k in ("kernel", "stride", "dilation"))
        return self._finish(layer, self._sums(layer, xs[0], qs[0], kernel, stride, dilation), qs[0], out)

    def _dense(self, layer, xs, qs, out):
        weight = self.tensors[f"{layer['name']}.weight"]
        self.tensors[f"{layer['name']}.weight"] = weight.reshape(weight.shape[0], 1, 1, -1)
        flat = xs[0].reshape(xs[0].shape[0], 1, 1, -1)
        return self._finish(layer, self._sums(layer, flat, qs[0], (1, 1), (1, 1), (1, 1)), qs[0], out)

    def _finish(self, layer, sums, q, out):
        name = layer["name"]
        if "sum_bytes" in layer:
            return _bytes_of(sums, layer["sum_bytes"])
        if f"{name}.multiplier" in self.tensors:
            multiplier, shift = self.tensors[f"{name}.multiplier"], self.tensors[f"{name}.shift"]
        else:
            scales = self.tensors[f"{name}.weight_scale"]
            reals = [q.scale * float(s) / out.scale for s in scales]
            multiplier, shift = np.array([quantize_multiplier(r) for r in reals], np.int64).T
        low, high = _clamp_bounds(layer, out)
        return np.clip(requantize(sums, multiplier, shift) + out.zero_point, low, high)

    def _add(self, layer, xs, qs, out, sign=1):
        largest = 2.0 * max(q.scale for q in qs)
        first, second = (
            requantize((x - q.zero_point) << 20, *quantize_multiplier(q.scale / largest))
            for x, q in zip(xs, qs, strict=True)
        )
        total = first + sign * second
        low, high = _clamp_bounds(layer, out)
        return np.clip(
            requantize(total, *quantize_multiplier(largest / ((1 << 20) * out.scale))) + out.zero_point, low, high
        )

    def _transpose(self, layer, xs, qs, out):
        return xs[0].transpose(layer["order"])

    def _of_computed(self, layer, sums, qs, out):
        """Of products of two computed tensors."""
        if np.abs(sums).max(initial=0) >= 1 << 31:
            raise OverflowError(f"layer {layer['name']}: a sum leaves 32 bits")
        if "sum_bytes" in layer:
            return _bytes_of(sums, layer["sum_bytes"])
        real = qs[0].scale * qs[1].scale / out.scale
        low, high = _clamp_bounds(layer, out)
        return np.clip(requantize(sums, *quantize_multiplier(real)) + out.zero_point, low, high)

    def _batch_matmul(self, layer, xs, qs, out):
        a, b = (x - q.zero_point for x, q in zip(xs, qs, strict=True))
        return self._of_computed(layer, a @ b, qs, out)

    def _grouped_matmul(self, layer, xs, qs, out):
        a, b = (x - q.zero_point for x, q in zip(xs, qs, strict=True))
        n, groups, outputs, inner = b.shape
        sums = np.einsum("nrgk,ngjk->nrgj", a.reshape(n, -1, groups, inner), b)
        return self._of_computed(layer, sums.reshape(n, -1, groups * outputs), qs, out)

    def _sub(self, layer, xs, qs, out):
        return self._add(layer, xs, qs, out, sign=-1)

    def _mul(self, layer, xs, qs, out):
        product = (xs[0] - qs[0].zero_point) * (xs[1] - qs[1].zero_point)
        y = requantize(product, *quantize_multiplier(qs[0].scale * qs[1].scale / out.scale))
        return np.clip(y + out.zero_point, *_clamp_bounds(layer, out))

    def _pool_windows(self, layer, x, fill):
        kernel, stride = _pair(layer["kernel"]), _pair(layer.get("stride", 1))
        top, left, bottom, right = _padding(layer, x.shape[1:3], kernel, stride, (1, 1))
        padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
        return windows(padded, kernel, stride)

    def _max_pool(self, layer, xs, qs, out):
        return np.clip(self._pool_windows(layer, xs[0], qs[0].low).max(axis=(3, 4)), *_clamp_bounds(layer, out))

    def _avg_pool(self, layer, xs, qs, out):
        total = self._pool_windows(layer, xs[0], 0).sum(axis=(3, 4))
        taps = self._pool_windows(layer, np.ones_like(xs[0]), 0).sum(axis=(3, 4))  # only those inside the image
        mean = np.sign(total) * ((np.abs(total) + taps // 2) // taps)  # half away from zero
        return np.clip(mean, *_clamp_bounds(layer, out))

    def _global_avg_pool(self, layer, xs, qs, out):
        count = xs[0].shape[1] * xs[0].shape[2]
        multiplier, shift = quantize_multiplier(qs[0].scale / out.scale)
        k = min(count.bit_length() - 1, 32, 31 + shift)
        total = xs[0].sum(axis=(1, 2), keepdims=True) - count * qs[0].zero_point
        mean = requantize(total, (multiplier << k) // count, shift - k) + out.zero_point
        return np.clip(mean, *_clamp_bounds(layer, out))

    def _reshape(self, layer, xs, qs, out):
        return xs[0].reshape(xs[0].shape[0], *layer["shape"][1:])


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Share of images whose highest score (the first of equals) is at the label."""
    return float((scores.reshape(len(labels), -1).argmax(axis=1) == labels).mean())
