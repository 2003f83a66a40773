# SPDX-License-Identifier: Apache-2.0
"""The pages of a run, of two runs and of a sweep: what stands in them without script, their size, and in headless Chromium, where there is one,
what they do: no message, no request, brushes, sorting, filtering, folding, zooming, opening; no text below 11 px at 360 px. With GEMEL_AXE=axe.min.js
(npm package axe-core) its rules.

The package is build/release/python, or the one that GEMEL_PACKAGE names. GEMEL_PICTURES=FOLDER keeps pictures at 1400 px, 360 px and on paper.
"""

import base64
import csv
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from packaged import ROOT

import gemel  # noqa: E402
from gemel._space import Space  # noqa: E402
from gemel._sweep import Sweep  # noqa: E402
from gemel._sweep_page import sweep_page  # noqa: E402
from gemel._worker import Outcome  # noqa: E402

GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = os.environ.get("GEMEL_AXE", "")
if not CHROMIUM:
    print("absent: chromium, so that no page was opened", file=sys.stderr)
SPACE = {"name": "some <b>designs</b>", "machine": "tiny8", "networks": {"one": "digits", "two": {"workload": "digits", "batch": 2}},
         "objectives": ["worst(latency_ms)", "area_kge", {"maximize": "mean(utilization)", "name": "use"}],
         "parameters": {"rows": [4, 8, 16], "columns": [8, 16, 32], "lanes": [8, 16], "bus.bytes": [8, 16]}}


