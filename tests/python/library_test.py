# SPDX-License-Identifier: Apache-2.0
"""The package `gemel` on the library: the same results as the command line's, errors with codes, arrays, threads, Ctrl-C.

The package is build/release/python, or the one that GEMEL_PACKAGE names; the program build/release/gemel, or GEMEL_BINARY.
"""

import contextlib
import gc
import io
import json
import multiprocessing
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from packaged import PYTHON, ROOT

import numpy as np  # noqa: E402

import gemel  # noqa: E402

GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))
HOST = {"compile_seconds", "build_rtl_seconds", "simulate_seconds", "golden_seconds", "peak_memory_mib"}  # of the computer, not of the machine


def without_host(fields):
    return {key: value for key, value in fields.items() if key not in HOST}


def on_the_command_line(*arguments):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([GEMEL, "run", *arguments, "--out", folder], check=True, capture_output=True)
        fields = json.loads(Path(folder, "result.json").read_text(encoding="utf-8"))
    del fields["settings"]["out"]
    return fields


class Machines(unittest.TestCase):
    def test_values_by_key_and_by_name(self):
        machine = gemel.machine("edge16").with_({"bus.bytes": 32}, rows=32, activation_buffer_size_bytes="256KiB")
        self.assertEqual((machine["pe_array.rows"], machine["rows"], machine["pe_array_rows"], machine["columns"]), (32, 32, 32, 16))
        self.assertEqual(machine["activation_buffer.size_bytes"], 256 * 1024)
        self.assertEqual(gemel.machine().diff(machine),
                         {"pe_array.rows": (16, 32), "bus.bytes": (16, 32), "activation_buffer.size_bytes": (131072, 262144)})
        self.assertEqual(machine, gemel.machine("edge16", {"bus.bytes": 32, "rows": 32}, activation_buffer_size_bytes=262144))
        self.assertNotEqual(machine, gemel.machine())
        self.assertEqual(list(machine), [parameter.key for parameter in gemel.parameters()])
        with self.assertRaises(KeyError):
            machine["colums"]

    def test_what_is_wrong_with_it(self):
        for changes, code, place, hint in (
            ({"colums": 3}, "E0103", "colums=3", "did you mean `pe_array.columns`?"),
            ({"banks": 2}, "E0103", "banks", "activation_buffer_banks"),
            ({"rows": 300}, "E0107", "pe_array.rows=300", ""),
            ({"rows": "many"}, "E0106", "pe_array.rows=many", ""),
            ({"lanes": 17}, "E0108", "vector_unit.lanes=17", ""),
        ):
            with self.subTest(changes), self.assertRaises(gemel.UserError) as caught:
                gemel.machine().with_(**changes)
            error = caught.exception
            self.assertEqual((error.code, error.place), (code, place), error)
            self.assertIn(hint, error.hint)
            self.assertIsInstance(error, gemel.Error)
            self.assertIsInstance(error, ValueError)
        with self.assertRaises(gemel.UserError) as caught:
            gemel.machine().with_(rows=300, columns=0)
        self.assertEqual([d.file for d in caught.exception.diagnostics], ["pe_array.rows=300", "pe_array.columns=0"])  # all at once
        with self.assertRaises(gemel.UserError) as caught:
            gemel.machine("edge17")
        self.assertEqual(str(caught.exception),
                         "error[E0109]: there is no machine `edge17`\n  did you mean `edge16`?\n"
                         "hint: `gemel machines` lists them; a file of your own is given as a path, such as ./mine.yaml")

    def test_files_and_pickles(self):
        machine = gemel.machine("tiny8", clock_mhz=800)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "mine.yaml")
            machine.save(path)
            self.assertEqual(gemel.machine(path), machine)
            path.write_text(machine.to_yaml().replace("rows:", "rosw:"), encoding="utf-8")
            with self.assertRaises(gemel.UserError) as caught:
                gemel.machine(path)
        self.assertRegex(caught.exception.place, r"mine\.yaml:\d+:\d+$")
        again = pickle.loads(pickle.dumps(machine))
        self.assertEqual((again, again.digest, hash(again)), (machine, machine.digest, hash(machine)))
        error = pickle.loads(pickle.dumps(caught.exception))
        self.assertEqual((type(error), str(error), error.code), (gemel.UserError, str(caught.exception), caught.exception.code))

    def test_changes_of_changes_are_checked_as_a_whole(self):
        machine = gemel.machine("edge16").with_(columns=8, lanes=8)
        self.assertEqual(machine, gemel.machine("edge16", columns=8, lanes=8))
        self.assertEqual(machine.with_(columns=16, lanes=16), gemel.machine("edge16"))
        with self.assertRaises(gemel.UserError) as caught:
            machine.with_(columns=4)  # lanes do not fit any more
        self.assertEqual(caught.exception.code, "E0108")
        self.assertRegex(caught.exception.place, r"^edge16:\d+:\d+$")  # of what to_yaml() writes

    def test_useless_parameters_are_warned_of(self):
        with self.assertWarnsRegex(gemel.GemelWarning, "E0113"):
            gemel.machine(memory_bytes_per_cycle=4096)

    def test_a_bandwidth_may_be_a_fraction(self):
        cycles = [gemel.run("digits", gemel.machine(memory_bytes_per_cycle=each), timing_only=True).cycles for each in (16, 12.8, 12.799, 8)]
        self.assertEqual(cycles, sorted(cycles))
        self.assertEqual(len(set(cycles)), 4, cycles)
        self.assertIn("bytes_per_cycle: 12.8", gemel.machine(memory_bytes_per_cycle=12.8).to_yaml())
        with self.assertRaisesRegex(gemel.UserError, "in steps of 0.001"):
            gemel.machine(memory_bytes_per_cycle=12.8005)


