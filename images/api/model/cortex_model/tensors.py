"""How a weight is stored in each precision, and the nodes that turn it back into arithmetic.

Written out instead of taken from a quantiser, so that the bits of the model (and with them its identity, which every
collection records) depend on the weights and this file only, not on the version of a tool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

Array = npt.NDArray[np.float32]
Dense = Callable[[Array, Array, str], str]
_INT8_MAX = 127
_UINT8_ZERO_POINT = 128
_SMALLEST_SCALE = 1e-12


class Precision(StrEnum):
    """How weights are stored. int8 also computes in int8; fp16 is widened when loaded, since CPUs compute in fp32."""

    INT8 = "int8"
    FP16 = "fp16"
    FP32 = "fp32"


class GraphWriter:
    """Collects nodes and initialisers; names are counted, so the same calls give the same bytes."""

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self._counter = 0
        self._shared: set[str] = set()

    def constant(self, array: npt.NDArray[np.generic], name: str) -> str:
        """Add an initialiser as it is; returns its name."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, array: Array, name: str) -> str:
        """Add a float weight in the stored precision; returns the name of the fp32 value."""
        if self.precision is not Precision.FP16:
            return self.constant(array, name)
        return self.op("Cast", [self.constant(array.astype(np.float16), f"{name}.fp16")], to=TensorProto.FLOAT)

    def op(self, kind: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        return self.ops(kind, inputs, 1, output, **attributes)[0]

    def ops(
        self, kind: str, inputs: Sequence[str], outputs: int, output: str | None = None, **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs; returns their names."""
        self._counter += 1
        stem = output or f"{kind.lower()}_{self._counter}"
        names = [stem] if outputs == 1 else [f"{stem}.{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=f"{kind}_{self._counter}", **attributes))
        return names

    def embedding(self, table: Array, ids: str, name: str) -> str:
        """Rows of `table` [vocabulary, hidden] picked by `ids`. In int8 every row has its own scale."""
        if self.precision is not Precision.INT8:
            return self.op("Gather", [self.weight(table, name), ids])
        scale = _scale(table, axis=1)
        stored = np.rint(table / scale).astype(np.int8)
        rows = self.op("Gather", [self.constant(stored, f"{name}.int8"), ids])
        scales = self.op("Gather", [self.constant(scale, f"{name}.scale"), ids])
        return self.op("Mul", [self.op("Cast", [rows], to=TensorProto.FLOAT), scales])

    def quantised(self, value: str) -> Dense:
        """A function `(weight [in, out], bias [out], name) -> output name` over `value`.

        In int8 the activations are quantised here, once for all the matrices that share them, and every token with
        its own scale: with one scale for all (DynamicQuantizeLinear) a text's vector depends on what else is in the
        batch, down to a cosine of 0.98 with itself. Both sides are unsigned with zero point 128: the signed form
        saturates in 16 bits on CPUs without VNNI, so that vectors would depend on the machine that made them.
        """
        if self.precision is not Precision.INT8:

            def dense(weight: Array, bias: Array, name: str) -> str:
                product = self.op("MatMul", [value, self.weight(weight, f"{name}.weight")])
                return self.op("Add", [product, self.constant(bias, f"{name}.bias")])

            return dense

        levels, level_scale = self._levels(value)
        zero_point = self._scalar(np.uint8(_UINT8_ZERO_POINT), "zero_point")

        def dense_int8(weight: Array, bias: Array, name: str) -> str:
            scale = _scale(weight, axis=0)
            stored = (np.rint(weight / scale) + _UINT8_ZERO_POINT).astype(np.uint8)
            inputs = [levels, self.constant(stored, f"{name}.uint8"), zero_point, zero_point]
            product = self.op("Cast", [self.op("MatMulInteger", inputs)], to=TensorProto.FLOAT)
            # One scale after the other: onnxruntime would fuse a product of both, and take the tokens' for a scalar.
            per_token = self.op("Mul", [product, level_scale])
            scaled = self.op("Mul", [per_token, self.constant(scale.reshape(-1), f"{name}.scale")])
            return self.op("Add", [scaled, self.constant(bias, f"{name}.bias")])

        return dense_int8

    def _levels(self, value: str) -> tuple[str, str]:
        """`value` [..., features] as unsigned levels, and the scale of each token [..., 1]."""
        last = self._scalar(np.array([-1], np.int64), "last_axis")
        largest = self.op("ReduceMax", [self.op("Abs", [value]), last], keepdims=1)
        floor = self._scalar(np.float32(_SMALLEST_SCALE), "smallest_scale")
        step = self._scalar(np.float32(1 / _INT8_MAX), "step")
        scale = self.op("Max", [self.op("Mul", [largest, step]), floor])
        centre = self._scalar(np.float32(_UINT8_ZERO_POINT), "centre")
        shifted = self.op("Add", [self.op("Round", [self.op("Div", [value, scale])]), centre])
        return self.op("Cast", [shifted], to=TensorProto.UINT8), scale

    def _scalar(self, value: npt.ArrayLike, name: str) -> str:
        """A constant that many nodes share."""
        if name not in self._shared:
            self._shared.add(name)
            self.constant(np.asarray(value), name)
        return name


def _scale(array: Array, axis: int) -> Array:
    """Symmetric scale per channel, never 0; shape keeps `axis` with length 1."""
    largest = np.abs(array).max(axis=axis, keepdims=True)
    return (np.where(largest == 0, 1.0, largest) / _INT8_MAX).astype(np.float32)
