# SPDX-License-Identifier: Apache-2.0
"""A float network that has learnt something, without a framework: drawn filters, and a last layer from a least squares fit on the handwritten digits that
come with the workload `digits`."""

import numpy as np
import onnx
from onnx_networks import INPUT, Network

import gemel

TRAINED_ON = 240  # of the 360 images; the others are for counting


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images as float networks take them, [360, 1, 8, 8], and labels."""
    network = gemel.load("digits")
    test = network.test_images()
    assert test is not None
    return gemel.dequantized(test.images, network.inputs[0]).transpose(0, 3, 1, 2).copy(), test.labels.astype(np.int64)


def network(filters: int = 24, deeper: int = 48, seed: int = 1) -> onnx.ModelProto:
    """Two convolutions with batch norms, pooling, and a dense layer; some 95 % right of what it was not fitted on."""
    from gemel.rewrite.runtime import Session

    images, labels = digits()
    n = Network("digits_float", (1, 1, 8, 8), seed)
    x = n.conv(INPUT, filters, 3)
    x = n.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = n.node("Flatten", [n.conv(x, deeper, 3)])
    width = deeper * 16
    n.outputs = [x]
    session = Session(n.proto())
    features = np.concatenate([session.run({INPUT: image[None]})[x] for image in images[:TRAINED_ON]]).astype(np.float64)
    wanted = np.eye(10)[labels[:TRAINED_ON]]
    design = np.concatenate([features, np.ones((TRAINED_ON, 1))], axis=1)
    fit = design.T @ np.linalg.solve(design @ design.T + 1e-2 * np.trace(design @ design.T) / TRAINED_ON * np.eye(TRAINED_ON), wanted)
    n.outputs = [n.node("Gemm", [x, n.constant(fit[:-1].astype(np.float32)), n.constant(fit[-1].astype(np.float32))], 10)]
    assert fit.shape == (width + 1, 10)
    return n.proto()