class Results(unittest.TestCase):
    def test_digits_equals_the_command_lines_in_every_field(self):
        for arguments, options in (
            ((), {}),
            (("--test",), {"test_images": True}),
            (("--test", "--batch", "90"), {"test_images": True, "batch": 90}),
            (("--seed", "7", "--batch", "3"), {"seed": 7, "batch": 3}),
            (("--timing-only",), {"timing_only": True}),
        ):
            with self.subTest(arguments):
                result = gemel.run("digits", "tiny8", engine="systemc", **options)
                expected = on_the_command_line("digits", "--machine", "tiny8", "--engine", "systemc", *arguments)
                self.assertEqual(without_host(result.to_dict()), without_host(expected))
                self.assertEqual(set(result.to_dict()), set(expected))
                self.assertEqual((result.cycles, result.accuracy, result.utilization), (expected["cycles"], expected["accuracy"], expected["utilization"]))

    def test_changed_machines_are_told_as_the_command_line_would_be(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gemel.GemelWarning)
            machine = gemel.machine("tiny8", rows=16).with_(bus_bytes=8)
        result = gemel.run("digits", machine, engine="plain")
        settings = result.to_dict()["settings"]
        expected = on_the_command_line("digits", "--machine", "tiny8", "--set", "pe_array.rows=16", "--set", "bus.bytes=8", "--engine", "plain")
        self.assertEqual(settings, expected["settings"])
        self.assertEqual(without_host(result.to_dict()), without_host(expected))

    def test_engines_and_ways_to_the_same_run(self):
        network, machine = gemel.load("digits"), gemel.machine("tiny8")
        program = network.compile(machine)
        results = [gemel.run(network, machine, engine=engine) for engine in ("plain", "systemc", "beat", "systemc")]
        results += [gemel.run(program), program.run(), gemel.run("digits", machine), gemel.run(program, machine)]
        self.assertEqual([result.to_dict()["engine"] for result in results], ["plain", "systemc", "beat", "systemc"] + 4 * ["plain"])
        for result in results[1:]:
            self.assertEqual((result.cycles, result.units), (results[0].cycles, results[0].units))
            np.testing.assert_array_equal(result.tensor("dense"), results[0].tensor("dense"))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "digits.gemel")
            program.save(path)
            self.assertEqual(gemel.Program.load(path).digest, program.digest)
            self.assertEqual(gemel.run(path).cycles, results[0].cycles)
        estimate = gemel.estimate(program)
        self.assertLess(abs(estimate.cycles - results[0].cycles), estimate.error_share * results[0].cycles)
        self.assertEqual(gemel.estimate("digits", "tiny8"), estimate)
        self.assertEqual(sum(estimate.layers.values()), estimate.cycles)

    def test_a_programs_layers_have_their_mapping(self):
        for name in ("digits", "mobilenet_v2"):  # the second has depthwise layers, whose channels both units may share
            program = gemel.compile(name, "edge16")
            result = program.run(timing_only=True)
            self.assertEqual([(layer.name, layer.mapping, layer.weight_tiles) for layer in program.layers],
                             [(layer.name, layer.mapping, layer.weight_tiles) for layer in result.layers])  # fmt: skip
            self.assertEqual({part.unit for layer in program.layers for part in layer.mapping}, {"matrix_unit", "vector_unit"})
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "network.gemel")
                program.save(path)
                self.assertEqual([layer.mapping for layer in gemel.Program.load(path).layers], [layer.mapping for layer in program.layers])
        self.assertEqual({layer.mapping for layer in gemel.load("digits").layers}, {()})

    def test_layers_columns_and_tables(self):
        result = gemel.run("digits", "tiny8")
        fields = result.to_dict()
        columns, rows = result.columns(), result.table()
        self.assertEqual(len(rows), len(fields["layers"]))
        for layer, expected, row in zip(result.layers, fields["layers"], rows, strict=True):
            self.assertEqual({name for name in expected if not hasattr(layer, name)}, set())  # a new field of result.json is to be typed, too
            self.assertEqual((layer.name, layer.macs, layer.units), (expected["name"], expected["macs"], expected["units"]))
            self.assertEqual(list(layer.output), expected["output"])
            self.assertEqual(row["name"], layer.name)
            self.assertEqual(row["macs"], layer.macs)
            self.assertEqual(row["output"], "x".join(map(str, layer.output)))
        self.assertEqual(columns["matrix_cycles"].sum(), result.cycles)
        self.assertEqual(columns["vector_unit.busy"].sum(), result.units["vector_unit"]["busy"])
        self.assertEqual({len(column) for column in columns.values()}, {len(rows)})
        first = result.to_dict()
        first["layers"].clear()
        self.assertEqual(result.to_dict(), fields)  # a copy each time

    def test_explains_where_the_time_went(self):
        result = gemel.run("digits", "tiny8", timing_only=True)
        lines = result.explain(most=3).splitlines()
        self.assertEqual(lines[0], "digits on tiny8: 15,154 cycles, 71.6 % of the array's MAC slots")
        places = 8 * 8
        lost = {layer.name: layer.matrix_cycles - (layer.macs / places if layer.array_cycles else 0) for layer in result.layers}
        most = sorted(lost, key=lambda name: -lost[name])[:3]
        for name, line in zip(most, lines[1:], strict=True):
            bound = next(layer.bottleneck for layer in result.layers if layer.name == name)
            self.assertEqual(line, f"  {name} loses {lost[name]:,.0f} cycles ({100 * lost[name] / result.cycles:.1f} %): {bound}")
        multiplied = sum(layer.macs for layer in result.layers if layer.array_cycles) / places
        self.assertAlmostEqual(sum(lost.values()), result.cycles - multiplied)  # all of it

    def test_outputs_share_memory_and_keep_it(self):
        result = gemel.run("digits", "tiny8")
        output = result.tensor("dense")
        self.assertEqual((output.dtype, output.shape), (np.dtype(np.int8), result.output_infos[0].shape))
        self.assertFalse(output.flags.owndata)
        self.assertFalse(output.flags.writeable)
        again = gemel.run("digits", "tiny8").tensor("dense")
        before = output.tobytes()
        del result
        gc.collect()
        self.assertEqual((output.tobytes(), again.tobytes()), (before, before))
        with self.assertRaisesRegex(KeyError, "keep=.*there are dense"):
            gemel.run("digits", "tiny8").tensor("conv1")

    def test_tensors_inside_of_the_network(self):
        network = gemel.load("digits")
        everything = gemel.run(network, "tiny8", keep=True)
        self.assertEqual(list(everything.tensors), [info.name for info in network.inputs] + [layer.name for layer in network.layers])
        for layer in network.layers:
            self.assertEqual(everything.tensor(layer.name).shape, layer.output)
        np.testing.assert_array_equal(everything.tensors["dense"], everything.outputs["dense"])
        conv1 = gemel.run(network, "edge16", keep=["conv1"]).tensor("conv1")
        np.testing.assert_array_equal(conv1, everything.tensor("conv1"))
        self.assertGreater(len(np.unique(conv1)), 10)
        with self.assertRaises(gemel.UserError) as caught:
            gemel.run(network, "tiny8", keep=["conv11"])
        self.assertEqual((caught.exception.code, caught.exception.hint), ("E0514", "did you mean `conv1`?"))

    def test_inputs(self):
        network = gemel.load("digits", batch=2)
        test = network.test_images()
        info = network.inputs[0]
        images = test.images[:2]
        self.assertEqual((images.shape, images.dtype), (info.shape, np.dtype(info.type)))
        result = gemel.run(network, "tiny8", inputs=images)
        np.testing.assert_array_equal(result.tensor("dense").reshape(2, -1).argmax(axis=1), test.labels[:2])
        for same in ([images], {info.name: images}, np.asfortranarray(images), gemel.quantized(gemel.dequantized(images, info), info)):
            np.testing.assert_array_equal(gemel.run(network, "tiny8", inputs=same).tensor("dense"), result.tensor("dense"))
        swapped = gemel.run(network, "tiny8", inputs=images[::-1])  # not dense in memory
        np.testing.assert_array_equal(swapped.tensor("dense"), result.tensor("dense")[::-1])
        for wrong, text in (
            (images[:1], r"must have the shape \(2, 8, 8, 1\), but has \(1, 8, 8, 1\)"),
            (images.astype(np.float32), "must be an array of int8, but is one of float32"),
            ({"imgae": images}, "there is no input `imgae`"),
            ([images, images], "2 inputs are given, and the network has 1"),
        ):
            with self.subTest(text), self.assertRaisesRegex(gemel.UserError, text) as caught:
                gemel.run(network, "tiny8", inputs=wrong)
            self.assertEqual(caught.exception.code, "E0510")

    def test_reports_comparison_and_trace(self):
        one, two = gemel.run("digits", "tiny8", trace=True), gemel.run("digits", gemel.machine("tiny8", memory_read_latency_cycles=50))
        with tempfile.TemporaryDirectory() as folder:
            path = one.report(Path(folder, "digits.html"))
            self.assertIn("digits", path.read_text(encoding="utf-8"))
            self.assertEqual(sorted(p.name for p in one.save(Path(folder, "out"))), ["report.html", "result.json", "trace.json"])
            self.assertEqual(json.loads(Path(folder, "out", "result.json").read_text(encoding="utf-8")), one.to_dict())
            self.assertEqual(json.loads(Path(folder, "out", "trace.json").read_text(encoding="utf-8")), one.trace())
            self.assertEqual([p.name for p in Path(folder).iterdir() if p.suffix == ".part"], [])
            with self.assertRaises(gemel.UserError) as caught:
                one.save(path)  # a file is in the way
            self.assertEqual(caught.exception.code, "E0901")
        comparison = one.compare(two)
        self.assertEqual(comparison.machine, {"memory.read_latency_cycles": (100, 50)})
        self.assertEqual(comparison.cycles, (one.cycles, two.cycles))
        self.assertLess(two.cycles, one.cycles)
        self.assertEqual(sum(layer.change for layer in comparison.layers), two.cycles - one.cycles)
        changes = [abs(layer.change) for layer in comparison.layers]
        self.assertEqual(changes, sorted(changes, reverse=True))
        self.assertIn("memory.read_latency_cycles: 100 -> 50", repr(comparison))
        for shown in (one, one.machine, gemel.load("digits"), comparison):
            html = shown._repr_html_()
            self.assertTrue(html.startswith("<table>") and html.endswith("</table>"), html)
        self.assertIn(f"{one.cycles:,} cycles", repr(one))
        self.assertIn("utilization", one.summary())
        with self.assertRaisesRegex(ValueError, "trace=True"):
            two.trace()

    def test_figures_are_those_of_result_json(self):
        for options in ({}, {"timing_only": True}, {"test_images": True, "batch": 90}):
            result = gemel.run("digits", "tiny8", **options)
            fields, figures = result.to_dict(), result.figures()
            units = {f"{unit}.{cause}": cycles for unit, causes in fields["units"].items() for cause, cycles in causes.items()}
            others = HOST | {"gemel_result", "seed", "rounds", "starts", "images", "accuracy", "float_accuracy"}
            numbers = {key: value for key, value in fields.items() if type(value) in (int, float) and key not in others}
            self.assertEqual(figures, {**numbers, **units})
            self.assertEqual(result.units, fields["units"])

    def test_results_pickle_with_all_they_have(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(gemel.RunError):
            for options in ({"trace": True, "keep": True}, {"timing_only": True}, {"test_images": True, "batch": 90}):
                result = gemel.run("digits", gemel.machine("tiny8", memory_read_latency_cycles=50), **options)
                result.layers  # noqa: B018  # what is made on demand is not pickled
                again = pickle.loads(pickle.dumps(result))
                self.assertEqual(again.to_dict(), result.to_dict())
                self.assertEqual((again.machine, again.cycles, again.layers, again.accuracy), (result.machine, result.cycles, result.layers, result.accuracy))
                self.assertEqual((again.summary(), again.explain(), repr(again)), (result.summary(), result.explain(), repr(result)))
                self.assertEqual([vars(i) if hasattr(i, "__dict__") else (i.name, i.shape) for i in again.output_infos],
                                 [vars(i) if hasattr(i, "__dict__") else (i.name, i.shape) for i in result.output_infos])
                self.assertEqual(list(again.tensors), list(result.tensors))
                for name, array in {**result.outputs, **result.tensors}.items():
                    np.testing.assert_array_equal(again.tensor(name), array)
                texts = [one.report(Path(folder, "report.html")).read_text(encoding="utf-8") for one in (result, again)]
                self.assertEqual(*texts)
                if options.get("trace"):
                    self.assertEqual(again.trace(), result.trace())
            data = pickle.dumps(result)
            for cut in (10, len(data) // 2):
                with self.assertRaises((ValueError, pickle.UnpicklingError, EOFError)):
                    pickle.loads(data[:-cut] if cut == 10 else data[:cut])
            return
        self.fail("a run failed")

    def test_networks_pickle_in_whatever_way_they_came(self):
        builder = gemel.NetworkBuilder("built")
        builder.input("image", (1, 8, 8, 8), scale=0.5)
        builder.layer("conv", "conv2d", out_channels=8, kernel=1, weight=np.arange(64, dtype=np.int8).reshape(8, 1, 1, 8), bias=np.arange(8, dtype=np.int32),
                      weight_scale=np.full(8, 0.01, np.float32), output={"scale": 0.5, "zero_point": 0})
        text = ("gemel_workload: 1\nname: text\nsynthetic: {seed: 3}\ninputs:\n  - {name: image, shape: [1, 8, 8, 3]}\n"
                "layers:\n  - {name: scores, op: dense, out_channels: 10}\n")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "mine.yaml")
            path.write_text(text, encoding="utf-8")
            before = os.getcwd()
            os.chdir(folder)
            try:
                networks = [gemel.load("digits", batch=2), gemel.load("resnet18", timing_only=True, seed=5), gemel.load(text), gemel.load("mine.yaml"),
                            builder.build()]
            finally:
                os.chdir(before)
            for network in networks:
                again = pickle.loads(pickle.dumps(network))
                self.assertEqual((again.digest, again.name, again.batch, again.timing_only), (network.digest, network.name, network.batch, network.timing_only))
                self.assertEqual(len(again.layers), len(network.layers))
            result = gemel.run(networks[0], "tiny8")
            self.assertEqual(result.to_dict()["network_digest"], networks[0].digest)
            data = pickle.dumps(networks[3])
            path.write_text(text.replace("10", "11"), encoding="utf-8")
            with self.assertRaises(gemel.UserError) as caught:
                pickle.loads(data)
            self.assertEqual((caught.exception.code, caught.exception.message), ("E1213", "the network `mine.yaml` is not what it was when it was pickled"))

    def test_process_pools_take_and_give_them(self):
        network, machines = gemel.load("digits", timing_only=True), [gemel.machine("tiny8"), gemel.machine("tiny8", memory_read_latency_cycles=50)]
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            results = list(pool.map(gemel.run, [network, network], machines))
        for result, machine in zip(results, machines, strict=True):
            self.assertEqual(without_host(result.to_dict()), without_host(gemel.run(network, machine).to_dict()))

    def test_pandas_is_asked_for_politely(self):
        result = gemel.run("digits", "tiny8", timing_only=True)
        try:
            import pandas  # noqa: F401
        except ImportError:
            with self.assertRaisesRegex(ImportError, r"gemel\[frames\]"):
                result.to_pandas()
        else:
            frame = result.to_pandas()
            self.assertEqual(frame["matrix_cycles"].sum(), result.cycles)
        self.assertEqual(result.outputs, {})
        with self.assertRaisesRegex(KeyError, "timing-only"):
            result.tensor("dense")


class Built(unittest.TestCase):
    """Networks put together in Python."""

    def test_digits_again_is_the_same_network(self):
        import yaml

        from gemel.tensors import read_safetensors

        file = yaml.safe_load((ROOT / "workloads/digits.yaml").read_text(encoding="utf-8"))
        tensors = read_safetensors(ROOT / "workloads" / file["tensors"])
        builder = gemel.NetworkBuilder("digits", arithmetic=file["arithmetic"])
        for given in file["inputs"]:
            builder.input(**given)
        for layer in file["layers"]:
            arrays = {name.rpartition(".")[2]: array for name, array in tensors.items() if name.rpartition(".")[0] == layer["name"]}
            inputs = layer.pop("inputs", layer.pop("input", None))
            self.assertIsNone(layer.pop("weight", None))
            builder.layer(inputs=inputs, **layer, **arrays)
        builder.test_images(tensors["test.images"], tensors["test.labels"])
        network = builder.build(batch=4)
        one, two = gemel.run(network, "tiny8"), gemel.run("digits", "tiny8", batch=4)
        self.assertEqual(one.to_dict()["network_digest"], two.to_dict()["network_digest"])
        np.testing.assert_array_equal(one.tensor("dense"), two.tensor("dense"))
        self.assertEqual(one.cycles, two.cycles)
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual([path.name for path in builder.save(Path(folder, "mine.yaml"))], ["mine.yaml", "mine.safetensors"])
            saved = gemel.run(Path(folder, "mine.yaml"), "tiny8", test_images=True)
        self.assertEqual(saved.accuracy, gemel.run("digits", "tiny8", test_images=True).accuracy)

    def test_synthetic_numbers(self):
        def built(seed):
            builder = gemel.NetworkBuilder("small \"quoted\": - yes", seed=seed)
            image = builder.input("image", (1, 32, 32, 3))
            one = builder.layer("on", "conv2d", image, out_channels=16, kernel=np.int64(3), padding="same", activation="relu")
            two = builder.layer("2", "conv2d", one, out_channels=16, kernel=(3, 3), padding="same")
            builder.layer("sum", "add", [one, two])
            builder.layer("scores", "dense", out_channels=10)
            builder.outputs("sum", "scores")
            return builder.build()

        network = built(1)
        self.assertEqual([layer.name for layer in network.layers], ["on", "2", "sum", "scores"])
        self.assertEqual([info.name for info in network.outputs], ["sum", "scores"])
        self.assertEqual(network.name, 'small "quoted": - yes')
        results = [gemel.run(n, "tiny8") for n in (network, built(1), built(2))]
        self.assertEqual(list(results[0].outputs), ["sum", "scores"])
        np.testing.assert_array_equal(results[0].tensor("scores"), results[1].tensor("scores"))
        self.assertFalse(np.array_equal(results[0].tensor("scores"), results[2].tensor("scores")))

    def test_tflite_models_are_imported(self):
        from tflite_import_test import small, with_float_edges

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "small.tflite")
            path.write_bytes(small().write())
            result = gemel.run(path, "tiny8", engine="plain")
            expected = on_the_command_line(str(path), "--machine", "tiny8", "--engine", "plain")
            self.assertEqual(without_host(result.to_dict()), without_host(expected))
            self.assertEqual(gemel.load(path, batch=2).batch, 2)
            self.assertEqual(gemel.load(path).notes, ())
            path.write_bytes(with_float_edges().write())
            self.assertRegex(gemel.load(path).notes[0], "^input `image` takes int8 bytes")
            path.write_bytes(b"no model")
            with self.assertRaises(gemel.UserError) as caught:
                gemel.load(path)
            self.assertEqual(caught.exception.code, "E1102")
            self.assertIn(str(path), caught.exception.message)

    def test_what_is_wrong_with_it_names_its_line(self):
        builder = gemel.NetworkBuilder("broken", seed=1)
        builder.input("image", (1, 8, 8, 3))
        builder.layer("a", "conv2d", out_chanels=16, kernel=3)
        builder.layer("b", "conv4d", "imgae")
        with self.assertRaises(gemel.UserError) as caught:
            builder.build()
        text = str(caught.exception)
        for part in ("broken:8:", "out_chanels", "did you mean `out_channels`?", "broken:9:", "conv4d", "imgae"):
            self.assertIn(part, text)
        with self.assertRaises(gemel.UserError) as caught:
            builder.layer("c", "conv2d", kernels=np.ones(3))
        self.assertIn("`kernels` is an array", str(caught.exception))


