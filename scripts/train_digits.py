#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains workloads/digits: a small CNN on the 1,797 handwritten digits that scikit-learn ships, quantized to int8.

1. Split, stratified and seeded: 60 % training, 20 % calibration, 20 % test. The test images are looked at once, at the end.
2. Train in float32 with hand-written gradients, Adam and a cosine schedule, on warped copies of the training images.
3. Quantize: weights symmetric per channel, activations asymmetric per tensor, their ranges those with the least squared error
   on the calibration images. ReLU becomes the clamp.
4. Compute the test images with the integer reference, refuse to write a network that is not good enough, write YAML and tensors.

    python3 scripts/train_digits.py [--epochs N] [--out DIR]        needs numpy, scikit-learn, pyyaml; a few minutes
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # the order of float sums, and so the network, must not depend on the number of CPUs

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

from gemel.reference import Workload, accuracy, windows  # noqa: E402
from gemel.tensors import write_safetensors  # noqa: E402

Seed = 20240611
LeastAccuracy = 0.97  # of the int8 network on the test images
LargestLoss = 0.005  # of accuracy, float to int8

# name, op, and what the op needs; `input` defaults to the layer before.
Layers = [
    {"name": "conv1", "op": "conv2d", "kernel": 3, "channels": 16, "relu": True},
    {"name": "conv2", "op": "conv2d", "kernel": 3, "channels": 16, "relu": True},
    {"name": "conv3", "op": "conv2d", "kernel": 3, "channels": 16},
    {"name": "add1", "op": "add", "inputs": ["conv1", "conv3"], "relu": True},
    {"name": "conv4", "op": "conv2d", "kernel": 3, "stride": 2, "channels": 32, "relu": True},
    {"name": "dwconv5", "op": "conv2d", "kernel": 3, "channels": 32, "depthwise": True, "relu": True},
    {"name": "conv6", "op": "conv2d", "kernel": 1, "channels": 32},
    {"name": "add2", "op": "add", "inputs": ["conv4", "conv6"], "relu": True},
    {"name": "conv7", "op": "conv2d", "kernel": 3, "channels": 64, "relu": True},
    {"name": "pool", "op": "max_pool", "kernel": 2, "stride": 2},
    {"name": "mean", "op": "global_avg_pool"},
    {"name": "dense", "op": "dense", "channels": 10},
]
# The images hold whole numbers from 0 to 16, seen as v/16: 15 v - 128 in int8 keeps every one of them exactly.
InputScale, InputZero = float(np.float32(1 / 240)), -128


