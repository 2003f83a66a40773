#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long ONNX Runtime takes to run a workload natively: the yardstick of the simulator's speed. Prints JSON.

The shapes are read from the workload file, so both sides compute the same layers. They become one ONNX graph of
u8 activations and s8 weights (per channel): QLinearConv, QLinearMatMul, QLinearAdd, MaxPool, QLinearGlobalAveragePool; tensors
are random. One thread (intra_op 1, inter_op 1), all graph optimizations on.

`network_seconds` is the median over whole runs. `convolution_seconds` is the part of convolutions and dense layers: the sum over
those nodes of the median of the time that ONNX Runtime's own profile gives them, in a second series of runs.

    python3 tests/bench/ort_baseline.py resnet50 mobilenet_v2 [--runs N]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import yaml
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]


def pair(value) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def padding(layer, size, kernel, stride, dilation) -> list[int]:
    """[top, left, bottom, right], ONNX's order."""
    spec = layer.get("padding", "valid")
    if spec == "valid":
        return [0, 0, 0, 0]
    if spec != "same":
        return [int(p) for p in spec]
    before, after = [], []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before + after


class Graph:
    """The network as ONNX, NCHW. Zero point 0 with ReLU (the clamp to uint8 is the ReLU), 128 without."""

    def __init__(self, description: dict):
        self.rng = np.random.default_rng(1)
        self.nodes, self.constants, self.shapes, self.zero = [], [], {}, {}
        self.macs = 0
        previous = None
        inputs = []
        for entry in description["inputs"]:
            n, h, w, c = entry["shape"]
            self.shapes[entry["name"]], self.zero[entry["name"]] = (n, c, h, w), 128
            inputs.append(helper.make_tensor_value_info(entry["name"], TensorProto.UINT8, [n, c, h, w]))
            previous = previous or entry["name"]
        read = set()
        for layer in description["layers"]:
            names = layer.get("inputs") or [layer.get("input", previous)]
            read |= set(names)
            make = getattr(self, layer["op"], None)
            if make is None:
                raise SystemExit(f"layer {layer['name']}: {layer['op']} is not known to the baseline")
            self.zero[layer["name"]] = 0 if layer.get("activation", "none") in ("relu", "relu6") else 128
            self.shapes[layer["name"]] = make(layer, names)
            previous = layer["name"]
        outputs = [
            helper.make_tensor_value_info(layer["name"], TensorProto.UINT8, self.shapes[layer["name"]])
            for layer in description["layers"]
            if layer["name"] not in read
        ]
        graph = helper.make_graph(self.nodes, description["name"], inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
        self.model = helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def constant(self, name: str, value) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def quantization(self, name: str, scale=0.05) -> list[str]:
        """Names of the scale and the zero point of a tensor, made once."""
        if not any(c.name == f"{name}.scale" for c in self.constants):
            self.constant(f"{name}.scale", np.float32(scale))
            self.constant(f"{name}.zero", np.uint8(self.zero[name]))
        return [f"{name}.scale", f"{name}.zero"]

    def node(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))

    def conv2d(self, layer, names):
        name, x = layer["name"], names[0]
        n, c, h, w = self.shapes[x]
        kernel, stride, dilation = (pair(layer.get(k, 1)) for k in ("kernel", "stride", "dilation"))
        pads = padding(layer, (h, w), kernel, stride, dilation)
        groups = layer.get("groups", 1)
        groups = c if groups == "depthwise" else groups
        out = layer.get("out_channels", c)
        inner = c // groups
        weight = self.rng.integers(-127, 128, (out, inner, *kernel), dtype=np.int8)
        scales = self.rng.uniform(0.5, 1.5, out).astype(np.float32) / np.float32(
            20 * np.sqrt(inner * kernel[0] * kernel[1])
        )
        inputs = [x, *self.quantization(x), self.constant(f"{name}.w", weight), self.constant(f"{name}.w_scale", scales),
                  self.constant(f"{name}.w_zero", np.zeros(out, np.int8)), *self.quantization(name),
                  self.constant(f"{name}.b", self.rng.integers(-1000, 1000, out, dtype=np.int32))]  # fmt: skip
        self.node(
            "QLinearConv",
            inputs,
            name,
            kernel_shape=kernel,
            strides=stride,
            dilations=dilation,
            pads=pads,
            group=groups,
        )
        oh = (h + pads[0] + pads[2] - (kernel[0] - 1) * dilation[0] - 1) // stride[0] + 1
        ow = (w + pads[1] + pads[3] - (kernel[1] - 1) * dilation[1] - 1) // stride[1] + 1
        self.macs += n * oh * ow * out * inner * kernel[0] * kernel[1]
        return n, out, oh, ow

    def dense(self, layer, names):
        name, x = layer["name"], names[0]
        n, c, h, w = self.shapes[x]
        depth, out = c * h * w, layer["out_channels"]
        self.zero[f"{name}.flat"] = self.zero[x]
        self.node("Reshape", [x, self.constant(f"{name}.shape", np.array([n, depth], np.int64))], f"{name}.flat")
        weight = self.rng.integers(-127, 128, (depth, out), dtype=np.int8)
        inputs = [f"{name}.flat", *self.quantization(x), self.constant(f"{name}.w", weight),
                  self.constant(f"{name}.w_scale", np.full(out, 0.001, np.float32)),
                  self.constant(f"{name}.w_zero", np.zeros(out, np.int8)), *self.quantization(name)]  # fmt: skip
        self.node("QLinearMatMul", inputs, f"{name}.rows")
        self.node("Reshape", [f"{name}.rows", self.constant(f"{name}.back", np.array([n, out, 1, 1], np.int64))], name)
        self.macs += n * depth * out
        return n, out, 1, 1

    def add(self, layer, names):
        inputs = [v for x in names for v in (x, *self.quantization(x))]
        self.node("QLinearAdd", inputs + self.quantization(layer["name"]), layer["name"], domain="com.microsoft")
        return self.shapes[names[0]]

    def max_pool(self, layer, names):
        n, c, h, w = self.shapes[names[0]]
        kernel, stride = pair(layer["kernel"]), pair(layer.get("stride", 1))
        pads = padding(layer, (h, w), kernel, stride, (1, 1))
        self.zero[layer["name"]] = self.zero[names[0]]
        self.node("MaxPool", [names[0]], layer["name"], kernel_shape=kernel, strides=stride, pads=pads)
        return (
            n,
            c,
            (h + pads[0] + pads[2] - kernel[0]) // stride[0] + 1,
            (w + pads[1] + pads[3] - kernel[1]) // stride[1] + 1,
        )

    def global_avg_pool(self, layer, names):
        inputs = [names[0], *self.quantization(names[0]), *self.quantization(layer["name"])]
        self.node("QLinearGlobalAveragePool", inputs, layer["name"], domain="com.microsoft", channels_last=0)
        n, c, _, _ = self.shapes[names[0]]
        return n, c, 1, 1


