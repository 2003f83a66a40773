# SPDX-License-Identifier: Apache-2.0
"""Tensors as NumPy arrays. NumPy is imported when the first array is asked for: workers of sweeps need none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._errors import user_error
from ._gemel import TensorData, TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]
    Inputs = ArrayLike | Sequence[ArrayLike] | Mapping[str, ArrayLike]
else:
    Array = Inputs = Any


def array_of(data: TensorData) -> Array:
    """The tensor without a copy: it may only be read, and keeps what it belongs to alive."""
    import numpy as np

    flat: Array = np.frombuffer(memoryview(data), dtype=np.dtype(data.type))
    return flat.reshape(data.shape)


def dequantized(array: ArrayLike, info: TensorInfo) -> NDArray[np.float32]:
    """Real values: scale * (element - zero_point)."""
    import numpy as np

    return np.float32(info.scale) * (np.asarray(array).astype(np.float32) - np.float32(info.zero_point))


def quantized(values: ArrayLike, info: TensorInfo) -> Array:
    """Elements of a tensor from real values: rounded to the nearest (ties to even), clamped to the type's range."""
    import numpy as np

    kind = np.dtype(info.type)
    limits = np.iinfo(kind)
    steps = np.rint(np.asarray(values, np.float64) / info.scale) + info.zero_point
    elements: Array = np.clip(steps, limits.min, limits.max).astype(kind)
    return elements


def _one(value: ArrayLike, info: TensorInfo) -> Array:
    import numpy as np

    array = np.asarray(value)
    kind = np.dtype(info.type)
    if array.dtype != kind:
        hint = f"gemel.quantized(values, info) makes {kind} of real values" if array.dtype.kind == "f" else f"convert it: array.astype(numpy.{kind})"
        raise user_error("E0510", f"input `{info.name}` must be an array of {kind}, but is one of {array.dtype}", hint)
    if array.shape != info.shape:
        raise user_error("E0510", f"input `{info.name}` must have the shape {info.shape}, but has {array.shape}", "images are NHWC")
    return np.ascontiguousarray(array)


def input_arrays(inputs: Inputs, infos: Sequence[TensorInfo]) -> list[Array]:
    """What is given for a network's inputs, checked, in the network's order; an empty array where nothing is given."""
    import numpy as np

    if isinstance(inputs, Mapping):
        names = [info.name for info in infos]
        for name in inputs:
            if name not in names:
                raise user_error("E0510", f"there is no input `{name}`", "the network has " + ", ".join(f"`{n}`" for n in names))
        return [_one(inputs[info.name], info) if info.name in inputs else np.empty(0, np.uint8) for info in infos]
    several = isinstance(inputs, list | tuple) and len(inputs) > 0 and all(isinstance(one, np.ndarray) for one in inputs)
    given: Sequence[Any] = list(inputs) if several else [inputs]  # type: ignore[arg-type]
    if len(given) > len(infos):
        raise user_error("E0510", f"{len(given)} inputs are given, and the network has {len(infos)}")
    return [_one(value, info) for value, info in zip(given, infos, strict=False)]
