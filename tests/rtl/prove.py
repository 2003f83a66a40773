# SPDX-License-Identifier: Apache-2.0
"""Proofs by k-induction with yosys-smtbmc and z3 of the modules in PROOFS: the properties stand in each, under `ifdef FORMAL`.
Both halves must hold: from reset, and from any state that kept the properties so far. Every proof is also put to mistakes
planted in its source; each must be refuted by a trace that begins with reset: a proof that cannot fail proves nothing.
Skips, aloud, without the tools.

  prove.py [MODULE ...] [--mistakes N]     with N only so many of each proof's mistakes, drawn from GEMEL_SEED or a seed that is printed
"""

import argparse
import concurrent.futures
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RTL = Path(__file__).resolve().parents[2] / "rtl"
SKIPPED = 77
STEPS = 1      # of the induction; the half from reset goes as deep
REFUTE = 6     # cycles within which a planted mistake must show, where a proof says nothing else
TIMEOUT = 5400  # seconds; a solver that does not come back is a failure.


class Proof:
    """A module, the values its parameters are given one after another, and mistakes: (text, wrong text), tried with the last values.
    `needs`: what the module is built of. Their own properties are proved along, and what they assume of their inputs is to be shown.
    Mistakes are planted in the module, or in `of`, one of `needs`, where properties stand around it (formal/)."""

    def __init__(self, file, parameters, mistakes, needs=(), of=None, refute=REFUTE):
        self.file, self.parameters, self.mistakes, self.needs = RTL / file, parameters, mistakes, [RTL / f for f in needs]
        self.module, self.planted, self.refute = self.file.stem, RTL / of if of else self.file, refute


