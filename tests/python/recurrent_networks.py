# SPDX-License-Identifier: Apache-2.0
"""Models of one LSTM or GRU with every attribute that is unrolled, and a classifier of sequences, with seeded weights."""

import random
from dataclasses import dataclass, field, replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GATES = {"LSTM": 4, "GRU": 3}


@dataclass
class Recurrent:
    """A model of one node; its inputs are `x`, and `h`, `c` where states are inputs."""

    kind: str
    time: int = 4
    images: int = 1
    inputs: int = 5
    hidden: int = 6
    direction: str = "forward"
    images_first: bool = False
    before_reset: int = 0
    bias: bool = True
    state: str = "none"  # "zero", "constant", "input"
    wanted: tuple[int, ...] = (0, 1)  # outputs: Y, Y_h, Y_c
    lengths: bool = False
    seed: int = 1
    more: dict = field(default_factory=dict)  # attributes
    operands: dict = field(default_factory=dict)  # by their place: constants that stand in the place of others

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the inputs."""
        d = 2 if self.direction == "bidirectional" else 1
        state = (self.images, d, self.hidden) if self.images_first else (d, self.images, self.hidden)
        x = (self.images, self.time, self.inputs) if self.images_first else (self.time, self.images, self.inputs)
        return {"x": x} | ({name: state for name in ("h", "c")[: 1 + (self.kind == "LSTM")]} if self.state == "input" else {})

    def proto(self) -> onnx.ModelProto:
        rng = np.random.default_rng(self.seed)
        d, gates = 2 if self.direction == "bidirectional" else 1, GATES[self.kind]
        constants: dict[str, np.ndarray] = {
            "w": rng.normal(size=(d, gates * self.hidden, self.inputs)) / np.sqrt(self.inputs) * 1.5,
            "r": rng.normal(size=(d, gates * self.hidden, self.hidden)) / np.sqrt(self.hidden) * 1.5,
        }
        names = ["x", "w", "r", "", "", "", ""]
        if self.bias:
            constants["b"] = rng.normal(size=(d, 2 * gates * self.hidden)) * 0.5
            names[3] = "b"
        constants = {name: array.astype(np.float32) for name, array in constants.items()}
        if self.lengths:
            constants["lengths"] = np.full(self.images, self.time, np.int32)
            names[4] = "lengths"
        states = ("h", "c")[: 1 + (self.kind == "LSTM")]
        for at, name in enumerate(states):
            if self.state != "none":
                names[5 + at] = name
            if self.state in ("zero", "constant"):
                drawn = rng.uniform(-1, 1, size=(d, self.images, self.hidden)) * (self.state == "constant")
                constants[name] = (drawn.swapaxes(0, 1) if self.images_first else drawn).astype(np.float32)
        for at, array in self.operands.items():
            names += [""] * (at + 1 - len(names))
            names[at] = f"operand{at}"
            constants[names[at]] = array
        outputs = [name if i in self.wanted else "" for i, name in enumerate(("y", "y_h", "y_c"))][: 3 if self.kind == "LSTM" else 2]
        more = {"linear_before_reset": self.before_reset} if self.kind == "GRU" and self.before_reset else {}
        while names and not names[-1]:
            names.pop()
        node = helper.make_node(self.kind, names, outputs, hidden_size=self.hidden, direction=self.direction, layout=int(self.images_first),
                                **more, **self.more)  # fmt: skip
        graph = helper.make_graph(
            [node], self.kind, [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in self.shapes.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs if name],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )  # fmt: skip
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def by_time(self) -> "Recurrent":
        """The same function of inputs with the time before the images, which ONNX Runtime runs."""
        return replace(self, images_first=False)

    def drawn(self, count: int, seed: int = 5) -> dict[str, np.ndarray]:
        """Inputs of `count` runs, [count, *shape] each."""
        rng = np.random.default_rng(seed)
        return {name: (rng.normal(size=(count, *shape)) if name == "x" else rng.uniform(-1, 1, size=(count, *shape))).astype(np.float32)
                for name, shape in self.shapes.items()}  # fmt: skip


def random_recurrent(seed: int) -> Recurrent:
    rng = random.Random(seed)
    kind = rng.choice(("LSTM", "GRU"))
    every = (0, 1, 2) if kind == "LSTM" else (0, 1)
    return Recurrent(
        kind, time=rng.randint(1, 6), images=rng.choice((1, 1, 2, 3)), inputs=rng.randint(1, 9), hidden=rng.randint(1, 9),
        direction=rng.choice(("forward", "reverse", "bidirectional")), images_first=rng.random() < 0.4, before_reset=rng.randint(0, 1),
        bias=rng.random() < 0.7, state=rng.choice(("none", "zero", "constant", "input")),
        wanted=tuple(sorted(rng.sample(every, rng.randint(1, len(every))))), lengths=rng.random() < 0.2, seed=seed,
    )  # fmt: skip
