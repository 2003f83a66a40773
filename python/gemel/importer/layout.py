# SPDX-License-Identifier: Apache-2.0
"""Where the elements of a model's tensor lie in memory: how NCHW becomes NHWC without moving anything.

A tensor in memory is a list of axes. Each dimension of the model's tensor is made of some of them, in any order: an image [N, C, H, W] that
lies as NHWC has the axes (N, H, W, C) and the dimensions (0), (3), (1), (2). Transpositions exchange dimensions, reshapes regroup and cut axes;
neither moves an element. Only an operator that needs another order would.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layout:
    memory: tuple[int, ...]  # lengths of the axes, all above 1, outermost first
    dims: tuple[tuple[int, ...], ...]  # for each dimension its axes, as indices of `memory`, outermost first; none: length 1

    @staticmethod
    def dense(shape) -> "Layout":
        """In the order of its dimensions."""
        dims, memory = [], []
        for n in shape:
            dims.append((len(memory),) if n != 1 else ())
            memory += [int(n)] if n != 1 else []
        return Layout(tuple(memory), tuple(dims))

    def ordered(self, axes: tuple[int, ...]) -> "Layout":
        """The same tensor with its axes in another order in memory."""
        place = {axis: i for i, axis in enumerate(axes)}
        return Layout(tuple(self.memory[a] for a in axes), tuple(tuple(place[a] for a in dim) for dim in self.dims))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(math.prod(self.memory[a] for a in dim) for dim in self.dims)

    def axes(self, *dims: int) -> tuple[int, ...]:
        """Of several dimensions, one behind the other."""
        return tuple(axis for d in dims for axis in self.dims[d])

    def lies(self, *dims: int) -> bool:
        """Whether memory has the dimensions in this order (all of them)."""
        return self.axes(*dims) == tuple(range(len(self.memory)))

    def transposed(self, permutation) -> "Layout":
        return Layout(self.memory, tuple(self.dims[p] for p in permutation))

    def reshaped(self, shape) -> "Layout | None":
        """The same elements, in the order of the dimensions, under other dimensions. None: elements would have to move."""
        runs: list[list[int]] = []  # axes in the model's order that follow each other in memory as well: the first, how many
        for axis in self.axes(*range(len(self.dims))):
            if runs and axis == runs[-1][0] + runs[-1][1]:
                runs[-1][1] += 1
            else:
                runs.append([axis, 1])
        pieces = [(first, math.prod(self.memory[first : first + count])) for first, count in runs]
        keys: list[tuple[int, int]] = []  # of the new axes, in the model's order; their order is that in memory
        lengths: list[int] = []
        dims: list[list[int]] = []
        cut = 0  # pieces cut off the first run
        for n in shape:
            dims.append([])
            while n > 1:
                if not pieces:
                    return None
                first, length = pieces[0]
                take = length if n % length == 0 else n if length % n == 0 else 0
                if take == 0:
                    return None
                dims[-1].append(len(keys))
                keys.append((first, cut))
                lengths.append(take)
                n //= take
                cut += 1
                pieces[0] = (first, length // take)
                if take == length:
                    pieces.pop(0)
                    cut = 0
        if pieces:
            return None
        order = sorted(range(len(keys)), key=keys.__getitem__)
        place = {old: new for new, old in enumerate(order)}
        return Layout(tuple(lengths[i] for i in order), tuple(tuple(place[a] for a in dim) for dim in dims))

    def plain(self) -> "Layout":
        """With no more axes than needed: two tensors of one shape lie alike if these are equal."""
        starts = {dim[i] for dim in self.dims for i in range(len(dim)) if i == 0 or dim[i] != dim[i - 1] + 1}
        groups = sorted(starts)
        place = {first: i for i, first in enumerate(groups)}
        ends = groups[1:] + [len(self.memory)]
        memory = tuple(math.prod(self.memory[a:b]) for a, b in zip(groups, ends))
        return Layout(memory, tuple(tuple(place[a] for a in dim if a in starts) for dim in self.dims))

    def of_model(self, memory: np.ndarray) -> np.ndarray:
        """Elements as they lie in memory -> the model's tensor."""
        return memory.reshape(self.memory).transpose(self.axes(*range(len(self.dims)))).reshape(self.shape)

    def of_memory(self, tensor: np.ndarray) -> np.ndarray:
        """The model's tensor -> elements as they lie in memory."""
        axes = self.axes(*range(len(self.dims)))
        return tensor.reshape([self.memory[a] for a in axes]).transpose(np.argsort(axes)).reshape(-1)