class Net:
    """Forward and backward passes over Layers, float32, NHWC."""

    def __init__(self, rng: np.random.Generator):
        self.parameters: dict[str, np.ndarray] = {}
        channels = {"image": 1}
        previous = "image"
        for layer in Layers:
            layer.setdefault("inputs", [previous])
            name, c = layer["name"], channels[layer["inputs"][0]]
            channels[name] = layer.get("channels", c)
            if layer["op"] in ("conv2d", "dense"):
                k = layer.get("kernel", 1)
                inner = 1 if layer.get("depthwise") else c
                # He's initialization; the last convolution of a residual branch starts small, so that the sum begins as the shortcut.
                gain = 0.5 if name in ("conv3", "conv6") else 2.0
                shape = (channels[name], k, k, inner)
                self.parameters[f"{name}.weight"] = rng.normal(0, np.sqrt(gain / (k * k * inner)), shape).astype(
                    np.float32
                )
                self.parameters[f"{name}.bias"] = np.zeros(channels[name], np.float32)
            previous = name

    def forward(self, images: np.ndarray) -> dict[str, np.ndarray]:
        v = {"image": images}
        self.kept = {}
        for layer in Layers:
            name, xs = layer["name"], [v[i] for i in layer["inputs"]]
            op = layer["op"]
            if op in ("conv2d", "dense"):
                k, s = layer.get("kernel", 1), layer.get("stride", 1)
                before, after = same_padding(xs[0].shape[1], k, s)
                view = windows(np.pad(xs[0], ((0, 0), (before, after), (before, after), (0, 0))), (k, k), (s, s))
                w = self.parameters[f"{name}.weight"]
                if layer.get("depthwise"):
                    y = np.einsum("nhwijc,cij->nhwc", view, w[..., 0], optimize=True)
                    self.kept[name] = view
                else:
                    patches = np.ascontiguousarray(view).reshape(-1, k * k * xs[0].shape[3])
                    y = (patches @ w.reshape(len(w), -1).T).reshape(*view.shape[:3], len(w))
                    self.kept[name] = patches
                y = y + self.parameters[f"{name}.bias"]
            elif op == "add":
                y = xs[0] + xs[1]
            elif op == "max_pool":
                n, h, w_, c = xs[0].shape
                blocks = xs[0].reshape(n, h // 2, 2, w_ // 2, 2, c)
                y = blocks.max(axis=(2, 4))
                mask = blocks == y[:, :, None, :, None, :]
                self.kept[name] = mask / mask.sum(axis=(2, 4), keepdims=True)
            else:
                y = xs[0].mean(axis=(1, 2), keepdims=True)
            v[name] = np.maximum(y, 0) if layer.get("relu") else y
        return v

    def backward(self, v: dict[str, np.ndarray], gradient: np.ndarray) -> dict[str, np.ndarray]:
        g, out = {Layers[-1]["name"]: gradient}, {}
        for layer in reversed(Layers):
            name, first = layer["name"], layer["inputs"][0]
            dy = g[name] * (v[name] > 0) if layer.get("relu") else g[name]
            op, x = layer["op"], v[first]
            if op == "add":
                for i in layer["inputs"]:
                    g[i] = g[i] + dy if i in g else dy
                continue
            if op == "max_pool":
                dx = (self.kept[name] * dy[:, :, None, :, None, :]).reshape(x.shape)
            elif op == "global_avg_pool":
                dx = np.broadcast_to(dy / (x.shape[1] * x.shape[2]), x.shape)
            else:
                w = self.parameters[f"{name}.weight"]
                k, s = w.shape[1], layer.get("stride", 1)
                out[f"{name}.bias"] = dy.sum(axis=(0, 1, 2))
                if layer.get("depthwise"):
                    out[f"{name}.weight"] = np.einsum("nhwijc,nhwc->cij", self.kept[name], dy, optimize=True)[..., None]
                    taps = dy[:, :, :, None, None, :] * w[..., 0].transpose(1, 2, 0)
                else:
                    flat = dy.reshape(-1, len(w))
                    out[f"{name}.weight"] = (flat.T @ self.kept[name]).reshape(w.shape)
                    taps = (flat @ w.reshape(len(w), -1)).reshape(*dy.shape[:3], k, k, x.shape[3])
                before, after = same_padding(x.shape[1], k, s)
                padded = np.zeros(
                    (x.shape[0], x.shape[1] + before + after, x.shape[2] + before + after, x.shape[3]), np.float32
                )
                oh, ow = dy.shape[1:3]
                for i in range(k):
                    for j in range(k):
                        padded[:, i : i + oh * s : s, j : j + ow * s : s] += taps[:, :, :, i, j]
                dx = padded[:, before : before + x.shape[1], before : before + x.shape[2]]
            g[first] = g[first] + dx if first in g else dx
        return out


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def warp(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image turned, scaled and shifted a little at random, sampled bilinearly."""
    n, h, w, _ = images.shape
    angle, zoom = rng.uniform(-0.2, 0.2, n), rng.uniform(0.9, 1.1, n)
    shift = rng.uniform(-0.8, 0.8, (n, 2))
    y, x = np.meshgrid(np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2, indexing="ij")
    a, b = (np.cos(angle) * zoom)[:, None, None], (np.sin(angle) * zoom)[:, None, None]
    sy = a * y - b * x + shift[:, 0, None, None] + (h - 1) / 2 + 1  # + 1: a border of nothing around the image
    sx = b * y + a * x + shift[:, 1, None, None] + (w - 1) / 2 + 1
    padded = np.pad(images[..., 0], ((0, 0), (1, 2), (1, 2)))
    sy, sx = np.clip(sy, 0, h + 1), np.clip(sx, 0, w + 1)
    iy, ix = sy.astype(int), sx.astype(int)
    fy, fx, k = sy - iy, sx - ix, np.arange(n)[:, None, None]
    top = padded[k, iy, ix] * (1 - fx) + padded[k, iy, ix + 1] * fx
    bottom = padded[k, iy + 1, ix] * (1 - fx) + padded[k, iy + 1, ix + 1] * fx
    return (top * (1 - fy) + bottom * fy)[..., None].astype(np.float32)


def train(net: Net, images, labels, epochs: int, rng: np.random.Generator) -> None:
    """Adam with decoupled weight decay; cross entropy with slightly smoothed labels."""
    batch, peak, decay, smooth = 64, 3e-3, 2e-2, 0.05
    first = {k: np.zeros_like(p) for k, p in net.parameters.items()}
    second = {k: np.zeros_like(p) for k, p in net.parameters.items()}
    steps, step = epochs * (len(images) // batch), 0
    for epoch in range(epochs):
        order, total = rng.permutation(len(images)), 0.0
        for at in range(0, len(images) - batch + 1, batch):
            chosen = order[at : at + batch]
            values = net.forward(warp(images[chosen], rng))
            scores = values["dense"].reshape(batch, 10)
            p = np.exp(scores - scores.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            target = np.full_like(p, smooth / 10)
            target[np.arange(batch), labels[chosen]] += 1 - smooth
            total -= float((target * np.log(p + 1e-12)).sum())
            step += 1
            rate = peak * min(step / 100, 0.5 * (1 + np.cos(np.pi * step / steps)))
            for key, d in net.backward(values, ((p - target) / batch).reshape(batch, 1, 1, 10)).items():
                first[key] += 0.1 * (d - first[key])
                second[key] += 0.001 * (d * d - second[key])
                move = first[key] / (1 - 0.9**step) / (np.sqrt(second[key] / (1 - 0.999**step)) + 1e-8)
                if key.endswith("weight"):
                    move = move + decay * net.parameters[key]
                net.parameters[key] -= (rate * move).astype(np.float32)
        if (epoch + 1) % 10 == 0:
            print(f"epoch {epoch + 1}/{epochs}: loss {total / (len(images) // batch * batch):.4f}", file=sys.stderr)


def choose_range(values: np.ndarray) -> tuple[float, int]:
    """Scale and zero point of an int8 tensor with the least squared error over the calibration values. Zero is kept exact."""
    values = values.ravel()
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    best = None
    for share in np.linspace(0.5, 1.0, 51):
        scale = float(np.float32((high - low) * share / 255))
        zero = int(np.clip(np.round(-128 - low * share / scale), -128, 127))
        error = float((((np.clip(np.round(values / scale) + zero, -128, 127) - zero) * scale - values) ** 2).sum())
        if best is None or error <= best[0]:
            best = (error, scale, zero)
    return best[1], best[2]


def quantize(net: Net, calibration: np.ndarray):
    """The layers for the workload file, and their tensors."""
    values = net.forward(calibration)
    quantized = {"image": (InputScale, InputZero)}
    layers, tensors = [], {}
    for layer in Layers:
        name, op = layer["name"], layer["op"]
        entry = {"name": name, "op": op}
        entry["inputs" if op == "add" else "input"] = layer["inputs"] if op == "add" else layer["inputs"][0]
        if op == "max_pool":  # a maximum is one of its inputs: same scale, same zero point
            entry |= {"kernel": 2, "stride": 2}
            quantized[name] = quantized[layer["inputs"][0]]
            layers.append(entry)
            continue
        scale, zero = quantized[name] = choose_range(values[name])
        if op in ("conv2d", "dense"):
            weight, bias = net.parameters[f"{name}.weight"], net.parameters[f"{name}.bias"]
            scales = (np.abs(weight).reshape(len(weight), -1).max(axis=1) / 127).astype(np.float32)
            input_scale = quantized[layer["inputs"][0]][0]
            int8 = np.clip(np.round(weight / scales[:, None, None, None]), -127, 127).astype(np.int8)
            tensors[f"{name}.weight"] = int8.reshape(len(int8), -1) if op == "dense" else int8
            tensors[f"{name}.weight_scale"] = scales
            tensors[f"{name}.bias"] = np.round(
                bias.astype(np.float64) / (input_scale * scales.astype(np.float64))
            ).astype(np.int32)
            entry["out_channels"] = len(int8)
        if op == "conv2d":
            entry |= {"kernel": layer["kernel"], "stride": layer.get("stride", 1), "padding": "same"}
            if layer.get("depthwise"):
                entry["groups"] = "depthwise"
        if layer.get("relu"):
            entry["activation"] = "relu"
        entry["output"] = {"type": "int8", "scale": scale, "zero_point": zero}
        layers.append(entry)
    return layers, tensors


def flow(value) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    return repr(value) if isinstance(value, float) else str(value)


def write_workload(folder: Path, layers, tensors, image: dict) -> Path:
    text = [
        "# SPDX-License-Identifier: Apache-2.0",
        "# Written by scripts/train_digits.py. A small CNN for 8x8 grey images of handwritten digits (0..9): the data set that",
        "# scikit-learn ships, test set of the UCI ML hand-written digits (E. Alpaydin, C. Kaynak, CC BY 4.0).",
        "gemel_workload: 1",
        "name: digits",
        "description: Small CNN with two residual additions, trained on scikit-learn's 8x8 handwritten digits, int8",
        "arithmetic: fixed_double",
        "tensors: digits.safetensors",
        "inputs:",
        f"  - {flow(image)}",
        "outputs: [dense]",
        "layers:",
        *(f"  - {flow(layer)}" for layer in layers),
    ]
    write_safetensors(folder / "digits.safetensors", tensors)
    path = folder / "digits.yaml"
    temporary = folder / "digits.yaml.part"
    temporary.write_text("\n".join(text) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--out", type=Path, default=ROOT / "workloads")
    arguments = parser.parse_args()

    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels.reshape(-1, 8, 8, 1)
    indices = np.arange(len(pixels))
    rest, test = train_test_split(indices, test_size=360, random_state=Seed, stratify=labels)
    learn, calibrate = train_test_split(rest, test_size=360, random_state=Seed, stratify=labels[rest])
    print(f"{len(learn)} training, {len(calibrate)} calibration, {len(test)} test images", file=sys.stderr)

    real = (pixels / 16).astype(np.float32)
    rng = np.random.default_rng(Seed)
    net = Net(rng)
    train(net, real[learn], labels[learn], arguments.epochs, rng)
    layers, tensors = quantize(net, real[calibrate])

    def float_accuracy(which) -> float:
        return accuracy(net.forward(real[which])["dense"], labels[which])

    tensors["test.images"] = (15 * pixels[test] + InputZero).astype(np.int8)
    tensors["test.labels"] = labels[test].astype(np.int32)
    tensors["test.float_accuracy"] = np.array([float_accuracy(test)], np.float32)
    image = {"name": "image", "shape": [1, 8, 8, 1], "type": "int8", "scale": InputScale, "zero_point": InputZero}

    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.out) as folder:  # a network that is refused never gets its name
        trial = Path(folder)
        workload = Workload(write_workload(trial, layers, tensors, image))
        quantized = (15 * pixels + InputZero).astype(np.int8)
        result = {
            w: accuracy(workload.run(quantized[i])["dense"], labels[i])
            for w, i in (("calibration", calibrate), ("test", test))
        }
        print(f"calibration: float {float_accuracy(calibrate):.4f}, int8 {result['calibration']:.4f}")
        print(f"test:        float {float_accuracy(test):.4f}, int8 {result['test']:.4f}")
        if result["test"] < LeastAccuracy or float_accuracy(test) - result["test"] > LargestLoss:
            print("not written: the int8 network is not accurate enough", file=sys.stderr)
            return 1
        # What the reference computes goes into the file as well: every other implementation has to give the same bytes.
        tensors["test.scores"] = workload.run(tensors["test.images"])["dense"].reshape(len(test), -1).astype(np.int8)
        write_workload(trial, layers, tensors, image)
        for name in ("digits.safetensors", "digits.yaml"):
            os.replace(trial / name, arguments.out / name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
