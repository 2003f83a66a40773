#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark, called by ./bench: ONNX Runtime, the simulator, and the bulk arithmetic alone, one after another in one run.

Every simulation is a process of its own (`gemel run ... --no-golden`), pinned to one CPU as ONNX Runtime is. Of several runs the
median by compile + simulate time counts. `x ORT` is that time by the time in which ONNX Runtime runs the same convolutions and
dense layers natively on one thread.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = [
    "network",
    "machine",
    "mode",
    "cycles",
    "compile s",
    "simulate s",
    "wall s",
    "CPU s",
    "GMAC/s",
    "Mcycles/s",
    "peak MiB",
    "arithmetic s",
    "x ORT",
    "(CPU)",
]


def pin_to_one_cpu() -> None:
    """The last of those allowed: the first often serves interrupts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def call(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, preexec_fn=pin_to_one_cpu, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def simulate(gemel: Path, network: str, machine: str, timing_only: bool, runs: int, batch: int = 1) -> dict:
    results = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            command = [str(gemel), "run", network, "--machine", machine, "--no-golden", "--quiet", "--out", folder]
            start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            call(command + ["--timing-only"] * timing_only + ["--batch", str(batch)])
            wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            results.append(
                json.loads((Path(folder) / "result.json").read_text(encoding="utf-8"))
                | {"wall_seconds": wall, "cpu_seconds": cpu}
            )
    if len({r["cycles"] for r in results}) != 1:
        raise RuntimeError(f"{network} on {machine}: runs differ in cycles")
    return sorted(results, key=lambda r: r["compile_seconds"] + r["simulate_seconds"])[(runs - 1) // 2]


def row_of(r: dict, arithmetic: dict | None, native: float) -> list[str]:
    spent = r["compile_seconds"] + r["simulate_seconds"]
    name, kind = [r["network"], r["machine"]["name"]], "timing" if r["timing_only"] else "data"
    times = [f"{r[key]:.3f}" for key in ("compile_seconds", "simulate_seconds", "wall_seconds", "cpu_seconds")]
    rates = [f"{r['macs'] / r['simulate_seconds'] / 1e9:.1f}", f"{r['cycles'] / r['simulate_seconds'] / 1e6:.1f}"]
    alone = f"{arithmetic['matrix_seconds'] + arithmetic['vector_seconds']:.3f}" if arithmetic else "-"
    ratios = [f"{spent / native:.1f}", f"{r['cpu_seconds'] / native:.1f}"]
    return [*name, kind, f"{r['cycles']:,}", *times, *rates, f"{r['peak_memory_mib']:.0f}", alone, *ratios]


def print_table(rows: list[list[str]]) -> None:
    widths = [max(len(r[c]) for r in rows) for c in range(len(HEAD))]
    for row in rows:
        print(
            "  ".join(
                v.ljust(w) if c < 3 else v.rjust(w) for c, (v, w) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--networks", nargs="+", default=["resnet50", "mobilenet_v2"])
    parser.add_argument("--machines", nargs="+", default=["tiny8", "edge16", "server128"])
    parser.add_argument(
        "--batches", nargs="*", type=int, default=[1, 2, 4, 8], help="of the first network on the second machine"
    )
    parser.add_argument("--runs", type=int, default=3, help="simulations of each kind")
    parser.add_argument("--out", type=Path, help="every figure as JSON")
    arguments = parser.parse_args()
    gemel = arguments.build / "gemel"
    replays = list(arguments.build.glob("**/replay_bench"))
    if not gemel.is_file() or not replays:
        print(f"error: no gemel or replay_bench in {arguments.build}; ./bench builds them", file=sys.stderr)
        return 2

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    busy = os.getloadavg()[0]
    if busy > 0.5:
        say(f"note: this computer is busy (load {busy:.1f}); wall times will be too long, CPU times less so")
    say("onnxruntime")
    baseline = json.loads(
        call([sys.executable, str(ROOT / "tests" / "bench" / "ort_baseline.py"), *arguments.networks])
    )
    rows, figures, failures = [HEAD], {"onnxruntime": baseline, "runs": []}, []
    for network in arguments.networks:
        native = baseline["networks"][network]["convolution_seconds"]
        for machine in arguments.machines:
            say(f"{network} on {machine}")
            try:
                arithmetic = json.loads(call([str(replays[0]), network, machine]))
                for timing_only in (False, True):
                    result = simulate(gemel, network, machine, timing_only, arguments.runs)
                    rows.append(row_of(result, None if timing_only else arithmetic, native))
                    figures["runs"].append(
                        {k: v for k, v in result.items() if k != "layers"} | {"arithmetic": arithmetic}
                    )
            except RuntimeError as problem:  # one failure must not hide the other figures, but is one in the end
                failures.append(str(problem))
    print_table(rows)
    if arguments.batches:
        network, machine = arguments.networks[0], arguments.machines[min(1, len(arguments.machines) - 1)]
        print(f"\n{network} on {machine} with data, by batch")
        for batch in arguments.batches:
            try:
                r = simulate(gemel, network, machine, False, arguments.runs, batch)
            except RuntimeError as problem:
                failures.append(str(problem))
                continue
            figures["runs"].append({k: v for k, v in r.items() if k != "layers"})
            spent = r["compile_seconds"] + r["simulate_seconds"]
            print(
                f"  {batch:3d} images: {r['cycles'] / batch:13,.0f} cycles, {spent / batch:.3f} s and {r['cpu_seconds'] / batch:.3f} CPU s "
                f"each; {r['peak_memory_mib']:.0f} MiB"
            )
    print()
    for network, figure in baseline["networks"].items():
        print(
            f"ONNX Runtime {baseline['onnxruntime']}, one thread: {network} {figure['convolution_seconds'] * 1e3:.1f} ms for convolutions "
            f"and dense layers ({figure['macs_per_second'] / 1e9:.0f} GMAC/s), {figure['network_seconds'] * 1e3:.1f} ms in all"
        )
    print("wall, CPU: the whole process, reading the workload included. GMAC/s, Mcycles/s: by simulate time.")
    print(
        "arithmetic: the units' bulk computation alone. x ORT: compile + simulate by ONNX Runtime's time for convolutions and"
    )
    print("dense layers; (CPU): the process's CPU time by that, which a busy computer spoils less.")
    if busy > 0.5:
        print(f"Measured on a busy computer: load {busy:.1f}.")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
