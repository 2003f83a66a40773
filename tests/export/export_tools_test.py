# SPDX-License-Identifier: Apache-2.0
"""`gemel export` in an empty folder outside of the checkout: its testbench passes under Icarus and Verilator with the cycles that `gemel run` says, and
fails when a byte of the expected output is another; Yosys reads the list. Mistakes have their exact texts and leave nothing behind. `Netlist`, which is slow:
what Yosys makes of the list passes, too. Called as: export_tools_test.py GEMEL Exported|Netlist"""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

GEMEL = ""
ROOT = Path(__file__).resolve().parents[2]
REMARKS = re.compile(r"sorry: constant selects in always_\* processes|warning: A for statement must have a constant initial value")

# A chip that is small enough to be synthesized here, and unlike a shipped one: nothing is square, and memory is slow, narrow, late and stalls.
SMALL = ["pe_array.rows=2", "pe_array.columns=3", "vector_unit.lanes=2", "bus.bytes=4", "dma.burst_bytes=16", "load_dma.outstanding=2",
         "store_dma.outstanding=2",
         "sequencer.queue_depth=2", "sequencer.prefetch_instructions=2", "activation_buffer.size_bytes=256", "activation_buffer.banks=2",
         "weight_buffer.size_bytes=192", "weight_buffer.banks=2", "accumulator_buffer.size_bytes=768", "accumulator_buffer.banks=2",
         "vector_buffer.size_bytes=384", "vector_buffer.banks=2", "param_buffer.size_bytes=384", "param_buffer.banks=2"]
WILD = ["memory.read_latency_cycles=17", "memory.write_latency_cycles=5", "memory.bytes_per_cycle=2.7", "memory.queue=3", "memory.jitter_cycles=23",
        "memory.jitter_seed=7", "memory.ar_stall_percent=20", "memory.r_stall_percent=15", "memory.aw_stall_percent=30", "memory.w_stall_percent=25",
        "memory.b_stall_percent=35", "memory.stall_seed=11"]
NETWORK = """
gemel_workload: 1
name: small
arithmetic: fixed_double
synthetic: {seed: 5}
inputs:
  - {name: image, shape: [1, 6, 6, 3], type: int8, scale: 0.05, zero_point: -3}
layers:
  - {name: "a%s", op: conv2d, out_channels: 5, kernel: 3, padding: same, activation: relu}
  - {name: pool, op: max_pool, kernel: 2, stride: 2}
"""


def settings(values):
    return [argument for value in values for argument in ("--set", value)]


