# SPDX-License-Identifier: Apache-2.0
"""Random models of one operator each, imported, run and compared with TensorFlow Lite Micro: every tensor, every element.

tests/python/tflite_operators_test.py [--count N] [--seed S] [--only OPERATOR]     the long form is --count 1000
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tflm
from tflite_cases import CASES, Draw, changed, unary
from tflite_writer import Operator

sys.path.insert(0, str(tflm.ROOT / "python"))
from gemel.importer import ModelError, import_model
from gemel.importer.tflite_ops import OPERATORS
from gemel.tensors import read_safetensors

# The edges of float32 models (tflite_import_test.py), and what the reference lacks (tflite_litert_test.py).
ELSEWHERE = {"CAST", "DEQUANTIZE", "EXP", "GELU", "PACK", "PADV2", "SHAPE"}
COUNT, SEED, ONLY = 126, None, ""
MACHINES = ("edge16", "odd7x13", "tiny8")


@unittest.skipIf(tflm.missing(), tflm.missing())
@unittest.skipUnless(Path(tflm.gemel_program()).is_file(), f"{tflm.gemel_program()} is not built")
class Operators(unittest.TestCase):
    def test_each_operator_has_a_case(self):
        self.assertEqual(set(OPERATORS) - ELSEWHERE, set(CASES))

    def test_the_command_line_imports(self):
        """gemel import writes what import_model() makes; gemel run and gemel compile import on the way and leave nothing behind."""

        def gemel(*arguments):
            environment = {
                **os.environ,
                "GEMEL_HOME": str(tflm.ROOT),
                "GEMEL_PYTHON": sys.executable,
                "TMPDIR": f"{folder}/tmp",
            }
            command = [tflm.gemel_program(), *arguments]
            return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "tmp").mkdir()
            model = CASES["CONV_2D"](Draw(np.random.default_rng(1)))
            (folder / "-m.tflite").write_bytes(model.write())
            done = gemel("import", "./-m.tflite", "-o", "net.yaml", "--name", "mine")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("net.yaml: 1 layers, inputs x, outputs y", done.stdout)
            import_model(folder / "-m.tflite", name="mine").save(folder / "again.yaml")
            self.assertEqual((folder / "net.safetensors").read_bytes(), (folder / "again.safetensors").read_bytes())
            tensors = {}
            for workload in ("./-m.tflite", "net.yaml"):
                done = gemel("run", workload, "-m", "tiny8", "--save-tensors", "t.safetensors", "-q")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("every layer equal to golden (1 compared)", done.stdout)
                tensors[workload] = read_safetensors(folder / "t.safetensors")["y"]
            np.testing.assert_array_equal(*tensors.values())
            edge = unary(Draw(np.random.default_rng(2)), "RELU")
            real = edge.tensor("real", edge.tensors[0].shape, "float32")
            edge.operators.insert(0, Operator("QUANTIZE", [real], edge.inputs))
            edge.inputs = [real]
            (folder / "real.tflite").write_bytes(edge.write())
            note = "note: input `x` takes int8 bytes: the model's QUANTIZE from float32 is left to whoever gives them\n"
            for command in (["run", "real.tflite", "-q"], ["compile", "real.tflite", "-o", "real.gemel"]):
                done = gemel(*command)
                self.assertEqual((done.returncode, done.stderr), (0, note))
            self.assertIn(note, gemel("import", "real.tflite").stdout)
            done = gemel("compile", "./-m.tflite", "-o", "net.gemel")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            (folder / "-m.tflite").write_bytes(model.write()[:-100])
            done = gemel("run", "./-m.tflite")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertRegex(done.stderr, r"^error\[E1103\]: the model is damaged: .*\n  -m\.tflite.*\nhint: ")
            self.assertEqual(list((folder / "tmp").iterdir()), [])

    def test_random_models_equal_the_reference(self):
        seed = (
            SEED if SEED is not None else int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        )
        print(f"GEMEL_SEED={seed}")
        names = [ONLY] if ONLY else sorted(CASES)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda i: self.one(names[i % len(names)], seed, i), range(COUNT)))
        wrong = [line for _, _, lines in results for line in lines]
        print(
            f"{COUNT - sum(bool(lines) for *_, lines in results)} of {COUNT} models of {len(names)} operators equal: "
            f"{sum(t for t, _, _ in results)} tensors, {sum(e for _, e, _ in results)} elements, {len(wrong)} differences"
        )
        self.assertEqual(wrong, [], "\n".join(wrong[:20]))

    def test_models_with_mistakes_are_refused_or_run(self):
        """What the importer lets pass, Gemel must be able to read and to run."""
        seed = (
            SEED if SEED is not None else int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        )
        print(f"GEMEL_SEED={seed}")
        names, ran, refused = sorted(CASES), 0, 0
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            for case in range(2 * COUNT):
                draw = Draw(np.random.default_rng([seed, case]))
                try:
                    data = changed(draw, CASES[names[case % len(names)]](draw)).write()
                except (TypeError, ValueError, OverflowError):
                    continue  # not even the writer takes it
                path.write_bytes(data)
                try:
                    yaml, _ = import_model(path).save(Path(folder) / "net.yaml")
                except ModelError:
                    refused += 1
                    continue
                ran += 1
                try:
                    tflm.simulate(yaml, "tiny8", [])
                except AssertionError as error:
                    if "error[E06" not in str(error):  # too large for the machine
                        raise
        print(f"{refused} models with mistakes were refused, {ran} ran: their mistakes were none")
        self.assertGreater(refused, COUNT)
        self.assertGreater(ran, 0)

    def one(self, name: str, seed: int, case: int) -> tuple[int, int, list[str]]:
        draw = Draw(np.random.default_rng([seed, case]))
        model = CASES[name](draw)
        data = model.write()
        replay = f"--seed {seed} --count {case + 1}" + (f" --only {ONLY}" if ONLY else "")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            path.write_bytes(data)
            try:
                workload = import_model(path)
                yaml, _ = workload.save(Path(folder) / "net.yaml")
                inputs = []
                for index in model.inputs:
                    t = model.tensors[index]
                    low = 0 if t.type == "uint8" else -128
                    size = int(np.prod(t.shape))
                    values = (
                        draw.rng.permutation(np.arange(size) % 256) + low
                        if size >= 256
                        else draw.rng.integers(low, low + 256, size)
                    )
                    inputs.append(values.astype(t.type).reshape(t.shape))
                reference = tflm.Reference(data)
                reference.run(inputs)
                layers = {n: i for n, i in workload.sources.items() if i not in model.inputs}
                made, _ = tflm.simulate(yaml, MACHINES[case % len(MACHINES)], inputs)
                tensors, elements, wrong = tflm.differences(reference, made, layers)
            except Exception as error:  # one broken case must not hide the others
                return 0, 0, [f"{name} (case {case}, {replay}): {type(error).__name__}: {error}"]
        return tensors, elements, [f"{name} (case {case}, {replay}): {line}" for line in wrong]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", default="", choices=["", *CASES])
    options, rest = parser.parse_known_args()
    COUNT, SEED, ONLY = options.count, options.seed, options.only
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