DMA_NEEDS = ["common/isa_pkg.gen.sv", "common/memory.sv", "common/fifo.sv", "common/burst_cutter.sv"]
PROOFS = [
    Proof("common/fifo.sv", [dict(Width=2, Depth=depth) for depth in (1, 2, 5, 8, 3)], [
        (".Passes(1'b1)", ".Passes(1'b0)"),
        ("count_q == '0 ? read_q : read_after", "read_after"),
        ("count_q == '0 ? read_q : read_after", "read_q"),
        ("(pop_i || (push_i && count_q == '0))", "(pop_i)"),
        ("(pop_i || (push_i && count_q == '0))", "(pop_i || push_i)"),
        (".write_data_i (data_i)", ".write_data_i (~data_i)"),
        ("write_q == LastPlace ? '0 :", "write_q == '0 ? '0 :"),
        ("read_after = read_q == LastPlace", "read_after = read_q == '0"),
        ("count_q + 1'b1 : count_q - 1'b1;", "count_q + 1'b1 : count_q;"),
        ("if (push_i != pop_i)", "if (push_i)"),
    ], needs=["common/memory.sv"]),
    Proof("sequencer/semaphores.sv", [dict(Units=4, PerUnit=4, CountBits=8), dict(Units=3, PerUnit=2, CountBits=2)], [
        ("wait_i & ~available_q", "wait_i & available_q"),
        ("missing_o = wait_i & ~available_q", "missing_o = '0"),
        ("change = change - 4'(taken[s])", "change = change"),
        ("change = change + 4'd1", "change = 4'd1"),  # of several posts one counts
        ("taken[s] = take_i[s/PerUnit] && wait_i[s]", "taken[s] = take_i[s/PerUnit]"),
        (">= (CountBits + 1)'(2 ** CountBits - k)", "> (CountBits + 1)'(2 ** CountBits - k)"),
        ("if (untake_i[s/PerUnit] && taken_q[s]) near", "if (1'b0) near"),  # what was killed has taken
        ("if (untake_i[s/PerUnit] && taken_q[s]) near", "if (taken_q[s]) near"),
        ("(least[Units:1] & near[Units-1:0]) != '0", "least[1] && near[0]"),
        ("taken_q <= taken;", "taken_q <= wait_i;"),
        ("available_now[s] = count_now[CountBits*s +: CountBits] != '0", "available_now[s] = 1'b1"),
    ]),
    Proof("sequencer/claims.sv", [dict(VectorWords=3003, VectorBanks=3, AccumulatorWords=1300, AccumulatorBanks=5)], [
        ("share = a[39:36] <= b[43:40] &&", "share = a[39:36] < b[43:40] &&"),
        (">= 19'(b * (VectorWords / VectorBanks))", "> 19'(b * (VectorWords / VectorBanks))"),
        ("if (a == 2 && b == 3)", "if (a == 3 && b == 2)"),
        ("view_o[2*ViewBits +: ViewBits] = vector_view(word_i)", "view_o[2*ViewBits +: ViewBits] = store_view(word_i)"),
        ("flights_q - 2'(done_i[u])", "flights_q"),
        ("flights_left - 2'(kill_i[u])", "flights_left"),
        ("broken_chain_o <= Units'(broken_chain) << 1;", "if (broken_chain) broken_chain_o <= Units'(broken_chain) << 1;"),
        ("if (done_i[u]) flight0_q <= flight1_q;", ""),
        ("if (two_o[b]) collisions[", "if (1'b0) collisions["),
        ("if (candidate_i[2]) collisions[", "if (1'b0) collisions["),
        ("!= flight0_view[ViewBits + SumsAt +: IntervalBits] &&", "== flight0_view[ViewBits + SumsAt +: IntervalBits] &&"),
    ], needs=["common/isa_pkg.gen.sv"]),
    Proof("npu_axi/axi_lite_registers.sv", [dict(Outstanding=1), dict(Outstanding=4), dict(Outstanding=2)], [
        ("assign write_ends = bvalid_o && bready_i;", "assign write_ends = bvalid_o;"),             # B and R leave before they are taken
        ("assign read_ends = rvalid_o && rready_i;", "assign read_ends = rvalid_o;"),
        ("assign write_waits = aw_waits_q && w_waits_q &&", "assign write_waits = aw_waits_q &&"),  # B before the value
        ("assign bvalid_o = write_answers != '0;", "assign bvalid_o = aw_waits_q || write_answers != '0;"),
        ("wvalid_i && wready_o) begin", "wvalid_i) begin"),                                         # a value lost while W stands still
        ("(w_waits_q && !write_starts)", "1'b0"),
        ("awvalid_i && awready_o) aw_word_q", "awvalid_i) aw_word_q"),
        ("arvalid_i && arready_o) ar_word_q", "arvalid_i) ar_word_q"),
        ("&& writes_q != Most;", ";"),                                                              # more answers than places
        ("ar_waits_q && reads_q != Most &&", "ar_waits_q &&"),
        ("w_strobe_q[b] ? w_data_q[8*b +: 8] : csr_data_i[8*b +: 8]", "w_data_q[8*b +: 8]"),        # WSTRB does not matter
        ("w_strobe_q != 4'b0000 && w_strobe_q != 4'b1111", "1'b0"),
        ("{old_read ? aw_word_q : ar_word_q, 2'b00}", "{ar_word_q, 2'b00}"),
        ("write_starts && write_legal &&", "write_starts &&"),                                      # what is no register is written
    ], needs=["common/isa_pkg.gen.sv", "common/memory.sv", "common/fifo.sv"], refute=12),
    Proof("../tests/rtl/formal/store_dma_axi.sv", [
        dict(Columns=5, BusBytes=4, BurstBytes=32, Outstanding=3), dict(Columns=2, BusBytes=8, BurstBytes=16, Outstanding=2),
        dict(Columns=4, BusBytes=4, BurstBytes=8, Outstanding=1)], [
        ("if (aw_free) awvalid_o <= aw_leaves;", "awvalid_o <= aw_leaves;"),              # AW gone before it was taken
        ("assign aw_free = !awvalid_o || awready_i;", "assign aw_free = 1'b1;"),         # ... or another in its place
        ("assign w_free = !wvalid_o || wready_i;", "assign w_free = 1'b1;"),             # a beat lost when W stalls
        ("sends = w_free && (sending_q || takes)", "sends = sending_q || takes"),
        ("wlast_o <= beat_last;", "wlast_o <= 1'b1;"),                                   # WLAST early
        ("sending_q <= sends && !beat_last;", "sending_q <= 1'b0;"),                         # a burst not sent to its end
        ("&& flights < FlightBits'(Outstanding);", ";"),
        ("awlen_o <= burst_len;", "awlen_o <= 8'(burst_bytes >> BusBits);"),
        ("assign strobe_first = sending_q ? '0 : taken_first[BusBits-1:0];", "assign strobe_first = '0;"),
    ], needs=[*DMA_NEEDS, "store_dma/store_dma.sv"], of="store_dma/store_dma.sv", refute=14),
    Proof("../tests/rtl/formal/load_dma_axi.sv", [
        dict(Rows=5, Columns=3, BusBytes=4, BurstBytes=32, Outstanding=3), dict(Rows=2, Columns=2, BusBytes=4, BurstBytes=8, Outstanding=1)], [
        ("if (ar_free) arvalid_o <= ar_leaves;", "arvalid_o <= ar_leaves;"),             # AR gone before it was taken
        ("assign ar_free = !arvalid_o || arready_i;", "assign ar_free = 1'b1;"),
        ("arlen_o <= burst_len;", "arlen_o <= 8'(burst_bytes >> BusBits);"),
        ("NumberBits'(issued_q - answered_q) < NumberBits'(Outstanding)", "1'b1"),
    ], needs=[*DMA_NEEDS, "load_dma/load_dma.sv"], of="load_dma/load_dma.sv", refute=8),
    Proof("../tests/rtl/formal/load_dma_axi.sv", [dict(Rows=5, Columns=3, BusBytes=4, BurstBytes=32, Outstanding=3)], [
        ("run_ends ? left[12:0] : 13'(to_end) + 13'd1;", "left[12:0];"),             # across a boundary
        ("8'(13'(to_end) >> BusBits)", "8'(last_byte >> BusBits)"),
        ("assign last_byte = 13'(at_q[BusBits-1:0]) + left[12:0] - 13'd1;", "assign last_byte = left[12:0] - 13'd1;"),
    ], needs=[*DMA_NEEDS, "load_dma/load_dma.sv"],
          of="common/burst_cutter.sv", refute=8),
]


