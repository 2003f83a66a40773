# SPDX-License-Identifier: Apache-2.0
"""Every message is declared, documented and tested: a code used in the sources has a row in src/base/error_codes.cpp, a
paragraph in docs/reference/errors.md with the row's sentence, and its exact text in a test. Codes that still lack such a
test are listed in untested_codes.txt; a code that has one must leave the list, so it can only shrink."""

import re

from rules import ROOT, Report, files, name

CODE = re.compile(r"\bE\d{4}\b")
ROW = re.compile(r'\{"(E\d{4})", (User|Internal|Run|Warning), "([^"]+)"\}')
EXIT = {"Warning": 0, "User": 2, "Internal": 3, "Run": 4}


def main():
    report = Report()
    table = ROOT / "src/base/error_codes.cpp"
    rows = {code: (kind, sentence) for code, kind, sentence in ROW.findall(table.read_text(encoding="utf-8"))}
    report.expect(len(rows) >= 20, f"{name(table)}: only {len(rows)} rows were found")

    used = {}
    for path in files("src", "include", "python", suffixes={".cpp", ".hpp", ".py"}):
        if path == table:
            continue
        code_only = re.sub(r"//.*|#.*", "", path.read_text(encoding="utf-8"))
        for code in re.findall(r'"(?:error\[)?(E\d{4})[\]"]', code_only):
            used.setdefault(code, name(path))
    for code, where in sorted(used.items()):
        report.expect(code in rows, f"{where}: uses {code}, which has no row in {name(table)}")
    for code in rows:
        report.expect(code in used, f"{name(table)}: {code} is declared but used nowhere")

    page = ROOT / "docs/reference/errors.md"
    paragraphs = dict(re.findall(r"^### (E\d{4})\n(.*?)(?=^##|\Z)", page.read_text(encoding="utf-8"), re.M | re.S))
    for code, (kind, sentence) in sorted(rows.items()):
        text = paragraphs.pop(code, None)
        if text is None:
            report.complain(f"{name(page)}: no paragraph `### {code}`")
            continue
        report.expect(sentence in " ".join(text.split()), f"{name(page)}: {code} does not open with its sentence: {sentence}")
        report.expect(f"exit {EXIT[kind]}" in text.lower(), f"{name(page)}: {code} does not say `Exit {EXIT[kind]}`")
        report.expect(len(text.split()) >= 25, f"{name(page)}: {code} says too little about cause and cure")
    for code in paragraphs:
        report.complain(f"{name(page)}: {code} has no row in {name(table)}")

    # A test has the exact text of a message if it, or a file beside it, holds the message's first line.
    tested = set()
    for path in files("tests", suffixes={".cpp", ".hpp", ".py", ".expected"}):
        tested |= set(re.findall(r"(?:error|warning)\\?\[(E\d{4})\\?\]: \S", path.read_text(encoding="utf-8")))
    listed_file = ROOT / "tests/repo/untested_codes.txt"
    listed = set(CODE.findall(re.sub(r"#.*", "", listed_file.read_text(encoding="utf-8"))))
    for code in sorted(rows):
        report.expect(code in tested or code in listed, f"{code}: no test has its exact text (`error[{code}]: ...`)")
    for code in sorted(listed):
        report.expect(code not in tested, f"{name(listed_file)}: {code} has a test now; take it off the list")
        report.expect(code in rows, f"{name(listed_file)}: {code} is no message")
    report.finish(least=60)


main()
