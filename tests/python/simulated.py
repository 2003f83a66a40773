# SPDX-License-Identifier: Apache-2.0
"""Imported models on the simulated machine, for tests that compare them with the runtimes they come from."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))


def gemel_program() -> str:
    """The tool that ./check has built; GEMEL names another."""
    return os.environ.get("GEMEL") or str(ROOT / "build/release/gemel")


def simulate(yaml: Path, machine: str, inputs: list[np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Runs a workload on a machine: all of its tensors by name, and how many layers were "equal" (memory to the tensor), "fused" (only the
    layer that finishes them is in memory, and equal), "view" (the same bytes as its input's) or of the "host"."""
    from gemel.tensors import read_safetensors

    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, array in enumerate(inputs):
            (Path(folder) / f"{i}.bin").write_bytes(np.ascontiguousarray(array).tobytes())
            files += ["--input", f"{folder}/{i}.bin"]
        file = Path(folder) / "tensors.safetensors"
        command = [gemel_program(), "run", str(yaml), "-m", machine, "--save-tensors", str(file), "--quiet", *files]
        environment = {**os.environ, "GEMEL_HOME": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:  # 4: memory and reference differ
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}{done.stdout[-2000:]}")
        data = file.read_bytes()
        notes = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        compared = Counter(how for note, how in notes.items() if note.startswith("compared "))
        if not compared or set(compared) - {"equal", "fused", "view", "host"}:
            raise AssertionError(f"{' '.join(command)}: layers were compared so: {dict(compared)}")
        return read_safetensors(file), compared
