# SPDX-License-Identifier: Apache-2.0
"""The C++ module (python/src) as type checkers see it. tests/python/package_test.py holds names and parameters against the module itself."""

from collections.abc import Callable, Sequence
from typing import Any

from ._result import LayerMapping, WeightTiles

def version() -> str: ...
def commit() -> str: ...
def report_style() -> str: ...
def report_script() -> str: ...
def text_of(diagnostics: Sequence[Diagnostic]) -> str: ...
def list_parameters() -> tuple[ParameterInfo, ...]: ...
def list_machines() -> list[str]: ...
def list_networks() -> dict[str, str]: ...
def read_yaml(*, text: str, file: str) -> tuple[str, Any, bool, int, int, int, int, int]: ...
def real_time(
    *, run_cycles: int, clock_mhz: float, period_seconds: float, frames: int, deadline_seconds: float | None
) -> tuple[list[tuple[int, int, int, int, bool]], float, float, str]: ...
def run(
    *,
    program: Program,
    machine: Machine,
    inputs: Sequence[Any],
    keep: Sequence[str],
    blocks: Sequence[str],
    engine: str | None,
    seed: int,
    test_images: bool,
    compare: bool,
    timing_only: bool,
    trace: bool,
    max_cycles: int,
    keep_going: bool,
    no_skip: bool,
    reset_seed: int | None,
    waves_folder: str,
    case_file: str,
    progress: Callable[[Progress], object] | None,
    text: Callable[[str], object] | None,
    warn: Callable[[Diagnostic], object],
    stop: StopToken,
) -> Result: ...

class Diagnostic:
    """One message: what was found, where, and what to do."""

    @property
    def code(self) -> str:
        """Key into docs/reference/errors.md: "E0103"."""

    @property
    def message(self) -> str: ...
    @property
    def file(self) -> str:
        """File, or what else the message is about; empty: nothing in particular."""

    @property
    def line(self) -> int:
        """From 1; 0: not known."""

    @property
    def column(self) -> int:
        """From 1; 0: not known."""

    @property
    def length(self) -> int:
        """Characters to underline."""

    @property
    def excerpt(self) -> str:
        """The line of the file, where there is one."""

    @property
    def note(self) -> str:
        """Shown beside the underline: "did you mean `columns`?"."""

    @property
    def hint(self) -> str:
        """What to try next."""

    @property
    def is_warning(self) -> bool: ...
    def __init__(
        self,
        *,
        code: str,
        message: str,
        file: str = "",
        line: int = 0,
        column: int = 0,
        length: int = 1,
        excerpt: str = "",
        note: str = "",
        hint: str = "",
        is_warning: bool = False,
    ) -> None: ...

class StopToken:
    """A wish to stop: give it to a call as `stop`, and call request_stop() in another thread; the call ends in gemel.Interrupted."""

    @property
    def stop_requested(self) -> bool: ...
    def __init__(self) -> None: ...
    def request_stop(self) -> None:
        """May be called in any thread."""

class TensorInfo:
    """A tensor. In memory it is dense; images are NHWC."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def type(self) -> str:
        """Of an element: "int8", "uint8"."""

    @property
    def scale(self) -> float:
        """Real value = scale * (element - zero_point)."""

    @property
    def zero_point(self) -> int: ...
    @property
    def bytes(self) -> int: ...

class TensorData(TensorInfo):
    """The bytes of a tensor, as a buffer that may only be read."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

class LayerInfo:
    """A layer of a network or of a program."""

    @property
    def name(self) -> str: ...
    @property
    def op(self) -> str:
        """"conv2d", ..."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole batch, taps in the padding included."""

    @property
    def weight_bytes(self) -> int:
        """In memory, as the array wants them."""

    @property
    def inputs(self) -> tuple[tuple[int, ...], ...]:
        """Shapes."""

    @property
    def output(self) -> tuple[int, ...]:
        """Shape."""

    @property
    def kernel(self) -> tuple[int, int]:
        """Height, width."""

    @property
    def stride(self) -> tuple[int, int]:
        """Height, width."""

    @property
    def dilation(self) -> tuple[int, int]:
        """Height, width."""

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Top, left, bottom, right."""

    @property
    def groups(self) -> int: ...
    @property
    def weight_tiles(self) -> WeightTiles:
        """Of a program; a network's are 0."""

    @property
    def mapping(self) -> tuple[LayerMapping, ...]:
        """By unit. Empty: of a network; or another layer's instructions compute it, a view, or on the host."""