class Errors(unittest.TestCase):
    def test_codes_of_networks_programs_and_runs(self):
        text = "name: broken\nlayers:\n  - {name: a, op: conv3d}\n"
        network = gemel.load("digits")
        for action, kind, code in (
            (lambda: gemel.load("resnet51"), gemel.UserError, "E02"),
            (lambda: gemel.load(text), gemel.UserError, "E02"),
            (lambda: gemel.load("model.gemel"), gemel.UserError, "E0217"),
            (lambda: gemel.load("model.onnx"), gemel.UserError, "E1101"),
            (lambda: gemel.Program.load("/nowhere.gemel"), gemel.UserError, "E0501"),
            (lambda: gemel.run(network.compile("tiny8"), "edge16"), gemel.UserError, "E0505"),
            (lambda: gemel.run(network, "tiny8", test_images=True, timing_only=True), gemel.UserError, "E0911"),
            (lambda: gemel.run(network, "tiny8", batch=2), gemel.UserError, "E0911"),
            (lambda: gemel.run(network, "tiny8", engine="fast"), gemel.UserError, "E0915"),
            (lambda: gemel.run(network, "tiny8", blocks={"pe_aray": "rtl"}), gemel.UserError, "E1001"),
            (lambda: gemel.run(network, "tiny8", max_cycles=100), gemel.RunError, "E0803"),
        ):
            with self.subTest(code), self.assertRaises(kind) as caught:
                action()
            self.assertTrue(caught.exception.code.startswith(code), caught.exception)
            self.assertIn(f"error[{caught.exception.code}]", str(caught.exception))

    def test_options_that_cannot_be(self):
        for options, text in (
            ({"engine": "sistemc"}, "`engine` is `sistemc`, but must be `plain`, `systemc` or `beat`\nhint: did you mean `systemc`?"),
            ({"batch": 0}, "`batch` is 0, but must be a whole number from 1 to 65535"),
            ({"batch": True}, "`batch` is True, but must be a whole number from 1 to 65535"),
            ({"batch": 1.5}, "`batch` is 1.5, but must be a whole number from 1 to 65535"),
            ({"seed": -1}, "`seed` is -1, but must be a whole number of at least 0"),
            ({"max_cycles": 0}, "`max_cycles` is 0, but must be a whole number of at least 1"),
            ({"reset_seed": 1 << 31}, "`reset_seed` is 2147483648, but must be a whole number from 0 to 2147483647"),
        ):
            with self.subTest(options), self.assertRaises(gemel.UserError) as caught:
                gemel.run("digits", "tiny8", **options)
            self.assertEqual(str(caught.exception), f"error[E0915]: {text}")
        with self.assertRaises(gemel.UserError) as caught:
            gemel.compile("digits", "tiny8", memory_base=100)
        self.assertEqual(caught.exception.code, "E0606")
        self.assertEqual(gemel.run("digits", "tiny8", batch=np.int64(2), seed=np.uint8(3)).to_dict()["batch"], 2)

    def test_instructions_have_their_text(self):
        program = gemel.load("digits").compile("tiny8")
        self.assertIn("halt", program.disassemble(program.instructions - 1))
        for outside in (-1, program.instructions):
            with self.assertRaisesRegex(IndexError, f"0 to {program.instructions - 1}"):
                program.disassemble(outside)


