# SPDX-License-Identifier: Apache-2.0
"""The package under test: to be imported before `gemel`. It is build/release/python, or the one that GEMEL_PACKAGE names."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("GEMEL_PACKAGE", ROOT / "build" / "release" / "python"))
# Of a command `gemel`: this checkout's data, this interpreter and this package.
ENVIRONMENT = {**os.environ, "GEMEL_HOME": str(ROOT), "GEMEL_PYTHON": sys.executable, "PYTHONPATH": str(PYTHON)}

sys.path.insert(0, str(PYTHON))