class ParameterInfo:
    """A parameter of machines."""

    @property
    def key(self) -> str:
        """In machine files: "pe_array.rows"."""

    @property
    def type(self) -> str:
        """"integer", "size", "number", "choice", "name", "text"."""

    @property
    def unit(self) -> str:
        """"rows", "bytes"; empty where there is none."""

    @property
    def range(self) -> str:
        """"1 to 256"; empty: anything."""

    @property
    def sentence(self) -> str:
        """What it is."""


class Machine:
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @staticmethod
    def load(name_or_path: str, overrides: Sequence[str]) -> Machine: ...
    @staticmethod
    def parse(text: str, file: str, overrides: Sequence[str]) -> Machine: ...
    def changed(self, overrides: Sequence[str]) -> Machine: ...
    def values(self) -> dict[str, int | float | str]: ...
    def digest(self) -> str: ...
    def yaml(self) -> str: ...
    def warnings(self) -> tuple[Diagnostic, ...]: ...

class NetworkInfo:
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def batch(self) -> int: ...
    @property
    def macs(self) -> int: ...
    @property
    def weights(self) -> int: ...
    @property
    def timing_only(self) -> bool: ...
    @property
    def inputs(self) -> tuple[TensorInfo, ...]: ...
    @property
    def outputs(self) -> tuple[TensorInfo, ...]: ...
    @property
    def layers(self) -> tuple[LayerInfo, ...]: ...

class Network:
    @staticmethod
    def load(*, source: str, file: str | None, batch: int, seed: int | None, timing_only: bool, stop: StopToken) -> Network: ...
    def describe(self) -> NetworkInfo: ...
    def digest(self) -> str: ...
    def test_images(self) -> tuple[TensorData, list[int], float | None] | None: ...

class Estimate:
    @property
    def cycles(self) -> int: ...
    @property
    def error_share(self) -> float: ...
    @property
    def layers(self) -> dict[str, int]: ...

class Program:
    @property
    def network(self) -> str: ...
    @property
    def machine(self) -> str: ...
    @property
    def batch(self) -> int: ...
    @property
    def timing_only(self) -> bool: ...
    @property
    def stores_inputs(self) -> bool: ...
    @property
    def instructions(self) -> int: ...
    @property
    def memory_base(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def inputs(self) -> tuple[TensorInfo, ...]: ...
    @property
    def outputs(self) -> tuple[TensorInfo, ...]: ...
    @property
    def layers(self) -> tuple[LayerInfo, ...]: ...
    @staticmethod
    def load(path: str) -> Program: ...
    @staticmethod
    def compile(
        *, network: Network, machine: Machine, fuse: bool, overlap_layers: bool, memory_base: int, stop: StopToken
    ) -> Program: ...
    def save(self, path: str) -> None: ...
    def estimate(self, machine: Machine) -> Estimate: ...
    def compiled_for(self, overrides: Sequence[str]) -> Machine: ...
    def disassemble(self, index: int) -> str: ...

class Progress:
    """How far a run is."""

    @property
    def instructions(self) -> int: ...
    @property
    def total_instructions(self) -> int: ...
    @property
    def cycles(self) -> int: ...
    @property
    def layer(self) -> int:
        """From 0."""

    @property
    def layers(self) -> int: ...

class Result:
    @property
    def cycles(self) -> int: ...
    @property
    def traced(self) -> bool: ...
    def figures(self) -> dict[str, int | float]: ...
    def outputs(self) -> list[TensorData]: ...
    def tensors(self) -> list[TensorData]: ...
    def add_settings(self, settings: Sequence[tuple[str, str]]) -> None: ...
    def json(self) -> str: ...
    def summary(self) -> str: ...
    def html(self) -> str: ...
    def comparison_html(self, other: Result) -> str: ...
    def trace_json(self) -> str: ...
    def write(self, folder: str) -> list[str]: ...
