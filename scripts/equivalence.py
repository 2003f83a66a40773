# SPDX-License-Identifier: Apache-2.0
"""Proves that a changed block is the same hardware, for mutate.py: every register takes the same next value, and every output is the same,
whatever registers and inputs hold. Yosys makes gates of both, with registers and resets by their names, and ABC compares them as one
piece of combinational logic (`cec`). Nothing is assumed of inputs or of states that can be reached, so what is proved is equal; much that is
equal is not proved: not if a register is missing or has another name. What is undefined (X) is tried as all 0 and as all 1."""

import re
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RTL = ROOT / "rtl"
sys.path.insert(0, str(ROOT / "tests" / "rtl"))
import lint  # noqa: E402

SECONDS = 120  # for each netlist and each comparison
# An asynchronous reset is part of what comes next.
RESETS = r"""(* techmap_celltype = "$adff" *)
module with_reset (CLK, ARST, D, Q);
  parameter WIDTH = 1;
  parameter CLK_POLARITY = 1;
  parameter ARST_POLARITY = 1;
  parameter ARST_VALUE = 0;
  input CLK, ARST;
  input [WIDTH-1:0] D;
  output [WIDTH-1:0] Q;
  \$dff #(.WIDTH(WIDTH), .CLK_POLARITY(CLK_POLARITY)) _TECHMAP_REPLACE_ (.CLK(CLK), .D(ARST == ARST_POLARITY ? ARST_VALUE : D), .Q(Q));
endmodule
"""


def parameters(gemel, instance, machine):
    """Parameters of a block's RTL on the machine of a file."""
    if instance == "pe":  # has none, and is no block with ports of its own
        return {}
    said = subprocess.run([gemel, "explain", "--ports", instance, "-m", machine], capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^  (\w+) +(\d+)", said.partition("\nParameters, ")[2].partition("\n\n")[0], re.M))


class Prover:
    def __init__(self, gemel, folder, machines):
        self.gemel, self.folder, self.machines, self.lock, self.originals = gemel, Path(folder), machines, threading.Lock(), {}
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "resets.v").write_text(RESETS, encoding="utf-8")

    def same(self, module, instance, file, text, place):
        """Whether `text` in place of `file`, a source of `module`, is the same hardware on every machine."""
        changed = Path(place) / f"changed_{file.name}"
        changed.write_text(text, encoding="utf-8")
        for machine in self.machines:
            sets = parameters(self.gemel, instance, machine)
            with self.lock:  # one at a time makes it for all
                if (module, machine) not in self.originals:
                    self.originals[module, machine] = self.netlists(module, sets, {}, self.folder / f"original_{module}_{machine.stem}")
            pairs = zip(self.originals[module, machine], self.netlists(module, sets, {file: changed}, Path(place) / f"changed_{module}_{machine.stem}"))
            for original, other in pairs:
                said = self.run(["nice", "yosys-abc", "-c", f"cec -T {SECONDS} {original} {other}"])
                if not original.exists() or not other.exists() or "Networks are equivalent" not in said:
                    return False
        return True

    def netlists(self, module, sets, swapped, out):
        made = [Path(f"{out}_{bit}.blif") for bit in (0, 1)]
        for netlist in made:
            netlist.unlink(missing_ok=True)  # of another change
        files = " ".join(str(swapped.get(f, f)) for f in lint.sources(module))
        chparam = f"chparam {' '.join(f'-set {k} {v}' for k, v in sets.items())} {module}; " if sets else ""
        gates = "simplemap; techmap; opt_clean; write_blif"
        self.run(["nice", "yosys", "-q", "-p", f"read_verilog -sv -I{RTL / 'common'} {files}; {chparam}hierarchy -check -top {module}; proc; "
                  "select -assert-none t:$dlatch t:$dlatchsr t:$sr t:$dffsr t:$aldff; flatten; opt_clean; memory_collect; memory_map; "
                  f"techmap -map {self.folder}/resets.v; opt_clean; rename -top top; design -save made; "
                  f"setundef -undriven -zero; {gates} {out}_0.blif; design -load made; setundef -undriven -one; {gates} {out}_1.blif"])
        return made

    @staticmethod
    def run(command):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return "does not end"
        return done.stdout + done.stderr
