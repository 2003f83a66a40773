# SPDX-License-Identifier: Apache-2.0
"""E0806 names the tensor element that a wrong beat belongs to. Gemel's own RTL of a block is wrapped so that one beat in the middle of a
run is wrong, at a place that a counter chooses. `check` must name the element, word for word. For blocks that carry results there is
a second witness: with `rtl` the mistake reaches memory, and the comparison with golden (E0804), which knows nothing of
beats, must name the same element as the first of a layer that differs.
Called as: elements_test.py GEMEL CACHE_FOLDER [unittest arguments]"""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

GEMEL, CACHE = "", ""
ROOT = Path(__file__).resolve().parents[2]
MACHINE = str(ROOT / "tests/rtl_host/tiny4x3.yaml")


def sources(module):
    """A module's own source and those of what stands inside it."""
    files = {path.stem: path for path in (ROOT / "rtl").rglob("*.sv") if "_pkg" not in path.name}
    wanted, found = [module], {}
    while wanted:
        name = wanted.pop()
        if name in files and name not in found:
            found[name] = files[name].read_text(encoding="utf-8")
            wanted += re.findall(r"\w+", found[name])
    return found


def planted(header, module, valid, data, number, mask):
    """The module around Gemel's own, called `inner`: of the beats under `valid`, the one of that number has `data` wrong by `mask`."""
    found = sources(module)
    inner = re.sub(rf"\bmodule {module}\b", "module inner", found.pop(module))
    names = re.findall(r"^ +(?:input|output) +logic +(?:\[[^\]]*\])? *(\w+)", header, re.M)
    outputs = re.findall(r"^ +output +logic +(\[[^\]]*\])? *(\w+)", header, re.M)
    parameters = re.findall(r"parameter int (\w+)", header)
    lines = [header, *(f"  logic {width} inner_{name};" for width, name in outputs), "  logic [31:0] beats_q;", "  logic beat;"]
    if "read_q" in valid:
        lines.append("  logic [$bits(read_i)-1:0] read_q;\n  always_ff @(posedge clk_i or negedge rst_ni) if (!rst_ni) read_q <= '0; else read_q <= read_i;")
    lines.append(f"  assign beat = {valid};")
    lines.append("  always_ff @(posedge clk_i or negedge rst_ni) if (!rst_ni) beats_q <= '0; else if (beat) beats_q <= beats_q + 1'b1;")
    for _, name in outputs:
        wrong = f" ^ ($bits({name})'(beat && beats_q == {number}) * $bits({name})'({mask}))" if name == data else ""
        lines.append(f"  assign {name} = inner_{name}{wrong};")
    connections = [f".{name}({'inner_' if name.endswith('_o') else ''}{name})" for name in names]
    lines.append(f"  inner #({', '.join(f'.{p}({p})' for p in parameters)}) u_inner ({', '.join(connections)});")
    return "\n".join([*lines, "endmodule", inner, *found.values()])


