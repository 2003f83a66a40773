# SPDX-License-Identifier: Apache-2.0
"""The tables of operators that TensorFlow Lite Micro lacks, against LiteRT's reference kernels (the Python package `ai-edge-litert`)."""

import os
import random
import sys
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tflite_cases import Draw, unary
from tflite_writer import Model

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
from gemel.importer import import_model

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    MISSING = ""
except ImportError as error:
    MISSING = f"there is no package ai-edge-litert: {error}"

COUNT = 100  # models of each
CASES: dict[str, Callable[[Draw], Model]] = {
    "EXP": lambda d: unary(d, "EXP", options="ExpOptions"),
    "GELU": lambda d: unary(d, "GELU", options="GeluOptions", Approximate=d.chance(0.5)),
}


@unittest.skipIf(MISSING, MISSING)
class LiteRT(unittest.TestCase):
    def test_tables_equal_those_of_litert(self):
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        for name, draw in CASES.items():
            entries = 0
            for case in range(COUNT):
                model = draw(Draw(np.random.default_rng([seed, case])))
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "model.tflite"
                    path.write_bytes(model.write())
                    table = import_model(path).tensors["y.table"]
                    runtime = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
                    runtime.allocate_tensors()
                x = np.resize(np.arange(-128, 128), model.tensors[0].shape).astype(np.int8)
                runtime.set_tensor(0, x)
                runtime.invoke()
                made = table[x.view(np.uint8)].view(np.int8)
                np.testing.assert_array_equal(made, runtime.get_tensor(1), f"{name}, seed {seed}, case {case}")
                entries += x.size
            print(f"{COUNT} of {COUNT} models of {name}, {entries} values, equal")


if __name__ == "__main__":
    unittest.main(verbosity=2)
