# SPDX-License-Identifier: Apache-2.0
"""Proves that nobody can tell a changed block from the original, for mutate.py. Both stand side by side and get the same inputs; Yosys
makes gates of them, and ABC proves (from reset, for runs of any length) that never

  * an output differs while it counts, as the table of ports says (`gemel explain --ports`), nor
  * the changed one says that it is quiet when the original does not: 0 is always safe (contract).

First by induction over registers of the same name, as one question without time (Netlist.step); if that does not hold, by what ABC finds
itself (Netlist.property: lcorr, scorr, pdr).

Assumed is what the contract promises a block, and no more: its assertions (GEMEL_ASSERT) hold in the original, and no control input is up in
the first IDLE clocks after reset, in which no program can have come as far as a block. Before reset both hold the same random bits, and what is
undefined (X) is tried as all 0 and as all 1. What is proved is so; much that is so is not proved in time."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RTL = ROOT / "rtl"
sys.path.insert(0, str(ROOT / "tests" / "rtl"))
import lint  # noqa: E402

SECONDS = 120  # for each netlist and each proof
IDLE = 4
# Block -> registers (a pattern) that only have to be equal in both while other registers hold these values. Nothing is assumed here: that it
# is enough is part of what Netlist.step asks. Semaphores are looked at while a program runs and has not failed; each begins with cleared ones.
UNDER = {"sequencer": {r"u_semaphores\..*": {"running_q": 1, "stopped": 0}, r"u_claims\.gen_unit\[\d\]\.flights_q": {"running_q": 1}}}
LOOK = 8  # clocks and seconds, for a difference before the proof
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


def contract(gemel, instance, machine):
    """Parameters of a block's RTL on the machine of a file; and of its ports that do not always count: under which, and how many clocks later."""
    if instance == "pe":  # has none, and is no block with ports of its own
        return {}, {}
    said = subprocess.run([gemel, "explain", "--ports", instance, "-m", machine], capture_output=True, text=True, check=True).stdout
    parameters, _, ports = said.partition("\nParameters, ")[2].partition("\n\n")
    rows = re.findall(r"^  (\w+) +\d+ +\S+ +(\w+)(?:, (\d+) cycles? later)?  ", ports, re.M)
    return dict(re.findall(r"^  (\w+) +(\d+)", parameters, re.M)), {port: (valid, int(delay or 0)) for port, valid, delay in rows if valid != "always"}


def side_by_side(ports, counts):
    """Verilog: `a` and `b` get the same inputs; `differs` is what must never be, `busy` says that a control input is up.
    ports: name -> (direction, width)."""
    inputs = {name: width for name, (direction, width) in ports.items() if direction == "input" and name not in ("clk_i", "rst_ni")}
    outputs = {name: width for name, (direction, width) in ports.items() if direction == "output"}
    lines = ["module side_by_side (input clk_i, rst_ni,", *(f"  input [{width - 1}:0] {name}," for name, width in inputs.items()), "  output differs, busy);"]
    for side in "ab":
        lines += [f"  wire [{width - 1}:0] {side}_{name};" for name, width in outputs.items()]
        pins = [f".{name}({side + '_' if name in outputs else ''}{name})" for name in ports]
        lines.append(f"  {side}_top {side} ({', '.join(pins)});")
    different = []
    for name, width in outputs.items():
        if name == "quiet_o":
            different.append("(b_quiet_o && !a_quiet_o)")
            continue
        valid, delay = counts.get(name, (None, 0))
        mask = f"{{{width}{{1'b1}}}}"
        if valid is not None:
            bits = inputs.get(valid) or outputs[valid]
            of = valid if valid in inputs else f"a_{valid}"
            for clock in range(delay):
                lines.append(f"  reg [{bits - 1}:0] {name}_{clock}; always @(posedge clk_i) {name}_{clock} <= {of};")
                of = f"{name}_{clock}"
            # A bit of `valid` for each slice, or any of them for the whole.
            mask = "{" + ", ".join(f"{{{width // bits}{{{of}[{i}]}}}}" for i in reversed(range(bits))) + "}" if width % bits == 0 else f"{{{width}{{|{of}}}}}"
        different.append(f"(|((a_{name} ^ b_{name}) & {mask}))")
    control = [name for name, width in inputs.items() if name not in counts and (width == 1 or name in {valid for valid, _ in counts.values()})]
    lines += [f"  assign differs = {' || '.join(different)};", f"  assign busy = {' || '.join(f'(|{name})' for name in control) or 0};", "endmodule"]
    return "\n".join(lines) + "\n"


