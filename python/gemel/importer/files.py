# SPDX-License-Identifier: Apache-2.0
"""Reading files that somebody else wrote."""

import os
import stat
from pathlib import Path

from .messages import Diagnostic, ModelError

# A file is read into memory whole, and workloads come to about its size: memory stays below four times this.
MOST_BYTES = 1 << 30


def read_bytes(path: Path) -> bytes:
    """The file, if it is a regular one of at most MOST_BYTES. ModelError E1101."""

    def refuse(reason: str, hint: str = ""):
        return ModelError(Diagnostic("E1101", f"cannot read the model `{path}`: {reason}", hint=hint))

    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise refuse("it is a folder" if stat.S_ISDIR(status.st_mode) else "it is no regular file")
            if status.st_size > MOST_BYTES:
                raise refuse(f"it has {status.st_size} bytes, and at most {MOST_BYTES} are read")
            return file.read(MOST_BYTES)
    except IsADirectoryError:
        raise refuse("it is a folder") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise refuse(getattr(error, "strerror", None) or str(error)) from None
