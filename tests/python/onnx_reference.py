# SPDX-License-Identifier: Apache-2.0
"""The reference for imported ONNX models: ONNX Runtime on x86 with the settings that docs/reference/onnx.md names."""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from simulated import ROOT, gemel_program, simulate

__all__ = ["ROOT", "Reference", "compare", "gemel_program", "missing", "simulate"]


def missing() -> str:
    """Why there is no reference; empty: there is."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError as error:
        return f"there is no package onnxruntime: {error}"
    done = subprocess.run([sys.executable, "-c", "import platform; print(platform.machine())"], capture_output=True, text=True, check=True)
    return "" if done.stdout.strip() in ("x86_64", "AMD64") else "ONNX Runtime rounds in other ways on other processors than x86"


class Reference:
    """A model in ONNX Runtime, which gives the values named `wanted` besides the model's outputs."""

    def __init__(self, model: onnx.ModelProto, wanted: list[str], folder: str | None = None):
        import onnxruntime

        have = {v.name for v in [*model.graph.output, *model.graph.input]}
        whole = onnx.ModelProto()
        whole.CopyFrom(model)
        whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(set(wanted) - have))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        with tempfile.TemporaryDirectory() as temporary:
            optimized = os.path.join(folder or temporary, "optimized.onnx")
            options.optimized_model_filepath = optimized
            self._session = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
            self.nodes = Counter(node.op_type for node in onnx.load(optimized).graph.node)

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [o.name for o in self._session.get_outputs()]
        return inputs | dict(zip(names, self._session.run(None, inputs), strict=True))


def compare(workload, model: onnx.ModelProto, inputs: dict[str, np.ndarray], machine: str) -> tuple[int, int, list[str], Counter]:
    """Runs both. Tensors and elements compared, a line for each tensor that differs, and what the runtime made of the model's nodes."""
    edges = {entry["name"] for entry in workload.inputs}
    reference = Reference(model, [str(v) for v in workload.sources.values()])
    values = reference.run(inputs)
    with tempfile.TemporaryDirectory() as folder:
        yaml, _ = workload.save(Path(folder) / "net.yaml")
        given = [workload.layouts[e["name"]].of_memory(values[workload.sources[e["name"]]]).astype(e["type"]) for e in workload.inputs]
        made, _ = simulate(yaml, machine, given)
    tensors = elements = 0
    wrong = []
    for name, value in workload.sources.items():
        if name in edges or value not in values:
            continue
        expected = values[value]
        actual = workload.layouts[name].of_model(made[name])
        tensors += 1
        elements += actual.size
        if expected.dtype == np.int64 and actual.dtype == np.int32:  # indices
            actual = actual.astype(np.int64)
        if actual.dtype != expected.dtype or actual.shape != expected.shape:
            wrong.append(f"{name}: {actual.dtype}{actual.shape} instead of {expected.dtype}{expected.shape}")
        elif not np.array_equal(actual, expected):
            bad = np.flatnonzero(actual.reshape(-1) != expected.reshape(-1))
            i = int(bad[0])
            wrong.append(
                f"{name}: {bad.size} of {actual.size} differ; the first, {i}, is {actual.reshape(-1)[i]} and must be {expected.reshape(-1)[i]}"
            )
    return tensors, elements, wrong, reference.nodes
