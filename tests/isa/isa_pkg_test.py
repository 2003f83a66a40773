# SPDX-License-Identifier: Apache-2.0
"""The SystemVerilog package rtl/common/isa_pkg.gen.sv: Verilator, Icarus and Yosys read it, and its is_legal(), intervals_legal(), unit_of()
and field positions agree with the vectors (isa_pkg_tb.sv, run by Icarus). Exits 77 (skipped) where a tool is missing."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "rtl/common/isa_pkg.gen.sv"
BENCH = HERE / "isa_pkg_tb.sv"
SKIPPED = 77


def run(*command: object, folder: str | None = None) -> str:
    done = subprocess.run([str(c) for c in command], cwd=folder, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(c) for c in command)}\n{output}")
    return output


def words(vectors: list[dict]) -> str:
    """For $readmemh: the most significant byte first."""
    return "".join(bytes.fromhex(v["hex"])[::-1].hex() + "\n" for v in vectors)


def main() -> int:
    missing = [tool for tool in ("verilator", "iverilog", "vvp", "yosys") if shutil.which(tool) is None]
    if missing:
        print(f"SKIPPED: {', '.join(missing)} not installed, so the SystemVerilog package is not read here")
        return SKIPPED
    vectors = json.loads((HERE / "vectors.gen.json").read_text(encoding="utf-8"))
    legal, illegal = vectors["legal"], vectors["illegal"]
    with tempfile.TemporaryDirectory() as folder:
        run("verilator", "--lint-only", "-Wall", "--top-module", "isa_pkg_use", PACKAGE, HERE / "isa_pkg_use.sv")
        run("yosys", "-q", "-p", f"read_verilog -sv {PACKAGE} {HERE / 'isa_pkg_use.sv'}; prep -top isa_pkg_use; check -assert")
        files = pathlib.Path(folder)
        (files / "legal.hex").write_text(words(legal), encoding="ascii")
        (files / "illegal.hex").write_text(words(illegal), encoding="ascii")
        run("iverilog", "-g2012", "-Wall", "-o", files / "tb", f"-Pisa_pkg_tb.LegalCount={len(legal)}",
            f"-Pisa_pkg_tb.IllegalCount={len(illegal)}", "-s", "isa_pkg_tb", PACKAGE, BENCH)
        output = run("vvp", "-n", files / "tb", folder=folder)
    loads = [v["fields"] for v in legal if v["op"] == "load"]
    matrices = [v["fields"] for v in legal if v["op"] == "matrix"]
    expected = (
        f"legal {len(legal)} of {len(legal)}, illegal {len(illegal)} of {len(illegal)}, "
        f"loads {len(loads)} strides {sum(v['stride2'] for v in loads)}, "
        f"matrices {len(matrices)} origins {sum(v['origin_x'] for v in matrices)}"
    )
    if expected not in output:
        sys.exit(f"expected: {expected}\ngot: {output}")
    print(expected)
    return 0


if __name__ == "__main__":
    sys.exit(main())
