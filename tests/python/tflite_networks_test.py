# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's networks and others, imported from their .tflite files and run on two machines: every tensor of every layer equals the one
of the reference. The files are not part of this repository: beside it, or in GEMEL_DATA, else what is absent is skipped.

    tests/python/tflite_networks_test.py [--inputs N]     N random inputs each besides the samples (default: 3)
"""

import os
import random
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import tflm
from tflite_networks import dcgan, unet, yolo

sys.path.insert(0, str(tflm.ROOT / "python"))
from gemel.importer import import_model

DATA = Path(os.environ.get("GEMEL_DATA") or tflm.ROOT.parent / "shared" / "data")
MACHINES = ("edge16", "odd7x13")
INPUTS = 3
NETWORKS = {
    "mlperf_tiny/models/pretrainedResnet_quant.tflite": None,
    "mlperf_tiny/models/kws_ref_model.tflite": "mlperf_tiny/inputs/kws_sample0.int8.bin",
    "mlperf_tiny/models/ad01_int8.tflite": "mlperf_tiny/inputs/ad_normal_id_01_00000000_hist_librosa.f32.bin",
    "tflite_micro/models/hello_world_int8.tflite": None,
    "tflite_micro/models/simple_add_model.tflite": None,
    "tflite_micro/testdata/network_tester.tflite": "tflite_micro/testdata/network_tester_input.int8.bin",
}


def samples(path: Path | None, entry: dict) -> list[np.ndarray]:
    """Inputs of one tensor from a file of int8, or of float32 that are to be quantized; at most INPUTS."""
    if path is None or not path.is_file():
        return []
    shape = entry["shape"]
    size = int(np.prod(shape))
    if path.name.endswith(".f32.bin"):
        real = np.fromfile(path, "<f4")
        values = np.clip(np.rint(real / entry["scale"]) + entry["zero_point"], -128, 127).astype(np.int8)
    else:
        values = np.fromfile(path, np.int8)
    return [values[i * size : (i + 1) * size].reshape(shape) for i in range(min(INPUTS, len(values) // size))]


@unittest.skipIf(tflm.missing(), tflm.missing())
@unittest.skipUnless(Path(tflm.gemel_program()).is_file(), f"{tflm.gemel_program()} is not built")
class Networks(unittest.TestCase):
    def test_every_tensor_equals_the_reference(self):
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        absent = [name for name in NETWORKS if not (DATA / name).is_file()]
        for name in absent:
            print(f"absent: skipped {name}")
        if len(absent) == len(NETWORKS):
            self.skipTest(f"the networks are not in {DATA}")
        for name, sample in NETWORKS.items():
            if name not in absent:
                with self.subTest(name):
                    self.compare(DATA / name, DATA / sample if sample else None, np.random.default_rng(seed))

    def test_networks_whose_images_grow(self):
        """Built by script: transposed convolutions, resized images, channels split and joined."""
        seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"GEMEL_SEED={seed}")
        networks = {"unet": unet(seed), "unet_resized": unet(seed, transposed=False), "yolo": yolo(seed), "dcgan": dcgan(seed)}
        for name, network in networks.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"{name}.tflite"
                path.write_bytes(network.write())
                self.compare(path, None, np.random.default_rng(seed), inputs=1)

    def compare(self, path: Path, sample: Path | None, rng, inputs: int = 0) -> None:
        workload = import_model(path)
        reference = tflm.Reference(path.read_bytes())
        others = tflm.OtherRuntimes(path)
        drawn = [
            [rng.integers(-128, 128, entry["shape"], dtype=np.int8) for entry in workload.inputs] for _ in range(inputs or INPUTS)
        ]
        inputs = [[s] for s in samples(sample, workload.inputs[0])] + drawn
        layers = {n: i for n, i in workload.sources.items() if n not in {entry["name"] for entry in workload.inputs}}
        self.assertTrue(layers)
        how = {}
        equal, tensors, elements = ({machine: 0 for machine in MACHINES} for _ in range(3))
        with tempfile.TemporaryDirectory() as folder:
            yaml, _ = workload.save(Path(folder) / "net.yaml")
            for values in inputs:
                reference.run(values)
                others.compare(reference, values, list(layers.values()))
                for machine in MACHINES:
                    made, how[machine] = tflm.simulate(yaml, machine, values)
                    compared, size, wrong = tflm.differences(reference, made, layers)
                    self.assertEqual(wrong, [], f"{path.name} on {machine}")
                    equal[machine] += compared - len(wrong)
                    tensors[machine] += compared
                    elements[machine] += size
        for m in MACHINES:
            print(
                f"{path.name} on {m}: {len(inputs)} inputs, {equal[m]} of {tensors[m]} tensors, {elements[m]} elements equal; layers in memory: {dict(how[m])}"
            )
        print(f"    {others}", flush=True)


if __name__ == "__main__":
    if "--inputs" in sys.argv:
        at = sys.argv.index("--inputs")
        INPUTS = int(sys.argv[at + 1])
        del sys.argv[at : at + 2]
    unittest.main(verbosity=2)
