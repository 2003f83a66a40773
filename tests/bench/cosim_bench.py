#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of co-simulation, called by ./bench --cosim: three tables, measured one after another in one run.

1. blocks: what each Verilated block costs inside Gemel beside the same shared object in a bare C++ loop with the same stimulus
2. layers: npu=rtl beside the models, layers of ResNet-50
3. start: seconds of `gemel run digits` with one block in lockstep, from an empty cache and from a full one, beside a plain run

cosim_bench.cpp says how 1 and 2 are measured. 3 is CPU and wall time of whole processes; all CPUs may be used.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(command: list[str], cache: Path | None = None) -> tuple[float, float, str]:
    """Wall seconds, CPU seconds, and what a process says on a terminal."""
    environment = os.environ | ({"GEMEL_CACHE": str(cache)} if cache else {})
    ours, terminal = os.openpty()
    said = b""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # EIO: the process has closed it
            pass
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    os.close(ours)
    text = said.decode(errors="replace")
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{text.strip()}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, text


def start_table(gemel: Path, machine: str, runs: int) -> None:
    def say(name: str, wall: float, cpu: float) -> None:
        print(f"  {name:40s} {wall:8.2f} s {cpu:8.2f} CPU s", flush=True)

    print(f"start: digits on {machine}, whole processes; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory() as folder:
        command = [str(gemel), "run", "digits", "--machine", machine, "--out", f"{folder}/out"]
        for block in ("pe_array", "matrix_unit"):
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                lockstep = command + ["--block", f"{block}=check"]
                wall, cpu, text = run(lockstep, Path(cache))
                if f"Verilating {block}" not in text:
                    raise RuntimeError(f"no progress line: {text}")
                say(f"{block}=check, cold", wall, cpu)
                say(f"{block}=check, warm", *min(run(lockstep, Path(cache))[:2] for _ in range(runs)))
        say("--engine beat", *min(run(command + ["--engine", "beat"])[:2] for _ in range(runs)))
        say("plain run", *min(run(command)[:2] for _ in range(runs)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--machines", nargs="+", default=["tiny8", "edge16"], help="the last one for layers and start")
    parser.add_argument("--workload", default="resnet8", help="for blocks")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=["blocks", "layers", "start"])
    arguments = parser.parse_args()
    gemel = arguments.build / "gemel"
    programs = list(arguments.build.glob("**/cosim_bench"))
    if not gemel.is_file() or not programs:
        print(f"error: no gemel or cosim_bench in {arguments.build}; ./bench --cosim builds them", file=sys.stderr)
        return 2
    runs = str(arguments.runs)
    tables = [["blocks", arguments.workload, machine, runs] for machine in arguments.machines]
    tables.append(["layers", arguments.machines[-1], runs])
    for table in tables:
        if arguments.only in (None, table[0]):
            subprocess.run([str(programs[0]), *table], cwd=ROOT, check=True)
            print(flush=True)
    if arguments.only in (None, "start"):
        start_table(gemel, arguments.machines[-1], arguments.runs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
