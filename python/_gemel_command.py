# SPDX-License-Identifier: Apache-2.0
"""The command `gemel` of an installed package: becomes the program in the package's folder, without loading the package."""

import importlib.util
import os
import sys


def main() -> None:
    found = importlib.util.find_spec("gemel")
    assert found is not None and found.submodule_search_locations is not None, "this module is installed with the package gemel"
    os.environ.setdefault("GEMEL_PYTHON", sys.executable)  # has NumPy, for `gemel import`
    os.execv(os.path.join(found.submodule_search_locations[0], "bin", "gemel"), ["gemel", *sys.argv[1:]])
