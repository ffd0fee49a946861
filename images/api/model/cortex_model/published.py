"""The published ONNX file, brought to a precision: the fallback where the weights themselves cannot be had."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, load, numpy_helper, save

from cortex_model.tensors import Precision

_WORTH_HALVING_ELEMENTS = 1024


def with_precision(model: ModelProto, precision: Precision) -> ModelProto:
    """The same network with weights stored in `precision`."""
    if precision is Precision.FP32:
        return model
    return _half(model) if precision is Precision.FP16 else _int8(model)


def _half(model: ModelProto) -> ModelProto:
    casts = []
    for tensor in list(model.graph.initializer):
        array = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or array.size < _WORTH_HALVING_ELEMENTS:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}.fp16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], name=f"widen.{name}", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _int8(model: ModelProto) -> ModelProto:
    # onnxruntime's quantiser works on files; per channel, because per tensor loses too much (cosine 0.92).
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 -- slow, and needed on this way only

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "fp32.onnx"), Path(folder, "int8.onnx")
        save(model, source)
        quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QUInt8)
        return load(target)