class Reader(html.parser.HTMLParser):
    """What a page is made of; complains of what does not nest."""

    VOID = ("meta", "br", "input", "hr", "link", "img")

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.links, self.text, self.rows = [], [], [], [], [], []
        self.feed(text)
        assert not self.open, f"{self.open} are not closed"

    def handle_starttag(self, tag, attributes):
        about = dict(attributes)
        self.tags.append((tag, about))
        if "id" in about:
            self.ids.append(about["id"])
        self.links += [about[name] for name in ("href", "src") if name in about]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        last = self.open.pop()
        assert last == tag, f"</{tag}> where </{last}> belongs"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def made_up(count):
    """A sweep of `count` designs with figures that no run gave: what matters is how many there are."""
    sizes = [f"{16 * n}KiB" for n in range(1, 14)]
    space = Space.of({"name": "large", "machine": "edge16", "networks": ["resnet50"], "parameters": {
        "rows": [8, 16, 32, 64], "columns": [8, 16, 32, 64], "activation_buffer.size_bytes": sizes, "bus.bytes": [8, 16, 32],
        "memory.read_latency_cycles": list(range(20, 180, 10))[: -(-count // 624)], "memory.queue": [4, 8, 16, 32]}})
    base = gemel.run("digits", "tiny8", timing_only=True).figures()
    combinations, outcomes = [], []
    for index in range(count):
        combination = space.combination(index)
        values = dict(combination.changes)
        cycles = 10**9 // (values["pe_array.rows"] * values["pe_array.columns"]) + 10**11 // values["activation_buffer.size_bytes"] + index % 977
        combinations.append(combination)
        outcomes.append([Outcome({**base, "cycles": cycles, "seconds_at_clock": cycles / 1e9})])
    return Sweep(space, combinations, outcomes)


class InBrowser(unittest.TestCase):
    """A folder for pages, and a browser that opens them."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="gemel-page-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)

    def opened(self, text, script, *, width=1400, name="page"):
        """What the script returns on the page, and what the browser said. Requests would be messages: nothing may be fetched.

        No window is as narrow as a phone: below 500 px the page stands in a frame.
        """
        guard = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'; script-src \'unsafe-inline\'">'
        driver = ("<script>addEventListener('error', (e) => { document.title = 'ERROR ' + e.message; });\n"
                  "addEventListener('load', async () => {\n"
                  "let found; try { found = await (async () => {" + script + "})(); } catch (e) { found = 'ERROR ' + e.stack; }\n"
                  "const out = document.createElement('pre'); out.id = 'driven'; out.textContent = JSON.stringify(found);\n"
                  "parent.document.body.append(out); });</script>")
        path = self.folder / f"{name}.html"
        guarded = text.replace('<meta charset="utf-8">', '<meta charset="utf-8">' + guard, 1).replace("</body>", driver + "</body>")
        path.write_text(guarded if width >= 500 else
                        f'<!DOCTYPE html><meta charset="utf-8"><title>frame</title><body style="margin:0"><iframe srcdoc="{html.escape(guarded)}" '
                        f'style="border:0;width:{width}px;height:2000px"></iframe></body>', encoding="utf-8")  # fmt: skip
        done = self.chromium(path, "--dump-dom", "--virtual-time-budget=60000", width=max(width, 500))
        said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        found = re.search('<pre id="driven">(.*?)</pre>', done.stdout, re.S)
        self.assertIsNotNone(found, done.stdout[-500:] + done.stderr[-2000:])
        return json.loads(html.unescape(found.group(1))), said

    def chromium(self, path, *options, width=1400, height=2400):
        profile = self.folder / "profile"
        return subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
                               "--disable-component-update", "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={profile}",
                               f"--window-size={width},{height}", *options, path.as_uri()], capture_output=True, text=True, check=True)  # fmt: skip

    def reads_on_a_phone(self, text):
        found, said = self.opened(text, """
            const small = [];
            for (const element of document.querySelectorAll('body *')) {
              const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
              if (!own || !element.getClientRects().length || element.closest('script, style')) continue;
              const svg = element.closest('svg'), view = svg && svg.viewBox.baseVal.width;
              const zoom = view ? svg.getBoundingClientRect().width / view : 1;
              const size = parseFloat(getComputedStyle(element).fontSize) * zoom;
              if (size < 11) small.push([element.tagName, element.textContent.slice(0, 30), size]);
            }
            return {small: small.slice(0, 5), wide: document.documentElement.scrollWidth, window: innerWidth};""", width=360, name="phone")
        self.assertEqual((found["small"], said, found["window"]), ([], [], 360))
        self.assertLessEqual(found["wide"], found["window"])

    def keeps_axes_rules(self, text):
        axe = Path(AXE).read_text(encoding="utf-8").replace("</script>", "<\\/script>")
        for width in (1400, 360):
            found, _ = self.opened(text.replace("</body>", f"<script>{axe}</script></body>"),
                                   "const found = await axe.run();"
                                   "return found.violations.map((v) => [v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 150))]);",
                                   width=width)  # fmt: skip
            self.assertEqual(found, [], width)

    def picture(self, name, text):
        """At 1400 px, 360 px and as PDF on A4."""
        folder = Path(os.environ["GEMEL_PICTURES"]).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        page, frame = self.folder / f"{name}.html", self.folder / f"{name}_frame.html"
        page.write_text(text, encoding="utf-8")
        frame.write_text(f'<!DOCTYPE html><body style="margin:0"><iframe src="{page.name}" style="border:0;width:360px;height:4000px"></iframe>')
        self.chromium(page, f"--screenshot={folder / name}_1400.png")
        self.chromium(frame, f"--screenshot={folder / name}_360.png", width=500, height=4000)
        self.chromium(page, f"--print-to-pdf={folder / name}.pdf", "--no-pdf-header-footer")


class EveryReader:
    """Of a page's tests, those that hold for every page."""

    def texts(self):
        return [self.text]

    @unittest.skipUnless(CHROMIUM, "there is no chromium")
    def test_phones(self):
        for text in self.texts():
            self.reads_on_a_phone(text)

    @unittest.skipUnless(CHROMIUM and AXE, "there is no chromium, or GEMEL_AXE names no axe.min.js")
    def test_axe_finds_nothing(self):
        for text in self.texts():
            self.keeps_axes_rules(text)


class SweepPage(EveryReader, InBrowser):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sweep = gemel.sweep(SPACE)
        cls.path = cls.sweep.report(cls.folder / "page.html")
        cls.text = cls.path.read_text(encoding="utf-8")

    def test_it_reads_without_script(self):
        page = Reader(self.text)
        self.assertEqual(len(page.ids), len(set(page.ids)))
        words = " ".join("".join(page.text).split())
        self.assertIn("some <b>designs</b>: 36 designs of tiny8", words)
        self.assertIn(f"{len(self.sweep.front)} of", words)
        for design in self.sweep.front:
            self.assertIn(f"design-{design.position}", page.ids)
            for command in design.commands:
                self.assertIn(command, words)
        front = [about for tag, about in page.tags if tag == "circle" and about["class"] == "best"]
        self.assertEqual(len(front), len(self.sweep.front))
        self.assertEqual(len([about for tag, about in page.tags if tag == "circle"]), sum(d.status == "done" for d in self.sweep.designs))
        self.assertEqual(len([about for tag, about in page.tags if tag == "polyline" and about["class"] == "best"]), len(self.sweep.front))
        for target in page.links:  # nothing is fetched
            self.assertTrue(target.startswith("#design-") and target[1:] in page.ids, target)
        self.assertNotIn("url(", self.text)
        heads = [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        self.assertEqual(heads, ["h1", "h2", "h2", "h2", "h2", "h2"])
        svgs = [about for tag, about in page.tags if tag == "svg"]
        self.assertTrue(all(about["aria-label"] for about in svgs))

    def test_the_look_is_that_of_a_report(self):
        style = re.search("<style>(.*?)</style>", gemel.run("digits", "tiny8", timing_only=True)._inside.html(), re.S).group(1)
        self.assertIn(style.strip(), self.text)

    def test_every_design_has_its_data_and_command(self):
        data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', self.text, re.S).group(1))
        designs = [design for design in self.sweep.designs if design.status in ("done", "excluded")]
        self.assertEqual(data["position"], [design.position for design in designs])
        for i, design in enumerate(designs):
            built = [one["prefix"] + (one["rest"][i] if one["rest"] else "".join(f" --set {key}={data['columns'][key][i]}" for key in data["set"]))
                     for one in data["commands"]]
            self.assertEqual(built, list(design.commands))
            for name, value in design.objectives.items():
                self.assertEqual(data["columns"][name][i], value)

    def test_five_thousand_designs_are_small(self):
        text = sweep_page(made_up(5000))
        print(f"a sweep of 5,000 designs: {len(text.encode()) / 1e6:.2f} MB", file=sys.stderr)
        self.assertLess(len(text.encode()), 3_000_000)
        Reader(text)

    def test_failed_designs_and_an_empty_front(self):
        space = {"machine": "tiny8", "networks": "digits", "parameters": {"columns": [8], "lanes": [8, 16], "memory.kind": ["ideal"]}}
        text = sweep_page(gemel.sweep(space))
        self.assertIn("1 points failed", text)
        self.assertIn("E0108", text)
        Reader(text)
        text = sweep_page(gemel.sweep({**space, "constraints": ["cycles < 10"]}))
        self.assertIn("No design is left: 1 failed, 1 are excluded by a constraint", text)
        self.assertNotIn("<script", text)
        Reader(text)
        text = sweep_page(gemel.sweep({**space, "objectives": ["cycles"], "parameters": {"columns": [8]}}))  # one design, nothing varies
        Reader(text)

    def test_the_command_writes_it(self):
        space = self.folder / "space.yaml"
        space.write_text("networks: [digits]\nmachine: tiny8\nparameters: {rows: [4, 8]}\n", encoding="utf-8")
        done = subprocess.run([GEMEL, "sweep", space, "--report", "sweep.html", "--csv", "t.csv", "-q"], cwd=self.folder, check=False, capture_output=True,
                              text=True, env={**os.environ, "GEMEL_PYTHON": sys.executable})
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        with open(self.folder / "t.csv", encoding="utf-8", newline="") as file:
            commands = [row["command"] for row in csv.DictReader(file) if row["front"] == "1"]
        text = (self.folder / "sweep.html").read_text(encoding="utf-8")
        self.assertTrue(all(command in text for command in commands))
        with self.assertRaises(gemel.UserError) as caught:
            self.sweep.report(self.folder / "nowhere" / "page.html")
        self.assertEqual(caught.exception.code, "E0902")

    @unittest.skipUnless(CHROMIUM, "there is no chromium")
    def test_it_can_be_brushed_sorted_and_chosen_from(self):
        found, said = self.opened(self.text, """
            const rows = () => [...document.querySelectorAll('#designs tbody tr')].map((row) => +row.id.slice(7));
            const change = (id, value) => { const field = document.getElementById(id); field.value = value; field.dispatchEvent(new Event('change')); };
            const count = () => document.getElementById('count').textContent;
            const out = {front: rows(), frontCount: count()};
            const data = JSON.parse(document.getElementById('data').textContent);
            change('from-0', '2'); change('to-0', '2');  // rows: the largest of three
            out.brushed = rows(); out.brushedCount = count();
            out.dots = [...document.querySelectorAll('#scatter circle')].filter((dot) => !dot.classList.contains('out'))
                .map((dot) => data.position[+dot.dataset.i]);
            const head = [...document.querySelectorAll('#designs th')].find((th) => th.dataset.name === 'area_kge');
            head.querySelector('button').click(); out.up = rows(); out.aria = head.getAttribute('aria-sort');
            head.querySelector('button').click(); out.down = rows();
            document.querySelector('#designs tbody tr button').click();
            out.chosen = document.getElementById('chosen').textContent;
            out.marked = document.querySelectorAll('circle.chosen').length;
            document.getElementById('clear').click(); out.cleared = rows();
            const grip = document.getElementById('grip-1'), box = grip.getBoundingClientRect();  // columns: the upper half
            const at = (type, share) => grip.dispatchEvent(new PointerEvent(type,
                {clientX: box.left + 5, clientY: box.top + box.height * share, bubbles: true, pointerId: 1}));
            at('pointerdown', 0.02); at('pointermove', 0.3); at('pointerup', 0.3);
            out.dragged = rows(); out.from = document.getElementById('from-1').value; out.brushes = document.getElementById('brush-1').getAttribute('height');
            at('pointerdown', 0.5); at('pointerup', 0.5); out.undone = rows();
            change('x', 'area_kge'); out.other = document.getElementById('other-axes').textContent;
            const dot = document.querySelector('#scatter a circle'), where = dot.getBoundingClientRect();
            document.getElementById('chosen').textContent = '';
            document.getElementById('scatter').dispatchEvent(new MouseEvent('click', {clientX: where.left + 5, clientY: where.top + 5, bubbles: true}));
            out.clicked = document.getElementById('chosen').textContent;
            const pen = document.getElementById('lines'); out.drawn = pen.getContext('2d').getImageData(0, 0, pen.width, pen.height).data.some((v) => v > 0);
            return out;""")
        self.assertEqual(said, [])
        front = [design.position for design in self.sweep.front]
        self.assertEqual(sorted(found["front"]), sorted(front))
        self.assertEqual(found["frontCount"], f"{len(front)} designs in the front.")
        done = [design for design in self.sweep.designs if design.status == "done"]
        wanted = [design for design in done if design.changes["pe_array.rows"] == 16]
        self.assertEqual(sorted(found["brushed"]), [design.position for design in wanted])
        self.assertEqual(found["brushedCount"], f"{len(wanted)} designs are within the brushes.")
        self.assertEqual(sorted(found["dots"]), [design.position for design in wanted])
        by_area = [design.position for design in sorted(wanted, key=lambda design: (design.objectives["area_kge"], design.position))]
        self.assertEqual((found["up"], found["aria"]), (by_area, "ascending"))
        areas = {design.position: design.objectives["area_kge"] for design in wanted}
        self.assertEqual([areas[p] for p in found["down"]], sorted(areas.values(), reverse=True))
        first = next(design for design in wanted if design.position == found["down"][0])
        for command, label in zip(first.commands, ("one", "two"), strict=True):
            self.assertIn(f"{command} --out design-{first.position}-{label}", found["chosen"])
        self.assertEqual(found["marked"], 1)
        self.assertEqual(sorted(found["cleared"]), sorted(front))
        self.assertEqual(sorted(found["dragged"]), [design.position for design in done if design.changes["pe_array.columns"] == 32])
        self.assertGreater(float(found["brushes"]), 20)
        self.assertEqual(sorted(found["undone"]), sorted(front))
        self.assertIn("across: area_kge", found["other"])
        self.assertRegex(found["clicked"], r"^Design \d+, in the front: .*gemel run digits --machine tiny8 --timing-only .*--out design-\d+")
        self.assertTrue(found["drawn"])

    @unittest.skipUnless(CHROMIUM, "there is no chromium")
    def test_five_thousand_designs_open_and_how_soon_is_told(self):
        text = sweep_page(made_up(5000))
        timed = text.replace('<script type="application/json"', '<script>const begin = performance.now();</script><script type="application/json"')
        timed = timed.replace("</body>", "<script>const ready = performance.now() - begin;</script></body>")
        found, said = self.opened(timed, "return ready;", name="large")
        self.assertEqual(said, [])
        print(f"5,000 designs: ready after {found:.0f} ms of the page's script", file=sys.stderr)

    @unittest.skipUnless(CHROMIUM and os.environ.get("GEMEL_PICTURES"), "GEMEL_PICTURES names no folder")
    def test_pictures(self):
        self.picture("sweep", self.text)
        self.picture("large_sweep", sweep_page(made_up(5000)))


def unpacked(text):
    """The trace in a page: of each unit its slices, as src/report/html.cpp packs them."""
    data = iter(base64.b64decode(text))

    def number():
        value, shift = 0, 0
        for byte in data:
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value
        raise ValueError("the trace ends early")

    units = []
    for _ in range(4):
        slices, end = [], 0
        for _ in range(number()):
            first, length, tag, layer = end + number(), number(), number(), number() - 1
            end = first + length
            rest = {} if tag % 2 else {"bytes": number(), "busy": number(), "wait_request": number()}
            slices.append({"first": first, "end": end, "layer": layer, "wait": tag // 2 if tag % 2 else None, "opcode": None if tag % 2 else tag // 2, **rest})
        units.append(slices)
    assert next(data, None) is None, "the trace goes on behind its end"
    return units


class RunPage(EveryReader, InBrowser):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.result = gemel.run("resnet50", "edge16", timing_only=True, trace=True)
        cls.text = cls.result.report(cls.folder / "run.html").read_text(encoding="utf-8")
        cls.data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', cls.text, re.S).group(1))

    def test_it_reads_without_script(self):
        page, result = Reader(self.text), self.result
        self.assertEqual(len(page.ids), len(set(page.ids)))
        words = " ".join("".join(page.text).split())
        self.assertIn(f"resnet50 takes {1e3 * result.seconds:.1f} ms on edge16 and uses {100 * result.utilization:.1f} % of the array's MAC slots.", words)
        for target in page.links:  # nothing is fetched, and each link has its row
            self.assertTrue(target.startswith("#layer-") and target[1:] in page.ids, target)
        self.assertNotIn("url(", self.text)
        self.assertEqual([i for i in page.ids if i.startswith("layer-")], [f"layer-{i}" for i in range(len(result.layers))])
        heads = [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        self.assertEqual(heads, ["h1", "h2", "h2", "h2", "h2", "h2", "h2"])
        buttons = [about for tag, about in page.tags if tag == "button"]
        self.assertEqual({about["id"] for about in buttons}, {"zoom-in", "zoom-out", "earlier", "later", "whole", "fold"})  # all within class scripted
        for layer in result.layers:
            if layer.matrix_cycles:
                self.assertIn(f"{layer.matrix_cycles:,}", words)
        places = 16 * 16
        lost = [(layer.matrix_cycles - layer.macs / places if layer.array_cycles else layer.matrix_cycles, layer.name) for layer in result.layers]
        most = [name for _, name in sorted(lost, key=lambda pair: -round(pair[0]))[:10]]
        part = re.search("<h2>What loses most.*?</table>", self.text, re.S).group(0)
        self.assertEqual(re.findall(r'<a href="#layer-\d+">(.*?)</a>', part), most)
        for field in ("machine_digest", "network_digest", "program_digest"):  # to make the run again
            self.assertIn(result.to_dict()["machine"]["digest"] if field == "machine_digest" else result.to_dict()[field], words)

    def test_repeated_blocks_are_found(self):
        blocks = re.findall(r'<tr class="block".*?>(s\w+ … \w+)</td><td class="left">(.*?)</td>', self.text)
        self.assertEqual(blocks, [("s2b2_conv1 … s2b3_add", "2 × 4 layers"), ("s3b2_conv1 … s3b4_add", "3 × 4 layers"),
                                  ("s4b2_conv1 … s4b6_add", "5 × 4 layers"), ("s5b2_conv1 … s5b3_add", "2 × 4 layers")])  # fmt: skip

    def test_its_trace_is_that_of_the_run(self):
        """Cycles of each unit and cause add up to result.json's counters."""
        units = unpacked(re.search(r'<script type="text/plain" id="trace">(.*?)</script>', self.text).group(1))
        print(f"resnet50 with {sum(map(len, units)):,} instructions and waits: {len(self.text.encode()) / 1e6:.2f} MB", file=sys.stderr)
        self.assertLess(len(self.text.encode()), 1_000_000)
        for unit, slices in zip(self.data["units"], units, strict=True):
            sums = dict.fromkeys(self.data["causes"], 0)
            end = 0
            for one in slices:
                self.assertGreaterEqual(one["first"], end)
                end = one["end"]
                if one["wait"] is not None:
                    sums[self.data["causes"][one["wait"]]] += end - one["first"]
                else:
                    sums["busy"] += one["busy"]
                    sums["wait_request"] += one["wait_request"]
                    sums["wait_data" if unit == "load_dma" else "wait_write"] += end - one["first"] - one["busy"] - one["wait_request"]
            self.assertEqual(sums, self.result.units[unit], unit)
        self.assertEqual(sum(one.get("bytes", 0) for one in units[0]), self.result.to_dict()["load_bytes"])

    def test_a_run_without_a_trace_and_one_with_too_long_a_trace(self):
        text = gemel.run("digits", "tiny8", timing_only=True).report(self.folder / "plain.html").read_text(encoding="utf-8")
        Reader(text)
        self.assertNotIn('id="trace"', text)
        self.assertIn("A run with <code>--trace</code> has every instruction here, too.", text)
        text = gemel.run("resnet50", "tiny8", timing_only=True, trace=True).report(self.folder / "long.html").read_text(encoding="utf-8")
        Reader(text)
        self.assertNotIn('id="trace"', text)
        self.assertRegex(text, r"The trace has [\d,]+ instructions and waits, more than this page takes: they are in trace.json.")

    @unittest.skipUnless(CHROMIUM, "there is no chromium")
    def test_layers_are_sorted_filtered_folded_and_opened(self):
        found, said = self.opened(self.text, """
            const $ = (id) => document.getElementById(id);
            const names = () => [...$('layers').tBodies[0].rows].map((row) => row.cells[0].textContent);
            const head = (name) => [...document.querySelectorAll('#layers thead th')].find((th) => th.dataset.name === name);
            const type = (text) => { $('filter').value = text; $('filter').dispatchEvent(new Event('input')); };
            const named = (name) => [...$('layers').tBodies[0].rows].find((row) => row.cells[0].textContent === name).querySelector('button');
            const out = {folded: names(), count: $('count').textContent};
            named('s3b2_conv1 … s3b4_add').click(); out.one = names();
            named('s3b2_conv1 … s3b4_add').click(); out.again = names();
            $('fold').click(); out.unfolded = names(); $('fold').click(); out.refolded = names();
            head('lost').querySelector('button').click(); out.lost = names(); out.aria = head('lost').getAttribute('aria-sort');
            head('lost').querySelector('button').click(); out.least = names(); out.aria2 = head('lost').getAttribute('aria-sort');
            head('lost').querySelector('button').click(); out.none = names(); out.aria3 = head('lost').getAttribute('aria-sort');
            head('layer').querySelector('button').click(); out.named = names();
            for (let i = 0; i < 2; i++) head('layer').querySelector('button').click();
            type('add S4'); out.filtered = names(); out.filteredCount = $('count').textContent; type('');
            named('conv1').click(); out.open = $('layers').tBodies[0].rows[1].innerText; out.expanded = named('conv1').getAttribute('aria-expanded');
            named('conv1').click(); out.closed = names();
            document.querySelector('#timeline a[href="#layer-30"]').click();  // within a folded block
            out.gone = [document.activeElement.textContent, document.activeElement.getAttribute('aria-expanded')];
            return out;""")
        self.assertEqual(said, [])
        layers = [layer.name for layer in self.result.layers]
        inside = lambda first, last: layers[layers.index(first) : layers.index(last) + 1]
        blocks = [("s2b2_conv1", "s2b3_add"), ("s3b2_conv1", "s3b4_add"), ("s4b2_conv1", "s4b6_add"), ("s5b2_conv1", "s5b3_add")]
        folded = []
        for name in layers:
            if block := next((pair for pair in blocks if pair[0] == name), None):
                folded.append(" … ".join(block))
            if not any(name in inside(*pair) for pair in blocks):
                folded.append(name)
        self.assertEqual(found["folded"], folded)
        self.assertEqual(found["count"], f"{len(layers)} layers; repeated blocks are folded: 48 layers in 4 rows.")
        at = folded.index("s3b2_conv1 … s3b4_add")
        self.assertEqual(found["one"], [*folded[: at + 1], *inside("s3b2_conv1", "s3b4_add"), *folded[at + 1 :]])
        self.assertEqual([name for name in found["unfolded"] if "…" not in name], layers)
        self.assertEqual((found["again"], found["refolded"], found["none"], found["closed"]), (folded,) * 4)
        lost = {layer.name: max(0, layer.matrix_cycles - round(layer.macs / 256 if layer.array_cycles else 0)) for layer in self.result.layers}
        for key, names in (("lost", found["lost"]), ("least", found["least"])):
            self.assertEqual(sorted(names), sorted(layers))
            known = [lost[name] for name in names if self.result.layers[layers.index(name)].span_cycles]
            self.assertEqual(known, sorted(known, reverse=key == "lost"))
        self.assertEqual((found["aria"], found["aria2"], found["aria3"]), ("descending", "ascending", "none"))
        self.assertEqual(found["named"][:2], ["conv1", "fc"])
        self.assertEqual(found["filtered"], [name for name in layers if name.startswith("s4") and "add" in name])
        self.assertEqual(found["filteredCount"], f"6 of {len(layers)} layers.")
        first = self.result.layers[0]
        self.assertIn("conv2d: 1 × 224 × 224 × 3 to 1 × 112 × 112 × 64, kernel 7 × 7, stride 2 × 2", found["open"])
        self.assertIn(f"cycles {first.first_cycle:,} to {first.last_cycle:,}; predicted: {first.predicted_cycles:,}", found["open"])
        self.assertIn(f"{first.units['matrix_unit']['busy']:,}", found["open"])
        self.assertEqual((found["expanded"], found["gone"]), ("true", [layers[30], "true"]))

    @unittest.skipUnless(CHROMIUM, "there is no chromium")
    def test_the_timeline_zooms_by_keys_buttons_and_pointer(self):
        found, said = self.opened(self.text, """
            const $ = (id) => document.getElementById(id), line = $('timeline'), window_ = () => $('window').textContent;
            const bars = () => [...line.querySelectorAll('.row[data-i]')].filter((row) => !row.hidden).map((row) => +row.dataset.i);
            const ticks = () => [...line.querySelectorAll('.ticks span')].map((tick) => tick.textContent);
            const key = (key) => line.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
            const box = line.querySelector('.track').getBoundingClientRect();
            const at = (type, share, y = box.top + 5, more = {}) => line.dispatchEvent(new PointerEvent(type,
                {clientX: box.left + box.width * share, clientY: y, bubbles: true, pointerId: 1, ...more}));
            const paint = () => [...line.querySelectorAll('canvas')].map((canvas) => {
                const copy = document.createElement('canvas'); Object.assign(copy, {width: canvas.width, height: canvas.height});
                const pen = copy.getContext('2d'); pen.drawImage(canvas, 0, 0);
                const pixels = pen.getImageData(0, 0, copy.width, copy.height).data;
                let full = 0; for (let i = 3; i < pixels.length; i += 4) full += pixels[i] > 0; return full / (pixels.length / 4); });
            const out = {whole: window_(), ticks: ticks(), all: bars().length, canvases: line.querySelectorAll('canvas').length, paint: paint()};
            key('+'); out.plus = window_(); key('ArrowRight'); out.right = window_(); key('ArrowLeft'); key('-'); out.back = window_();
            $('zoom-in').click(); out.button = window_(); $('whole').click(); out.reset = window_();
            at('pointerdown', 0.25); at('pointermove', 0.4, box.top + 5, {buttons: 1});
            out.shade = !!line.querySelector('.shade'); at('pointerup', 0.5); out.dragged = window_();
            out.shown = bars(); out.narrow = ticks(); key('0');
            line.dispatchEvent(new WheelEvent('wheel', {deltaY: -1, ctrlKey: true, clientX: box.left + box.width / 2, clientY: box.top, bubbles: true}));
            out.wheel = window_(); key('0');
            window.scrollTo(0, 0);
            const again = line.querySelector('.row[data-i="9"] .track i').getBoundingClientRect(), x = again.left + again.width / 2, y = again.top + 3;
            for (const type of ['pointerdown', 'pointerup']) line.dispatchEvent(new PointerEvent(type, {clientX: x, clientY: y, bubbles: true, pointerId: 1}));
            out.layer = window_(); out.read = $('readout').textContent;
            for (let i = 0; i < 30; i++) key('+');
            out.deepest = window_(); out.told = $('readout').textContent; out.deep = paint();
            key('0'); const other = new KeyboardEvent('keydown', {key: 'x', cancelable: true}); line.dispatchEvent(other); out.free = !other.defaultPrevented;
            return out;""", name="zoom")  # fmt: skip
        self.assertEqual(said, [])
        cycles, layers = self.result.cycles, self.result.layers
        window = lambda first, last: (int(first.replace(",", "")), int(last.replace(",", "")))
        span = lambda text: window(*re.match(r"cycles ([\d,]+) to ([\d,]+): ", text).groups())
        self.assertEqual(found["whole"], f"all {cycles:,} cycles, {1e3 * self.result.seconds:.1f} ms")
        self.assertEqual((found["back"], found["reset"]), (found["whole"],) * 2)
        self.assertEqual(found["ticks"], [f"{int(cycles * n / 4 + 0.5):,}" for n in range(5)])
        self.assertEqual((found["all"], found["canvases"]), (sum(layer.span_cycles is not None for layer in layers if layer.span_cycles), 6))
        near = lambda got, first, last: [self.assertAlmostEqual(a, b, delta=cycles / 500) for a, b in zip(span(got), (first, last), strict=True)]
        near(found["plus"], cycles / 4, 3 * cycles / 4)
        near(found["right"], cycles * 3 / 8, cycles * 7 / 8)
        near(found["button"], cycles / 4, 3 * cycles / 4)
        self.assertTrue(found["shade"])
        near(found["dragged"], cycles / 4, cycles / 2)
        near(found["wheel"], cycles / 10, cycles * 9 / 10)
        first, last = span(found["dragged"])
        self.assertEqual(found["shown"], [i for i, layer in enumerate(layers) if layer.span_cycles and layer.last_cycle >= first and layer.first_cycle < last])
        self.assertEqual(found["narrow"][0], f"{first:,}")
        ninth = layers[9]
        margin = 0.02 * (ninth.last_cycle + 1 - ninth.first_cycle)
        near(found["layer"], ninth.first_cycle - margin, ninth.last_cycle + 1 + margin)
        first, last = span(found["deepest"])
        self.assertEqual(last - first, 20)
        cycle = int(re.match(r"At cycle ([\d,]+)", found["told"]).group(1).replace(",", ""))
        units = unpacked(re.search(r'<script type="text/plain" id="trace">(.*?)</script>', self.text).group(1))
        for unit, slices in zip(self.data["units"], units, strict=True):
            for one in slices:
                if one["first"] <= cycle < one["end"]:
                    what = self.data["causes"][one["wait"]] if one["wait"] is not None else self.data["opcodes"][str(one["opcode"])]
                    self.assertIn(f"{unit}: {what} of {layers[one['layer']].name}, {one['end'] - one['first']:,} cycles from {one['first']:,}", found["told"])
        # Where nothing is missing the four units' tracks are full; those of memory are not.
        for full in found["paint"][:4]:
            self.assertGreater(full, 0.9)
        self.assertTrue(all(0 < full < 0.95 for full in found["paint"][4:]), found["paint"])
        self.assertTrue(found["free"])

    @unittest.skipUnless(CHROMIUM, "there is no chromium")
    def test_with_script_off_nothing_is_missing_but_what_the_script_does(self):
        """Without script the parts that need it are not shown, and all layers are."""
        bare = re.sub(r"<script>.*?</script>", "", self.text, flags=re.S)
        found, said = self.opened(bare, """
            const seen = (element) => element.getClientRects().length > 0;
            return {buttons: [...document.querySelectorAll('button, input')].filter(seen).length,
                    rows: [...document.querySelectorAll('#layers tbody tr')].filter(seen).length,
                    bars: [...document.querySelectorAll('#timeline .row')].filter(seen).length};""", name="bare")
        shown = [layer for layer in self.result.layers if layer.span_cycles]
        self.assertEqual((found, said), ({"buttons": 0, "rows": len(self.result.layers) + 4, "bars": len(shown)}, []))

    def texts(self):
        return [self.text, self.report_with_advice()]

    @unittest.skipUnless(CHROMIUM and os.environ.get("GEMEL_PICTURES"), "GEMEL_PICTURES names no folder")
    def test_pictures(self):
        self.picture("run", self.text)
        self.picture("advice", self.report_with_advice())

    def report_with_advice(self):
        result = gemel.run("digits", "tiny8", timing_only=True)
        path = result.report(self.folder / "report.html")
        result.advise().add_to(path)
        return path.read_text(encoding="utf-8")

    def test_advice_stands_in_the_first_lines_of_a_report(self):
        result = gemel.run("digits", "tiny8", timing_only=True)
        advice = result.advise()
        path = result.report(self.folder / "report.html")
        before = path.read_text(encoding="utf-8")
        advice.add_to(path)
        text = path.read_text(encoding="utf-8")
        page = Reader(text)
        words = " ".join("".join(page.text).split())
        self.assertLess(text.index("What would help"), text.index('class="tiles"'))
        for finding in (*advice.gains[:10], *advice.memory[:10], *advice.savings[:10]):
            self.assertIn(f"{finding.text} ({finding.kind})", words)
            self.assertIn(finding.command, words)
        best = min(advice.gains, key=lambda finding: finding.cycles)
        self.assertIn(f"Fastest of what was tried: {best.text}", words)
        self.assertEqual(re.sub("<h2>What would help.*?(?=<div class=\"tiles\">)", "", text, flags=re.S), before.replace("<!-- advice -->\n", ""))
        with self.assertRaises(ValueError):
            advice.add_to(path)
        done = subprocess.run([GEMEL, "run", "digits", "-m", "tiny8", "--timing-only", "--advise", "--out", self.folder / "run"], check=False,
                              capture_output=True, text=True, env={**os.environ, "GEMEL_PYTHON": sys.executable})  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        written = (self.folder / "run" / "report.html").read_text(encoding="utf-8")
        part = re.search("<h2>What would help.*?(?=<div class=\"tiles\">)", text, re.S).group(0)
        self.assertTrue(part in written, "the command's report has other advice")


class ComparisonPage(EveryReader, InBrowser):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        wider = gemel.machine("edge16").with_(columns=32, **{"vector_unit.lanes": 16})
        cls.one, cls.other = (gemel.run("resnet50", machine, timing_only=True) for machine in ("edge16", wider))
        cls.text = cls.one.compare(cls.other).report(cls.folder / "both.html").read_text(encoding="utf-8")

    def changes(self):
        there = {layer.name: layer.matrix_cycles for layer in self.other.layers}
        return {layer.name: there[layer.name] - layer.matrix_cycles for layer in self.one.layers}

    def test_it_reads_without_script(self):
        page = Reader(self.text)
        words = " ".join("".join(page.text).split())
        one, other = self.one.cycles, self.other.cycles
        self.assertIn(f"{100 * (other - one) / one:+.1f} %: {one / other:.3f} times as fast.", words)
        self.assertRegex(words, r"pe_array.columns ?16 ?32")
        self.assertEqual((page.links, len(page.ids)), ([], len(set(page.ids))))
        self.assertNotIn("url(", self.text)
        table = re.search('<table id="layers".*?</table>', self.text, re.S).group(0)
        rows = re.findall(r'<tr><td class="left">(\w+)</td><td class="left">\w+</td><td data-v="(\d+)">[\d,]+</td><td data-v="(\d+)">[\d,]+</td>', table)
        changes = self.changes()
        self.assertEqual({name: int(b) - int(a) for name, a, b in rows}, changes)
        self.assertEqual([abs(changes[name]) for name, _, _ in rows], sorted(map(abs, changes.values()), reverse=True))
        for side in (self.one, self.other):
            for field in (side.to_dict()["machine"]["digest"], side.to_dict()["program_digest"]):
                self.assertIn(field, words)
        bars = re.findall(r'<span class="name">(\w+), ([AB])</span><div class="track">(.*?)</div>', self.text)
        self.assertEqual([(unit, run) for unit, run, _ in bars], [(unit, run) for unit in self.one.units for run in "AB"])
        for _, run, parts in bars:  # as long as the runs
            long = sum(map(float, re.findall(r"width:([\d.]+)%", parts)))
            self.assertAlmostEqual(long, 100 * (one if run == "A" else other) / max(one, other), delta=0.01)

    def test_the_command_writes_the_same(self):
        for name, result in (("a", self.one), ("b", self.other)):
            result.save(self.folder / name)
        done = subprocess.run([GEMEL, "compare", "a", "b", "--report", "page.html"], cwd=self.folder, check=False, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        plain = subprocess.run([GEMEL, "compare", "a", "b"], cwd=self.folder, check=True, capture_output=True, text=True)
        self.assertEqual(done.stdout, plain.stdout + "wrote page.html\n")
        self.assertEqual((self.folder / "page.html").read_text(encoding="utf-8"), self.text)
        for command, code in ((["a", "b", "--report", "no/page.html"], "E0902"), (["a", "nowhere", "--report", "new.html"], "E0918")):
            done = subprocess.run([GEMEL, "compare", *command], cwd=self.folder, check=False, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f"error[{code}]", done.stderr)
        self.assertFalse((self.folder / "new.html").exists())
        with self.assertRaises(gemel.UserError) as caught:
            self.one.compare(self.other).report(self.folder / "nowhere" / "page.html")
        self.assertEqual(caught.exception.code, "E0902")

    def test_other_networks_and_equal_runs(self):
        digits = gemel.run("digits", "tiny8", timing_only=True)
        text = self.one.compare(digits).report(self.folder / "other.html").read_text(encoding="utf-8")
        Reader(text)
        self.assertIn("The networks differ, or their batch.", text)
        text = digits.compare(digits).report(self.folder / "same.html").read_text(encoding="utf-8")
        Reader(text)
        self.assertIn("In cycles: as many.", text)
        self.assertIn("Equal in every parameter.", text)

    @unittest.skipUnless(CHROMIUM, "there is no chromium")
    def test_layers_are_sorted(self):
        found, said = self.opened(self.text, """
            const names = () => [...document.querySelectorAll('#layers tbody tr')].map((row) => row.cells[0].textContent);
            const press = (name) => [...document.querySelectorAll('#layers th')].find((th) => th.dataset.name === name).querySelector('button').click();
            const out = {first: names()};
            press('change'); out.slower = names(); press('change'); out.faster = names(); press('change'); out.again = names();
            press('layer'); out.named = names(); return out;""")
        self.assertEqual(said, [])
        changes = self.changes()
        self.assertEqual([changes[name] for name in found["slower"]], sorted(changes.values(), reverse=True))
        self.assertEqual([changes[name] for name in found["faster"]], sorted(changes.values()))
        self.assertEqual(found["again"], found["first"])
        self.assertEqual(found["named"], sorted(changes))

    @unittest.skipUnless(CHROMIUM and os.environ.get("GEMEL_PICTURES"), "GEMEL_PICTURES names no folder")
    def test_pictures(self):
        self.picture("comparison", self.text)


if __name__ == "__main__":
    unittest.main()