class Netlist:
    """A netlist of both, as Yosys writes it: its logic, inputs, registers (next value, value) and the assertions of the original."""

    def __init__(self, text, assertions):
        self.logic, self.pins, self.registers, assumed = [], [], [], set()
        lines = text.replace("\\\n", " ").splitlines()
        for line in lines:
            words = line.split()
            assumed |= {word for word in words[1:] if word.startswith("a.") and re.sub(r"\[\d+\]$", "", word).split(".")[-1] in assertions}
            if words[:1] == [".latch"]:
                self.registers.append((words[1], words[2]))
            elif words[:1] == [".inputs"]:
                self.pins = [pin for pin in words[1:] if pin not in ("clk_i", "rst_ni")]
            elif words[:1] not in ([".outputs"], [".model"], [".end"]):
                self.logic.append(line)
        self.assumed = sorted(assumed)
        # What ends in the middle has a `differs` that nothing drives, and ABC takes it for a 0.
        if lines[-1:] != [".end"] or not any(line.startswith(".names ") and line.endswith(" differs") for line in lines):
            raise ValueError("not a whole netlist")

    @staticmethod
    def name(register):
        return re.sub(r"^[ab][._]", "", register)

    def property(self):
        """A netlist of one output, which must never be 1: `differs`, in a clock after reset, while what is assumed has held so far. A pair of
        registers begins with a bit that is an input of its own."""
        logic, starts = [], {}
        for d, q in self.registers:
            start = starts.setdefault(self.name(q), f"start{len(starts)}")
            logic += [f".latch {d} {q}$now 0", f".names begun {q}$now {start} {q}", "11- 1", "0-1 1"]
        clocks = ["up", "begun", *(f"clock{i}" for i in range(IDLE + 1))]  # each is 1 a clock later than the one before
        return "\n".join([
            ".model property", ".inputs " + " ".join([*self.pins, *starts.values()]), ".outputs bad", ".names up", "1", ".names up clk_i", "1 1",
            *(f".latch {before} {after} 0" for before, after in zip(clocks, clocks[1:])), ".names begun rst_ni", "1 1",
            f".names {clocks[-1]} busy early", "01 1", " ".join([".names early", *self.assumed, "holds"]), "0" + "1" * len(self.assumed) + " 1",
            ".latch breaks broken 0", ".names holds broken breaks", "0- 1", "-1 1", ".names begun breaks differs bad", "101 1",
            *logic, *self.logic, ".end"]) + "\n"

    def step(self, under):
        """A netlist without registers, of one output, which is never 1 if a clock, be it in reset or not, leads from what is related to what is
        related, and nothing differs while what is assumed holds. Related are equal registers of one name; those of `under` (registers ->
        {register of the original: value}) are equal if those hold these values, and a quiet_o that is 1 is 1 in the original. Before reset
        registers are equal, so by induction they are related ever after. What `under` says is not assumed: where it is wrong, the output can
        be 1."""
        pairs, inputs, logic, bad = {}, [*self.pins, "rst_ni"], [], ["differs_now"]

        def free():
            inputs.append(f"free{len(inputs)}")
            return inputs[-1]

        def holds(values, at):  # `at`: 0 next, 1 now
            bits = [(register[at], value >> int((re.search(r"\[(\d+)\]$", register[1]) or "00")[1]) & 1) for name, value in values.items()
                    for register in self.registers if re.fullmatch(rf"a\.{re.escape(name)}(\[\d+\])?", register[1])]
            name = f"under{len(logic)}"
            logic.extend([" ".join([".names", *(net for net, _ in bits), name]), "".join(str(bit) for _, bit in bits) + " 1"])
            return name

        for d, q in self.registers:
            pairs.setdefault(self.name(q), []).append((q, d))
        guards = {name: (holds(values, 0), holds(values, 1)) for name, values in under.items()}
        for name, pair in pairs.items():
            if [q[:1] for q, _ in sorted(pair)] != ["a", "b"] or name in dict(pair):  # no pair: any value
                for q, _ in pair:
                    logic += [f".names {free()} {q}", "1 1"]
                continue
            (a, next_a), (b, next_b) = sorted(pair)
            bad.append(f"bad{len(bad)}")
            logic += [f".names {free()} {a}", "1 1"]
            guard = next((guard for pattern, guard in guards.items() if re.fullmatch(rf"{pattern}(\[\d+\])*", name)), None)
            if name == "quiet_o":
                logic += [f".names {a} {free()} {b}", "11 1", f".names {next_b} {next_a} {bad[-1]}", "10 1"]
            elif guard:
                logic += [f".names {guard[1]} {a} {free()} {b}", "11- 1", "0-1 1", f".names {guard[0]} {next_a} {next_b} {bad[-1]}", "110 1", "101 1"]
            else:
                logic += [f".names {a} {b}", "1 1", f".names {next_a} {next_b} {bad[-1]}", "10 1", "01 1"]
        return "\n".join([
            ".model step", ".inputs " + " ".join(inputs), ".outputs bad", ".names clk_i", ".names rst_ni differs differs_now", "11 1",
            " ".join([".names", *self.assumed, "holds"]), "1" * len(self.assumed) + " 1",
            " ".join([".names", *bad, "good"]), "0" * len(bad) + " 1", ".names holds good bad", "10 1", *logic, *self.logic, ".end"]) + "\n"


