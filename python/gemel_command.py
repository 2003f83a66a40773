#!python
# SPDX-License-Identifier: Apache-2.0
"""The command `gemel` of an installed package: becomes the program in the package's folder, without loading the package."""

import importlib.util
import os
import sys

folder = importlib.util.find_spec("gemel").submodule_search_locations[0]
program = os.path.join(folder, "bin", "gemel")
os.environ.setdefault("GEMEL_PYTHON", sys.executable)  # has NumPy, for `gemel import`
os.execv(program, ["gemel", *sys.argv[1:]])
