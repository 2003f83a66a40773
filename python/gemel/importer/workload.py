# SPDX-License-Identifier: Apache-2.0
"""A workload being put together, and its two files (docs/reference/workloads.md). Knows nothing of where the network comes from."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .._yaml import flow
from ..tensors import write_safetensors
from .layout import Layout

LONGEST_NAME = 200  # bytes
LEAST_SCALE, MOST_SCALE = 1e-12, 1e12  # as in docs/reference/workloads.md
MOST_RANK = 6
MOST_LENGTH = 1 << 24  # of a dimension


@dataclass(frozen=True)
class Quantization:
    """real value = scale * (element - zero_point); the scale is a float32."""

    type: str  # "int8", "uint8"
    scale: float
    zero_point: int

    def entry(self) -> dict:
        return {"type": self.type, "scale": float(self.scale), "zero_point": int(self.zero_point)}


@dataclass
class Layer:
    name: str
    op: str
    inputs: list[str]
    keys: dict = field(default_factory=dict)  # in the order in which they are written; values as JSON has them


class Workload:
    """Name by name: inputs, layers in their order of execution, outputs, tensors by their names in the safetensors file."""

    def __init__(self, name: str, description: str, arithmetic: str):
        self.name, self.description, self.arithmetic = clean(name) or "model", clean(description), arithmetic
        self.comment: list[str] = []
        self.inputs: list[dict] = []
        self.layers: list[Layer] = []
        self.outputs: list[str] = []
        self.tensors: dict[str, np.ndarray] = {}
        self.notes: list[str] = []  # what the caller must know of the translation
        # Name of an input or a layer's output -> the model's tensor that it equals: index (TFLite) or name (ONNX).
        self.sources: dict[str, int | str] = {}
        self.layouts: dict[str, Layout] = {}  # where such a tensor lies in another order than the model's
        self._names: set[str] = set()

    def unique(self, wanted: str) -> str:
        """A name like `wanted` that can be one and that nobody has."""
        wanted = clean(wanted) or "layer"
        name, number = wanted, 2
        while name in self._names:
            name, number = f"{wanted}_{number}", number + 1
        self._names.add(name)
        return name

    def input(self, name: str, shape, quantization: Quantization) -> str:
        name = self.unique(name)
        self.inputs.append({"name": name, "shape": [int(n) for n in shape], **quantization.entry()})
        return name

    def layer(
        self,
        name: str,
        op: str,
        inputs: list[str],
        output: Quantization | None = None,
        tensors: dict[str, np.ndarray] | None = None,
        **keys,
    ) -> str:
        """Adds a layer and gives the name of its output. `output` None: it keeps its input's quantization."""
        name = self.unique(name)
        if output is not None:
            keys["output"] = output.entry()
        self.layers.append(Layer(name, op, inputs, keys))
        for suffix, array in (tensors or {}).items():
            self.tensors[f"{name}.{suffix}"] = array
        return name

    def text(self, tensors_file: str) -> str:
        """The YAML file; `tensors_file`: what the other one is called."""
        lines = [f"# {printable_line(line)}" for line in self.comment]
        lines += ["gemel_workload: 1", f"name: {flow(self.name)}"]
        lines += [f"description: {flow(self.description)}"] if self.description else []
        lines += [f"arithmetic: {self.arithmetic}", f"tensors: {flow(tensors_file)}", "inputs:"]
        lines += [f"  - {flow(entry)}" for entry in self.inputs]
        lines += [f"outputs: {flow(self.outputs)}", "layers:"]
        for layer in self.layers:
            source = {"input": layer.inputs[0]} if len(layer.inputs) == 1 else {"inputs": layer.inputs}
            lines.append(f"  - {flow({'name': layer.name, 'op': layer.op, **source, **layer.keys})}")
        return "\n".join(lines) + "\n"

    def save(self, path: str | Path) -> tuple[Path, Path]:
        """Writes `path` (YAML) and the safetensors file beside it. Each is written whole or not at all. OSError."""
        path = Path(path)
        tensors_path = path.with_suffix(".safetensors")
        write_safetensors(tensors_path, self.tensors)
        temporary = Path(f"{path}.part")
        temporary.write_text(self.text(tensors_path.name), encoding="utf-8")
        os.replace(temporary, path)
        return path, tensors_path


def shape_text(shape) -> str:
    return "[" + ", ".join(str(int(n)) for n in shape) + "]"


def printable_line(text: str) -> str:
    return "".join(c if c.isprintable() else "_" for c in text)


def clean(name: str) -> str:
    """At most LONGEST_NAME bytes of what can be printed."""
    return printable_line(name).encode("utf-8", "replace")[: LONGEST_NAME - 20].decode("utf-8", "ignore")
