"""all-MiniLM-L6-v2 written out as an ONNX graph, node by node (a BERT encoder: 6 layers, 12 heads, hidden size 384)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import ModelProto, TensorProto, helper

from cortex_model.tensors import Array, Dense, GraphWriter, Precision

LAYERS = 6
HEADS = 12
HIDDEN = 384
_HEAD_SIZE = HIDDEN // HEADS
_LAYER_NORM_EPSILON = 1e-12
_OPSET = 20  # the first with Gelu
_IR_VERSION = 9  # fixed: a newer onnx would write its own, and change the model's hash
_MASKED = np.float32(-10_000.0)


def build(weights: Mapping[str, Array], precision: Precision) -> ModelProto:
    """The encoder's graph.

    Inputs: `input_ids` and `attention_mask`, int64 [batch, tokens]. Output: `last_hidden_state`, float32
    [batch, tokens, 384]. Pooling and normalisation are left to the caller, as in the published ONNX file.

    Args:
        weights: tensors by their published names.
        precision: how weights are stored.
    """
    graph = GraphWriter(precision)
    state = _embeddings(graph, weights)
    bias = _mask_bias(graph)
    for layer in range(LAYERS):
        state = _layer(graph, weights, f"encoder.layer.{layer}", state, bias)
    graph.op("Identity", [state], output="last_hidden_state")

    shape = ["batch", "tokens"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
            [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, HIDDEN])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="cortex",
    )
    model.producer_version = ""
    return model


def _embeddings(graph: GraphWriter, weights: Mapping[str, Array]) -> str:
    words = graph.embedding(weights["embeddings.word_embeddings.weight"], "input_ids", "words")
    # Every text is one segment, so the segment's vector (row 0) is a constant and goes into the positions.
    segment = weights["embeddings.token_type_embeddings.weight"][0]
    positions = graph.weight(weights["embeddings.position_embeddings.weight"] + segment, "positions")
    tokens = graph.op("Slice", [graph.op("Shape", ["input_ids"]), *_slice_bounds(graph, 1, 2, "token_axis")])
    start = graph.constant(np.array([0], np.int64), "zero")
    used = graph.op("Slice", [positions, start, tokens, start])
    return _layer_norm(graph, weights, "embeddings.LayerNorm", graph.op("Add", [words, used]))


def _slice_bounds(graph: GraphWriter, start: int, end: int, name: str) -> list[str]:
    return [graph.constant(np.array([bound], np.int64), f"{name}.{bound}") for bound in (start, end)]


def _mask_bias(graph: GraphWriter) -> str:
    """0 where there is a token and -10,000 where there is padding, [batch, 1, 1, tokens]."""
    mask = graph.op("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    axes = graph.constant(np.array([1, 2], np.int64), "mask_axes")
    absent = graph.op("Sub", [graph.constant(np.array(1.0, np.float32), "one"), graph.op("Unsqueeze", [mask, axes])])
    return graph.op("Mul", [absent, graph.constant(np.array(_MASKED), "masked")])


def _layer(graph: GraphWriter, weights: Mapping[str, Array], name: str, state: str, bias: str) -> str:
    def dense(apply: Dense, part: str) -> str:
        weight = np.ascontiguousarray(weights[f"{name}.{part}.weight"].T)
        return apply(weight, weights[f"{name}.{part}.bias"], f"{name}.{part}")

    from_state = graph.quantised(state)
    parts = [dense(from_state, f"attention.self.{part}") for part in ("query", "key", "value")]
    context = _attention(graph, name, parts, bias)
    attended = dense(graph.quantised(context), "attention.output.dense")
    state = _layer_norm(graph, weights, f"{name}.attention.output.LayerNorm", graph.op("Add", [attended, state]))
    inner = graph.op("Gelu", [dense(graph.quantised(state), "intermediate.dense")], approximate="none")
    outer = dense(graph.quantised(inner), "output.dense")
    return _layer_norm(graph, weights, f"{name}.output.LayerNorm", graph.op("Add", [outer, state]))


def _attention(graph: GraphWriter, name: str, parts: Sequence[str], bias: str) -> str:
    query, key, value = parts
    split = graph.constant(np.array([0, 0, HEADS, _HEAD_SIZE], np.int64), f"{name}.split")
    joined = graph.constant(np.array([0, 0, HIDDEN], np.int64), f"{name}.join")
    scale = graph.constant(np.array(_HEAD_SIZE**-0.5, np.float32), f"{name}.head_scale")

    def heads(part: str, order: list[int]) -> str:
        return graph.op("Transpose", [graph.op("Reshape", [part, split])], perm=order)

    scores = graph.op("MatMul", [heads(query, [0, 2, 1, 3]), heads(key, [0, 2, 3, 1])])
    weights_of = graph.op("Softmax", [graph.op("Add", [graph.op("Mul", [scores, scale]), bias])], axis=-1)
    context = graph.op("MatMul", [weights_of, heads(value, [0, 2, 1, 3])])
    return graph.op("Reshape", [graph.op("Transpose", [context], perm=[0, 2, 1, 3]), joined])


def _layer_norm(graph: GraphWriter, weights: Mapping[str, Array], name: str, value: str) -> str:
    gain = graph.constant(weights[f"{name}.weight"], f"{name}.weight")
    offset = graph.constant(weights[f"{name}.bias"], f"{name}.bias")
    return graph.op("LayerNormalization", [value, gain, offset], axis=-1, epsilon=_LAYER_NORM_EPSILON)
