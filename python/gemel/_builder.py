# SPDX-License-Identifier: Apache-2.0
"""Networks put together in Python. What is written is a workload file, so that the one reader and the one builder of the library check it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import user_error
from ._network import Network, Origin, load
from ._yaml import flow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

_TENSORS = ("weight", "bias", "weight_scale", "multiplier", "shift", "table")  # of a layer, in the file of tensors


class NetworkBuilder:
    """A network being put together, layer by layer, in the order of execution.

        builder = gemel.NetworkBuilder("small", seed=1)
        builder.input("image", (1, 32, 32, 3))
        builder.layer("conv1", "conv2d", out_channels=16, kernel=3, padding="same", activation="relu")
        builder.layer("scores", "dense", out_channels=10)
        network = builder.build()

    Operators and their attributes are those of workload files (docs/reference/workloads.md). Nothing is checked before build(), which raises
    UserError with everything that is wrong (E02xx, E03xx).

    seed: all numbers (weights, biases, scales) are drawn from it; None: layers bring their own, as arrays, and every scale is given.
    arithmetic: "fixed_double", "fixed_single" or "float"; a layer may have another.
    """

    def __init__(self, name: str, *, seed: int | None = None, arithmetic: str = "fixed_double", description: str = "") -> None:
        self.name = name
        self._head: dict[str, Any] = {"gemel_workload": 1, "name": name, "arithmetic": arithmetic}
        if description:
            self._head["description"] = description
        self._seed = seed
        self._inputs: list[dict[str, Any]] = []
        self._layers: list[dict[str, Any]] = []
        self._tensors: dict[str, np.ndarray[Any, Any]] = {}
        self._outputs: list[str] = []

    def input(self, name: str, shape: Sequence[int], *, type: str = "int8", scale: float | None = None, zero_point: int | None = None) -> str:
        """An input: images are (batch, height, width, channels). Returns its name."""
        given = {"scale": scale, "zero_point": zero_point}
        self._inputs.append({"name": name, "shape": list(shape), "type": type, **{key: value for key, value in given.items() if value is not None}})
        return name

    def layer(self, name: str, op: str, inputs: str | Sequence[str] | None = None, *, weight_zero_point: int | None = None, **attributes: Any) -> str:
        """A layer, whose output has its name. Returns that name.

        inputs: names of inputs or of layers before it; None: the layer before it, or the first input.
        attributes: as workload files have them: `kernel=3`, `padding="same"`, `activation="relu"`, `output={"scale": 0.05, "zero_point": -128}`.
        Arrays are a layer's tensors: weight (int8 or uint8: out, height, width, in; of dense and matmul: out, in), bias (int32: out), weight_scale
        (float32: out, or one), multiplier and shift (int32), table (uint8: 256).
        """
        import numpy as np

        entry: dict[str, Any] = {"name": name, "op": op}
        if isinstance(inputs, str):
            entry["input"] = inputs
        elif inputs is not None:
            entry["inputs"] = list(inputs)
        for key, value in attributes.items():
            if isinstance(value, np.ndarray):
                if key not in _TENSORS:
                    raise user_error("E0203", f"layer `{name}`: `{key}` is an array", "arrays are " + ", ".join(f"`{known}`" for known in _TENSORS))
                self._tensors[f"{name}.{key}"] = value
            else:
                entry[key] = value
        weight = self._tensors.get(f"{name}.weight")
        if weight is not None:
            entry["weight"] = {"type": str(weight.dtype), "zero_point": weight_zero_point or 0}
        self._layers.append(entry)
        return name

    def outputs(self, *names: str) -> None:
        """The network's outputs; otherwise they are all that no layer reads."""
        self._outputs = list(names)

    def test_images(self, images: ArrayLike, labels: ArrayLike) -> None:
        """Images with the right answers, for `gemel.run(test_images=True)`: of the first input's type, (number, height, width, channels); (number,)."""
        import numpy as np

        self._tensors["test.images"] = np.asarray(images)
        self._tensors["test.labels"] = np.asarray(labels, np.int32)

    def text(self, tensors: str | None = None) -> str:
        """The workload file; `tensors`: the name of the file of tensors beside it."""
        head = dict(self._head)
        if self._seed is not None:
            head["synthetic"] = {"seed": self._seed}
        elif tensors is not None:
            head["tensors"] = tensors
        if self._outputs:
            head["outputs"] = self._outputs
        lines = [f"{key}: {flow(value)}" for key, value in head.items()]
        for key, entries in (("inputs", self._inputs), ("layers", self._layers)):
            lines += [f"{key}:", *(f"  - {flow(entry)}" for entry in entries)]  # a line for each, which messages show
        return "\n".join(lines) + "\n"

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Writes the workload file, and its tensors beside it, for gemel.load(path) and `gemel run PATH`. Returns what was written."""
        from .tensors import write_safetensors

        target = Path(path)
        beside = target.with_suffix(".safetensors")
        written = [target]
        if self._tensors:
            write_safetensors(beside, self._tensors)
            written.append(beside)
        target.write_text(self.text(beside.name if self._tensors else None), encoding="utf-8")
        return written

    def build(self, *, batch: int | None = None, timing_only: bool = False) -> Network:
        """The network. Raises UserError with everything that is wrong; its places are lines of text()."""
        if not self._tensors:
            return load(self.text(), batch=batch, timing_only=timing_only, name=self.name)
        with tempfile.TemporaryDirectory(prefix="gemel-") as folder:
            file = Path(folder, "network.yaml")
            self.save(file)
            network = load(file, batch=batch, timing_only=timing_only)
        network._source = self.name
        network._origin = Origin(source=self.text("network.safetensors"), name=self.name, batch=batch, seed=None, timing_only=timing_only,
                                 called=self.name, tensors=dict(self._tensors))
        return network