@unittest.skipUnless(shutil.which("verilator"), "there is no verilator")
class Verilog(unittest.TestCase):
    """Blocks as RTL, and what is wrong with some."""

    OWN = ROOT / "tests/rtl/own_verilog"

    def test_rtl_gives_the_same(self):
        model, lines = gemel.run("digits", "tiny8"), []
        for blocks in ({"pe_array": "rtl"}, {"requantizer": "check", "store_dma": "rtl"}, {"npu": "rtl"}):
            with self.subTest(blocks):
                rtl = gemel.run("digits", "tiny8", blocks=blocks, log=lines.append)
                self.assertEqual((rtl.cycles, rtl.units), (model.cycles, model.units))
                np.testing.assert_array_equal(rtl.tensor("dense"), model.tensor("dense"))

    def test_threads_with_rtl_wait_for_each_other(self):
        with ThreadPoolExecutor(4) as threads:
            runs = [threads.submit(gemel.run, "digits", "tiny8", blocks={"pe_array": "rtl"}, log=lambda text: None) for _ in range(4)]
        self.assertEqual({run.result().cycles for run in runs}, {gemel.run("digits", "tiny8").cycles})

    def test_a_failing_run_keeps_its_case(self):
        options = {"blocks": {"requantizer": f"check:{self.OWN}/never_valid.sv"}, "log": lambda text: None}
        with tempfile.TemporaryDirectory() as folder:
            case = Path(folder, "case.gemel")
            with self.assertRaises(gemel.RunError) as caught:
                gemel.run("digits", "tiny8", seed=5, case_file=case, **options)
            self.assertEqual(caught.exception.code, "E0806")
            self.assertIn("port `valid_o`", str(caught.exception))
            with self.assertRaises(gemel.RunError) as again:
                gemel.run(case, **options)
            self.assertEqual(again.exception.message, caught.exception.message.split("\n  case:")[0])
            self.assertEqual(gemel.run(case).to_dict()["layers"][0]["compared"], "equal")

    def test_verilog_that_hangs_leaves_python_alive(self):
        lines = f"""
import gemel
for _ in range(2):
    try:
        gemel.run("digits", "tiny8", blocks={{"requantizer": "rtl:{self.OWN}/endless_loop.sv"}}, log=lambda text: None)
    except gemel.UserError as error:
        print(error.code, error.message)
print(gemel.run("digits", "tiny8").cycles, gemel.run("digits", "tiny8", engine="beat").cycles)
"""
        environment = {**os.environ, "PYTHONPATH": str(PYTHON), "GEMEL_RTL_EVAL_SECONDS": "2"}
        done = subprocess.run([sys.executable, "-c", lines], env=environment, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        first, second, third = done.stdout.splitlines()
        self.assertRegex(first, r"^E1016 block `requantizer`, clock \d+: the Verilog has not come to the end of this clock for 2 seconds$")
        self.assertEqual(second, "E1016 the Verilog of an earlier run hangs in this process, so that no other run with RTL or SystemC can begin")
        self.assertEqual(third, "15154 15154")


class Threads(unittest.TestCase):
    def test_eight_threads_equal_one_after_another(self):
        cases = [(network, machine, engine) for network in ("digits", "resnet8") for machine in ("tiny8", "edge16") for engine in ("plain", "systemc")]

        def figures(case):
            network, machine, engine = case
            result = gemel.run(network, machine, engine=engine, batch=2)
            return without_host(result.to_dict()), {name: array.tobytes() for name, array in result.outputs.items()}

        one_after_another = [figures(case) for case in cases]
        with ThreadPoolExecutor(8) as threads:
            at_once = list(threads.map(figures, cases))
        self.assertEqual(at_once, one_after_another)
        self.assertEqual(len({fields["cycles"] for fields, _ in at_once}), 4)  # and they are not all the same run

    def test_the_lock_is_free_during_a_run(self):
        network, began, seen = gemel.load("digits", batch=64), threading.Event(), []

        def progress(_):
            began.set()
            while not seen:  # ends only if the other thread gets to run Python meanwhile
                pass

        def other():
            began.wait()
            seen.append(1)

        thread = threading.Thread(target=other)
        thread.start()
        gemel.run(network, "tiny8", progress=progress)
        thread.join()
        self.assertEqual(seen, [1])

    def test_progress_on_a_terminal_is_a_line_that_goes_away(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
            with contextlib.redirect_stderr(stream):
                gemel.run("digits", "tiny8", batch=64, progress=True)
            self.assertEqual(re.match(r"\rdigits on tiny8: layer \d+ of \d+, \d+\.\d\d M cycles", stream.getvalue()) is not None, shown)
            self.assertEqual(stream.getvalue().endswith("\r\x1b[K"), shown)

    def test_what_a_callback_raises_ends_the_run(self):
        class Enough(Exception):
            pass

        calls = []

        def progress(state):
            calls.append(state.cycles)
            raise Enough

        with self.assertRaises(Enough):
            gemel.run("digits", "tiny8", batch=64, progress=progress)
        self.assertEqual(len(calls), 1)

    def test_a_stop_token_ends_a_run_from_another_thread(self):
        token, began = gemel.StopToken(), threading.Event()

        def other():
            began.wait()
            token.request_stop()

        def progress(_):
            began.set()
            thread.join()

        thread = threading.Thread(target=other)
        thread.start()
        with self.assertRaises(gemel.Interrupted):
            gemel.run("digits", "tiny8", batch=64, progress=progress, stop=token)
        with self.assertRaises(gemel.Interrupted):
            gemel.load("digits", stop=token)


class Interrupts(unittest.TestCase):
    def setUp(self):
        # Where the tests were started in the background of a script, Python finds SIGINT ignored, and leaves it so.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))

    def test_ctrl_c_ends_a_run(self):
        def progress(_):
            """Sends one signal in a run: a second one, sent while the first ends the run, would end the test."""
            if not sent:
                sent.append(signal.SIGINT)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        for engine in ("plain", "systemc", "beat"):
            sent = []
            with self.subTest(engine), self.assertRaises(KeyboardInterrupt):
                gemel.run("digits", "tiny8", batch=256, engine=engine, progress=progress)
        self.assertEqual(gemel.run("digits", "tiny8").cycles, gemel.run("digits", "tiny8", engine="systemc").cycles)  # and all goes on well

    def test_ctrl_c_ends_compiling_and_reading(self):
        """The signal is sent once the main thread is inside of the library, where it would stay for minutes."""
        main = threading.main_thread().ident
        network = gemel.load("resnet50", batch=2000, timing_only=True)

        def interrupt(function):
            while True:
                frame = sys._current_frames()[main]
                if frame.f_code.co_name == function and frame.f_globals["__name__"].startswith("gemel."):
                    break
            signal.pthread_kill(main, signal.SIGINT)

        for function, action in (("compile", lambda: network.compile("tiny8")), ("load", lambda: gemel.load("bert_base_encoder", batch=3000))):
            with self.subTest(function):
                thread = threading.Thread(target=interrupt, args=(function,))
                thread.start()
                with self.assertRaises(KeyboardInterrupt):
                    action()
                thread.join()


if __name__ == "__main__":
    unittest.main()
