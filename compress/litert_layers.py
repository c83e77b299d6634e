"""Layers of a TFLite network, and what int8 does to its outputs when some of them stay in float."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np

from compress.sensitivity import Group, groups_of, relative_error, sensitive_layers
from edge_agent.runtime.litert import LITERT_MODULE
from edge_agent.vision.arrays import Float32

SIGNATURE = "serving_default"


def most_hurt(
    float_file: Path, measured: dict[str, Any], inputs: list[dict[str, Float32]]
) -> tuple[str, ...]:
    """Return the scopes of the operations that int8 hurts most.

    Args:
        float_file: The float network.
        measured: The ranges of its tensors, as the library's calibrator gives them.
        inputs: A few inputs by name, on whose outputs int8 is compared with float.
    """
    quantizer: Any = importlib.import_module("ai_edge_quantizer.quantizer")
    expected = compared_outputs(float_file.read_bytes(), inputs)

    def error_without(kept: Group) -> float:
        plan = quantizer.Quantizer(str(float_file), recipe_with_float(kept))
        model = bytes(plan.quantize(measured).quantized_model)
        return relative_error(expected, compared_outputs(model, inputs))

    return sensitive_layers(groups_of(_inner_scopes(float_file)), error_without)


def recipe_with_float(kept: Group = ()) -> list[dict[str, Any]]:
    """Return the quantizer's recipe: all in int8 but the operations of these scopes."""
    recipe: Any = importlib.import_module("ai_edge_quantizer.recipe")
    exempt = [
        {"regex": f"^{re.escape(scope)}$", "operation": "*", "algorithm_key": "no_quantize", "op_config": {}}
        for scope in kept
    ]
    return [*recipe.static_wi8_ai8(), *exempt]


def _inner_scopes(float_file: Path) -> list[str]:
    """Return the scopes of the operations, in order, that touch neither input nor output of the network."""
    utils: Any = importlib.import_module("ai_edge_quantizer.utils.tfl_flatbuffer_utils")
    graph = utils.read_model(str(float_file)).subgraphs[0]
    ends = {*graph.inputs, *graph.outputs}
    return [
        utils.get_op_scope(operator, graph.tensors)
        for operator in graph.operators
        if ends.isdisjoint({*operator.inputs, *operator.outputs})
    ]


def compared_outputs(model: bytes, inputs: list[dict[str, Float32]]) -> list[Float32]:
    """Return all outputs, as real numbers, for each input."""
    interpreter_type: Any = importlib.import_module(LITERT_MODULE).Interpreter
    interpreter = interpreter_type(model_content=model, num_threads=1)
    runner = interpreter.get_signature_runner(SIGNATURE)
    takes, gives = runner.get_input_details(), runner.get_output_details()
    found = []
    for named in inputs:
        fed = {name: _quantized(array, takes[name]) for name, array in named.items()}
        answers = runner(**fed)
        found += [_real(answers[name], gives[name]) for name in sorted(gives)]
    return found


def _quantized(array: Float32, detail: Any) -> Any:  # noqa: ANN401 - the library's own types
    scale, zero_point = detail["quantization"]
    if not scale:
        return array
    return np.clip(np.round(array / scale) + zero_point, -128, 127).astype(np.int8)


def _real(array: Any, detail: Any) -> Float32:  # noqa: ANN401 - the library's own types
    scale, zero_point = detail["quantization"]
    numbers = np.asarray(array, np.float32)
    return (numbers - np.float32(zero_point)) * np.float32(scale) if scale else numbers
