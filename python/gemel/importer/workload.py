# SPDX-License-Identifier: Apache-2.0
"""A workload being put together, and its two files (docs/reference/workloads.md). Knows nothing of where the network comes from."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .._yaml import flow
from ..tensors import write_safetensors
from .layout import Layout

LONGEST_NAME = 200  # bytes
LEAST_SCALE, MOST_SCALE = 1e-12, 1e12  # as in docs/reference/workloads.md
MOST_RANK = 6
MOST_NAMED = 4  # layers in a note that is the same for all
MOST_LENGTH = 1 << 24  # of a dimension


@dataclass(frozen=True)
class Quantization:
    """real value = scale * (element - zero_point); the scale is a float32."""

    type: str  # "int8", "uint8"; "int32" of indices, which have no scale
    scale: float
    zero_point: int

    def entry(self) -> dict:
        if self.type == "int32":
            return {"type": "int32"}
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
        self._made: dict[str, Layer] = {}
        self._replaced: set[str] = set()  # layers in whose place others have been made, which may be all that was wanted of them

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
        if output is not None:
            keys["output"] = output.entry()
        name = self._append(name, op, inputs, keys)
        for suffix, array in (tensors or {}).items():
            self.tensors[f"{name}.{suffix}"] = array
        return name

    def _append(self, wanted: str, op: str, inputs: list[str], keys: dict) -> str:
        name = self.unique(wanted)
        self._made[name] = Layer(name, op, inputs, keys)
        self.layers.append(self._made[name])
        return name

    def part(self, name: str, which: np.ndarray, wanted: str) -> tuple[str, int] | None:
        """Only these channels of a layer's output, in this order, by a convolution with these filters alone: its name, and the bytes of its constants.
        None: the layer is no convolution without groups, and no table behind one."""
        layer = self._made.get(name)
        if layer is None or layer.op not in ("conv2d", "table") or "groups" in layer.keys:
            return None
        inputs, keys, size = layer.inputs, dict(layer.keys), 0
        if layer.op == "table":
            before = self.part(inputs[0], which, f"{wanted}.before")
            if before is None:
                return None
            inputs, size = [before[0]], before[1]
        else:
            keys["out_channels"] = int(which.size)
        made = self._append(wanted, layer.op, inputs, keys)
        lines = slice(None)
        if layer.op == "conv2d":
            lines = cut_lines(self.tensors[f"{name}.weight"][which], keys)
        for suffix in ("weight", "weight_scale", "bias", "multiplier", "shift", "table"):
            array = self.tensors.get(f"{name}.{suffix}")
            if array is not None:
                per_channel = layer.op == "conv2d" and (suffix == "weight" or array.size > 1)
                array = array[which] if per_channel else array
                self.tensors[f"{made}.{suffix}"] = np.ascontiguousarray(array[:, lines] if suffix == "weight" else array)
                size += self.tensors[f"{made}.{suffix}"].nbytes
        self._replaced.add(name)
        return made, size

    def common_root(self, a: str, b: str) -> tuple[str, np.ndarray, np.ndarray] | None:
        """A tensor of which both are functions, by tables, and for each of its bytes theirs. None: there is no such tensor."""
        chains: list[dict[str, np.ndarray]] = []  # by tensor, from the nearest on
        for name in (a, b):
            bytes_of = np.arange(256, dtype=np.uint8)
            chains.append({name: bytes_of})
            while (layer := self._made.get(name)) is not None and layer.op == "table" and len(chains[-1]) < 8:
                bytes_of, name = bytes_of[self.tensors[f"{name}.table"]], layer.inputs[0]
                chains[-1][name] = bytes_of
        root = next((name for name in chains[0] if name in chains[1]), None)
        if root is None:
            return None
        self._replaced.update(one for one in (a, b) if one != root)
        return root, chains[0][root], chains[1][root]

    def drop_replaced(self) -> None:
        """Takes out layers in whose place others have been made, where nobody reads them."""
        readers = Counter(name for layer in self.layers for name in layer.inputs)
        dropped = set()
        for layer in reversed(self.layers):
            if layer.name in self._replaced and readers[layer.name] == 0 and layer.name not in self.outputs:
                dropped.add(layer.name)
                readers.subtract(layer.inputs)
        self.layers = [layer for layer in self.layers if layer.name not in dropped]
        self.tensors = {key: array for key, array in self.tensors.items() if key.rpartition(".")[0] not in dropped}
        self.sources = {name: source for name, source in self.sources.items() if name not in dropped}

    def join_notes(self) -> None:
        """Of layers about which there is the same to say, MOST_NAMED are named in one note."""
        layers: dict[str, list[str]] = {}  # what is said -> of which
        for note in self.notes:
            name, said = note.removeprefix("layer ").split(": ", 1) if note.startswith("layer `") and "`: " in note else ("", note)
            layers.setdefault(said, []).append(name)
        self.notes = []
        for said, names in layers.items():
            if len(names) <= MOST_NAMED or not names[0]:
                self.notes += [f"layer {name}: {said}" if name else said for name in names]
            else:
                self.notes.append(f"layers {', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more: {said}")

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


def cut_lines(weight: np.ndarray, keys: dict) -> slice:
    """The lines of a window [outputs, lines, ...] that are left if zeros at its ends are cut, with `keys` changed to what the layer is then."""
    padding, zero = keys["padding"], keys.get("weight", {}).get("zero_point", 0)
    used = np.flatnonzero((weight != zero).any(axis=(0, 2, 3)))
    if not isinstance(padding, list) or keys["stride"][0] != 1 or "dilation" in keys or used.size == 0:
        return slice(None)
    count = weight.shape[1]
    first, last = min(int(used[0]), padding[0]), max(int(used[-1]), count - 1 - padding[2])
    keys["kernel"] = [last - first + 1, keys["kernel"][1]]
    keys["padding"] = [padding[0] - first, padding[1], padding[2] - (count - 1 - last), padding[3]]
    return slice(first, last + 1)


def shape_text(shape) -> str:
    return "[" + ", ".join(str(int(n)) for n in shape) + "]"


def printable_line(text: str) -> str:
    return "".join(c if c.isprintable() else "_" for c in text)


def clean(name: str) -> str:
    """At most LONGEST_NAME bytes of what can be printed."""
    return printable_line(name).encode("utf-8", "replace")[: LONGEST_NAME - 20].decode("utf-8", "ignore")
