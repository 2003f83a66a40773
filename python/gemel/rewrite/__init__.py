# SPDX-License-Identifier: Apache-2.0
"""ONNX models in, ONNX models out: what stands behind gemel.quantize() and gemel.compress(). Needs NumPy, onnx and onnxruntime."""