class Tools(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-export-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def gemel(self, *arguments, **more):
        environment = {**os.environ, "GEMEL_HOME": str(ROOT)}
        return subprocess.run([GEMEL, *map(str, arguments)], cwd=self.folder, env=environment, capture_output=True, text=True, check=False, **more)

    def export(self, *arguments, out="out"):
        done = self.gemel("export", *arguments, "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / out, done.stdout

    def cycles(self, *arguments):
        done = self.gemel("run", *arguments, "--engine", "beat", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        return int(re.search(r"^  cycles +([\d,]+) ", done.stdout, re.M).group(1).replace(",", ""))

    def tool(self, folder, *command):
        return subprocess.run([str(c) for c in command], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def need(self, *tools):
        for tool in tools:
            if shutil.which(tool) is None:
                self.skipTest(f"{tool} is not installed")

    def icarus(self, folder, *files):
        built = self.tool(folder, "iverilog", "-g2012", *files, "-s", "npu_bench", "-o", "npu_bench.vvp")
        said = "\n".join(line for line in (built.stdout + built.stderr).splitlines() if not REMARKS.search(line))
        self.assertEqual((built.returncode, said), (0, ""))
        return self.tool(folder, "vvp", "-n", "npu_bench.vvp")


class Exported(Tools):
    def change_a_byte(self, folder, number):
        """Byte `number` of the expected output; its value and the one it gets."""
        path = folder / "bench/expected.hex"
        lines = path.read_text().splitlines()
        at = [i for i, line in enumerate(lines) if not line.startswith("//")][number]
        was = int(lines[at], 16)
        lines[at] = f"{was ^ 0x41:02x}"
        path.write_text("\n".join(lines) + "\n")
        return was, was ^ 0x41

    def digits_with_a_wrong_byte(self, folder, run):
        """The testbench looks for its files when it starts, so what is built stays."""
        was, wrong = self.change_a_byte(folder, 3)
        failed = run()
        self.assertNotEqual(failed.returncode, 0, failed.stdout)

        def signed(byte):
            return byte - 256 if byte > 127 else byte
        self.assertIn("FAIL: output `dense`, element [0, 0, 0, 3], byte 3 at 0x0000000083: "
                      f"is {signed(was)} (0x{was:02x}), must be {signed(wrong)} (0x{wrong:02x})\nFAIL: digits on tiny8: 1 failures\n", failed.stdout)
        self.assertNotIn("PASS", failed.stdout)

    def test_digits_on_tiny8_under_icarus(self):
        self.need("iverilog")
        folder, said = self.export("-m", "tiny8", "digits")
        cycles = self.cycles("digits", "-m", "tiny8")
        self.assertIn(f"with `digits` in {cycles:,} cycles", said)
        passed = self.icarus(folder, "-f", "icarus.f")
        self.assertEqual((passed.returncode, passed.stdout), (0, f"PASS: digits on tiny8: {cycles} cycles, 10 bytes of output as expected\n"))
        self.digits_with_a_wrong_byte(folder, lambda: self.tool(folder, "vvp", "-n", "npu_bench.vvp"))

    def test_digits_on_tiny8_under_verilator(self):
        self.need("verilator")
        folder, _ = self.export("-m", "tiny8", "digits")
        cycles = self.cycles("digits", "-m", "tiny8")
        built = self.tool(folder, "verilator", "--binary", "--assert", "--timescale", "1ns/1ps", "-CFLAGS", "-O0", "rtl/waivers.vlt", "-f", "bench.f",
                          "--top-module", "npu_bench", "-o", "npu_bench")
        self.assertEqual(built.returncode, 0, built.stdout + built.stderr)
        self.assertNotIn("%Warning", built.stdout + built.stderr)
        passed = self.tool(folder, "obj_dir/npu_bench")
        self.assertEqual(passed.returncode, 0)
        self.assertEqual(passed.stdout.splitlines()[0], f"PASS: digits on tiny8: {cycles} cycles, 10 bytes of output as expected")
        self.digits_with_a_wrong_byte(folder, lambda: self.tool(folder, "obj_dir/npu_bench"))

    def test_a_small_chip_with_a_wild_memory(self):
        """Jitter and stalls: every cycle hangs on the memory's model. Then another number of cycles."""
        self.need("iverilog")
        (self.folder / "small.yaml").write_text(NETWORK % '\\"b')  # a name that is no plain string of SystemVerilog
        machine = ["-m", "tiny8", *settings(SMALL + WILD)]
        folder, _ = self.export("small.yaml", *machine, "--seed", 9)
        cycles = self.cycles("small.yaml", *machine, "--seed", 9)
        self.assertNotEqual(cycles, self.cycles("small.yaml", "-m", "tiny8", *settings(SMALL), "--seed", 9))
        passed = self.icarus(folder, "-f", "icarus.f")
        self.assertEqual((passed.returncode, passed.stdout), (0, f"PASS: small on tiny8: {cycles} cycles, 45 bytes of output as expected\n"))

        header = folder / "bench/workload.svh"
        right = header.read_text()
        header.write_text(right.replace(f"Cycles = 64'sd{cycles}", f"Cycles = 64'sd{cycles - 1}"))
        failed = self.icarus(folder, "-f", "icarus.f")
        self.assertIn(f"FAIL: the program took {cycles} cycles, must take {cycles - 1}\n", failed.stdout)
        self.assertEqual(failed.returncode, 1)

    def test_yosys_reads_the_list(self):
        """The script up to where synthesis begins; all of it: Netlist."""
        self.need("yosys")
        folder, _ = self.export("-m", "tiny8", *settings(SMALL))
        script = (folder / "synth.ys").read_text()
        self.assertEqual(re.findall(r"^read_verilog -sv -Irtl/common (\S+)$", script, re.M), (folder / "files.f").read_text().splitlines()[1:])
        (folder / "read.ys").write_text(script[:script.index("\nsynth ")] + "\ncheck -assert\nselect -assert-none t:$dlatch t:$adlatch t:$sr t:$dlatchsr\n")
        read = self.tool(folder, "yosys", "-q", "-s", "read.ys")
        self.assertEqual((read.returncode, read.stdout + read.stderr), (0, ""))

    def test_a_broken_chip_is_found(self):
        """The testbench's own checks of AXI."""
        self.need("iverilog")
        (self.folder / "small.yaml").write_text(NETWORK % "b")
        folder, _ = self.export("-m", "tiny8", *settings([*SMALL, "memory.queue=1"]), "small.yaml")
        source = folder / "bench/icarus.sv"
        right = source.read_text()
        for was, becomes, text in (("wlast_o <= beat_last;", "wlast_o <= !beat_last;", ": wlast is 0 in W beat "),
                                   ("wstrb_o <= ('1 << strobe_first) & ('1 >> ~strobe_last);", "wstrb_o <= '1;", ": wstrb is 1111 in W beat "),
                                   ("awlen_o <= burst_len;", "awlen_o <= 8'd200;", " has len 200, must have "),
                                   ("if (ar_free) arvalid_o <= ar_leaves;", "arvalid_o <= ar_leaves;", ": AR of load has changed before it was accepted")):
            self.assertEqual(right.count(was), 1, was)
            source.write_text(right.replace(was, becomes))
            failed = self.icarus(folder, "-f", "icarus.f")
            self.assertIn(text, failed.stdout)
            self.assertIn("FAIL: rules of AXI or of the memory broken: ", failed.stdout)
            self.assertEqual(failed.returncode, 1)

    def test_icarus_is_told_what_it_cannot_run(self):
        self.need("iverilog")
        folder, _ = self.export("-m", "tiny8", "digits")
        failed = self.tool(folder, "iverilog", "-g2012", "-f", "bench.f", "-s", "npu_bench", "-o", "npu_bench.vvp")
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn("Icarus never comes to an end with always_comb: compile with -f icarus.f (README.md)", failed.stdout + failed.stderr)

    def test_the_chip_alone(self):
        folder, said = self.export("-m", "odd7x13")
        self.assertEqual(said, "out: 28 files of the chip of machine `odd7x13`; README.md says how to use them\n")
        names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        self.assertEqual(len(names), 28)
        self.assertEqual({name for name in names if "/" not in name}, {"README.md", "constraints.sdc", "files.f", "machine.yaml", "synth.ys"})
        self.assertFalse((folder / "bench").exists())
        listed = (folder / "files.f").read_text().splitlines()
        self.assertEqual(listed[:2], ["+incdir+rtl/common", "rtl/common/isa_pkg.gen.sv"])
        self.assertEqual({name for name in names if name.endswith(".sv")}, set(listed[1:]))
        self.assertEqual(listed[-2:], ["rtl/gemel_npu.sv", "rtl/gemel_npu_axi.sv"])
        for name in listed[1:-2]:  # as they are in the checkout
            self.assertEqual((folder / name).read_bytes(), (ROOT / name).read_bytes())
        for top in ("gemel_npu", "gemel_npu_axi"):
            self.assertIn("    .Rows(7),\n    .Columns(13),\n", (folder / f"rtl/{top}.sv").read_text())
        for path in folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(str(ROOT).encode(), path.read_bytes(), path)
        if shutil.which("verilator"):
            for top in ("gemel_npu", "gemel_npu_axi"):
                lint = self.tool(folder, "verilator", "--lint-only", "-Wall", "-Wno-DECLFILENAME", "rtl/waivers.vlt", "-f", "files.f", "--top-module", top)
                self.assertEqual((lint.returncode, lint.stderr), (0, ""))
        again, _ = self.export("-m", "odd7x13", out="again")  # the same, byte for byte
        for name in names:
            self.assertEqual((folder / name).read_bytes(), (again / name).read_bytes(), name)

    def test_the_top_behind_axi_has_the_names_that_tools_know(self):
        folder, _ = self.export("-m", "tiny8")
        wrapper = (folder / "rtl/gemel_npu_axi.sv").read_text()
        ports = dict((name, (direction, int(high or 0) + 1)) for direction, high, name in
                     re.findall(r"^  (input|output) +logic (?:\[(\d+):0\] )?(\w+)", wrapper, re.M))
        request = {"valid": 1, "id": 1, "addr": 40, "len": 8, "size": 3, "burst": 2, "lock": 1, "cache": 4, "prot": 3, "qos": 4, "region": 4, "user": 13}
        wanted = {"aclk": ("input", 1), "aresetn": ("input", 1), "running": ("output", 1), "irq": ("output", 1), "quiet": ("output", 1)}

        def add(prefix, outputs, inputs):
            wanted.update({prefix + name: ("output", width) for name, width in outputs.items()})
            wanted.update({prefix + name: ("input", width) for name, width in inputs.items()})
        for master in ("fetch", "load"):
            add(f"m_axi_{master}_ar", request, {"ready": 1})
            add(f"m_axi_{master}_r", {"ready": 1}, {"valid": 1, "id": 1, "data": 64, "resp": 2, "last": 1})
        add("m_axi_store_aw", request, {"ready": 1})
        add("m_axi_store_w", {"valid": 1, "data": 64, "strb": 8, "last": 1}, {"ready": 1})
        add("m_axi_store_b", {"ready": 1}, {"valid": 1, "id": 1, "resp": 2})
        for channel in ("aw", "ar"):
            add(f"s_axi_{channel}", {"ready": 1}, {"valid": 1, "addr": 12, "prot": 3})
        add("s_axi_w", {"ready": 1}, {"valid": 1, "data": 32, "strb": 4})
        add("s_axi_b", {"valid": 1, "resp": 2}, {"ready": 1})
        add("s_axi_r", {"valid": 1, "data": 32, "resp": 2}, {"ready": 1})
        self.assertEqual(ports, wanted)

    def test_constraints_name_every_port_once(self):
        folder, _ = self.export("-m", "tiny8")
        wrapper = (folder / "rtl/gemel_npu.sv").read_text()
        ports = {direction: set(re.findall(rf"^  {direction} +logic (?:\[\d+:0\] )?(\w+)", wrapper, re.M)) for direction in ("input", "output")}
        self.assertGreater(len(ports["input"]), 20)
        text = (folder / "constraints.sdc").read_text()
        self.assertIn("set period 2.0000\ncreate_clock -name clk -period $period [get_ports clk_i]\n", text)
        self.need("yosys")  # its Tcl reads the file as a tool for static timing analysis would
        echoes = "".join(f"proc {name} {{args}} {{puts [linsert $args 0 {name}]}}\n" for name in ("create_clock", "set_input_delay", "set_output_delay"))
        (folder / "read.tcl").write_text("proc get_ports {names} {return $names}\n" + echoes + "source constraints.sdc\n")
        read = self.tool(folder, "yosys", "-q", "-c", "read.tcl")
        self.assertEqual(read.returncode, 0, read.stdout + read.stderr)
        lines = read.stdout.splitlines()
        self.assertEqual(lines[0], "create_clock -name clk -period 2.0000 clk_i")
        for line, direction in zip(lines[1:], ("input", "output")):
            words = re.fullmatch(rf"set_{direction}_delay 0.6 -clock clk {{(.*)}}", line).group(1)
            self.assertEqual(sorted(re.findall(r"\w+", words)), sorted(ports[direction] - {"clk_i"}))
        self.assertEqual(len(lines), 3)

    # ---- mistakes ----

    def expect(self, arguments, text, code=2, **more):
        before = sorted(self.folder.rglob("*"))
        done = self.gemel("export", *arguments, **more)
        self.assertEqual((done.stderr, done.returncode, done.stdout), (text, code, ""))
        self.assertEqual(sorted(self.folder.rglob("*")), before, "a mistake must leave nothing behind")

    def test_a_folder_that_is_not_empty(self):
        (self.folder / "out").mkdir()
        self.assertEqual(self.gemel("export", "-m", "tiny8", "--out", "out").returncode, 0)  # an empty one is taken
        shutil.rmtree(self.folder / "out")
        (self.folder / "out").mkdir()
        (self.folder / "out/mine.v").write_text("")
        self.expect(["-m", "tiny8", "digits", "--out", "out"],
                    "error[E1301]: the folder `out` is not empty: `mine.v` is in it\n"
                    "hint: an export is a folder of its own: choose another with --out, or empty this one\n")

    def test_a_folder_that_is_none(self):
        (self.folder / "file").write_text("")
        for out in ("file", "file/out"):
            self.expect(["-m", "tiny8", "--out", out],
                        f"error[E0901]: cannot write into folder `{out}`: Not a directory\nhint: choose another folder with --out\n")

    def test_layers_on_the_host(self):
        (self.folder / "host.yaml").write_text(NETWORK % "b" + "  - {name: best, op: argmax}\n")
        self.expect(["-m", "tiny8", "host.yaml", "--out", "out"],
                    "error[E1302]: `small` has layers that run on the host, and a testbench has none: `best` (`argmax`)\n"
                    "hint: leave them out of the workload; what they read is then its output\n")

    def test_a_disk_that_is_full(self):
        """A limit of the size of files is told as a full disk is; all of the RTL is smaller, but not in one file."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))
        for out in ("out", "new/folder"):
            self.expect(["-m", "tiny8", "digits", "--out", out],
                        f"error[E0902]: cannot write `{out}/bench/icarus.sv`: File too large\n"
                        "hint: nothing was left behind; make room, or choose another folder with --out\n",
                        preexec_fn=limit)

    def test_options_for_a_workload_without_one(self):
        for option, value in (("--batch", "2"), ("--seed", "1"), ("--input", "x")):
            self.expect(["-m", "tiny8", option, value, "--out", "out"],
                        f"error[E0911]: `{option}`: this is for a workload, and none is given\nhint: add workload\n")
        self.expect(["-m", "tiny8"], "error[E0916]: `gemel export` needs the argument `--out`\nhint: `gemel export --help` says what it takes\n")
        self.expect(["-m", "tiny9", "--out", "out"],
                    "error[E0109]: there is no machine `tiny9`\n  did you mean `tiny8`?\n"
                    "hint: `gemel machines` lists them; a file of your own is given as a path, such as ./mine.yaml\n")


class Netlist(Tools):
    """A quarter of an hour."""

    def test_the_synthesized_chip_takes_the_same_cycles(self):
        self.need("yosys", "iverilog")
        (self.folder / "small.yaml").write_text(NETWORK % "b")
        folder, _ = self.export("small.yaml", "-m", "tiny8", *settings(SMALL + WILD))
        cycles = self.cycles("small.yaml", "-m", "tiny8", *settings(SMALL + WILD))
        synthesized = self.tool(folder, "yosys", "-q", "-s", "synth.ys")
        self.assertEqual(synthesized.returncode, 0, synthesized.stdout + synthesized.stderr)
        self.assertNotRegex(synthesized.stdout + synthesized.stderr, r"latch|combinational loop|conflicting|no driver")
        self.assertRegex((folder / "synth.txt").read_text(), r"\$_DFF")
        passed = self.icarus(folder, "netlist.v", "-Ibench", "bench/npu_memory.sv", "bench/npu_bench.sv")
        self.assertEqual((passed.returncode, passed.stdout), (0, f"PASS: small on tiny8: {cycles} cycles, 45 bytes of output as expected\n"))


if __name__ == "__main__":
    GEMEL = str(Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=2)
