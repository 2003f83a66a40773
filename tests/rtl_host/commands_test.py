# SPDX-License-Identifier: Apache-2.0
"""The commands around RTL: explain --ports, new-block, cache, --block; their texts and their errors, word for word.
Called as: commands_test.py GEMEL CACHE_FOLDER [unittest arguments]"""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

GEMEL, CACHE = "", ""
ROOT = Path(__file__).resolve().parents[2]
MACHINE = str(ROOT / "tests/rtl_host/tiny4x3.yaml")
BLOCKS = ("sequencer", "load_dma", "store_dma", "matrix_unit", "vector_unit", "activation_buffer", "weight_buffer", "vector_buffer",
          "param_buffer", "accumulator_buffer", "pe_array", "requantizer")


class Commands(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-rtl-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def gemel(self, *arguments, **more):
        environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": CACHE, **more}
        return subprocess.run([GEMEL, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=5400, check=False)

    def run_digits(self, *arguments, **more):
        return self.gemel("run", "digits", "-m", MACHINE, *arguments, **more)

    def expect(self, result, text, code=2):
        self.assertEqual(result.stderr, text)
        self.assertEqual(result.returncode, code)

    def test_no_such_block(self):
        self.expect(
            self.run_digits("--block", "requantiser=rtl"),
            "error[E1001]: there is no block `requantiser`\nhint: blocks are: all, npu, npu_axi, pe, " + ", ".join(BLOCKS) + "\n",
        )

    def test_form_of_block(self):
        self.expect(
            self.run_digits("--block", "pe_array=fast"),
            "error[E1010]: `--block pe_array=fast` is not of the form NAME=model|rtl|check[:FILE.sv,...]\n",
        )

    def test_without_verilator(self):
        self.expect(
            self.run_digits("--block", "pe_array=rtl", PATH=str(self.folder)),
            "error[E1002]: Verilator cannot be run: No such file or directory\nhint: install the package `verilator`, or use the models only\n",
        )

    @unittest.skipIf(not Path("/proc/self").exists(), "needs /proc")
    def test_cache_that_cannot_be_written(self):
        # Nobody, not even root, can make a folder there.
        done = self.run_digits("--block", "pe_array=rtl", GEMEL_CACHE="/proc/self/gemel")
        text = r"^error\[E1009\]: the cache folder cannot be written: /proc/self/gemel: .*\nhint: set GEMEL_CACHE to another folder\n$"
        self.assertRegex(done.stderr, text)
        self.assertEqual(done.returncode, 2)

    def test_new_block_compiles_and_is_never_overwritten(self):
        made = self.gemel("new-block", "requantizer", "-m", MACHINE)
        self.assertEqual(made.stdout, "requantizer.sv: try it with --block requantizer=check:requantizer.sv\n")
        self.expect(
            self.gemel("new-block", "requantizer"),
            "error[E0909]: `requantizer.sv` exists already\nhint: remove it, or choose another folder with --out\n",
        )
        done = self.run_digits("--block", "requantizer=check:requantizer.sv")
        self.assertEqual(done.returncode, 4)
        self.assertIn("error[E0806]: block `requantizer` differs from its model", done.stderr)

    def test_every_skeleton_is_read_by_verilator_without_a_warning(self):
        for block in (*BLOCKS, "pe"):
            folder = f"of_{block}"
            self.assertEqual(self.gemel("new-block", block, "--out", folder, "-m", MACHINE).returncode, 0)
            source = next((self.folder / folder).glob("*.sv"))
            lint = subprocess.run(
                ["verilator", "--lint-only", "-Wall", "-Wno-UNUSEDSIGNAL", "-Wno-UNUSEDPARAM", str(source)],
                capture_output=True, text=True, check=False,
            )
            self.assertEqual((lint.returncode, lint.stderr), (0, ""), block)

    def test_ports_of_every_block(self):
        for block in (*BLOCKS, "pe"):
            text = self.gemel("explain", "--ports", block).stdout
            for word in ("Contract", "clk_i", "sum_o" if block == "pe" else "quiet_o", f"`gemel new-block {block}`"):
                self.assertIn(word, text, block)
        text = self.gemel("explain", "--ports", "requantizer", "-m", MACHINE).stdout
        self.assertIn("  Lanes  2  lanes\n", text)
        self.assertIn("  x_i           64    32*Lanes       valid_i       Lanes sums of 32 bits, signed\n", text)

    def test_pe_of_ones_own_inside_the_array(self):
        own = str(ROOT / "rtl/pe/pe.sv")
        self.assertEqual(self.run_digits("--block", f"pe=check:{own}").stdout.splitlines()[-1], "block pe: check, 0 cycles differ")

    def test_skeleton_of_pe_stands_in_the_array(self):
        made = self.gemel("new-block", "pe", "-m", MACHINE)
        self.assertEqual((made.stdout, made.stderr), ("pe.sv: try it with --block pe=check:pe.sv\n", ""))
        done = self.run_digits("--block", "pe=check:pe.sv")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("error[E0806]: block `pe` differs from its model at cycle ", done.stderr)
        done = self.gemel("explain", "--ports", "pe")
        self.assertIn("  weight_i      9     9              load_i        signed\n", done.stdout)

    def test_time_limits_are_numbers_of_seconds(self):
        for variable in ("GEMEL_RTL_BUILD_SECONDS", "GEMEL_RTL_EVAL_SECONDS"):
            for value in ("abc", "-5", "0", "", "30s", "1e3", "99999999999"):
                self.expect(
                    self.run_digits("--block", "requantizer=rtl", **{variable: value}),
                    f"error[E1018]: {variable} must be a number of seconds from 1 to 604800, not `{value}`\n",
                )

    def test_a_folder_in_path_that_may_not_be_read_is_skipped(self):
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            self.skipTest("only root can become another user")
        self.assertEqual(self.run_digits("--block", "requantizer=rtl").returncode, 0)  # compiled
        hidden = self.folder / "hidden"
        hidden.mkdir(mode=0o700)
        shutil.copytree(CACHE, self.folder / "cache")
        for path in (self.folder, *self.folder.rglob("*")):
            if path != hidden:
                path.chmod(0o777)
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", GEMEL, "run", "digits", "-m", MACHINE, "--block", "requantizer=rtl"],
            cwd=self.folder, capture_output=True, text=True, timeout=1800, check=False,
            env={**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(self.folder / "cache"), "PATH": f"{hidden}/inside:{os.environ['PATH']}"},
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_regression_refuses_a_wrong_block_before_the_first_case(self):
        blocks = "blocks are: all, npu, npu_axi, pe, " + ", ".join(BLOCKS)
        for wrong, text in (("foo=rtl", f"error[E1001]: there is no block `foo`\nhint: {blocks}\n"),
                            ("pe_array=fast", "error[E1010]: `--block pe_array=fast` is not of the form NAME=model|rtl|check[:FILE.sv,...]\n")):
            done = self.gemel("regress", "--count", "2", "--machines", "1", "--blocks", "all=check", "--blocks", wrong, "--out", "failures")
            self.expect(done, text)
            self.assertEqual(done.stdout, "")
            self.assertFalse((self.folder / "failures").exists())

    def test_regression_keeps_what_fails_and_replays_it(self):
        self.assertEqual(self.gemel("new-block", "requantizer").returncode, 0)
        arguments = ["regress", "--count", "2", "--machines", "1", "--blocks", "requantizer=check:requantizer.sv", "--out", "failures"]
        done = self.gemel(*arguments)
        self.assertEqual(done.returncode, 4)
        self.assertEqual(done.stdout.splitlines()[-1], "random cases, seed 1: 0 passed, 2 failed")
        self.assertEqual(done.stderr, "error[E0809]: 2 of 2 cases failed\nhint: each is kept below failures\n")
        replayed = self.gemel("regress", "--replay", "failures/case0")
        self.assertEqual(replayed.returncode, 4)
        self.assertIn("error[E0806]: block `requantizer` differs from its model at cycle ", replayed.stdout)

    def test_regression_goes_on_behind_a_case_that_hangs(self):
        source = ROOT / "tests/rtl/own_verilog/endless_loop.sv"
        arguments = ["--count", "1", "--machines", "1", "--blocks", f"requantizer=check:{source}", "--out", "failures"]
        done = self.gemel("regress", *arguments, GEMEL_RTL_EVAL_SECONDS="2")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("error[E1016]: block `requantizer`, clock ", done.stdout)
        replayed = self.gemel("regress", "--replay", "failures/case0", GEMEL_RTL_EVAL_SECONDS="2")
        self.assertEqual(replayed.returncode, 2)
        self.assertIn("error[E1016]: block `requantizer`, clock ", replayed.stderr)

    def test_regression_passes(self):
        done = self.gemel("regress", "--count", "6", "--machines", "1", "--blocks", "pe_array=check,requantizer=rtl", "--out", "failures")
        self.assertEqual(done.returncode, 0, done.stderr)
        *_, count = lines = done.stdout.splitlines()
        compared = next(line for line in lines if line.startswith("equal to the models: "))
        self.assertRegex(compared, r"^equal to the models: [\d,]{5,} cycles, every counter, start and end of [\d,]{2,} instructions, "
                                   r"[\d,]{5,} bytes of memory, cycle and payload of [\d,]{5,} beats$")
        self.assertEqual(count, "random cases, seed 1: 6 passed, 0 failed")

    def test_array_runs_between_the_fast_models_while_it_is_right(self):
        source = (ROOT / "rtl/pe/pe.sv").read_text(encoding="utf-8")
        self.assertIn("sum_i + 32'(", source)
        (self.folder / "right.sv").write_text(source, encoding="utf-8")
        (self.folder / "wrong.sv").write_text(source.replace("sum_i + 32'(", "sum_i - 32'("), encoding="utf-8")
        for block in ("pe_array=check", "pe=check:right.sv"):
            cycles = set()
            for engine in ("systemc", "plain", "beat"):
                done = self.run_digits("--block", block, "--engine", engine)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn(f", batch 1, engine {engine}\n", done.stdout)
                cycles |= set(re.findall(r"^  cycles +([\d,]+) ", done.stdout, re.M))
            self.assertEqual(len(cycles), 1, cycles)
        fast, beat = (self.run_digits("--block", "pe=check:wrong.sv", "--engine", engine) for engine in ("systemc", "beat"))
        self.assertIn("error[E0806]: block `pe` differs from its model at cycle ", fast.stderr)
        self.assertEqual((fast.returncode, fast.stderr), (beat.returncode, beat.stderr))

    def test_whole_chip_goes_alone(self):
        self.expect(
            self.run_digits("--block", "all=rtl", "--block", "npu=check"),
            "error[E1010]: `npu` is the whole chip: it goes with no other block\nhint: to compare block by block: --block all=check\n",
        )
        self.expect(
            self.run_digits("--block", "npu=rtl", "--block", "npu_axi=rtl"),
            "error[E1010]: `npu` is the whole chip: it goes with no other block\nhint: to compare block by block: --block all=check\n",
        )

    def own_chip(self, block="npu", mistake=None):
        """--block's value for a copy of Gemel's chip, with a mistake planted or without: file, text, wrong text."""
        sources = [path for path in sorted(ROOT.glob("rtl/*/*.sv")) if path.parent.name != "bench" and path.stem != "pe_probe"]
        mine = self.folder / "mine"
        mine.mkdir()
        names = []
        for source in sources:
            if source.name.endswith("_pkg.gen.sv"):
                continue
            text = source.read_text(encoding="utf-8")
            if mistake and source.name == mistake[0]:
                self.assertIn(mistake[1], text)
                text = text.replace(*mistake[1:])
            (mine / source.name).write_text(text, encoding="utf-8")
            names.append(f"mine/{source.name}")
        (mine / "assertions.svh").write_text((ROOT / "rtl/common/assertions.svh").read_text(encoding="utf-8"), encoding="utf-8")
        return f"{block}=check:" + ",".join(names)

    def test_whole_chip_in_lockstep(self):
        chip = self.own_chip(mistake=("pe.sv", "sum_o <= sum_i +", "sum_o <= sum_i -"))
        done = self.run_digits("--block", chip, "--out", "run")
        self.assertEqual(done.returncode, 4)
        self.assertRegex(
            done.stderr,
            r"error\[E0806\]: block `npu` differs from its model at cycle \d+, port `store_wdata_o\[\d+\]`: "
            r"is \d+, must be \d+(?: \(\d+ of \d+ elements differ\))?\n"
            r"(?:  .*\n)*  waves: run/npu\.fst, clocks \d+ to \d+; the difference is at clock \d+\n",
        )
        self.assertGreater((self.folder / "run/npu.fst").stat().st_size, 1000)
        done = self.run_digits("--block", chip, "--keep-going")
        self.assertRegex(done.stdout.splitlines()[-1], r"^block npu: check, [1-9]\d* cycles differ$")

    def test_waves_of_any_window(self):
        """Of a block that does not differ; the more clocks, the more there is."""
        sizes = []
        for first, last in ((400, 400), (1, 3000)):
            done = self.run_digits("--block", "requantizer=check", "--waves", f"requantizer:{first}:{last}", "--out", "run")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"wrote run/requantizer_{first}_{last}.fst\n", done.stdout)
            sizes.append((self.folder / f"run/requantizer_{first}_{last}.fst").stat().st_size)
        self.assertGreater(sizes[0], 300)
        self.assertGreater(sizes[1], 2 * sizes[0])

    def test_windows_that_are_none(self):
        form = "is not of the form BLOCK:FROM:TO, with clocks since the block's reset, FROM not beyond TO\nhint: for example --waves requantizer:400:600\n"
        checked, waves = ("--block", "requantizer=check"), "requantizer:1:2"
        for window in ("requantizer", "requantizer:5", "requantizer:9:5", "requantizer:-1:5", ":1:2", "requantizer:1:2x"):
            self.expect(self.run_digits(*checked, "--waves", window, "--out", "run"), f"error[E1023]: `--waves {window}` {form}")
        for options, text in (
            (("--waves", "pe_array:1:2", "--out", "run"),
             "--waves are of blocks that are RTL, and `pe_array` is none\nhint: add --block pe_array=check\n"),
            (("--waves", waves), "--waves writes files, but there is no folder for them\nhint: add --out FOLDER\n"),
            (("--waves", waves, "--waves", "requantizer:3:4", "--out", "run"),
             "--waves names `requantizer` twice: a block has one window\nhint: leave out one of them\n"),
            (("--waves", waves, "--out", "run", "--test"),
             "--test runs the program again and again, --waves has the clocks of one run\nhint: leave out one of them\n"),
        ):
            self.expect(self.run_digits(*checked, *options), "error[E0911]: " + text)

    def test_whole_chip_equals_the_models(self):
        done = self.run_digits("--block", "npu=check")
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (0, ["block npu: check, 0 cycles differ"]), done.stderr)

    def test_the_chip_behind_axi_equals_the_models(self):
        """At the same cycles; with memory that stalls; and it takes the place of all models."""
        done = self.run_digits("--block", "npu_axi=check")
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (0, ["block npu_axi: check, 0 cycles differ"]), done.stderr)
        stalls = [argument for name in ("ar", "r", "aw", "w", "b") for argument in ("--set", f"memory.{name}_stall_percent=30")]
        done = self.run_digits("--block", "npu_axi=check", *stalls)
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (0, ["block npu_axi: check, 0 cycles differ"]), done.stderr)
        self.assertEqual(self.run_digits("--out", "models").returncode, 0)
        self.assertEqual(self.run_digits("--block", "npu_axi=rtl", "--out", "rtl").returncode, 0)
        models, rtl = (json.loads((self.folder / f"{out}/result.json").read_text()) for out in ("models", "rtl"))
        self.assertEqual(rtl["cycles"], models["cycles"])

    def test_a_constant_of_axi_that_is_another_is_found(self):
        done = self.run_digits("--block", self.own_chip("npu_axi", ("npu_axi.sv", "Modifiable = 4'b0010", "Modifiable = 4'b0011")), "--out", "run")
        self.assertEqual(done.returncode, 4)
        self.assertRegex(done.stderr, r"error\[E0806\]: block `npu_axi` differs from its model at cycle \d+, port `fetch_arcache_o`: is 3, must be 2\n")

    def programs(self, blocks, count):
        machine = str(ROOT / "tests/rtl_host/mutants4x3.yaml")
        return self.gemel("regress", "--programs", "-m", machine, "--count", str(count), "--blocks", blocks, "--fail-fast", "-j", "1", "--out", "failures")

    def test_regression_of_programs_passes(self):
        done = self.programs("all=check", 60)
        self.assertEqual(done.returncode, 0, done.stderr)
        *_, count = lines = done.stdout.splitlines()
        compared = next(line for line in lines if line.startswith("equal to the models: "))
        self.assertRegex(compared, r"; code, cycle and instruction of [1-9]\d* errors of the machine$")
        self.assertEqual(count, "random programs, seed 1: 60 passed, 0 failed")

    def test_regression_of_programs_sees_a_wrong_counter_and_replays_it(self):
        text = (ROOT / "rtl/sequencer/sequencer.sv").read_text(encoding="utf-8")
        wrong = text.replace("+ time_counted - since_q;", "+ time_counted + 64'd1 - since_q;")
        self.assertNotEqual(text, wrong)
        (self.folder / "sequencer.sv").write_text(wrong, encoding="utf-8")
        parts = ",".join(str(ROOT / "rtl/sequencer" / name) for name in ("semaphores.sv", "claims.sv"))
        done = self.programs("sequencer=check:sequencer.sv," + parts, 5)
        self.assertEqual(done.stderr, "error[E0809]: 1 of 1 cases failed\nhint: each is kept below failures\n")
        replayed = self.gemel("regress", "--replay", "failures/case0")
        self.assertRegex(replayed.stdout, "error\\[E0806\\]: block `sequencer` differs from its model at cycle [0-9]+, port `csr_data_o`: is ")

    def test_settings_are_the_flags(self):
        (self.folder / "s.yaml").write_text("machine: " + MACHINE + "\nblock: {all: check, pe_array: model}\nkeep_going: true\nno-golden: false\n")
        done = self.gemel("run", "digits", "--settings", "s.yaml", "--block", "requantizer=check")
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.splitlines()[-1], "block requantizer: check, 0 cycles differ")
        self.assertNotIn("block load_dma", done.stdout, "the command line wins")

    def test_wrong_settings(self):
        (self.folder / "s.yaml").write_text("keep_going: true\nblocks: all\n")
        self.expect(
            self.run_digits("--settings", "s.yaml"),
            "error[E0910]: unknown key `blocks`\n  s.yaml:2:1\n2 | blocks: all\n  | ^^^^^^ did you mean `block`?\n"
            "hint: `gemel run --help` lists the options\n",
        )
        (self.folder / "s.yaml").write_text("trace: maybe\n")
        self.expect(self.run_digits("--settings", "s.yaml"), "error[E0910]: `trace` must be true or false, not `maybe`\n"
                    "  s.yaml:1:8\n1 | trace: maybe\n  |        ^^^^^\n")

    def test_a_failing_case_is_one_file(self):
        block = f"requantizer=check:{ROOT / 'tests/rtl/own_verilog/wrong_value.sv'}"
        failed = self.run_digits("--block", block, "--seed", "9", "--out", "out")
        self.assertEqual(failed.returncode, 4, failed.stderr)
        self.assertIn("\n  case: out/failing_case.gemel, which `gemel run` runs again with the same options for blocks\n", failed.stderr)
        case = "out/failing_case.gemel"
        again = self.gemel("run", case, "--block", block)  # machine and inputs come from the file
        self.assertEqual((again.returncode, again.stderr), (4, re.sub(r"\n  (case|waves): [^\n]*", "", failed.stderr)))
        models = self.gemel("run", case)
        self.assertEqual(models.returncode, 0, models.stderr)
        self.assertIn("every layer equal to golden", models.stdout)

    def test_cache_is_listed_and_cleared(self):
        own = str(self.folder / "cache")
        example = str(ROOT / "examples/own_requantizer/requantizer.sv")
        done = self.run_digits("--block", f"requantizer=check:{example}", GEMEL_CACHE=own)
        self.assertEqual(done.stdout.splitlines()[-1], "block requantizer: check, 0 cycles differ")
        listed = self.gemel("cache", "list", GEMEL_CACHE=own).stdout.splitlines()
        self.assertEqual(len(listed), 2)
        self.assertIn(f"requantizer Lanes=2 {example}", listed[0])
        self.assertIn(f"{own}: 1 compiled blocks, ", listed[1])
        self.assertIn(" KiB removed\n", self.gemel("cache", "clear", GEMEL_CACHE=own).stdout)
        self.assertEqual(self.gemel("cache", "list", GEMEL_CACHE=own).stdout, f"{own}: 0 compiled blocks, 0 KiB\n")
        self.assertEqual(os.listdir(own), [])

    def tool(self, folder, name, log):
        """A Verilator or a compiler of one's own in `folder` that notes every question and passes it on."""
        real = shutil.which(name)
        path = self.folder / folder / name
        path.parent.mkdir(exist_ok=True)
        text = Path(real).read_text(encoding="utf-8") if name == "verilator" else ""
        if text:  # the Perl script, with one line more
            path.write_text(text.replace("use warnings;", f"use warnings; {{ open(my $l, '>>', '{log}'); print $l 'v'; }}", 1))
            (path.parent / "verilator_bin").symlink_to(shutil.which("verilator_bin"))
        else:
            path.write_text(f'#!/bin/sh\nprintf c >> {log}\nexec {real} "$@"\n')
        path.chmod(0o755)
        return path

    def test_tools_are_asked_once(self):
        self.assertEqual(self.run_digits("--block", "requantizer=check").returncode, 0)  # compiled
        log = self.folder / "log"
        verilator = self.tool("tools", "verilator", log)
        path = f"{verilator.parent}:{os.environ['PATH']}"

        def questions():
            log.write_text("")
            done = self.run_digits("--block", "requantizer=check", PATH=path)
            self.assertEqual(done.returncode, 0, done.stderr)
            return log.read_text()

        verilator.touch()
        began = time.monotonic()
        self.assertEqual(questions(), "v")
        if time.monotonic() - began < 1:  # on a busy machine the tool may have been old enough when it was asked
            self.assertEqual(questions(), "v", "a tool that has only just been written may be written again unseen")
        verilator.touch()
        time.sleep(2.5)
        self.assertEqual([questions(), questions(), questions()], ["v", "", ""])
        for answer in Path(CACHE).glob("answer.*"):  # damaged
            answer.write_text(answer.read_text()[:-3])
        self.assertEqual([questions(), questions()], ["v", ""])
        for change in ("another script", "another program behind it", "a program that may be anything"):
            if change == "another script":
                verilator.write_text(verilator.read_text() + "# new\n")
            else:
                program = verilator.parent / "verilator_bin"
                program.unlink()
                if change == "another program behind it":
                    shutil.copy(shutil.which("verilator_bin"), program)
                else:
                    program.write_text(f'#!/bin/sh\nexec {shutil.which("verilator_bin")} "$@"\n')
                    program.chmod(0o755)
            time.sleep(2.5)
            again = "v" if change == "a program that may be anything" else ""
            self.assertEqual([questions(), questions()], ["v", again], change)

    def test_a_compiler_that_may_be_anything_is_always_asked(self):
        log = self.folder / "log"
        path = f"{self.tool('tools', 'g++', log).parent}:{os.environ['PATH']}"
        self.assertEqual(self.run_digits("--block", "requantizer=check", PATH=path).returncode, 0)  # compiled
        time.sleep(2.5)
        for _ in range(3):
            log.write_text("")
            self.assertEqual(self.run_digits("--block", "requantizer=check", PATH=path).returncode, 0)
            self.assertEqual(log.read_text(), "c")

    @unittest.skipIf(os.geteuid() != 0 or shutil.which("unshare") is None, "needs a file system of its own")
    def test_a_full_disk_remembers_nothing_and_is_no_error(self):
        self.assertEqual(self.run_digits("--block", "requantizer=check").returncode, 0)  # compiled
        small = self.folder / "small"
        small.mkdir()
        script = (
            f"mount -t tmpfs -o size=256m small {small} && cp -r {CACHE}/* {small}/ && rm -f {small}/answer.* && "
            f"{{ cat /dev/zero > {small}/rest 2>/dev/null; {GEMEL} run digits -m {MACHINE} --block requantizer=check | tail -1; ls {small} | grep -c answer; }}"
        )
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=self.folder, capture_output=True, text=True, timeout=5400, check=False,
                              env={**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(small)})
        if "mount" in done.stderr or "unshare" in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout, "block requantizer: check, 0 cycles differ\n0\n")

    def test_another_processor_does_not_take_what_was_compiled_for_this_one(self):
        own = str(self.folder / "cache")
        other = self.folder / "other"  # a compiler that knows another processor, and is asked so in front of the real one
        other.mkdir()
        compiler = other / "g++"
        compiler.write_text(
            '#!/bin/sh\ncase "$*" in *-###*) echo "gcc version 12, -march=other" ;; *) exec ' + shutil.which("g++") + ' "$@" ;; esac\n'
        )
        compiler.chmod(0o755)
        run = ("--block", "requantizer=check", "--timing-only")
        for path, entries in ((None, 1), (None, 1), (f"{other}:{os.environ['PATH']}", 2)):
            done = self.run_digits(*run, GEMEL_CACHE=own, **({"PATH": path} if path else {}))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f": {entries} compiled blocks, ", self.gemel("cache", "list", GEMEL_CACHE=own).stdout)

    def result(self, *arguments):
        done = self.run_digits(*arguments, "--out", "run")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads((self.folder / "run/result.json").read_text())

    def test_rtl_leaves_the_result_of_the_models(self):
        host = {"engine", "settings", "compile_seconds", "build_rtl_seconds", "simulate_seconds", "golden_seconds", "peak_memory_mib"}
        model = {key: value for key, value in self.result().items() if key not in host}
        self.assertEqual({layer["compared"] for layer in model["layers"]}, {"equal", "fused"})
        self.assertGreater(model["load_bursts"] * model["store_bursts"] * model["fetch_bursts"], 0)
        for arguments in (["--engine", "beat"], ["--block", "all=rtl"], ["--block", "sequencer=rtl"], ["--block", "all=check"]):
            other = {key: value for key, value in self.result(*arguments).items() if key not in host}
            self.assertEqual(other, model, arguments)

    def test_a_program_of_several_parts(self):
        (self.folder / "parts.yaml").write_text(
            "gemel_workload: 1\nname: parts\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [1, 5, 5, 6]}]\nlayers:\n"
            "  - {name: a, op: conv2d, out_channels: 9, kernel: 3}\n  - {name: shares, op: softmax}\n"
            "  - {name: b, op: conv2d, out_channels: 7, kernel: 2}\n")
        host = {"engine", "settings", "compile_seconds", "build_rtl_seconds", "simulate_seconds", "golden_seconds", "peak_memory_mib"}
        results = []
        for arguments in ([], ["--engine", "beat"], ["--block", "all=check"], ["--block", "pe_array=rtl"], ["--block", "npu=rtl"], ["--block", "npu=check"]):
            done = self.gemel("run", "parts.yaml", "-m", MACHINE, "--out", "out", *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            results.append({key: value for key, value in json.loads((self.folder / "out/result.json").read_text()).items() if key not in host})
            self.assertEqual([layer["compared"] for layer in results[-1]["layers"]], ["equal", "host", "equal"])
        self.assertEqual(results[0]["starts"], 2)
        for chip, other in enumerate(results[1:]):
            for field in set(other) - ({"layers", "layers_note"} if chip >= 3 else set()):
                self.assertEqual(other[field], results[0][field], field)

    def test_the_whole_chip_leaves_what_can_be_seen_of_it(self):
        host = {"engine", "settings", "compile_seconds", "build_rtl_seconds", "simulate_seconds", "golden_seconds", "peak_memory_mib"}
        inside = {"first_cycle", "last_cycle", "span_cycles", "matrix_cycles", "units", "utilization", "bottleneck"}
        model, chip = self.result(), self.result("--block", "npu=rtl")
        self.assertEqual(chip["layers_note"], "of the whole chip as RTL only memory and registers are seen: not when its units work for which layer")
        for field in set(model) - host - {"layers", "layers_note"}:
            self.assertEqual(chip[field], model[field], field)
        for must, found in zip(model["layers"], chip["layers"], strict=True):
            for field in must:
                if field not in inside:
                    self.assertEqual(found[field], must[field], (must["name"], field))
            for field in inside - {"utilization", "bottleneck"}:
                self.assertIsNone(found[field], (must["name"], field))

    def test_a_run_with_rtl_can_be_interrupted(self):
        for blocks, sent in (("requantizer=rtl", signal.SIGINT), ("npu=rtl", signal.SIGTERM), ("requantizer=rtl", signal.SIGHUP)):
            self.run_digits("--block", blocks)  # compiled
            started = subprocess.Popen(
                [GEMEL, "run", "digits", "-m", MACHINE, "--batch", "300", "--block", blocks], cwd=self.folder,
                env={**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": CACHE}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            time.sleep(1.5)
            started.send_signal(sent)
            text = started.communicate(timeout=1800)[1]
            self.assertEqual(started.returncode, 128 + sent, text)
            self.assertRegex(text, r"^interrupted at cycle \d+, after \d+ of \d+ instructions\n$")

    def test_progress_on_a_terminal(self):
        for blocks in ("requantizer=rtl", "npu=rtl"):
            self.run_digits("--block", blocks, "--out", "first")  # compiled
            layers = json.loads((self.folder / "first/result.json").read_text(encoding="utf-8"))["layers"]
            mine, its = pty.openpty()
            done = subprocess.Popen(
                [GEMEL, "run", "digits", "-m", MACHINE, "--batch", "60", "--block", blocks], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=its,
                env={**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": CACHE},
            )
            os.close(its)
            shown = b""
            with contextlib.suppress(OSError):  # the other end is closed
                while part := os.read(mine, 4096):
                    shown += part
            os.close(mine)
            self.assertEqual(done.wait(), 0)
            self.assertRegex(shown.decode(), rf"layer \d+/{len(layers)} \w+: \d+\.\d\d M cycles, \d+\.\d M cycles/s, \d+ s left", blocks)

    def builds(self, own):
        """Processes that build in this cache: compilers and Verilator, which work in it or name it."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended
                line = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                if GEMEL not in line and (str(own) in line or str(own) in os.readlink(process / "cwd")):
                    found.append(line)
        return found

    def wait_for_compiler(self, own, builder):
        while not any("cc1plus" in line for line in self.builds(own)):
            self.assertIsNone(builder.poll())
            time.sleep(0.02)

    def expect_nothing_left(self, own):
        self.assertEqual(self.builds(own), [])
        self.assertEqual([name for name in os.listdir(own) if name.startswith("build.") or name.endswith(".so")], [])

    def test_building_can_be_interrupted(self):
        own = self.folder / "cache"
        environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(own)}
        command = [GEMEL, "run", "digits", "-m", MACHINE, "--block", "requantizer=check"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

        def start():
            return subprocess.Popen(command, cwd=self.folder, env=environment, **pipes)

        def interrupt(process, sent, text):
            process.send_signal(sent)
            self.assertEqual(process.communicate(timeout=1800)[1], text)
            self.assertEqual(process.returncode, 128 + sent)

        for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            builder = start()
            self.wait_for_compiler(own, builder)
            waiter = start()
            time.sleep(1)
            self.assertIsNone(builder.poll(), "so quick that nothing can be interrupted")
            interrupt(waiter, sent, "interrupted while another process was building the same RTL\n")
            interrupt(builder, sent, "interrupted while RTL was being built\n")
            self.expect_nothing_left(own)
        self.assertEqual(self.run_digits("--block", "requantizer=check", GEMEL_CACHE=str(own)).returncode, 0)

    def test_timeout_ends_a_build_although_it_sends_its_signal_twice(self):
        own = self.folder / "cache"
        done = subprocess.run(
            ["timeout", "3", GEMEL, "run", "digits", "-m", MACHINE, "--block", "npu=rtl"], cwd=self.folder, capture_output=True, text=True, check=False,
            env={**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(own)},
        )
        self.assertEqual((done.returncode, done.stderr), (124, "interrupted while RTL was being built\n"))
        self.expect_nothing_left(own)

    def test_hangups_are_not_heard_under_nohup(self):
        self.run_digits("--block", "requantizer=rtl")  # compiled
        started = subprocess.Popen(
            ["nohup", GEMEL, "run", "digits", "-m", MACHINE, "--batch", "30", "--block", "requantizer=rtl"], cwd=self.folder,
            env={**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": CACHE}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        time.sleep(0.3)
        started.send_signal(signal.SIGHUP)
        self.assertIn("block requantizer: rtl\n", started.communicate(timeout=1800)[0])
        self.assertEqual(started.returncode, 0)

    def test_a_regression_passes_an_interruption_on(self):
        own = self.folder / "cache"
        for sent in (signal.SIGINT, signal.SIGTERM):
            started = subprocess.Popen(
                [GEMEL, "regress", "--count", "4", "--machines", "2", "--blocks", "npu=rtl", "-j", "2", "--out", "failures"], cwd=self.folder,
                env={**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(own)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            self.wait_for_compiler(own, started)
            started.send_signal(sent)
            text = started.communicate(timeout=1800)[1]
            self.assertEqual((started.returncode, text), (128 + sent, "interrupted: 0 of 4 cases passed, 0 failed\n"))
            self.expect_nothing_left(own)

    def test_without_a_compiler(self):
        tools = self.folder / "tools"
        tools.mkdir()
        (tools / "verilator").write_text("#!/bin/sh\necho Verilator 5.006\n")
        (tools / "verilator").chmod(0o755)
        (tools / "sh").symlink_to("/bin/sh")
        self.expect(
            self.run_digits("--block", "pe_array=rtl", PATH=str(tools)),
            "error[E1002]: the C++ compiler `g++` cannot be run: No such file or directory\nhint: install the package `g++`, or use the models only\n",
        )

    def test_an_old_verilator_is_refused(self):
        tools = self.folder / "tools"
        tools.mkdir()
        (tools / "verilator").write_text("#!/bin/sh\necho 'Verilator 4.038 2020-07-11 rev v4.036-114-g0cd4a57ad'\n")
        (tools / "verilator").chmod(0o755)
        hint = "hint: put a newer `verilator` in front in PATH, or use the models only\n"
        path = f"{tools}:{os.environ['PATH']}"
        self.expect(self.run_digits("--block", "pe_array=rtl", PATH=path),
                    "error[E1019]: Verilator 4.038 is too old; 5.006 or newer is needed\n" + hint)
        (tools / "verilator").write_text("#!/bin/sh\necho who knows\n")
        self.expect(self.run_digits("--block", "pe_array=rtl", PATH=path),
                    "error[E1019]: Verilator does not tell its version: who knows; 5.006 or newer is needed\n" + hint)

    def test_a_damaged_entry_is_built_again(self):
        own = self.folder / "cache"

        def run():
            return self.run_digits("--block", "requantizer=rtl", GEMEL_CACHE=str(own))

        def damage(path, how):
            content = path.read_bytes()
            if how == "truncated":
                path.write_bytes(content[: len(content) // 2])
            elif how == "empty":
                path.write_bytes(b"")
            elif how == "a bit":
                middle = len(content) // 2
                path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
            else:
                path.unlink()

        self.assertEqual((run().returncode, run().stderr), (0, ""))
        (entry,) = own.glob("*.so")
        (runtime,) = own.glob("runtime.*/verilated.o")
        before = entry.read_bytes()
        texts = {
            "truncated": r"`\w+\.so` has \d+ bytes instead of \d+",
            "empty": r"`\w+\.so` has 0 bytes instead of \d+",
            "a bit": r"the contents of `\w+\.so` are not those that were written",
            "removed": r"`\w+\.so` is missing",
        }
        for how, text in texts.items():
            damage(entry, how)
            done = run()
            self.assertRegex(done.stderr, rf"^warning\[E1020\]: block `requantizer` in the cache folder {own} is damaged: {text}; built again\n$")
            self.assertEqual(done.returncode, 0)
            self.assertEqual((run().returncode, run().stderr), (0, ""))
        damage(Path(f"{entry}.txt"), "empty")
        self.assertRegex(run().stderr, r"^warning\[E1020\]: block `requantizer` .* is damaged: its list is not complete; built again\n$")
        damage(Path(f"{entry}.txt"), "removed")
        self.assertRegex(run().stderr, r"^warning\[E1020\]: block `requantizer` .* is damaged: `\w+\.so\.txt` is missing; built again\n$")
        for how in texts:  # of what is linked into the next block
            damage(runtime, how)
            entry.unlink()
            Path(f"{entry}.txt").unlink()
            done = run()
            self.assertRegex(done.stderr, r"^warning\[E1020\]: Verilator's run-time in the cache folder is damaged: .*`verilated\.o`.*; built again\n$")
            self.assertEqual(done.returncode, 0)
        self.assertEqual(len(entry.read_bytes()), len(before))

    def test_two_processes_mend_the_same_entry(self):
        own = str(self.folder / "cache")
        self.assertEqual(self.run_digits("--block", "requantizer=rtl", GEMEL_CACHE=own).returncode, 0)
        (entry,) = Path(own).glob("*.so")
        entry.write_bytes(entry.read_bytes()[:5000])
        command = [GEMEL, "run", "digits", "-m", MACHINE, "--block", "requantizer=rtl"]
        environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": own}
        started = [subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        texts = [process.communicate(timeout=1800)[1] for process in started]
        self.assertEqual([process.returncode for process in started], [0, 0, 0], texts)
        self.assertEqual(sum("built again" in text for text in texts), 1, texts)

    def test_odd_characters_in_every_path(self):
        odd = self.folder / "a b$(c)'d\"e;f&g#h%i\\j\u00fc+k"
        home, temporary = odd / "checkout", odd / "tmp"
        home.mkdir(parents=True)
        temporary.mkdir()
        for name in ("configs", "workloads", "rtl"):
            shutil.copytree(ROOT / name, home / name)
        own = odd / "my requantizer.sv"
        shutil.copy(ROOT / "examples/own_requantizer/requantizer.sv", own)
        for block in ("pe_array=rtl", f"requantizer=check:{own}"):
            done = self.run_digits("--block", block, "--out", str(odd / "out"), GEMEL_HOME=str(home), GEMEL_CACHE=str(odd / "cache"), HOME=str(odd),
                                   TMPDIR=str(temporary))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        own.write_text(own.read_text(encoding="utf-8").replace("endmodule", "endmodul"), encoding="utf-8")
        done = self.run_digits("--block", f"requantizer=check:{own}", GEMEL_HOME=str(home), GEMEL_CACHE=str(odd / "cache"))
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{own}:", done.stderr)
        self.assertEqual(os.listdir(temporary), [])

    def test_a_cache_that_may_only_be_read_is_used(self):
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            self.skipTest("only root can become another user")
        shared, home = self.folder / "shared", self.folder / "home"
        self.assertEqual(self.run_digits("--block", "requantizer=rtl", GEMEL_CACHE=str(shared)).returncode, 0)
        home.mkdir(mode=0o777)
        home.chmod(0o777)
        self.folder.chmod(0o755)
        subprocess.run(["chmod", "-R", "go+rX,a-w", str(shared)], check=True)
        environment = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}

        def as_nobody(block, home):
            return subprocess.run(
                ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", GEMEL, "run", "digits", "-m", MACHINE, "--block", block],
                cwd="/", capture_output=True, text=True, timeout=1800, check=False,
                env={**environment, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(shared), "HOME": str(home)},
            )

        done = as_nobody("requantizer=rtl", "/proc")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = as_nobody("pe_array=rtl", "/proc")
        self.expect(done, f"error[E1009]: the cache folder cannot be written: {shared}: Permission denied; block `pe_array` is not in it\n"
                          "hint: set GEMEL_CACHE to another folder\n")
        done = as_nobody("pe_array=rtl", home)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr, f"warning[E1021]: the cache folder cannot be written: {shared}: Permission denied; block `pe_array` is built in "
                                      f"{home}/.cache/gemel\n")
        done = as_nobody("pe_array=rtl", home)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    @unittest.skipIf(os.geteuid() != 0 or shutil.which("unshare") is None, "needs a file system of its own")
    def test_a_disk_that_is_full_while_building(self):
        small = self.folder / "small"
        small.mkdir()
        for size in ("64k", "1m"):  # full while Verilator writes, and while the compiler does
            script = f"mount -t tmpfs -o size={size} small {small} && exec {GEMEL} run digits -m {MACHINE} --block npu=rtl"
            done = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=self.folder, capture_output=True, text=True, timeout=1800, check=False,
                                  env={**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(small)})
            if "mount" in done.stderr or "unshare" in done.stderr:
                self.skipTest(done.stderr)
            self.expect(done, f"error[E1009]: the cache folder cannot be written: {small}: No space left on device\n"
                              "hint: make room, or set GEMEL_CACHE to another folder\n")

    def test_flags_of_other_builds_do_not_matter(self):
        own = str(self.folder / "cache")
        flags = {name: "--no-such-flag" for name in ("CXXFLAGS", "CFLAGS", "CPPFLAGS", "LDFLAGS")}
        done = self.run_digits("--block", "requantizer=rtl", GEMEL_CACHE=own, MAKEFLAGS="n", DEPENDENCIES_OUTPUT=str(self.folder / "deps"), LANG="de_DE.UTF-8",
                               **flags)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse((self.folder / "deps").exists())

    def test_the_compiler_is_that_of_the_environment(self):
        log = self.folder / "log"
        compiler = self.tool("tools", "g++", log)
        for words, cache in ((f"{compiler}", "one"), (f"{compiler} -DMINE=1", "two")):
            log.write_text("")
            done = self.run_digits("--block", "requantizer=rtl", GEMEL_CACHE=str(self.folder / cache), CXX=words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertGreater(len(log.read_text()), 5, "compiles and links with it")
        self.expect(
            self.run_digits("--block", "requantizer=rtl", CXX="no-such-compiler -O9"),
            "error[E1002]: the C++ compiler `no-such-compiler` cannot be run: No such file or directory\n"
            "hint: install the package `g++`, or use the models only\n",
        )

    def test_what_killed_builds_left_is_listed_and_removed(self):
        own = self.folder / "cache"
        environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(own)}
        builder = subprocess.Popen([GEMEL, "run", "digits", "-m", MACHINE, "--block", "npu=rtl"], cwd=self.folder, env=environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_compiler(own, builder)
        listed = self.gemel("cache", "list", GEMEL_CACHE=str(own)).stdout
        self.assertRegex(listed, r"^build\.\w+ +[\d.]+ KiB  \(being built\)\n.*: 0 compiled blocks, \d+ KiB\n$")
        self.gemel("cache", "clear", GEMEL_CACHE=str(own))
        self.assertIsNone(builder.poll())
        (folder,) = own.glob("build.*")
        builder.kill()
        builder.wait()
        while self.builds(own):  # compilers that nobody ends
            listed = self.gemel("cache", "list", GEMEL_CACHE=str(own)).stdout
            if self.builds(own):  # still: else the last may have ended before the list was made
                self.assertIn("(being built)", listed)
            time.sleep(0.1)
        listed = self.gemel("cache", "list", GEMEL_CACHE=str(own)).stdout
        self.assertRegex(listed, r"^build\.\w+ +[\d.]+ KiB  \(left by a process that was killed; the next build removes it\)\n")
        self.assertEqual(self.run_digits("--block", "requantizer=rtl", GEMEL_CACHE=str(own)).returncode, 0)
        self.assertFalse(folder.exists())
        self.assertEqual(list(own.glob("build.*")), [])

    def test_building_is_no_part_of_simulating(self):
        own = str(self.folder / "cache")
        done = self.run_digits("--block", "requantizer=rtl", "--out", "run", GEMEL_CACHE=own)
        self.assertRegex(done.stdout, r"host +compile [^,]*, RTL built in [0-9.]+ m?s, simulate ")
        first = json.loads((self.folder / "run/result.json").read_text())
        self.assertGreater(first["build_rtl_seconds"], 1, "Verilator and the compiler take longer")
        self.run_digits("--block", "requantizer=rtl", "--out", "run", GEMEL_CACHE=own)
        second = json.loads((self.folder / "run/result.json").read_text())
        self.assertLess(second["build_rtl_seconds"], first["build_rtl_seconds"] / 2)
        self.assertGreater(first["simulate_seconds"], 0)
        self.run_digits("--out", "model")
        self.assertEqual(json.loads((self.folder / "model/result.json").read_text())["build_rtl_seconds"], 0)


if __name__ == "__main__":
    GEMEL, CACHE = str(Path(sys.argv[1]).resolve()), str(Path(sys.argv[2]).resolve())
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
