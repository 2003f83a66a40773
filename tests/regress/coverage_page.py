# SPDX-License-Identifier: Apache-2.0
"""gemel regress --coverage with load_dma as RTL: a page and its numbers; the same command gives the same; a case less covers
fewer lines and bins, and what it alone has hit is a hole by name.

usage: coverage_page.py GEMEL FOLDER"""

import json
import pathlib
import shutil
import subprocess
import sys

GEMEL, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])


def cover(name, count):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    command = [GEMEL, "regress", "--coverage", str(folder), "--count", str(count), "--seed", "3", "--blocks", "load_dma=rtl", "-q"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert not (folder / "counts").exists(), "counts are left behind"
    return (folder / "coverage.html").read_text(), json.loads((folder / "coverage.json").read_text())


def main():
    page, all_of_them = cover("all", 8)
    again, same = cover("all", 8)
    assert page == again and all_of_them == same, "the same command gives another page"
    one_page, one = cover("one", 1)

    assert "gemel regress --coverage " + str(FOLDER / "all") + " --count 8 --seed 3 --blocks load_dma=rtl" in page
    assert "http" not in page and "<script" not in page, "the page is not self-contained"
    lines, fewer = all_of_them["rtl"]["files"]["load_dma/load_dma.sv"], one["rtl"]["files"]["load_dma/load_dma.sv"]
    files = {"common/burst_cutter.sv", "common/fifo.sv", "common/memory.sv", "load_dma/load_dma.sv"}
    assert set(all_of_them["rtl"]["files"]) == files, all_of_them["rtl"]["files"].keys()
    for kind in ("lines", "branches", "toggles"):
        assert lines[kind]["all"] == fewer[kind]["all"] > 0, (kind, lines, fewer)
        assert lines[kind]["hit"] > fewer[kind]["hit"] > 0, (kind, lines[kind], fewer[kind])
    assert set(lines["lines_never_run"]) < set(fewer["lines_never_run"])

    holes, more = set(all_of_them["functional"]["holes"]), set(one["functional"]["holes"])
    assert holes < more, holes - more
    hole = sorted(more - holes)[0]
    assert f'<li class="hole">{hole}</li>' in one_page and f'<li class="hole">{hole}</li>' not in page, hole
    for title, bins in one["functional"]["groups"].items():
        for name, hits in bins.items():
            assert (hits == 0) == (f"{title}: {name}" in more), (title, name, hits)
    print(f"lines {fewer['lines']['hit']} -> {lines['lines']['hit']}, holes {len(more)} -> {len(holes)}")


main()
