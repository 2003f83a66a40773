# SPDX-License-Identifier: Apache-2.0
"""Gemel: a cycle-accurate simulator of a systolic-array NPU.

    import gemel
    result = gemel.run("resnet50", gemel.machine("edge16", rows=32), timing_only=True)
    print(result.cycles, result.layers[0].bottleneck)

machine(), machines(), parameters()   machines, and what can be changed in them
load(), workloads(), NetworkBuilder   networks
compile(), estimate(), run()          programs, predictions, results
quantize(), compress(), recover()     int8 and smaller ONNX of float32 ONNX, and training that makes up for what is lost
tflite_to_onnx()                      float ONNX of float TensorFlow Lite models, which the above take, too
accuracy()                            how often a network is right
DynamicModel                          models that are quantized while they run
sweep(), Space, Sweep                 many machines and networks, and the best of them
Error                                 what all of them raise; it has a code, a place and a hint

In a checkout whose library has not been built there are only gemel.reference, gemel.tensors, gemel.area, gemel.isa_gen and gemel.importer,
which stand alone.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING or find_spec("gemel._gemel") is not None:
    from ._accuracy import Accuracy, Count, accuracy
    from ._advise import Advice, Finding
    from ._arrays import dequantized, quantized
    from ._builder import NetworkBuilder
    from ._compare import Comparison, LayerDifference
    from ._compress import CompressedModel, Cost, compress
    from ._dynamic import DynamicModel, DynamicResult
    from ._errors import Error, GemelWarning, InternalError, Interrupted, RunError, UserError
    from ._gemel import Diagnostic, LayerInfo, ParameterInfo, Progress, StopToken, TensorInfo
    from ._gemel import version as _version
    from ._machine import Machine, machine, machines, parameters
    from ._network import Network, TestImages, load, workloads
    from ._program import Estimate, Program, compile, estimate
    from ._quantize import LayerError, QuantizedModel, quantize
    from ._real_time import Frame, RealTime
    from ._recover import HeldOut, RecoveredModel, recover
    from ._result import LayerMapping, LayerResult, Result, WeightTiles
    from ._run import run
    from ._space import Space
    from ._sweep import Design, Sweep, sweep
    from ._tflite import tflite_to_onnx

    __version__ = _version()
    __all__ = [
        "Accuracy", "Advice", "Comparison", "CompressedModel", "Cost", "Count", "Design", "Diagnostic", "DynamicModel", "DynamicResult", "Error",
        "Estimate", "Finding", "Frame", "GemelWarning", "HeldOut", "InternalError", "Interrupted", "LayerDifference", "LayerError", "LayerInfo", "LayerMapping",
        "LayerResult", "Machine", "Network", "NetworkBuilder", "ParameterInfo", "Program", "Progress", "QuantizedModel", "RealTime",
        "RecoveredModel", "Result", "RunError", "Space", "StopToken", "Sweep", "TensorInfo", "TestImages", "UserError", "accuracy",
        "WeightTiles", "compile", "compress", "dequantized", "estimate", "load", "machine", "machines", "parameters", "quantize", "quantized", "recover",
        "run", "sweep", "tflite_to_onnx", "workloads",
    ]  # fmt: skip
else:

    def __getattr__(name: str) -> object:
        raise AttributeError(f"there is no gemel.{name} here: this is a checkout, and its library is not built into it. "
                             "`pip install .` in the checkout, or after ./check PYTHONPATH=build/release/python")
