# SPDX-License-Identifier: Apache-2.0
"""Networks, from names, files and text."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _gemel
from ._arrays import Array, array_of
from ._errors import UserError, user_error
from ._gemel import Diagnostic, LayerInfo, StopToken, TensorInfo
from ._html import table
from ._options import whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ._machine import Machine
    from ._program import Program

Source = str | os.PathLike[str]


def workloads() -> dict[str, str]:
    """The networks that come with Gemel: name -> description."""
    return _gemel.list_networks()


@dataclass(frozen=True, kw_only=True)
class TestImages:
    """Images with the right answers that came with a network."""

    __test__ = False  # for pytest
    images: Array  # all of them: (number, height, width, channels), of the type of the network's first input
    labels: NDArray[np.int32]  # (number,)
    float_accuracy: float | None  # of the float network that was quantized, 0 to 1


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How a network was loaded, to load it again: in another process, or without weights."""

    source: str  # name, absolute path, or text
    name: str
    batch: int | None
    seed: int | None
    timing_only: bool
    called: str  # as the command line would be told
    tensors: Mapping[str, Any] | None = None  # NumPy's, of a network that was put together in Python

    def load(self, *, timing_only: bool) -> Network:
        if self.tensors is None:
            network = load(self.source, batch=self.batch, seed=self.seed, timing_only=timing_only, name=self.name)
        else:
            from .tensors import write_safetensors

            with tempfile.TemporaryDirectory(prefix="gemel-") as folder:
                file = Path(folder, "network.yaml")
                file.write_text(self.source, encoding="utf-8")
                write_safetensors(file.with_suffix(".safetensors"), self.tensors)
                network = load(file, batch=self.batch, seed=self.seed, timing_only=timing_only)
        network._source, network._origin = self.called, self
        return network


class Network:
    """A quantized network. It does not change, and any number of threads may use it. Made by gemel.load()."""

    def __init__(self, inside: _gemel.Network, source: str) -> None:
        self._inside = inside
        self._info = inside.describe()
        self._source = source  # as the command line would be told
        self._origin: Origin | None = None
        self._notes: tuple[str, ...] = ()
        self._layouts: Mapping[str, Any] = {}  # of an imported network: inputs and outputs -> gemel.importer.layout.Layout

    @property
    def name(self) -> str:
        return self._info.name

    @property
    def description(self) -> str:
        return self._info.description

    @property
    def batch(self) -> int:
        """Images per run."""
        return self._info.batch

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        return self._info.inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        return self._info.outputs

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """In order of execution."""
        return self._info.layers

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole batch."""
        return self._info.macs

    @property
    def weights(self) -> int:
        """Elements of all weights."""
        return self._info.weights

    @property
    def timing_only(self) -> bool:
        """It was loaded without weights: enough for cycles."""
        return self._info.timing_only

    @property
    def notes(self) -> tuple[str, ...]:
        """What an importer has to say of the translation: what is left out, or computed elsewhere."""
        return self._notes

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over layers, tensors and their numbers; without weights over what there is."""
        return self._inside.digest()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self._origin, self.digest)

    def test_images(self) -> TestImages | None:
        """Images with the right answers, if the network came with some."""
        found = self._inside.test_images()
        if found is None:
            return None
        import numpy as np

        images, labels, accuracy = found
        return TestImages(images=array_of(images), labels=np.asarray(labels, np.int32), float_accuracy=accuracy)

    def compile(self, machine: Machine | Source = "edge16", *, fuse: bool = True, overlap_layers: bool = True, memory_base: int = 0,
                stop: StopToken | None = None) -> Program:
        """gemel.compile() of this network."""
        from ._program import compile

        return compile(self, machine, fuse=fuse, overlap_layers=overlap_layers, memory_base=memory_base, stop=stop)

    def __repr__(self) -> str:
        return f"<gemel.Network {self.name}: {len(self.layers)} layers, batch {self.batch}, {self.macs:,} MACs>"

    def _repr_html_(self) -> str:
        rows = [(layer.name, layer.op, "x".join(map(str, layer.output)), layer.macs, layer.weight_bytes) for layer in self.layers]
        return table(f"network {self.name}, batch {self.batch}", ("layer", "op", "output", "MACs", "weight bytes"), rows)


def _unpickled(origin: Origin, digest: str) -> Network:
    network = origin.load(timing_only=origin.timing_only)
    if network.digest != digest:
        raise user_error("E1213", f"the network `{origin.called}` is not what it was when it was pickled", "its files have changed since")
    return network


def load(source: Source, *, batch: int | None = None, seed: int | None = None, timing_only: bool = False, name: str = "network",
         stop: StopToken | None = None) -> Network:
    """A network: one that comes with Gemel (gemel.workloads()), a file, or the text of a workload file (anything with a line break).

    Files are .yaml or .yml (docs/reference/workloads.md), .csv (a SCALE-Sim table), or .onnx or .tflite (gemel.importer).

    batch: images per run; None: as the source says.
    seed: of synthetic weights, instead of the source's.
    timing_only: make no weights: enough for cycles, and fast.
    name: what messages call a text. Tensors that a text names are looked for in the current folder.
    stop: ends the call in gemel.Interrupted when another thread asks for it.

    Raises UserError with everything that is wrong: E02xx (the description), E03xx (tensors), E04xx (tables), E0915 (options).
    """
    batch = None if batch is None else whole("batch", batch, 1, 65535)
    seed = None if seed is None else whole("seed", seed, 0)
    text = os.fspath(source)
    if text.lower().endswith((".onnx", ".tflite")) and find_spec("gemel.importer") is not None:
        return _imported(text, batch=batch, seed=seed, timing_only=timing_only, stop=stop)
    is_text = isinstance(source, str) and "\n" in text
    inside = _gemel.Network.load(source=text, file=name if is_text else None, batch=batch or 0, seed=seed, timing_only=timing_only,
                                 stop=stop or StopToken())
    network = Network(inside, name if is_text else text)
    is_path = not is_text and (os.sep in text or Path(text).suffix != "")
    network._origin = Origin(source=os.path.abspath(text) if is_path else text, name=name, batch=batch, seed=seed, timing_only=timing_only,
                             called=network._source)
    return network


def _imported(path: str, *, batch: int | None, seed: int | None, timing_only: bool, stop: StopToken | None) -> Network:
    importer = import_module("gemel.importer")
    with tempfile.TemporaryDirectory(prefix="gemel-import-") as folder:
        file = Path(folder, "network.yaml")
        try:
            workload = importer.import_model(path)
            workload.save(file)
        except importer.ModelError as error:
            raise UserError(Diagnostic(code=d.code, message=d.message, file=d.file, note=d.note, hint=d.hint) for d in error.diagnostics) from None
        network = load(file, batch=batch, seed=seed, timing_only=timing_only, stop=stop)
    network._source = path
    network._origin = Origin(source=os.path.abspath(path), name=path, batch=batch, seed=seed, timing_only=timing_only, called=path)
    network._notes = tuple(workload.notes)
    network._layouts = {name: workload.layouts[name] for name in [*(entry["name"] for entry in workload.inputs), *workload.outputs] if name in workload.layouts}
    return network
