# SPDX-License-Identifier: Apache-2.0
"""Safetensors files, read and written with NumPy alone.

Form: eight bytes little endian with the length of a JSON header, the header {name: {dtype, shape, data_offsets}}, the data. The
writer sorts by name and pads the header to a multiple of eight, so that equal tensors give equal files, byte for byte.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_TYPES = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32, "I32": np.int32,
    "U64": np.uint64, "I64": np.int64, "F16": np.float16, "F32": np.float32, "F64": np.float64,
}  # fmt: skip
_NAMES = {np.dtype(t): name for name, t in _TYPES.items()}


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """All tensors of a file, by name."""
    data = Path(path).read_bytes()
    if len(data) < 8:
        raise ValueError(f"{path}: {len(data)} bytes are too few for a safetensors file")
    end = 8 + int.from_bytes(data[:8], "little")
    if end > len(data):
        raise ValueError(f"{path}: the header claims {end - 8} bytes, the file has {len(data) - 8}")
    tensors = {}
    for name, entry in json.loads(data[8:end]).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _TYPES:
            raise ValueError(f"{path}: tensor {name} is of type {entry['dtype']}, which is not read here")
        kind = np.dtype(_TYPES[entry["dtype"]]).newbyteorder("<")
        first, last = entry["data_offsets"]
        count = int(np.prod(entry["shape"], dtype=np.int64))
        if not 0 <= first <= last <= len(data) - end or last - first != count * kind.itemsize:
            raise ValueError(
                f"{path}: tensor {name} lies at bytes {first} to {last}, which does not fit its shape or the file"
            )
        tensors[name] = np.frombuffer(data, kind, count, end + first).reshape(entry["shape"])
    return tensors


def write_safetensors(path: str | Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes beside the target and renames, so that no half file is ever seen under its name."""
    header, parts, end = {}, [], 0
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [end, end + array.nbytes],
        }
        parts.append(array)
        end += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    temporary = Path(f"{path}.part")
    with open(temporary, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in parts:
            file.write(array.tobytes())
    os.replace(temporary, path)
