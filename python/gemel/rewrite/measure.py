# SPDX-License-Identifier: Apache-2.0
"""What a float network costs: parameters and multiply-accumulates of its layers with constant weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .graph import Graph
from .plan import weights_of


@dataclass(frozen=True)
class Layer:
    name: str  # of its result
    operator: str
    shape: tuple[int, ...]  # of the weights
    parameters: int  # bias included
    zeros: int  # of the weights
    macs: int  # of the model's images per run, taps in the padding included


def layers(graph: Graph) -> list[Layer]:
    found = []
    for node in graph.nodes:
        held = weights_of(graph, node)
        if held is None or node.output[0] not in graph.shapes:
            continue
        w, axis = held
        made = math.prod(graph.shapes[node.output[0]])
        bias = graph.constants[node.input[2]].size if len(node.input) > 2 and node.input[2] else 0
        found.append(Layer(node.output[0], node.op_type, w.shape, w.size + bias, int(np.count_nonzero(w == 0)), made * (w.size // w.shape[axis])))
    return found