def measure(name: str, runs: int) -> dict:
    path = Path(name) if name.endswith(".yaml") else ROOT / "workloads" / f"{name}.yaml"
    graph = Graph(yaml.safe_load(path.read_text(encoding="utf-8")))
    onnx.checker.check_model(graph.model)
    feed = {
        i.name: graph.rng.integers(0, 256, [d.dim_value for d in i.type.tensor_type.shape.dim], dtype=np.uint8)
        for i in graph.model.graph.input
    }

    def session(profile: str = "") -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        if profile:
            options.enable_profiling, options.profile_file_prefix = True, profile
        return onnxruntime.InferenceSession(
            graph.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    plain, seconds = session(), []
    for run in range(runs + 2):
        start = time.perf_counter()
        plain.run(None, feed)
        if run >= 2:  # the first two warm the caches
            seconds.append(time.perf_counter() - start)

    with tempfile.TemporaryDirectory() as folder:
        profiled = session(str(Path(folder) / "profile"))
        for _ in range(runs + 2):
            profiled.run(None, feed)
        events = json.loads(Path(profiled.end_profiling()).read_text(encoding="utf-8"))
    nodes: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event.get("args", {}).get("op_name") in (
            "QLinearConv",
            "QLinearMatMul",
            "QGemm",
        ):
            nodes.setdefault(event["name"], []).append(event["dur"] * 1e-6)
    wanted = sum(n.op_type in ("QLinearConv", "QLinearMatMul") for n in graph.model.graph.node)
    if len(nodes) != wanted:
        raise SystemExit(f"{name}: the profile has {len(nodes)} convolutions and dense layers, the graph {wanted}")
    convolutions = sum(statistics.median(durations[2:]) for durations in nodes.values())
    return {
        "macs": graph.macs,
        "runs": runs,
        "network_seconds": statistics.median(seconds),
        "network_seconds_least": min(seconds),
        "convolution_seconds": convolutions,
        "macs_per_second": graph.macs / convolutions,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="+", help="names in workloads/, or .yaml files")
    parser.add_argument("--runs", type=int, default=15)
    arguments = parser.parse_args()
    result = {"onnxruntime": onnxruntime.__version__, "threads": 1, "cpus": os.cpu_count(), "networks": {}}
    for name in arguments.workloads:
        print(f"onnxruntime: {name}", file=sys.stderr)
        result["networks"][Path(name).stem] = measure(name, arguments.runs)
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
