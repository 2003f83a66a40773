# SPDX-License-Identifier: Apache-2.0
"""Models that are quantized while they run: their products on the machine, all else in ONNX Runtime on the host."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._arrays import Array
from ._builder import NetworkBuilder
from ._errors import user_error
from ._machine import Machine
from ._network import Source
from ._options import whole
from ._program import Program, as_machine, compile
from ._result import Result
from ._rewritten import Counted, Images, called
from ._run import Engine, run

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, kw_only=True)
class DynamicResult:
    """A run of a model that is quantized while it runs."""

    machine: Machine
    outputs: Mapping[str, Array]  # the model's, by name
    sums: Mapping[str, Array]  # of each MatMulInteger and ConvInteger, by the name of its output: int32
    cycles: int  # of the machine, from the start to the halt of each program; the host's time is not counted
    starts: int  # of the machine
    macs: int  # on the machine
    machine_elements: int  # sums that the machine makes
    host_elements: int  # elements that nodes on the host make, views not counted
    bytes: int  # operands that the host hands to the machine, and bytes of sums that it takes from it
    runs: tuple[Result, ...]  # of the machine's programs, one for products that do not wait for each other; layers are called as the products' outputs

    @property
    def host_share(self) -> float:
        """Of all elements those that the host makes, 0 to 1."""
        return self.host_elements / max(1, self.host_elements + self.machine_elements)

    @property
    def utilization(self) -> float:
        """Share of the array's MAC slots that were used, 0 to 1."""
        return self.macs / max(1, self.cycles * int(self.machine["pe_array.rows"]) * int(self.machine["pe_array.columns"]))

    def __str__(self) -> str:
        return (f"{self.cycles:,} cycles on {self.machine.name}, {self.macs:,} MACs, {100 * self.utilization:.1f} % of the array's slots; the NPU is started "
                f"{self.starts} times; {len(self.sums)} products, {self.machine_elements:,} sums\nhost: {100 * self.host_share:.1f} % of the elements, "
                f"{self.bytes:,} bytes to and fro")  # fmt: skip


@dataclass
class _Counts:
    cycles: int = 0
    starts: int = 0
    macs: int = 0
    elements: int = 0
    bytes: int = 0
    sums: dict[str, Array] = field(default_factory=dict)
    runs: list[Result] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class DynamicReport:
    """A model that is quantized while it runs, on many inputs."""

    machine: Machine
    results: tuple[DynamicResult, ...]  # of each run
    elements: int  # of all outputs
    differing: int  # of them those that are not ONNX Runtime's (without optimizations)
    cosines: Mapping[str, tuple[float, ...]]  # for each model beside: of each run, between the first outputs as one vector
    images: int  # or sentences
    right: Mapping[str, int] | None  # right answers of all images, by model, this one under ""; None: they have no labels
    host_products: tuple[str, ...]

    def __str__(self) -> str:
        cycles = sorted({result.cycles for result in self.results})
        told = f"{cycles[0]:,}" + (f" to {cycles[-1]:,}" if len(cycles) > 1 else "")
        lines = [str(self.results[-1]), f"{len(self.results)} runs, {told} cycles; {self.elements - self.differing:,} of {self.elements:,} elements of the "
                 "outputs equal ONNX Runtime's"]  # fmt: skip
        lines += [f"beside {name}: cosine of the first output at least {min(of):.4f}, {sum(of) / len(of):.4f} on average" for name, of in self.cosines.items()]
        if self.right is not None:
            of_others = "".join(f", {name}: {count}" for name, count in self.right.items() if name)
            lines.append(f"right: {self.right['']} of {self.images}{of_others}")
        if self.host_products:
            lines.append(f"note: the host computes {len(self.host_products)} products, in float32 or within a branch: {', '.join(self.host_products[:5])}"
                         + (", ..." if len(self.host_products) > 5 else ""))  # fmt: skip
        return "\n".join(lines)


