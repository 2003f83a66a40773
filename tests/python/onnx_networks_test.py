# SPDX-License-Identifier: Apache-2.0
"""What ONNX Runtime's quantizer makes of one network, in all of its forms: every tensor of every layer equals the runtime's.

    tests/python/onnx_networks_test.py [--large]     with MobileNetV2 and ResNet-50, on five machines each (half a minute)
"""

import itertools
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnx_reference
from onnx_networks import INPUT, dcgan, mobilenet_v2, quantized, resnet50, small, unet, yolo
from onnx_reference import compare

from gemel.importer import ModelError, import_model

LARGE = False
MACHINES = ("edge16", "odd7x13")
LARGE_MACHINES = (*MACHINES, "wide16x64", "server128", "tiny8")
FORMS = [
    (operators, activations, weights, per_channel)
    for operators, (activations, weights), per_channel in itertools.product(
        (False, True), (("QUInt8", "QUInt8"), ("QUInt8", "QInt8"), ("QInt8", "QInt8")), (False, True)
    )
    # Of uint8 weights with a zero point for each channel the machine has none.
    if not (operators and weights == "QUInt8" and per_channel)
]


@unittest.skipIf(onnx_reference.missing(), onnx_reference.missing())
@unittest.skipUnless(Path(onnx_reference.gemel_program()).is_file(), f"{onnx_reference.gemel_program()} is not built")
class Networks(unittest.TestCase):
    def imported(self, model: onnx.ModelProto):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.onnx"
            path.write_bytes(model.SerializeToString())
            return import_model(path)

    def test_every_form_of_the_quantizer(self):
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        rng = np.random.default_rng(seed)
        for number, (operators, activations, weights, per_channel) in enumerate(FORMS):
            form = f"{'QOperator' if operators else 'QDQ'}, {activations} {weights}, per {'channel' if per_channel else 'tensor'}"
            with self.subTest(form):
                model = quantized(small(), 8, operators, activations, weights, per_channel)
                workload = self.imported(model)
                image = rng.normal(size=(1, 3, 16, 16)).astype(np.float32)
                tensors, elements, wrong, nodes = compare(workload, model, {INPUT: image}, MACHINES[number % len(MACHINES)])
                self.assertEqual(wrong, [])
                self.assertEqual(nodes["Conv"] + nodes["Gemm"] + nodes["MatMul"] + nodes["Add"] + nodes["Mul"], 0, f"in float32: {dict(nodes)}")
                print(f"{form}: {tensors} tensors, {elements} elements equal; {len(workload.layers)} layers")

    def test_the_machine_can_be_named_on_the_command_line(self):
        """gemel run model.onnx: the note on the order of images, and a run whose layers are all equal to golden."""
        model = quantized(small(), 4, False, "QInt8", "QInt8", True)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.onnx"
            path.write_bytes(model.SerializeToString())
            environment = {**os.environ, "GEMEL_HOME": str(onnx_reference.ROOT), "GEMEL_PYTHON": sys.executable}
            command = [onnx_reference.gemel_program(), "run", str(path), "-m", "tiny8", "-q"]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("every layer equal to golden", done.stdout)
            self.assertIn("note: input `image` lies in memory by the model's dimensions 0, 2, 3, 1 (NHWC)", done.stderr)

    def test_networks_whose_images_grow(self):
        """Resized images exactly; transposed convolutions, which the runtime computes in float32, but for what lies next to a tie, and what that makes of
        the layers behind it."""
        u8s8, s8s8, u8u8 = ("QUInt8", "QInt8", True), ("QInt8", "QInt8", False), ("QUInt8", "QUInt8", False)
        for number, (network, nearest, operators, form) in enumerate((
            *((unet(transposed=False), False, operators, form) for operators, form in ((False, u8s8), (False, s8s8), (True, u8u8), (True, s8s8))),
            *((yolo(focus=False), False, operators, form) for operators, form in ((False, u8s8), (False, s8s8), (True, u8u8))),
            *((network, True, False, form) for network in (unet(), dcgan()) for form in (u8s8, s8s8)),
        )):  # fmt: skip
            name = f"{network.name}, {'QOperator' if operators else 'QDQ'}, {' '.join(form[:2])}"
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                model = quantized(network, 4, operators, *form)
                path = Path(folder) / "net.onnx"
                path.write_bytes(model.SerializeToString())
                if nearest:
                    with self.assertRaises(ModelError) as raised:
                        import_model(path)
                    self.assertIn("what ONNX Runtime computes in float32 is ConvTranspose", str(raised.exception))
                workload = import_model(path, nearest=nearest)
                image = np.random.default_rng(5).normal(size=network.shape).astype(np.float32)
                tensors, elements, wrong, nodes = compare(workload, model, {INPUT: image}, MACHINES[number % len(MACHINES)])
                differ = sum(int(re.search(r": (\d+) of \d+ differ", line)[1]) for line in wrong)
                self.assertLessEqual(differ, elements / 1000 if nearest else 0, wrong)
                self.assertEqual(nodes["Conv"] + nodes["Gemm"] + nodes["Add"], 0, f"in float32: {dict(nodes)}")
                print(f"{name}: {tensors} tensors, {elements - differ} of {elements} elements equal")

    def test_large_networks(self):
        if not LARGE:
            self.skipTest("only with --large")
        rng = np.random.default_rng(3)
        for network, activations in ((mobilenet_v2(), "QUInt8"), (resnet50(), "QInt8")):
            with self.subTest(network.name):
                model = quantized(network, 2, False, activations, "QInt8", True)
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "net.onnx"
                    path.write_bytes(model.SerializeToString())
                    seconds, memory = measured(path, Path(folder) / "net.yaml")
                    workload = import_model(path)
                print(f"{network.name}, {activations}: imported in {seconds:.1f} s with {memory} MiB", flush=True)
                image = rng.normal(size=network.shape).astype(np.float32)
                for machine in LARGE_MACHINES:
                    with self.subTest(machine):
                        tensors, elements, wrong, _ = compare(workload, model, {INPUT: image}, machine)
                        self.assertEqual(wrong, [])
                        print(f"{network.name}, {activations} on {machine}: {tensors} tensors, {elements} elements equal to ONNX Runtime's, "
                              "each layer to the reference", flush=True)  # fmt: skip
                self.assertLess(seconds, 10)
                self.assertLess(memory, 2048)


def measured(path: Path, output: Path) -> tuple[float, int]:
    """Seconds of the processor and MiB of memory that importing takes, in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    environment = {**os.environ, "PYTHONPATH": str(onnx_reference.ROOT / "python")}
    start = time.monotonic()
    code = (
        "import sys, resource\nfrom gemel.importer.__main__ import translate\ntranslate(sys.argv[1], sys.argv[2], None)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path), str(output)], env=environment, capture_output=True, text=True, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return min(used, time.monotonic() - start), int(done.stdout)


if __name__ == "__main__":
    if "--large" in sys.argv:
        LARGE = True
        sys.argv.remove("--large")
    unittest.main(verbosity=2)
