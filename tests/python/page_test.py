# SPDX-License-Identifier: Apache-2.0
"""The page of a sweep, and advice in a run's report: what stands in them without script, their size, and in headless Chromium, where there is one, what
they do: no message, no request, brushes, sorting, choosing; no text below 11 px at 360 px. With GEMEL_AXE=axe.min.js (npm package axe-core) its rules.

The package is build/release/python, or the one that GEMEL_PACKAGE names. GEMEL_PICTURES=FOLDER keeps pictures at 1400 px, 360 px and on paper.
"""

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

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("GEMEL_PACKAGE", ROOT / "build" / "release" / "python"))
GEMEL = Path(os.environ.get("GEMEL_BINARY", ROOT / "build" / "release" / "gemel"))
sys.path.insert(0, str(PYTHON))

import gemel  # noqa: E402
from gemel._space import Space  # noqa: E402
from gemel._sweep import Sweep  # noqa: E402
from gemel._sweep_page import sweep_page  # noqa: E402
from gemel._worker import Outcome  # noqa: E402

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


class Page(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="gemel-page-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
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

    # ---- in a browser

    def opened(self, text, script, *, width=1400, name="page"):
        """What the script returns on the page, and what the browser said. Requests would be messages: nothing may be fetched."""
        guard = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'; script-src \'unsafe-inline\'">'
        driver = ("<script>addEventListener('error', (e) => { document.title = 'ERROR ' + e.message; });\n"
                  "addEventListener('load', async () => {\n"
                  "let found; try { found = await (async () => {" + script + "})(); } catch (e) { found = 'ERROR ' + e.stack; }\n"
                  "const out = document.createElement('pre'); out.id = 'driven'; out.textContent = JSON.stringify(found);\n"
                  "document.body.append(out); });</script>")
        path = self.folder / f"{name}.html"
        path.write_text(text.replace('<meta charset="utf-8">', '<meta charset="utf-8">' + guard, 1).replace("</body>", driver + "</body>"), encoding="utf-8")
        done = self.chromium(path, "--dump-dom", "--virtual-time-budget=60000", width=width)
        said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        found = re.search('<pre id="driven">(.*?)</pre>', done.stdout, re.S)
        self.assertIsNotNone(found, done.stdout[-500:] + done.stderr[-2000:])
        return json.loads(html.unescape(found.group(1))), said

    def chromium(self, path, *options, width=1400):
        profile = self.folder / "profile"
        return subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync",
                               "--disable-component-update", "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={profile}",
                               f"--window-size={width},2400", *options, path.as_uri()], capture_output=True, text=True, check=True)  # fmt: skip

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

    @unittest.skipUnless(CHROMIUM, "there is no chromium")
    def test_phones(self):
        for text in (self.text, self.report_with_advice()):
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
                return {small: small.slice(0, 5), wide: document.documentElement.scrollWidth, window: innerWidth};""", width=500, name="phone")
            self.assertEqual((found["small"], said), ([], []))
            self.assertLessEqual(found["wide"], found["window"])

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
        self.assertTrue(part in written.replace(" --batch 1", ""), "the command's report has other advice")

    @unittest.skipUnless(CHROMIUM and AXE, "there is no chromium, or GEMEL_AXE names no axe.min.js")
    def test_axe_finds_nothing(self):
        axe = Path(AXE).read_text(encoding="utf-8").replace("</script>", "<\\/script>")
        for name, text in (("sweep", self.text), ("report", self.report_with_advice())):
            found, _ = self.opened(text.replace("</body>", f"<script>{axe}</script></body>"),
                                   "const found = await axe.run();"
                                   "return found.violations.map((v) => [v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 150))]);")
            self.assertEqual(found, [], name)

    @unittest.skipUnless(CHROMIUM and os.environ.get("GEMEL_PICTURES"), "GEMEL_PICTURES names no folder")
    def test_pictures(self):
        folder = Path(os.environ["GEMEL_PICTURES"]).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "large.html").write_text(sweep_page(made_up(5000)), encoding="utf-8")
        (self.folder / "advice.html").write_text(self.report_with_advice(), encoding="utf-8")
        for name in ("page", "large", "advice"):
            for width in (1400, 500):
                self.chromium(self.folder / f"{name}.html", f"--screenshot={folder / name}_{width}.png", width=width)
            self.chromium(self.folder / f"{name}.html", f"--print-to-pdf={folder / name}.pdf", "--no-pdf-header-footer")


if __name__ == "__main__":
    unittest.main()
