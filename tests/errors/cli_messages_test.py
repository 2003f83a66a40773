# SPDX-License-Identifier: Apache-2.0
"""What a user of the command line gets for a mistake: exit code, the exact text on stderr, and no half-written file.
Called as: cli_messages_test.py GEMEL [unittest arguments]"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

GEMEL = ""
ROOT = Path(__file__).resolve().parents[2]
DONE, USER, RUN, INTERRUPTED = 0, 2, 4, 130


class CommandLine(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def gemel(self, *arguments, variables=None, **more):
        environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(self.folder / "cache"), **(variables or {})}
        return subprocess.run(
            [GEMEL, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=5400, check=False, **more
        )

    def left_behind(self):
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def expect(self, arguments, text, code=USER, variables=None):
        before = self.left_behind()
        result = self.gemel(*arguments, variables=variables)
        self.assertEqual(result.stderr, text)
        self.assertEqual(result.returncode, code)
        self.assertEqual(result.stdout, "")
        self.assertEqual(self.left_behind(), before, "a mistake must leave no file behind")

    def wait_until_at_work(self, process, seconds=0.5):
        """Until the process has used so much of a processor: on a busy machine that takes longer, and the process has come as far."""
        ticks = seconds * os.sysconf("SC_CLK_TCK")
        while process.poll() is None:
            times = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            if int(times[11]) + int(times[12]) >= ticks:  # utime and stime, fields 14 and 15 of proc(5)
                return
            time.sleep(0.01)

    def test_unknown_machine(self):
        self.expect(
            ["run", "digits", "--machine", "edge61", "--out", "out"],
            "error[E0109]: there is no machine `edge61`\n"
            "  did you mean `edge16`?\n"
            "hint: `gemel machines` lists them; a file of your own is given as a path, such as ./mine.yaml\n",
        )

    def test_area_of_a_machine_that_is_none(self):
        self.expect(
            ["explain", "--area", "-m", "edge61"],
            "error[E0109]: there is no machine `edge61`\n"
            "  did you mean `edge16`?\n"
            "hint: `gemel machines` lists them; a file of your own is given as a path, such as ./mine.yaml\n",
        )
        self.expect(["explain", "--area", "--set", "pe_array.rows=0"],
                    "error[E0107]: `pe_array.rows` is 0, but must be 1 to 256\n  --set pe_array.rows=0\n")

    def test_machine_that_explain_has_no_use_for(self):
        self.expect(["explain", "-m", "edge16"],
                    "error[E0911]: --machine is for what depends on a machine, and no such thing is asked for\n"
                    "hint: add --ports BLOCK or --area\n")
        self.expect(["explain", "rows", "--area"],
                    "error[E0911]: `topic` and `--area` exclude each other: one thing is explained at a time\n"
                    "hint: leave out one of them\n")

    def test_options_that_contradict_or_ignore_each_other(self):
        for options, text in (
            (["--test", "--timing-only"], "--test counts correct outputs, but --timing-only computes none\nhint: leave out one of them"),
            (["--test", "--input", "x"], "--test takes the workload's test images, --input another one\nhint: leave out one of them"),
            (["--timing-only", "--input", "x"], "--input gives data, but --timing-only moves none\nhint: leave out one of them"),
            (["--trace"], "--trace writes trace.json, but there is no folder for it\nhint: add --out FOLDER"),
            (["--keep-going"], "--keep-going counts differences of checked blocks, but no block is checked\nhint: add --block NAME=check"),
            (["--reset-seed", "3"], "--reset-seed is for registers of RTL, but no block is RTL\nhint: add --block NAME=rtl"),
            (["--no-skip"], "--no-skip is for stepped blocks, but none is stepped\nhint: add --engine beat, or --block NAME=rtl"),
        ):
            with self.subTest(options=options):
                self.expect(["run", "digits", *options], f"error[E0911]: {text}\n")

    def test_unknown_workload(self):
        self.expect(
            ["run", "digitz"],
            "error[E0208]: there is no workload `digitz`\n"
            "  did you mean `digits`?\n"
            "hint: `gemel workloads` lists them; a file of your own is given as a path, such as ./mine.yaml\n",
        )

    def test_several_bad_settings_at_once(self):
        self.expect(
            ["run", "digits", "--set", "pe_array.rows=abc", "--set", "foo"],
            "error[E0106]: `pe_array.rows` must be an integer, not `abc`\n"
            "  --set pe_array.rows=abc\n"
            "error[E0110]: a setting must be key=value, not `foo`\n"
            "  --set foo\n"
            "hint: for example `--set pe_array.rows=32`\n",
        )

    def test_an_option_takes_the_one_value_behind_it(self):
        """What follows is the command's argument. `--set` and `--block` took all that came, and the workload was missing."""
        for command in (
            ["run", "--set", "pe_array.rows=0", "digits"],
            ["compile", "--set", "pe_array.rows=0", "digits"],
            ["export", "--out", "chip", "--set", "pe_array.rows=0", "digits"],
            ["new-block", "--set", "pe_array.rows=0", "requantizer"],
        ):
            with self.subTest(command):
                self.expect(command, "error[E0107]: `pe_array.rows` is 0, but must be 1 to 256\n  --set pe_array.rows=0\n")
        self.expect(["explain", "--set", "rows=1", "machine"],
                    "error[E0911]: --set is for what depends on a machine, and no such thing is asked for\nhint: add --ports BLOCK or --area\n")
        done = self.gemel("run", "--timing-only", "--block", "pe_array=model", "digits", "-m", "tiny8")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_input_that_is_not_there(self):
        self.expect(["run", "digits", "--input", "image.bin"], "error[E0905]: cannot read the input `image.bin`: No such file or directory\n")

    def test_input_that_is_no_file(self):
        self.expect(["run", "digits", "--input", "."], "error[E0905]: cannot read the input `.`: Is a directory\n")
        self.expect(  # it never ends
            ["run", "digits", "--input", "/dev/zero"],
            "error[E0906]: the input `/dev/zero` has more than 64 bytes, but tensor `image` takes 64\nhint: give raw bytes, dense NHWC\n",
        )

    def test_input_of_another_size(self):
        (self.folder / "image.bin").write_bytes(b"abcd")
        self.expect(
            ["run", "digits", "--input", "image.bin"],
            "error[E0906]: the input `image.bin` has 4 bytes, but tensor `image` takes 64\nhint: give raw bytes, dense NHWC\n",
        )

    def test_no_test_images(self):
        self.expect(
            ["run", "gemm_512", "--test"],
            "error[E0907]: workload `gemm_512` has no test images\nhint: leave out --test\n",
        )

    def test_what_is_no_result(self):
        (self.folder / "x.json").write_text('{"cycles": 3}')
        self.expect(
            ["compare", "x.json", "x.json"],
            "error[E0918]: x.json: is no result of a run: it has no number `gemel_result`\n"
            "hint: `gemel run ... --out FOLDER` writes result.json there; name the folder or the file\n",
        )

    def test_batch_that_does_not_divide(self):
        self.expect(["run", "digits", "--test", "--batch", "7"], "error[E0908]: a batch of 7 does not divide the 360 test images\n")

    def test_folder_that_cannot_be_written(self):
        (self.folder / "file").write_text("")
        result = self.gemel("run", "digits", "--out", "file/out")
        self.assertEqual(
            result.stderr,
            "error[E0901]: cannot write into folder `file/out`: Not a directory\nhint: choose another folder with --out\n",
        )
        self.assertEqual(result.returncode, USER)

    def test_schedule_that_cannot_be_written(self):
        self.expect(
            ["compile", "digits", "--out", "none/x.gemel"],
            "error[E0902]: cannot write `none/x.gemel`: No such file or directory\n"
            "hint: nothing was left behind; choose another folder with --out\n",
        )

    def test_base_that_cannot_be(self):
        self.expect(
            ["compile", "digits", "--base", "1000"],
            "error[E0606]: programs cannot begin at address 1000 of memory\nhint: a base is a multiple of 4096 below 1099511627776\n",
        )
        for text in ("-4096", "1QiB", "0x"):
            self.expect(
                ["compile", "digits", f"--base={text}"],
                f"error[E0606]: `--base {text}` is no address\nhint: such as 4096, 1MiB or 0x100000\n",
            )

    def test_memory_too_small(self):
        result = self.gemel("run", "digits", "--set", "memory.size_bytes=4KiB")
        self.assertRegex(
            result.stderr,
            r"\Aerror\[E0603\]: network `digits` needs \d+ bytes of memory, and the machine `edge16` has 4096\n"
            r"hint: raise memory.size_bytes, or lower the batch\n\Z",
        )
        self.assertEqual(result.returncode, USER)

    def test_buffer_too_small(self):
        self.expect(
            ["run", "gemm_512", "--set", "weight_buffer.size_bytes=64"],
            "error[E0601]: layer `gemm` needs 16 words of weight_buffer for the weights of one pass, "
            "and the machine `edge16` has 4\n"
            "hint: give the machine a larger weight_buffer\n",
        )

    def write_network(self, shape, layer):
        (self.folder / "net.yaml").write_text(
            "gemel_workload: 1\nname: net\nsynthetic: {seed: 1}\n"
            f"inputs: [{{name: x, shape: {shape}, type: int8}}]\nlayers:\n  - {layer}\n"
        )

    def test_number_too_large_for_an_instruction(self):
        self.write_network("[1, 300, 300, 1]", "{name: pool, op: max_pool, kernel: 256}")
        self.expect(
            ["run", "net.yaml"],
            "error[E0602]: layer `pool` has a kernel height of 256, and an instruction can say at most 255\n",
        )

    def test_average_over_too_much(self):
        self.write_network("[1, 1009, 1009, 1]", "{name: mean, op: global_avg_pool}")  # 1009 is a prime
        self.expect(
            ["run", "net.yaml"],
            "error[E0604]: layer `mean` averages 1018081 pixels, and a window has at most 255 by 255\n"
            "hint: average in two steps\n",
        )

    def test_cycle_limit(self):
        self.expect(
            ["run", "digits", "--max-cycles", "100", "--out", "out"],
            "error[E0803]: the run did not end within 100 cycles\nhint: raise the limit with --max-cycles\n",
            RUN,
        )

    def test_nothing_of_that_name_to_explain(self):
        self.expect(
            ["explain", "rows"],
            "error[E0111]: there is nothing to explain about `rows`\n"
            "  did you mean `pe_array.rows`?\n"
            "hint: `gemel explain machine` lists every parameter; a code such as E0103 is explained, too\n",
        )

    def test_file_that_is_no_schedule(self):
        (self.folder / "x.gemel").write_bytes(b"abcd")
        self.expect(
            ["disasm", "x.gemel"],
            "error[E0502]: this is no schedule of Gemel, or it is damaged: this is no safetensors file: it has 4 bytes, "
            "and 8 hold the header's length\n"
            "  x.gemel\n"
            "hint: `gemel compile` makes schedules\n",
        )

    def expect_each(self, *cases):
        for arguments, text in cases:
            with self.subTest(arguments=arguments):
                self.expect(arguments, text)

    def test_commands_that_do_not_exist(self):
        self.expect_each(
            (["mahcines"], "error[E0912]: there is no command `gemel mahcines`\n  did you mean `machines`?\nhint: `gemel --help` lists them\n"),
            (["frobnicate", "a", "b"], "error[E0912]: there is no command `gemel frobnicate`\nhint: `gemel --help` lists them\n"),
            (["cache", "lst"], "error[E0912]: there is no command `gemel cache lst`\n  did you mean `list`?\nhint: `gemel cache --help` lists them\n"),
            ([], "error[E0916]: `gemel` needs a command\nhint: `gemel --help` says what it takes\n"),
            (["cache"], "error[E0916]: `gemel cache` needs a command\nhint: `gemel cache --help` says what it takes\n"),
        )

    def test_options_that_do_not_exist(self):
        self.expect_each(
            (["run", "resnet50", "--column", "conv1", "--batchh=2", "-x"],
             "error[E0913]: `gemel run` has no option `--column`\nhint: `gemel run --help` lists them\n"
             "error[E0913]: `gemel run` has no option `--batchh`\n  did you mean `--batch`?\nhint: `gemel run --help` lists them\n"
             "error[E0913]: `gemel run` has no option `-x`\nhint: `gemel run --help` lists them\n"),
            (["machines", "--foo"], "error[E0913]: `gemel machines` has no option `--foo`\nhint: `gemel machines --help` lists them\n"),
        )

    def test_arguments_that_are_missing_or_too_many(self):
        self.expect_each(
            (["run"], "error[E0916]: `gemel run` needs the argument `workload`\nhint: `gemel run --help` says what it takes\n"),
            (["run", "digits", "conv1"], "error[E0916]: `gemel run` takes no further argument: `conv1`\nhint: `gemel run --help` says what it takes\n"),
            (["run", "digits", "--batch"], "error[E0915]: `--batch` needs a value\nhint: `gemel run --help` says what it takes\n"),
            (["run", "digits", "--input="], "error[E0915]: `--input` needs a value\nhint: `gemel run --help` says what it takes\n"),
        )

    def test_values_that_cannot_be(self):
        whole = "must be a whole number"
        self.expect_each(
            (["run", "digits", "--batch", "0"], f"error[E0915]: `--batch` is `0`, but {whole} from 1 to 65535\n"),
            (["run", "digits", "--seed", "-1"], f"error[E0915]: `--seed` is `-1`, but {whole} 0 or more, below 2^63\n"),
            (["run", "digits", "--seed", "99999999999999999999"],
             f"error[E0915]: `--seed` is `99999999999999999999`, but {whole} 0 or more, below 2^63\n"),
            (["run", "digits", "--max-cycles", "1e6"], f"error[E0915]: `--max-cycles` is `1e6`, but {whole} 1 or more, below 2^63\n"),
            (["regress", "--count", "0"], f"error[E0915]: `--count` is `0`, but {whole} from 1 to 1000000000\n"),
            (["run", "digits", "--engine", "bet"],
             "error[E0915]: `--engine` is `bet`, but must be `systemc`, `plain`, `beat` or `model`\n  did you mean `beat`?\n"),
            (["regress", "--repeat", "reset,dat"],
             "error[E0915]: `--repeat` is `dat`, but must be `no-skip`, `reset` or `data`\n  did you mean `data`?\n"),
        )

    def test_empty_values(self):
        leave = "hint: give it a value, or leave it out\n"
        self.expect_each(
            (["run", "digits", "--out", ""], f"error[E0915]: `--out` is empty\n{leave}"),
            (["run", "digits", "--out", "", "--input", ""], f"error[E0915]: `--input` is empty\n{leave}error[E0915]: `--out` is empty\n{leave}"),
            (["run", ""], f"error[E0915]: `workload` is empty\n{leave}"),
            (["compile", "digits", "--out", ""], f"error[E0915]: `--out` is empty\n{leave}"),
            (["regress", "--coverage", ""], f"error[E0915]: `--coverage` is empty\n{leave}"),
        )

    def test_options_that_are_given_twice(self):
        self.expect(["run", "digits", "--batch", "1", "--batch=2"], "error[E0911]: `--batch` is given twice, and takes one value\n")
        self.expect(["run", "digits", "-m", "tiny8", "--machine", "edge16"], "error[E0911]: `--machine` is given twice, and takes one value\n")
        self.expect(
            ["run", "digits", "--set", "pe_array.rows=8", "--set", "pe_array.rows=32"],
            "error[E0112]: `pe_array.rows` is set twice\n  --set pe_array.rows=32\n  first by `--set pe_array.rows=8`\n",
        )

    def test_options_that_exclude_each_other(self):
        run = ["run", "digits"]
        exclude, leave = "exclude each other", "hint: leave out one of them\n"
        self.expect_each(
            (run + ["--test", "--seed", "3"],
             f"error[E0911]: `--seed` and `--test` {exclude}: test images are not drawn, and neither are the weights of their network\n{leave}"),
            (run + ["--timing-only", "--seed", "3"], f"error[E0911]: `--seed` and `--timing-only` {exclude}: without data no numbers are drawn\n{leave}"),
            (run + ["--engine", "plain", "--block", "requantizer=rtl"],
             "error[E0911]: --engine is one of the fast models, and among these only `pe_array` can be RTL, and only with data\n"
             "hint: leave out --engine, or make it beat\n"),
            (run + ["--engine", "systemc", "--no-skip"],
             "error[E0911]: --no-skip is for stepped blocks, but none is stepped\nhint: add --engine beat, or --block NAME=rtl\n"),
            (run + ["--trace", "--out", "out", "--block", "npu=rtl"],
             f"error[E0911]: --trace records when each instruction runs, which nobody sees inside the whole chip as RTL\n{leave}"),
            (["regress", "--mixtures", "--programs"], f"error[E0911]: `--mixtures` and `--programs` {exclude}: they are different regressions\n{leave}"),
            (["regress", "--mixtures", "--count", "3", "--blocks", "all=rtl"],
             f"error[E0911]: `--mixtures` and `--count` {exclude}: mixtures are all there are, on a machine of their own\n{leave}"
             f"error[E0911]: `--mixtures` and `--blocks` {exclude}: mixtures are all there are, on a machine of their own\n{leave}"),
            (["regress", "--coverage", "c", "--programs"],
             f"error[E0911]: `--coverage` and `--programs` {exclude}: it runs networks and random instructions in turn\n{leave}"),
            (["regress", "--coverage", "c", "--out", "d"], f"error[E0911]: `--coverage` and `--out` {exclude}: failures are kept in its folder, too\n{leave}"),
            (["regress", "--programs", "-m", "tiny8", "--machines", "3"],
             f"error[E0911]: `--machine` and `--machines` {exclude}: it is the only machine\n{leave}"),
            (["regress", "--replay", "x", "--seed", "3"], f"error[E0911]: `--replay` and `--seed` {exclude}: the folder says all of the one case\n{leave}"),
        )

    def test_options_that_need_others(self):
        run = ["run", "digits"]
        self.expect_each(
            (run + ["--keep-going", "--block", "requantizer=rtl"],
             "error[E0911]: --keep-going counts differences of checked blocks, but no block is checked\nhint: add --block NAME=check\n"),
            (run + ["--reset-seed", "3", "--block", "requantizer=model"],
             "error[E0911]: --reset-seed is for registers of RTL, but no block is RTL\nhint: add --block NAME=rtl\n"),
            (["compile", "digits", "--input", "x"],
             "error[E0911]: --input gives data, but the program stores none\nhint: add --with-inputs or --with-expected\n"),
            (["regress", "--machine", "tiny8"],
             "error[E0911]: --machine is for random instructions; random networks come with random machines\n"
             "hint: add --programs or --coverage FOLDER\n"),
        )

    def test_settings_that_are_wrong(self):
        (self.folder / "s.yaml").write_text("batch: [1]\nseed: -3\nenginee: beat\ntrace: 1\nout: {a: b}\n")
        self.expect(
            ["run", "digits", "--settings", "s.yaml"],
            "error[E0910]: `batch` takes one value\n  s.yaml:1:1\n1 | batch: [1]\n  | ^^^^^\n"
            "error[E0910]: unknown key `enginee`\n  s.yaml:3:1\n3 | enginee: beat\n  | ^^^^^^^ did you mean `engine`?\n"
            "hint: `gemel run --help` lists the options\n"
            "error[E0910]: `trace` must be true or false, not `1`\n  s.yaml:4:8\n4 | trace: 1\n  |        ^\n"
            "error[E0910]: `out` takes one value\n  s.yaml:5:1\n5 | out: {a: b}\n  | ^^^\n",
        )
        (self.folder / "s.yaml").write_text("seed: -3\n")
        self.expect(
            ["run", "digits", "--settings", "s.yaml"],
            "error[E0910]: `--seed` is `-3`, but must be a whole number 0 or more, below 2^63\n  s.yaml:1:7\n1 | seed: -3\n  |       ^^\n",
        )
        self.expect(["run", "digits", "--settings", "none.yaml"],
                    "error[E0910]: cannot read settings file `none.yaml`: No such file or directory\n")
        (self.folder / "s.yaml").write_text("timing_only: true\ntest: true\n")  # the rules hold for settings, too
        self.expect(["run", "digits", "--settings", "s.yaml"],
                    "error[E0911]: --test counts correct outputs, but --timing-only computes none\nhint: leave out one of them\n")

    def test_memory_that_is_faster_than_the_bus(self):
        result = self.gemel("run", "digits", "--timing-only", "--set", "memory.bytes_per_cycle=32")
        self.assertEqual(result.returncode, DONE)
        self.assertEqual(
            result.stderr,
            "warning[E0113]: `memory.bytes_per_cycle` is 32, and `bus.bytes` of 16 lets no more through in each direction\n"
            "hint: `gemel explain memory.bytes_per_cycle` says what it does\n",
        )

    def test_models_of_other_kinds(self):
        self.expect(
            ["compile", "m.gemel"],
            "error[E0217]: `m.gemel` is a compiled program, and a workload is needed\n"
            "hint: workloads are YAML with safetensors, or SCALE-Sim's tables: docs/reference/workloads.md\n",
        )

    def test_importer_that_cannot_be_started(self):
        for command in (["import", "m.tflite"], ["run", "m.tflite"], ["compile", "m.tflite"], ["run", "m.onnx"]):
            self.expect(command, "error[E1108]: the importer needs Python, and `no_python` cannot be started: No such file or directory\n"
                        "hint: install python3 and python3-numpy, or let GEMEL_PYTHON name a Python that has NumPy\n", variables={"GEMEL_PYTHON": "no_python"})
        home = self.folder / "home"
        (home / "configs").mkdir(parents=True)
        # A program of a build folder has a package beside it; a copy of the program has not.
        alone = self.folder / "bin" / "gemel"
        alone.parent.mkdir()
        shutil.copy(GEMEL, alone)
        result = subprocess.run([alone, "import", "m.tflite"], env={**os.environ, "GEMEL_HOME": str(home)}, capture_output=True, text=True, check=False)
        looked = ", ".join(f"`{folder}`" for folder in (alone.resolve().parent / "python", home / "python", Path(os.path.normpath(home / "../../.."))))
        self.assertEqual(result.stderr, f"error[E1108]: the importer is not there: no `gemel/importer` in {looked}\n"
                         "hint: it comes with Gemel; let GEMEL_HOME name the folder that has `configs` and `python`\n")
        self.assertEqual(result.returncode, USER)
        bare = self.folder / "bare"  # a Python without NumPy
        bare.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -I -c "import sys; sys.path.insert(0, \'{ROOT}/python\'); sys.modules[\'numpy\'] = None; '
                        'sys.argv = sys.argv[2:]; import runpy; runpy.run_module(\'gemel.importer\', run_name=\'__main__\')" "$@"\n')
        bare.chmod(0o755)
        result = self.gemel("import", "m.tflite", variables={"GEMEL_PYTHON": str(bare)})
        self.assertEqual(result.returncode, USER)
        self.assertRegex(result.stderr, r"^error\[E1108\]: the importer needs NumPy, which \S+ does not have: .*numpy.*\n"
                         r"hint: install it: \S+ -m pip install numpy; or let GEMEL_PYTHON name a Python that has it\n$")

    def test_output_of_an_import(self):
        self.expect(["import", "m.tflite", "-o", "net.txt"], "error[E0915]: `--out` is `net.txt`, but must be a name with the extension .yaml\n")
        self.expect(["import", "m.tflite", "-o", "no/net.yaml"], "error[E0902]: cannot write `no/net.yaml`: No such file or directory\n"
                    "hint: nothing was left behind; choose another folder with --out\n")

    def test_more_inputs_than_there_are(self):
        self.expect(["run", "digits", "--input", "a", "--input", "b"], "error[E0510]: `--input` gives 2 files, and the network has 1 input\n")

    def test_home_that_is_none(self):
        for command in ("machines", "workloads"):
            result = subprocess.run([GEMEL, command], cwd=self.folder, env={**os.environ, "GEMEL_HOME": "nowhere"}, capture_output=True, text=True)
            self.assertEqual(
                result.stderr,
                "error[E0917]: GEMEL_HOME is `nowhere`, and there is no folder `configs` in it\n"
                "hint: unset it, or name the folder that has `configs`, `workloads` and `rtl`\n",
            )
            self.assertEqual((result.returncode, result.stdout), (USER, ""))

    def test_instruction_set_that_does_not_exist(self):
        result = subprocess.run([GEMEL, "run", "digits"], cwd=self.folder, env={**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_SIMD": "foo"},
                                capture_output=True, text=True)
        self.assertRegex(result.stderr, r"\Aerror\[E0930\]: GEMEL_SIMD names no instruction set: `foo`\nhint: this computer has scalar")
        self.assertEqual(result.returncode, USER)

    def test_many_mistakes_of_one_kind(self):
        (self.folder / "net.yaml").write_text("gemel_workload: 1\nname: net\nsynthetic: {seed: 1}\ninputs: []\nlayers: []\n" +
                                              "".join(f"odd{i}: 1\n" for i in range(40)))
        result = self.gemel("run", "net.yaml")
        self.assertEqual(result.stderr.count("error[E0203]: unknown key"), 10)
        self.assertIn("error[E0203]: and 30 more of this kind\n", result.stderr)
        self.assertEqual(result.returncode, USER)

    def test_names_of_results_that_are_taken(self):
        (self.folder / "out/report.html").mkdir(parents=True)
        self.expect(
            ["run", "digits", "--out", "out"],
            "error[E0902]: cannot write `out/report.html`: Is a directory\n"
            "hint: nothing was left behind; choose another folder with --out\n",
        )
        (self.folder / "folder.gemel").mkdir()
        self.expect(
            ["compile", "digits", "--out", "folder.gemel"],
            "error[E0902]: cannot write `folder.gemel`: Is a directory\n"
            "hint: nothing was left behind; choose another folder with --out\n",
        )

    def test_files_are_there_before_the_summary(self):
        # The reader of the summary is gone before its first line.
        read, write = os.pipe()
        os.close(read)
        subprocess.run([GEMEL, "run", "digits", "--out", "out"], cwd=self.folder, env={**os.environ, "GEMEL_HOME": str(ROOT)}, stdout=write,
                       stderr=subprocess.DEVNULL, check=False)
        os.close(write)
        self.assertEqual(self.left_behind(), ["out/report.html", "out/result.json"])

    def test_sums_over_all_rounds(self):
        batch, test = self.gemel("run", "digits", "--batch", "40", "--out", "one"), self.gemel("run", "digits", "--test", "--batch", "40", "--out", "all")
        self.assertEqual((batch.returncode, test.returncode), (DONE, DONE), batch.stderr + test.stderr)
        one, all_ = (json.loads((self.folder / name / "result.json").read_text()) for name in ("one", "all"))
        self.assertEqual(all_["images"], 360)
        self.assertEqual(all_["rounds"], 9)
        for key in ("cycles", "macs", "array_cycles", "instructions", "load_bytes", "store_bytes", "fetch_bytes", "load_bursts", "store_bursts"):
            self.assertEqual(all_[key], 9 * one[key], key)
        self.assertEqual(all_["utilization"], one["utilization"])
        for unit, causes in all_["units"].items():
            self.assertEqual(sum(causes.values()), all_["cycles"], unit)
        for of_one, of_all in zip(one["layers"], all_["layers"]):
            for key in ("macs", "array_cycles", "load_bytes", "store_bytes", "span_cycles", "matrix_cycles"):
                self.assertEqual(of_all[key], 9 * of_one[key], key)
        self.assertIn(f"{all_['cycles']:,}", test.stdout)

    def test_programs_run(self):
        made = self.gemel("compile", "digits", "-m", "tiny8", "--set", "memory.read_latency_cycles=77")
        self.assertEqual((made.returncode, made.stderr), (DONE, ""))
        direct = self.gemel("run", "digits", "-m", "tiny8", "--set", "memory.read_latency_cycles=77", "--out", "direct")
        program = self.gemel("run", "digits.gemel", "--out", "program")  # on the machine that it was compiled for
        self.assertEqual((direct.returncode, program.returncode), (DONE, DONE), direct.stderr + program.stderr)
        a, b = (json.loads((self.folder / name / "result.json").read_text()) for name in ("direct", "program"))
        self.assertEqual(a["cycles"], b["cycles"])
        self.assertIn("not compared with golden", program.stdout)
        other = self.gemel("run", "./digits.gemel", "--set", "memory.read_latency_cycles=300")
        self.assertEqual(other.returncode, DONE)
        self.expect_each(
            (["run", "digits.gemel", "--batch", "2"],
             "error[E0911]: `workload` and `--batch` exclude each other: a compiled program has its batch\n"
             "hint: leave out one of them\n"),
            (["run", "digits.gemel", "--test"],
             "error[E0911]: `workload` and `--test` exclude each other: a compiled program comes without its network's test images\n"
             "hint: leave out one of them\n"),
        )
        wrong = self.gemel("run", "digits.gemel", "-m", "edge16")
        self.assertEqual(wrong.returncode, USER)
        self.assertIn("error[E0505]: the schedule of `digits` was compiled for machine `tiny8`, and this is `edge16`: pe_array.rows 8 there",
                      wrong.stderr)

    def test_a_case_is_one_file(self):
        (self.folder / "image.bin").write_bytes(bytes(range(64)))
        made = self.gemel("compile", "digits", "-m", "tiny8", "--with-expected", "--input", "image.bin", "--out", "case.gemel")
        self.assertEqual((made.returncode, made.stderr), (DONE, ""))
        self.assertTrue(made.stdout.endswith(", with inputs and expected results\n"), made.stdout)
        (self.folder / "image.bin").unlink()
        result = self.gemel("run", "case.gemel")
        self.assertEqual(result.returncode, DONE, result.stderr)
        self.assertIn("every layer equal to golden (10 compared)", result.stdout)
        self.expect(["run", "case.gemel", "--seed", "4"],
                    "error[E0911]: `--seed` and `case.gemel`: the program stores its inputs, so that none are drawn\n")

    def test_version_names_the_commit(self):
        result = self.gemel("--version")
        self.assertEqual(result.returncode, DONE)
        self.assertRegex(result.stdout, r"\Agemel \d+\.\d+\.\d+( \([0-9a-f]{12}( with changes)?\))?\n\Z")

    def test_standard_output_full(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("this system has no /dev/full")
        with open("/dev/full", "w") as full:
            result = subprocess.run([GEMEL, "explain", "machine"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(
            result.stderr, "error[E0903]: standard output cannot be written\nhint: is the disk full, or the reader gone?\n"
        )
        self.assertEqual(result.returncode, USER)

    def test_disk_full(self):
        # A limit on the size of files stands for a full disk: write() fails halfway.
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        result = self.gemel("compile", "digits", "--out", "x.gemel", preexec_fn=limit)
        self.assertEqual(
            result.stderr,
            "error[E0902]: cannot write `x.gemel`: File too large\n"
            "hint: nothing was left behind; make room, or choose another folder with --out\n",
        )
        self.assertEqual(result.returncode, USER)
        self.assertEqual(self.left_behind(), [])

    def test_memory_that_the_host_does_not_have(self):
        if "san" in os.environ.get("GEMEL_SANITIZER", ""):
            self.skipTest("sanitizers need address space without limit")
        result = self.gemel(
            "run", "digits", "--set", "memory.size_bytes=1024GiB",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
        )
        self.assertEqual(
            result.stderr,
            "error[E0914]: the host cannot map 1099511627776 bytes for the simulated memory\n"
            "hint: choose a smaller memory.size_bytes\n",
        )
        self.assertEqual(result.returncode, USER)

    def test_out_of_memory(self):
        if "san" in os.environ.get("GEMEL_SANITIZER", ""):
            self.skipTest("sanitizers need address space without limit")
        result = self.gemel(  # the weights of vgg16 are 138 MB
            "run", "vgg16", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (150 << 20, 150 << 20))
        )
        self.assertEqual(
            result.stderr, "error[E0904]: out of memory\nhint: choose a smaller network, batch or memory.size_bytes\n"
        )
        self.assertEqual(result.returncode, USER)

    def test_block_that_does_not_exist(self):
        self.expect(
            ["run", "digits", "--block", "foo=rtl"],
            "error[E1001]: there is no block `foo`\n"
            "hint: blocks are: all, npu, npu_axi, pe, sequencer, load_dma, store_dma, matrix_unit, vector_unit, activation_buffer, "
            "weight_buffer, vector_buffer, param_buffer, accumulator_buffer, pe_array, requantizer\n",
        )

    def test_block_setting_of_another_form(self):
        for setting in ("pe_array", "pe_array=fast"):
            with self.subTest(setting=setting):
                self.expect(
                    ["run", "digits", "--block", setting],
                    f"error[E1010]: `--block {setting}` is not of the form NAME=model|rtl|check[:FILE.sv,...]\n",
                )
        self.expect(
            ["run", "digits", "--block", "pe_array=rtl:"],
            "error[E1010]: `--block pe_array=rtl:` names no source after the colon\n",
        )

    def test_skeleton_never_overwrites(self):
        self.assertEqual(self.gemel("new-block", "requantizer").returncode, DONE)
        self.expect(
            ["new-block", "requantizer"],
            "error[E0909]: `requantizer.sv` exists already\nhint: remove it, or choose another folder with --out\n",
        )

    def test_source_that_is_not_there(self):
        result = self.gemel("run", "digits", "--block", "pe_array=rtl:none.sv")
        self.assertEqual(result.stderr, f"error[E1003]: cannot read the source `{self.folder.resolve()}/none.sv`: No such file or directory\n")
        self.assertEqual(result.returncode, USER)

    def test_no_verilator(self):
        environment = {"PATH": "/nonexistent", "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": str(self.folder / "cache")}
        result = subprocess.run(
            [GEMEL, "run", "digits", "-q", "--block", "pe_array=rtl"],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
        )
        self.assertEqual(
            result.stderr,
            "error[E1002]: Verilator cannot be run: No such file or directory\n"
            "hint: install the package `verilator`, or use the models only\n",
        )
        self.assertEqual(result.returncode, USER)

    def refuse_source(self, source, text):
        if shutil.which("verilator") is None:
            self.skipTest("Verilator is not installed")
        (self.folder / "mine.sv").write_text(source)
        result = self.gemel("run", "digits", "-q", "--block", "pe_array=rtl:mine.sv")
        said = result.stderr.replace(str(self.folder.resolve()) + "/", "")
        self.assertEqual(said[: len(text)], text)  # what Verilator adds depends on its version
        self.assertEqual(result.returncode, USER)

    def test_source_of_another_module(self):
        self.refuse_source(
            "module foo; endmodule\n",
            "error[E1006]: there is no module `pe_array` in the given sources\nhint: the module must be named as the block\n",
        )

    def test_source_that_does_not_compile(self):
        self.refuse_source(
            "module pe_array(; endmodule\n",
            "error[E1004]: block `pe_array` does not compile; Verilator says:\n  %Error: mine.sv:1:",
        )

    def test_source_with_other_ports(self):
        self.refuse_source(
            "module pe_array #(parameter int Rows = 1, parameter int Columns = 1) (input logic clk_i, input logic odd_i);\n"
            "endmodule\n",
            "error[E1005]: module `pe_array`: port `weight_valid_i` is missing; it must be an input of 1 bit\n"
            "error[E1005]: module `pe_array`: port `weight_i` is missing; it must be an input of 144 bits\n"
            "error[E1005]: module `pe_array`: port `activation_valid_i` is missing; it must be an input of 1 bit\n"
            "error[E1005]: module `pe_array`: port `activation_switch_i` is missing; it must be an input of 1 bit\n"
            "error[E1005]: module `pe_array`: port `activation_i` is missing; it must be an input of 144 bits\n"
            "error[E1005]: module `pe_array`: port `sums_valid_o` is missing; it must be an output of 1 bit\n"
            "error[E1005]: module `pe_array`: port `sums_o` is missing; it must be an output of 512 bits\n"
            "error[E1005]: module `pe_array`: port `rst_ni` is missing; it must be an input of 1 bit\n"
            "error[E1005]: module `pe_array`: port `quiet_o` is missing; it must be an output of 1 bit\n"
            "error[E1005]: module `pe_array`: port `odd_i` is not part of the contract\n",
        )

    def test_interrupted(self):
        # Ctrl-C in the middle of a run that takes some seconds: says where it stood, ends in 130, leaves no result.
        process = subprocess.Popen(
            [GEMEL, "run", "vgg16", "--machine", "tiny8", "--out", "out"],
            cwd=self.folder, env={**os.environ, "GEMEL_HOME": str(ROOT)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.wait_until_at_work(process)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=1800)
        self.assertEqual(process.returncode, INTERRUPTED, errors)
        self.assertEqual(output, "")
        self.assertRegex(errors, r"interrupted")
        self.assertEqual(self.left_behind(), [])

    def test_interrupted_while_compiling(self):
        # A network of about 20 million instructions, which takes many seconds to compile.
        rows = "".join(f"l{i}, 512, 512, 1, 1, 4096, 16384, 1,\n" for i in range(100))
        (self.folder / "large.csv").write_text("Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n" + rows)
        for command in (["run", "large.csv", "--timing-only"], ["compile", "large.csv"]):
            process = subprocess.Popen(
                [GEMEL, *command, "--machine", "server128", "--set", "memory.size_bytes=1024GiB"],
                cwd=self.folder, env={**os.environ, "GEMEL_HOME": str(ROOT)},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            self.wait_until_at_work(process)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=1800)
            self.assertEqual(process.returncode, INTERRUPTED, errors)
            self.assertRegex(errors, r"interrupted while (compiling|reading)")
            self.assertEqual(output, "")

    def test_host_steps_are_told_and_stay_out_of_program_files(self):
        (self.folder / "tail.yaml").write_text(
            "gemel_workload: 1\nname: tail\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [4, 8]}]\nlayers:\n"
            "  - {name: fc, op: dense, out_channels: 10}\n  - {name: shares, op: softmax}\n  - {name: class, op: argmax, input: fc}\n")
        for engine in ("systemc", "plain", "beat"):
            result = self.gemel("run", "tail.yaml", "--engine", engine, "--out", "out")
            self.assertEqual(result.returncode, DONE, result.stderr)
            # 40 + 40 + 4 elements are made, 44 of them by the host, which reads the 40 bytes of fc.
            self.assertRegex(result.stdout, r"on the host +2 operators \(softmax, argmax\), 52\.38 % of the elements, 40 B to and fro\n")
            self.assertRegex(result.stdout, r"result +every layer equal to golden \(1 compared\)\n")
            self.assertRegex(result.stdout, r"shares +softmax .*runs on the host\n")
            written = json.loads((self.folder / "out/result.json").read_text())
            self.assertEqual(written["host_steps"]["operators"], ["softmax", "argmax"])
            self.assertEqual(written["host_steps"]["bytes"], 40)
            self.assertEqual([layer["compared"] for layer in written["layers"]], ["equal", "host", "host"])
            shutil.rmtree(self.folder / "out")
        result = self.gemel("compile", "tail.yaml")
        self.assertEqual(result.returncode, USER, result.stderr)
        self.assertIn("error[E0508]: layer `shares` (`softmax`) runs on the host, and a program file cannot hold it", result.stderr)
        self.assertEqual(self.left_behind(), ["tail.yaml"])

    def test_host_steps_inside_a_network_are_told(self):
        (self.folder / "inside.yaml").write_text(
            "gemel_workload: 1\nname: inside\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [4, 8]}]\nlayers:\n"
            "  - {name: fc, op: dense, out_channels: 10}\n  - {name: shares, op: softmax}\n  - {name: out, op: dense, out_channels: 4}\n")
        result = self.gemel("run", "inside.yaml", "--out", "out")
        self.assertEqual(result.returncode, DONE, result.stderr)
        text = "1 operator (softmax), 41.67 % of the elements, 80 B to and fro; the NPU is started 2 times, and waits in between"
        self.assertRegex(result.stdout, rf"on the host +{re.escape(text)}\n")
        self.assertIn(text, (self.folder / "out/report.html").read_text())
        written = json.loads((self.folder / "out/result.json").read_text())
        self.assertEqual((written["starts"], written["host_steps"]["bytes"]), (2, 80))
        timing = self.gemel("run", "inside.yaml", "--timing-only", "--out", "timing")
        self.assertEqual(timing.returncode, DONE, timing.stderr)
        self.assertEqual(json.loads((self.folder / "timing/result.json").read_text())["cycles"], written["cycles"])
        result = self.gemel("compile", "inside.yaml")
        self.assertEqual(result.returncode, USER, result.stderr)
        self.assertIn("error[E0508]: layer `shares` (`softmax`) runs on the host, and a program file cannot hold it", result.stderr)

    def test_a_run_without_mistakes(self):
        result = self.gemel("run", "digits", "--out", "out", "--trace")
        self.assertEqual(result.returncode, DONE, result.stderr)
        self.assertEqual(self.left_behind(), ["out/report.html", "out/result.json", "out/trace.json"])
        self.assertGreater(json.loads((self.folder / "out/result.json").read_text())["cycles"], 0)


if __name__ == "__main__":
    GEMEL = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