class Elements(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gemel-elements-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def gemel(self, *arguments):
        environment = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_CACHE": CACHE}
        return subprocess.run([GEMEL, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=5400, check=False)

    def plant(self, block, module, *mistake):
        made = self.gemel("new-block", block, "-m", MACHINE)
        self.assertEqual(made.returncode, 0, made.stderr)
        skeleton = (self.folder / f"{module}.sv").read_text()
        header = re.sub(r"//[^\n]*", "", skeleton[: skeleton.index(");\n\n") + 2])
        (self.folder / "planted.sv").write_text(planted(header, module, *mistake))

    def run_with(self, block, kind, workload="digits"):
        return self.gemel("run", workload, "-m", MACHINE, "--block", f"{block}={kind}:planted.sv")

    def expect(self, block, module, mistake, element, layer, stored=None):
        """`element` as E0806 has it, `layer` of the instruction, `stored` the layer whose output in memory is wrong."""
        self.plant(block, module, *mistake)
        found = self.run_with(block, "check")
        self.assertEqual(found.returncode, 4, found.stderr)
        lines = found.stderr.splitlines()
        self.assertRegex(lines[0], rf"^error\[E0806\]: block `{block}` differs from its model at cycle \d+, port `{mistake[1]}")
        self.assertRegex(lines[1], rf"^  instruction \d+ of layer `{layer}`: ")
        self.assertEqual(lines[2:], [f"  {element}"] if element else [])
        if stored is None:
            return
        place = re.fullmatch(r"element (\[.*\]) of tensor `\w+` \(int8\)", element).group(1)
        reached = self.run_with(block, "rtl")
        self.assertEqual(reached.returncode, 4, reached.stderr)
        self.assertRegex(reached.stderr, rf"^error\[E0804\]: layer `{stored}`: 1 of \d+ elements differ from golden; the first at {re.escape(place)}: ")

    def test_store_dma(self):
        mistake = ("inner_wvalid_o", "wdata_o", 720, "64'h100")
        self.expect("store_dma", "store_dma", mistake, "element [0, 2, 0, 1] of tensor `add1` (int8)", "add1", "add1")

    def test_vector_unit(self):
        mistake = ("inner_vector_write_o", "vector_write_data_o", 700, "8'h40 << 8")
        self.expect("vector_unit", "vector_unit", mistake, "element [0, 7, 4, 4] of tensor `conv2` (int8)", "conv2", "conv2")

    def test_requantizer(self):
        mistake = ("inner_valid_o", "y_o", 1001, "32'h80000000")
        self.expect("requantizer", "requantizer", mistake, "element [0, 2, 4, 14] of tensor `conv2` (int8)", "conv2", "conv2")

    def test_requantizer_in_an_addition(self):  # its result goes on to add1 without having been in memory
        mistake = ("inner_valid_o", "y_o", 1560, "32'h80000000")
        self.expect("requantizer", "requantizer", mistake, "element [0, 1, 4, 0] of tensor `conv3` (int8)", "conv3", "add1")

    def test_requantizer_of_an_addition(self):
        mistake = ("inner_valid_o", "y_o", 1700, "32'h80000000")
        self.expect("requantizer", "requantizer", mistake, "element [0, 2, 3, 2] of tensor `add1` (int8)", "add1", "add1")

    def test_matrix_unit(self):
        mistake = ("inner_accumulator_write_o", "accumulator_write_data_o", 3000, "96'h80000000 << 32")
        self.expect("matrix_unit", "matrix_unit", mistake, "element [0, 0, 0, 7] of tensor `conv2` (int8)", "conv2", "conv2")

    def test_pe_array(self):
        mistake = ("inner_sums_valid_o", "sums_o", 5000, "32'h40000")
        self.expect("pe_array", "pe_array", mistake, "element [0, 1, 0, 12] of tensor `conv2` (int8)", "conv2", "conv2")

    def test_load_dma(self):
        mistake = ("inner_write_o != '0", "write_data_o", 40, "8'h1")
        self.expect("load_dma", "load_dma", mistake, "element [0, 2, 2, 0] of tensor `image` (int8)", "conv1")

    def test_activation_buffer(self):
        mistake = ("read_q[0]", "read_data_o", 100, "8'h1")
        self.expect("activation_buffer", "scratchpad", mistake, "element [0, 1, 3, 0] of tensor `image` (int8)", "conv1")

    def test_accumulator_buffer(self):
        mistake = ("read_q[1]", "read_data_o", 200, "96'h40000 << 96")
        self.expect("accumulator_buffer", "scratchpad", mistake, "element [0, 0, 4, 9] of tensor `conv1` (int8)", "conv1", "conv1")

    def test_vector_buffer(self):
        mistake = ("read_q[1]", "read_data_o", 300, "24'h40 << 24")
        self.expect("vector_buffer", "scratchpad", mistake, "element [0, 5, 4, 9] of tensor `conv1` (int8)", "conv1", "conv1")


if __name__ == "__main__":
    GEMEL, CACHE = str(Path(sys.argv[1]).resolve()), str(Path(sys.argv[2]).resolve())
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