def run(command, folder):
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -1, "", f"{command[0]} did not end within {TIMEOUT} s")


def solve(folder, *options):
    """True: holds; False: there is a counterexample; text: neither, and why."""
    # Without --unroll z3 4.8 does not come back from the smallest of these; with --noincr it takes a third of the time.
    done = run(["yosys-smtbmc", "--noprogress", "--unroll", "--noincr", "-s", "z3", *options, "design.smt2"], folder)
    if "Status: PASSED" in done.stdout and done.returncode == 0:
        return True
    if "Status: FAILED" in done.stdout or "Status: failed" in done.stdout:
        return False
    return done.stdout + done.stderr


def prepare(proof, source, parameters, folder):
    """Writes design.smt2; returns what is wrong, if anything."""
    for file in [*proof.needs, proof.file]:
        text = source if file == proof.planted else file.read_text()
        if file != proof.file:  # but for the reset, which is the same
            text = re.sub(r"\bassume \((?!!rst_ni\))", "assert (", text)
        (folder / file.name).write_text(text)
    files = " ".join(file.name for file in [*proof.needs, proof.file])
    sets = " ".join(f"-set {k} {v}" for k, v in parameters.items())
    done = run(["yosys", "-q", "-p", f"read_verilog -sv -formal -defer -I{RTL / 'common'} {files}; chparam {sets} {proof.module}; "
                f"hierarchy -top {proof.module}; "
                "prep -flatten -nordff; memory_map; async2sync; dffunmap; opt_clean; write_smt2 -wires design.smt2"], folder)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def proved(proof, parameters):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if said := prepare(proof, proof.planted.read_text(), parameters, folder):
            return said
        for half, options in ((f"from reset, {STEPS} cycles", ["-t", str(STEPS)]), ("induction", ["-t", str(STEPS), "-i"])):
            answer = solve(folder, *options)
            if answer is not True:
                return f"{half}: {'there is a counterexample' if answer is False else answer}"
    return ""


def out_of_date(proof):
    """Which mistakes cannot be planted, and why; one a line."""
    hardware = re.sub(r"`ifdef FORMAL.*?`endif", "", proof.planted.read_text(), flags=re.DOTALL)
    return [f"`{right}` stands {hardware.count(right)} times in {proof.planted.name}" for right, _ in proof.mistakes if hardware.count(right) != 1]


def refutes(proof, source):
    """Empty if a property fails from reset on, with `source` as the planted module; else why not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if said := prepare(proof, source, proof.parameters[-1], folder):
            return said
        answer = solve(folder, "-t", str(proof.refute))
    return "" if answer is False else f"no property fails within {proof.refute} cycles" if answer is True else answer


def refuted(proof, mistake):
    return refutes(proof, proof.planted.read_text().replace(*mistake, 1))


def main():
    missing = [tool for tool in ("yosys", "yosys-smtbmc", "z3") if shutil.which(tool) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed, so nothing is proved here")
        return SKIPPED
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE")
    parser.add_argument("--mistakes", type=int, metavar="N", default=sys.maxsize)
    options = parser.parse_args()
    unknown = set(options.modules) - {p.module for p in PROOFS}
    if unknown:
        print(f"there is no proof of {', '.join(sorted(unknown))}; there is of {', '.join(p.module for p in PROOFS)}")
        return 2
    seed = int(os.environ.get("GEMEL_SEED", random.SystemRandom().randrange(2**32)))
    draw = random.Random(seed)
    if options.mistakes < sys.maxsize:
        print(f"GEMEL_SEED={seed}")
    jobs = []
    for proof in PROOFS:
        if options.modules and proof.module not in options.modules:
            continue
        if lines := out_of_date(proof):
            print("\n".join(lines))
            return 1
        for parameters in proof.parameters:
            jobs.append((f"proved   {proof.module} " + " ".join(f"{k}={v}" for k, v in parameters.items()), proved, proof, parameters))
        for mistake in draw.sample(proof.mistakes, min(options.mistakes, len(proof.mistakes))):
            jobs.append((f"refuted  {proof.module} with `{mistake[1]}` for `{mistake[0]}`", refuted, proof, mistake))

    def work(job):
        begin = time.monotonic()
        return job[0], job[1](*job[2:]), time.monotonic() - begin

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for name, said, seconds in pool.map(work, jobs):
            print(f"{'NOT ' if said else ''}{name} ({seconds:.1f} s)" + (f"\n  {said}" if said else ""), flush=True)
            failed += bool(said)
    proofs, mistakes = (sum(job[1] is kind for job in jobs) for kind in (proved, refuted))
    print(f"{proofs} proofs, {mistakes} planted mistakes: {failed} problems")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
