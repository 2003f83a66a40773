# SPDX-License-Identifier: Apache-2.0
"""The page of areas follows from its table: the fit gives the coefficients and the errors that docs/reference/area.md states."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "area.py"

if __name__ == "__main__":
    sys.exit(subprocess.run([sys.executable, str(SCRIPT), "--check"], check=False).returncode)
