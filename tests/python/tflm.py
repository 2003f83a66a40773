# SPDX-License-Identifier: Apache-2.0
"""The reference for imported TFLite models: the Python package `tflite-micro`, which is TensorFlow Lite Micro's reference kernels.

Kept out of requirements.txt's reach where it cannot be had: `available()` says why, and tests that need it skip aloud.
"""

from pathlib import Path

import numpy as np
from simulated import ROOT, gemel_program, simulate

__all__ = ["ROOT", "OtherRuntimes", "Reference", "differences", "gemel_program", "missing", "simulate"]


def missing() -> str:
    """Why there is no reference; empty: there is."""
    try:
        import tflite_micro.python.tflite_micro.runtime  # noqa: F401
    except ImportError as error:
        return f"there is no package tflite-micro: {error}"
    return ""


class Reference:
    """A model in TensorFlow Lite Micro, with the tensors of all of its layers."""

    def __init__(self, model: bytes):
        from tflite_micro.python.tflite_micro import runtime

        arena = max(1 << 20, 20 * len(model), 1 << 22)
        self._interpreter = runtime.Interpreter.from_bytes(
            model, arena_size=arena, intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors
        )

    def run(self, inputs: list[np.ndarray]) -> None:
        for i, array in enumerate(inputs):
            self._interpreter.set_input(array, i)
        self._interpreter.invoke()

    def tensor(self, index: int) -> np.ndarray:
        return np.array(self._interpreter.GetTensor(index, 0)["tensor_data"])


def differences(
    reference: Reference, tensors: dict[str, np.ndarray], indices: dict[str, int]
) -> tuple[int, int, list[str]]:
    """Tensors compared, elements compared, and a line for each tensor that differs. `indices`: name in the workload -> index in the model."""
    elements, wrong = 0, []
    for name, index in indices.items():
        expected, actual = reference.tensor(index), tensors[name]
        elements += actual.size
        if expected.dtype != actual.dtype or expected.size != actual.size:
            wrong.append(f"{name}: {actual.dtype}[{actual.size}] instead of {expected.dtype}[{expected.size}]")
        elif not np.array_equal(expected.reshape(-1), actual.reshape(-1)):
            bad = np.flatnonzero(expected.reshape(-1) != actual.reshape(-1))
            i = int(bad[0])
            wrong.append(
                f"{name}: {bad.size} of {actual.size} differ; the first, {i}, is {actual.reshape(-1)[i]} and must be {expected.reshape(-1)[i]}"
            )
    return len(indices), elements, wrong


class OtherRuntimes:
    """LiteRT's reference kernels and its default (XNNPACK), to show where they differ from the reference; nothing is demanded of them."""

    def __init__(self, path: Path):
        self._runtimes = {}
        try:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError:
            return
        kinds = {"LiteRT's reference": OpResolverType.BUILTIN_REF, "XNNPACK": OpResolverType.AUTO}
        for name, kind in kinds.items():
            runtime = Interpreter(
                str(path), experimental_op_resolver_type=kind, experimental_preserve_all_tensors=True, num_threads=1
            )
            runtime.allocate_tensors()
            self._runtimes[name] = runtime
        self.differences = dict.fromkeys(self._runtimes, 0)

    def compare(self, reference: Reference, inputs: list[np.ndarray], indices: list[int]) -> None:
        """Adds up the elements that differ from the reference's, in the tensors of these indices."""
        for name, runtime in self._runtimes.items():
            for details, array in zip(runtime.get_input_details(), inputs, strict=True):
                runtime.set_tensor(details["index"], array)
            runtime.invoke()
            if name == "XNNPACK":  # what lies inside of what it has taken over is not kept
                indices = [details["index"] for details in runtime.get_output_details()]
            pairs = ((reference.tensor(i).reshape(-1), runtime.get_tensor(i).reshape(-1)) for i in indices)
            self.differences[name] += sum(int((a != b).sum()) for a, b in pairs)

    def __str__(self) -> str:
        if not self._runtimes:
            return "other runtimes: there is no package ai-edge-litert"
        counts = [f"{name} in {count} elements" for name, count in self.differences.items()]
        return f"differ from it: {', '.join(counts)} (of XNNPACK the outputs alone are known)"
