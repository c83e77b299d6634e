"""Takes the trunk out of the open SSD-MobileNetV2: `python -m cloud.subnets.ssd_weights PACKAGE.tgz`.

`npm pack @mediapipe/objectron@0.4.1675468480` fetches its package. Weights are written as float16, as they
were published; biases as float32, because constant channels were moved into them. Also writes samples of what
the original network itself answers, which tests compare with.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any, cast

import flatbuffers
import numpy as np
import numpy.typing as npt
import torch
from ai_edge_litert import schema_py_generated as schema  # noqa: TID253 - only the maker of the weights loads this
from ai_edge_litert.interpreter import Interpreter  # noqa: TID253
from safetensors.torch import save

from cloud.subnets.adapters.ssd_mobilenet_v2 import plan_of
from compress.starter.dead_channels import remove_dead_channels
from compress.starter.network import SameConv, SsdMobileNetV2, bias_of
from compress.starter.source import read_network
from compress.starter.weights import read_conv_layers
from edge_agent.vision.arrays import Float32

WEIGHTS_FILE = "ssd_mobilenet_v2.safetensors"
SAMPLES_FILE = "ssd_samples.npz"
SAMPLES_SIZE_PX = (160, 96)
_SAMPLES = 2000
_EXPANSIONS = (6, 13)


def trunk_weights(model: bytes) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    """Return the trunk's weights, and which channels of each level were kept, without dead channels."""
    network = SsdMobileNetV2(read_conv_layers(model))
    before = [_level_weights(network, level).clone() for level in range(3)]
    remove_dead_channels(network)
    kept = [_rows_in(before[level], _level_weights(network, level)) for level in range(3)]
    weights: dict[str, torch.Tensor] = {}
    for name, value in network.state_dict().items():
        if name.startswith(("stem.", "blocks.", "last.")):
            weights[name] = value.half() if value.ndim > 1 else value
    return weights, kept


def original_levels(model: bytes, picture: Float32) -> list[Float32]:
    """Return what the original network's own operators answer at strides 8, 16 and 32, NHWC.

    Args:
        model: The TFLite file.
        picture: `(1, h, w, 3)`, (byte - 127.5) / 127.5, h and w multiples of 32.
    """
    cut, names = _without_heads(model)
    interpreter = Interpreter(model_content=cut)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], list(picture.shape))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    by_name = {one["name"]: one["index"] for one in interpreter.get_output_details()}
    return [interpreter.get_tensor(by_name[name]).copy() for name in names]


def sample_picture() -> Float32:
    """Return bytes of a smooth random picture, `(1, h, w, 3)`, as whole float32."""
    width_px, height_px = SAMPLES_SIZE_PX
    coarse = torch.rand(1, 3, height_px // 8, width_px // 8, generator=torch.Generator().manual_seed(5))
    fine = torch.nn.functional.interpolate(coarse, (height_px, width_px), mode="bilinear")
    return cast("Float32", (fine * 255).round().permute(0, 2, 3, 1).contiguous().numpy())


def main(package: Path, weights_folder: Path, samples_folder: Path) -> None:
    """Write both files and say what they hold."""
    model = read_network(package)
    weights, kept = trunk_weights(model)
    (weights_folder / WEIGHTS_FILE).write_bytes(save(weights))
    picture = sample_picture()
    levels = original_levels(model, (picture - 127.5) / 127.5)
    rng = np.random.default_rng(7)
    samples: dict[str, npt.NDArray[Any]] = {"picture": picture.astype(np.uint8)}
    for index, (level, channels) in enumerate(zip(levels, kept, strict=True)):
        values = level[..., channels.numpy()]
        at = rng.choice(values.size, min(_SAMPLES, values.size), replace=False)
        samples |= {f"at{index}": at, f"values{index}": values.reshape(-1)[at]}
        samples[f"gone{index}"] = _spread(np.delete(level, channels.numpy(), axis=-1))
    np.savez_compressed(samples_folder / SAMPLES_FILE, **cast("Any", samples))
    plan = plan_of(weights)
    sys.stdout.write(f"{plan}\nkept {[len(one) for one in kept]}\n")


def _spread(level: Float32) -> Float32:
    """Return by how much channels that were left out vary over the picture at most."""
    return np.asarray(np.ptp(level, axis=(0, 1, 2)).max(initial=0.0), np.float32)


def _level_weights(network: SsdMobileNetV2, level: int) -> torch.Tensor:
    if level == len(_EXPANSIONS):
        return _rows(network.last)
    expand = network.residual_blocks()[_EXPANSIONS[level]].expand
    if expand is None:
        message = "the tapped blocks of this network have an expansion"
        raise ValueError(message)
    return _rows(expand)


def _rows(layer: SameConv) -> torch.Tensor:
    return torch.cat([layer.conv.weight.flatten(1), bias_of(layer.conv)[:, None]], dim=1)


def _rows_in(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Return which rows of `before`, in order, `after` holds.

    The first number of a row may have been raised: a floor for weights that are almost zero.
    """
    rows: list[int] = []
    for row in after:
        start = rows[-1] + 1 if rows else 0
        same = (before[start:, 1:] == row[1:]).all(dim=1)
        rows.append(start + int(same.float().argmax()))
    return torch.tensor(rows)


def _without_heads(model: bytes) -> tuple[bytes, list[str]]:
    """Return the network cut off behind its trunk, and the names of its three levels."""
    tree: Any = copy.copy(schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0)))
    graph = tree.subgraphs[0]
    codes = [code.builtinCode for code in tree.operatorCodes]
    convolutions = {schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D}
    order = [i for i, one in enumerate(graph.operators) if codes[one.opcodeIndex] in convolutions]
    # stem, block 0 (2), blocks 1..16 (3 each); two predictors follow block 13's expansion.
    numbers = [1 + 2 + 3 * 5, 1 + 2 + 3 * 12, 1 + 2 + 3 * 16 + 2]
    outputs = [graph.operators[order[number]].outputs[0] for number in numbers]
    needed = _needed(graph, outputs)
    graph.operators = [one for one in graph.operators if set(one.outputs) & needed]
    graph.outputs = outputs
    tree.signatureDefs = []
    builder = flatbuffers.Builder()
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output()), [graph.tensors[index].name.decode() for index in outputs]


def _needed(graph: Any, outputs: list[int]) -> set[int]:  # noqa: ANN401 - generated code without types
    maker = {tensor: one for one in graph.operators for tensor in one.outputs}
    needed: set[int] = set()
    waiting = list(outputs)
    while waiting:
        tensor = waiting.pop()
        if tensor not in needed:
            needed.add(tensor)
            waiting += list(maker[tensor].inputs) if tensor in maker else []
    return needed


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