class DynamicModel:
    """A model of ONNX Runtime's quantize_dynamic(), for a machine. The sums of each MatMulInteger and ConvInteger come from the simulated machine, whose bytes
    are compared with the reference; all other nodes are computed by ONNX Runtime, each as it stands in the model. So every value equals the one of ONNX Runtime
    without optimizations. Nodes with types that it has no kernels for (float4) onnx's own reference computes. A model without any product is the host's alone:
    quantizers of 2 to 16 bits, per channel or in blocks, say.

        model = gemel.DynamicModel("dynamic.onnx", "edge16")
        result = model.run({"input_ids": words, "attention_mask": mask})
        print(result)

    model: an .onnx file. machine: a Machine, or what gemel.machine() takes; None: edge16.

    Raises UserError E1101, E1103, E1105, E1106, E1109 (the model), E1212 (onnxruntime is missing).
    """

    def __init__(self, model: Source, machine: Machine | Source | None = None) -> None:
        self._file = os.fspath(model)
        self._machine = as_machine(machine)
        self._stages: Any = called(lambda: import_module("gemel.rewrite.dynamic").Stages(self._file))
        self._programs: dict[Any, Program] = {}  # by stage and shapes: a program is made for the shapes of the first run with them

    @property
    def machine(self) -> Machine:
        return self._machine

    @property
    def inputs(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._stages.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self._stages.outputs)

    @property
    def products(self) -> int:
        """How many run on the machine."""
        return sum(len(stage.products) for stage in self._stages.stages)

    @property
    def host_products(self) -> tuple[str, ...]:
        """Products and convolutions that the host computes, as they are in float32, have scales that are known, or are in a branch or a loop: operators and
        names of their results."""
        return tuple(self._stages.host_products)

    @property
    def reference_nodes(self) -> tuple[str, ...]:
        """Nodes with types that ONNX Runtime has no kernels for (float4), which onnx's own reference computes: operators and names of their results."""
        return tuple(self._stages.reference_nodes)

    def run(self, inputs: Mapping[str, ArrayLike], *, compare: bool = True, engine: Engine | None = None,
            blocks: Mapping[str, str] | None = None) -> DynamicResult:
        """One run. inputs: an array for each input of the model, of the model's type and with any shape that the model takes.
        compare: bytes of the machine with the reference. engine, blocks: as gemel.run() has them.

        Raises UserError E0510 (inputs), E1105, E1109 (shapes), E06xx (what the machine has no room for); RunError for what the machine does wrong.
        """
        import numpy as np

        if set(inputs) != set(self.inputs):
            raise user_error("E0510", f"inputs are given for {_names(inputs)}, and the model has {_names(self.inputs)}", "each needs an array")
        counts = _Counts()

        def products(number: int, stage: list[Any], values: dict[str, Array]) -> dict[str, Array]:
            made = self._run_stage(number, stage, values, counts, compare=compare, engine=engine, blocks=blocks)
            counts.sums.update(made)
            return made

        values, elements = called(lambda: self._stages.run({name: np.asarray(array) for name, array in inputs.items()}, products))
        return DynamicResult(machine=self._machine, outputs={name: values[name] for name in self.outputs}, sums=counts.sums, cycles=counts.cycles,
                             starts=counts.starts, macs=counts.macs, machine_elements=counts.elements, host_elements=elements, bytes=counts.bytes,
                             runs=tuple(counts.runs))  # fmt: skip

    def in_onnx_runtime(self, inputs: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """The model's outputs as ONNX Runtime gives them without optimizations, in one piece. Raises UserError E1109 where it does not run the model."""
        import numpy as np

        values = {name: np.asarray(array) for name, array in inputs.items()}
        made: dict[str, Array] = called(lambda: self._stages.in_onnx_runtime(values))
        return {name: made[name] for name in self.outputs}

    def measure(self, data: Images, *, beside: Sequence[Source] = (), images: int | None = None, compare: bool = True, progress: bool = False) -> DynamicReport:
        """Runs for each of the inputs in `data` (as gemel.accuracy() has it: one image or sentence at a time where the model leaves their number open), each
        output compared with ONNX Runtime's. beside: ONNX models with the same inputs, such as the one in float32. images: the first so many. Where `data` has
        `labels`, right answers are counted: the index of the first output's largest value.

        Raises UserError E1214 (data), and what run() raises.
        """
        import sys

        import numpy as np

        most = None if images is None else whole("images", images, 1)
        source = os.fspath(data) if isinstance(data, os.PathLike) else data
        feed: Any = called(lambda: import_module("gemel.rewrite.images").Images(source, self._stages.shapes()))
        runtime, indices = import_module("gemel.rewrite.runtime"), import_module("gemel.rewrite.indices").indices
        others = {os.fspath(path): called(partial(_session_of, runtime, os.fspath(path))) for path in beside}
        types, results = self._stages.types(), []
        cosines: dict[str, list[float]] = {name: [] for name in others}
        said: dict[str, list[Array]] = {name: [] for name in ("", *others)}  # answers, by model
        elements = differing = 0
        line = Counted() if progress and sys.stderr.isatty() else None
        runs = called(lambda: feed.runs(most))
        try:
            while (found := called(lambda: next(runs, None))) is not None:
                inputs = {name: array.astype(types[name]) for name, array in found[0].items()}
                results.append(self.run(inputs, compare=compare))
                counted = found[1]
                wanted = self.in_onnx_runtime(inputs)
                for name, made in results[-1].outputs.items():
                    elements += int(made.size)
                    differ = made != wanted[name]
                    if made.dtype.kind == "f":
                        differ &= ~(np.isnan(made) & np.isnan(wanted[name]))
                    differing += int(differ.sum())
                answers = {"": results[-1].outputs[self.outputs[0]]}
                for name, other in others.items():
                    answers[name] = np.asarray(called(partial(other.run, inputs))[other.outputs[0]])
                    first, made = (array.astype(np.float64).reshape(-1) for array in (answers[""], answers[name]))
                    cosines[name].append(float(first @ made / max(1e-300, float(np.linalg.norm(first) * np.linalg.norm(made)))))
                if feed.labels is not None:
                    per_run = 1 if feed.whole_runs else len(next(iter(inputs.values())))
                    for name, array in answers.items():
                        said[name].append(called(partial(indices, array, per_run))[:counted])
                if line is not None:
                    line("running", len(results), feed.count if most is None else min(most, feed.count))
        finally:
            if line is not None:
                line.end()
        total = feed.count if most is None else min(most, feed.count)
        right = None
        if feed.labels is not None:
            right = {name: int((np.concatenate(of) == feed.labels[:total]).sum()) for name, of in said.items()}
        return DynamicReport(machine=self._machine, results=tuple(results), elements=elements, differing=differing, images=total, right=right,
                             cosines={name: tuple(of) for name, of in cosines.items()}, host_products=self.host_products)  # fmt: skip

    def _run_stage(self, number: int, stage: list[Any], values: dict[str, Array], counts: _Counts, **options: Any) -> dict[str, Array]:
        layers = [product.layer(values) for product in stage]
        names = [f"{''.join(c if c.isprintable() else '?' for c in product.output[:150])}.{i}" for i, product in enumerate(stage)]
        key = (number, *(array.shape for layer in layers for _, array, _ in layer.inputs))
        if key not in self._programs:
            self._programs[key] = compile(_network(f"{Path(self._file).stem}.{number}", layers, names).build(), self._machine)
        given: dict[str, Array] = {}
        for i, layer in enumerate(layers):
            given.update((_called(layers, i, j), array) for j, (_, array, _) in enumerate(layer.inputs))
        result = run(self._programs[key], self._machine, inputs=given, **options)
        counts.cycles += result.cycles
        counts.starts += result.starts
        counts.macs += result.macs
        counts.runs.append(result)
        counts.bytes += sum(int(array.nbytes) for array in given.values()) + sum(int(array.nbytes) for array in result.outputs.values())
        made = {product.output: layer.sums(result.outputs[name]) for product, layer, name in zip(stage, layers, names, strict=True)}
        counts.elements += sum(int(array.size) for array in made.values())
        return made


def _session_of(runtime: Any, path: str) -> Any:
    onnx = import_module("onnx")
    read = import_module("gemel.importer.files").read_bytes
    return runtime.Session(onnx.ModelProto.FromString(read(Path(path))), file=path)


def is_dynamic(model: Source) -> bool:
    """Whether it is an ONNX file with products that are quantized while it runs."""
    if not os.fspath(model).lower().endswith(".onnx"):
        return False
    path = Path(os.fspath(model))
    refused = import_module("gemel.importer.messages").ModelError
    try:
        graph = import_module("gemel.importer.onnx_file").read_onnx(path, import_module("gemel.importer.files").read_bytes(path))
    except refused:  # whoever loads it for something else says why
        return False
    return any(node.type in ("ConvInteger", "MatMulInteger") for node in graph.nodes)


def _names(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _called(layers: list[Any], i: int, j: int) -> str:
    """The network's input for operand j of layer i; the same array is loaded once."""
    name, array, zero = layers[i].inputs[j]
    for k, layer in enumerate(layers[:i]):
        for m, (other, same, taken) in enumerate(layer.inputs):
            if (other, same.shape, taken) == (name, array.shape, zero) and layer.op == layers[i].op and m == j:
                return f"operand{k}.{m}"
    return f"operand{i}.{j}"


def _network(name: str, layers: list[Any], names: list[str]) -> NetworkBuilder:
    """Layers that do not depend on each other, with these names."""
    brings = any("weight" in layer.attributes for layer in layers)  # else there are no numbers to draw, and the builder asks for a seed
    builder = NetworkBuilder(name, seed=None if brings else 1)
    given = set()
    for i, layer in enumerate(layers):
        read = []
        for j, (_, array, zero) in enumerate(layer.inputs):
            read.append(_called(layers, i, j))
            if read[-1] not in given:
                builder.input(read[-1], array.shape, type=str(array.dtype), scale=1.0, zero_point=zero)
                given.add(read[-1])
    for i, layer in enumerate(layers):
        read = [_called(layers, i, j) for j in range(len(layer.inputs))]
        if layer.op == "grouped_matmul":  # matrices lie as weights do
            read[1] = builder.layer(f"turned{i}", "transpose", read[1], order=[0, 1, 3, 2])
        builder.layer(names[i], layer.op, read[0] if len(read) == 1 else read, weight_zero_point=layer.weight_zero_point, **layer.attributes)
    return builder
