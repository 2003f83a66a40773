# SPDX-License-Identifier: Apache-2.0
"""Images for a network, one after the other, so that any number of them takes the memory of a few.

A file NAME.npz has an array for each input of the network, named as the input (a network of one input: any name), its first dimension the number of
images; and, if it is to be counted what is right, `labels`. NAME.npy is the array of a network's only input.

Arrays with one dimension more than the inputs have whole runs: sequences with the time first, say, or inputs whose first dimensions differ.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ..importer.messages import Diagnostic, ModelError
from ..importer.workload import shape_text

LABELS = ("labels", "label", "y")
HINT = "numpy.savez(FILE, images=..., labels=...): the first dimension counts the images, the others are those of the network's input"


def _wrong(what: str, file: str = "", hint: str = HINT) -> ModelError:
    return ModelError(Diagnostic("E1214", what, file, hint=hint))


class _Member:
    """An array in a file, whose rows are read in order."""

    def __init__(self, file: Any, what: str, path: str):
        self._file, self._what, self._path = file, what, path
        try:
            version = npy.read_magic(file)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            self.shape, fortran, self.dtype = header(file)
        except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
            raise _wrong(f"`{what}` is no array of NumPy: {error}", path) from None
        if self.dtype.kind not in "fiub" or (fortran and len(self.shape) > 1):
            state = f"an array of {self.dtype}" if self.dtype.kind not in "fiub" else "an array in Fortran's order"
            raise _wrong(f"`{what}` is {state}", path, "supported: numbers, in C's order (numpy.ascontiguousarray())")

    def rows(self, count: int) -> np.ndarray:
        size = count * int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        data = b""
        try:
            while len(data) < size:
                more = self._file.read(size - len(data))
                if not more:
                    break
                data += more
        except (OSError, zipfile.BadZipFile, EOFError, ValueError) as error:
            raise _wrong(f"`{self._what}` cannot be read: {error}", self._path) from None
        if len(data) != size:
            raise _wrong(f"`{self._what}` ends before its last image", self._path, "the file is cut short; make it anew")
        return np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])


class Images:
    """Where they come from: a path, an array, or arrays by the names of inputs. Checked against `inputs`: name -> shape of one run."""

    def __init__(self, source: str | Path | np.ndarray | Mapping[str, Any], inputs: Mapping[str, tuple[int, ...]]):
        self._inputs = dict(inputs)
        self._file = str(source) if isinstance(source, str | Path) else ""
        self._source: Any = source
        self._members: dict[str, str] = {}  # input -> name in the file, or in the mapping
        self.types: dict[str, np.dtype[Any]] = {}  # input -> type of its array
        self.labels: np.ndarray | None = None
        self.whole_runs = False  # each element of the arrays is all of an input
        with ExitStack() as stack:
            arrays = self._open(stack)
            shapes = self._assign(arrays)
        counts = {shape[0] if shape else 0 for shape in shapes.values()}
        if len(counts) != 1:
            raise _wrong("the network's inputs have different numbers of images: " + ", ".join(f"`{n}` {s[0]}" for n, s in shapes.items()), self._file)
        self.count = counts.pop()
        if self.count < 1:
            raise _wrong("there are no images", self._file)
        if self.labels is not None and self.labels.shape != (self.count,):
            what = f"there are {self.count} images, and labels of the shape {shape_text(self.labels.shape)}"
            raise _wrong(what, self._file, "one whole number for each image")

    def _open(self, stack: ExitStack) -> dict[str, Any]:
        """Arrays by name: _Member of files, arrays of arrays."""
        if isinstance(self._source, Mapping):
            return {name: np.asarray(array) for name, array in self._source.items()}
        if not isinstance(self._source, str | Path):
            return {"images": np.asarray(self._source)}
        path = Path(self._source)
        try:
            file = stack.enter_context(open(path, "rb"))
            start = file.read(6)
            file.seek(0)
            if start[:6] == npy.MAGIC_PREFIX:
                return {"images": _Member(file, "images", self._file)}
            archive = stack.enter_context(zipfile.ZipFile(file))
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name[:-4]: _Member(stack.enter_context(archive.open(name)), name[:-4], self._file) for name in names}
        except IsADirectoryError:
            raise _wrong(f"cannot read the images `{path}`: it is a folder", "") from None
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # unknown compression, encryption
            raise _wrong(f"`{path}` is no file of NumPy (.npz or .npy): {error}") from None
        except OSError as error:
            raise _wrong(f"cannot read the images `{path}`: {error.strerror or error}") from None

    def _assign(self, arrays: dict[str, Any]) -> dict[str, tuple[int, ...]]:
        labelled = next((name for name in LABELS if name in arrays and name not in self._inputs), None)
        if labelled is not None:
            labels = arrays.pop(labelled)
            labels = labels.rows(labels.shape[0] if labels.shape else 1) if isinstance(labels, _Member) else labels
            if labels.dtype.kind not in "iub":
                raise _wrong(f"labels are {labels.dtype}", self._file, "one whole number for each image: the index of the right output")
            self.labels = labels.astype(np.int64)
        if len(self._inputs) == 1 and len(arrays) == 1:
            self._members = {next(iter(self._inputs)): next(iter(arrays))}
        else:
            missing = [name for name in self._inputs if name not in arrays]
            if missing and len(self._inputs) == 1 and "images" in arrays:
                self._members = {missing[0]: "images"}
            elif missing:
                told = ", ".join(f"`{name}`" for name in arrays) or "none"
                raise _wrong(f"there is no array for input `{missing[0]}`; there are: {told}", self._file)
            else:
                self._members = {name: name for name in self._inputs}
        shapes = {}
        self.whole_runs = all(tuple(arrays[self._members[name]].shape[1:]) == tuple(shape) for name, shape in self._inputs.items())
        firsts = [shape[0] for shape in self._inputs.values()]
        if not self.whole_runs and len(set(firsts)) > 1:
            told = ", ".join(f"`{name}` {shape_text(shape)}" for name, shape in self._inputs.items())
            raise _wrong(f"the network's inputs have different first dimensions ({told}), so they are no numbers of images", self._file,
                         "give each array one dimension more, the number of runs: numpy.stack([input of the first run, of the second, ...])")  # fmt: skip
        for name, shape in self._inputs.items():
            self.types[name] = arrays[self._members[name]].dtype
            found = tuple(arrays[self._members[name]].shape)
            if self.whole_runs:
                shapes[name] = found
                continue
            wanted = shape[1:]
            if len(found) != len(shape) or found[1:] != wanted:
                text = shape_text(found)
                hint = HINT
                if len(shape) == 4 and len(found) == 4 and (found[1], found[2], found[3]) == (shape[2], shape[3], shape[1]):
                    hint = "they are NHWC, and the network takes NCHW: images.transpose(0, 3, 1, 2)"
                elif found == wanted:
                    hint = "one image is images[None]"
                lengths = ", ".join(["images", *map(str, wanted)])
                raise _wrong(f"images for input `{name}` have the shape {text}, but must have [{lengths}]", self._file, hint)
            shapes[name] = found
        return shapes

    def runs(self, most: int | None = None, skip: int = 0) -> Iterator[tuple[dict[str, np.ndarray], int]]:
        """Inputs of one run after the other, float32, and how many of their images count (a last run that is not full repeats its last image).
        `most`: so many images at the most, behind the first `skip`."""
        per_run = 1 if self.whole_runs else next(iter(self._inputs.values()))[0]
        left = self.count - skip if most is None else min(most, self.count - skip)
        start = skip
        with ExitStack() as stack:
            arrays = self._open(stack)
            for name in self._inputs if skip else ():
                array = arrays[self._members[name]]
                for first in range(0, skip if isinstance(array, _Member) else 0, per_run):
                    array.rows(min(per_run, skip - first))
            while left > 0:
                taken = min(per_run, left)
                inputs = {}
                for name, shape in self._inputs.items():
                    array = arrays[self._members[name]]
                    rows = array.rows(taken) if isinstance(array, _Member) else array[start : start + taken]
                    rows = rows[0].astype(np.float32) if self.whole_runs else rows.astype(np.float32)
                    if not np.isfinite(rows).all():
                        bad = start + (0 if self.whole_runs else int(np.argmin(np.isfinite(rows).reshape(taken, -1).all(axis=1))))
                        raise _wrong(f"image {bad} for input `{name}` has numbers that are not finite", self._file, "look for NaN and infinity in what made it")
                    if not self.whole_runs and taken < shape[0]:
                        rows = np.concatenate([rows, np.repeat(rows[-1:], shape[0] - taken, axis=0)])
                    inputs[name] = np.ascontiguousarray(rows)
                yield inputs, taken
                start += taken
                left -= taken