class Prover:
    def __init__(self, gemel, folder, machines):
        self.gemel, self.folder, self.machines = gemel, Path(folder), machines
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "resets.v").write_text(RESETS, encoding="utf-8")

    def same(self, module, instance, file, text, place):
        """Whether nobody can tell `module`, of the block `instance`, with `text` in place of its source `file`, on any of the machines."""
        changed = Path(place) / f"changed_{file.name}"
        changed.write_text(text, encoding="utf-8")
        return all(self.same_on(machine, module, instance, file, changed) for machine in self.machines)

    def same_on(self, machine, module, instance, file, changed):
        parameters, counts = contract(self.gemel, instance, machine)
        sources = lint.sources(module)
        assertions = {name for source in sources for name in re.findall(r"`GEMEL_ASSERT\((\w+)", source.read_text(encoding="utf-8"))}
        out = changed.parent / f"{module}_{machine.stem}"
        chparam = f"chparam {' '.join(f'-set {k} {v}' for k, v in parameters.items())} {module}; " if parameters else ""
        for side, files in (("a", sources), ("b", [changed if source == file else source for source in sources])):
            if not self.make(f"{out}_{side}.il", f"read_verilog -sv -DGEMEL_EQUIVALENCE -I{RTL / 'common'} {' '.join(map(str, files))}; {chparam}"
                             f"hierarchy -check -top {module}; proc; select -assert-none t:$dlatch t:$dlatchsr t:$sr t:$dffsr t:$aldff; flatten; opt_clean; "
                             f"memory_collect; memory_map; techmap -map {self.folder}/resets.v; opt_clean; rename -top {side}_top; "
                             f"write_json {out}_{side}.json; write_ilang {out}_{side}.il"):
                return False
        ports = json.loads(Path(f"{out}_a.json").read_text(encoding="utf-8"))["modules"]["a_top"]["ports"]
        pair = Path(f"{out}_pair.v")
        pair.write_text(side_by_side({name: (port["direction"], len(port["bits"])) for name, port in ports.items()}, counts), encoding="utf-8")
        for undefined in ("zero", "one"):
            netlist = Path(f"{out}_{undefined}.blif")
            if not self.make(netlist, f"read_ilang {out}_a.il; read_ilang {out}_b.il; setundef -undriven -{undefined}; read_verilog {pair}; "
                             f"hierarchy -check -top side_by_side; proc; flatten; simplemap; techmap; "
                             f"setundef -undriven -{undefined}; opt_clean; write_blif {netlist}"):
                return False
            both = Netlist(netlist.read_text(encoding="utf-8"), assertions)
            netlist.write_text(both.property(), encoding="utf-8")
            if "was asserted in frame" in self.abc(netlist, f"bmc3 -F {LOOK} -T {LOOK}"):  # most differences show at once
                return False
            step = Path(f"{out}_{undefined}_step.blif")
            if self.by_induction(both, UNDER.get(instance, {}), step):
                continue
            if "Property proved" not in self.abc(netlist, f"lcorr; strash; scorr; strash; pdr -T {SECONDS}"):
                return False
        return True

    def by_induction(self, both, under, file):
        file.write_text(both.step(under), encoding="utf-8")
        return "UNSATISFIABLE" in self.abc(file, "&get -n; &fraig; &put; dsat -C 100000")

    def make(self, file, script):
        Path(file).unlink(missing_ok=True)  # of another change
        return self.run(["nice", "yosys", "-q", "-p", script])[0] and Path(file).exists()

    def abc(self, netlist, commands):
        return self.run(["nice", "yosys-abc", "-c", f"read_blif {netlist}; strash; {commands}"])[1]

    @staticmethod
    def run(command):
        """Whether it came to its end without an error, and what it said. A file that it wrote is only whole if it did."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=2 * SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return False, "does not end"
        return done.returncode == 0, done.stdout + done.stderr
