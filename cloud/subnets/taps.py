"""Finds where features can be taken out of a network: at strides 8, 16 and 32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import shape_inference

from cloud.errors import InputError
from cloud.subnets.graph import Network, ancestors
from cloud.subnets.manifest import STRIDES_PX

_SIZES_PX = ((256, 256), (320, 192))


@dataclass(frozen=True)
class Tap:
    """A tensor that could be a feature level."""

    name: str
    stride_px: int
    channels: int


def candidate_taps(network: Network) -> list[Tap]:
    """Return every tensor at stride 8, 16 or 32, in the order in which they are made.

    Only those count whose stride is the same for pictures of two sizes.
    """
    first, second = (_strides(network, size_px) for size_px in _SIZES_PX)
    return [
        Tap(name, stride_px, channels)
        for name, (stride_px, channels) in first.items()
        if stride_px in STRIDES_PX and second.get(name) == (stride_px, channels)
    ]


def choose_taps(network: Network) -> tuple[Tap, Tap, Tap]:
    """Return the last tensor of each stride before the picture shrinks further (for 32: grows or ends).

    Raises:
        InputError: There are not three such levels; the text names operators that this version lacks.
    """
    candidates = candidate_taps(network)
    before_growth = _before_growth(network, candidates)
    coarsest = [tap for tap in before_growth if tap.stride_px == STRIDES_PX[2]]
    chosen: list[Tap] = coarsest[-1:]
    for stride_px in (STRIDES_PX[1], STRIDES_PX[0]):
        coarser = [tap for tap in before_growth if tap.stride_px == 2 * stride_px]
        sources = ancestors(network.nodes, [coarser[0].name]) if coarser else set()
        finer = [tap for tap in before_growth if tap.stride_px == stride_px and tap.name in sources]
        chosen = finer[-1:] + chosen
    if len(chosen) == len(STRIDES_PX):
        return chosen[0], chosen[1], chosen[2]
    found = sorted({tap.stride_px for tap in candidates})
    message = f"found features at strides {found or 'none'}, needed are 8, 16 and 32"
    if network.lacking:
        operators = ", ".join(dict.fromkeys(network.lacking))
        message += f"; left out what stands behind operators that elfowl does not know: {operators}"
    raise InputError(message)


def named_taps(network: Network, names: Sequence[str]) -> tuple[Tap, Tap, Tap]:
    """Return the taps of these names.

    Raises:
        InputError: One is not there, or they are not at strides 8, 16 and 32.
    """
    by_name = {tap.name: tap for tap in candidate_taps(network)}
    found = [by_name[name] for name in names if name in by_name]
    if [tap.stride_px for tap in found] == list(STRIDES_PX):
        return found[0], found[1], found[2]
    known = ", ".join(f"{tap.name} ({tap.stride_px})" for tap in list(by_name.values())[-12:])
    message = f"taps {', '.join(names)} are not three tensors at strides 8, 16 and 32; some are {known}"
    raise InputError(message)


def _before_growth(network: Network, candidates: list[Tap]) -> list[Tap]:
    """Return the taps that stand before the first node that makes the picture larger again."""
    by_name = {tap.name: tap for tap in candidates}
    taps: list[Tap] = []
    for node in network.nodes:
        sources = [by_name[name].stride_px for name in node.input if name in by_name]
        for name in node.output:
            tap = by_name.get(name)
            if tap is not None and sources and tap.stride_px < min(sources):
                return taps
            if tap is not None:
                taps.append(tap)
    return taps


def _strides(network: Network, size_px: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Return (stride, channels) of every tensor that is a picture smaller by one factor both ways."""
    width_px, height_px = size_px
    shape = (1, height_px, width_px, 3) if network.channels_last else (1, 3, height_px, width_px)
    model = onnx.load_from_string(network.serialised([], input_shape=shape))
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {
        one.name: [dim.dim_value for dim in one.type.tensor_type.shape.dim] for one in inferred.value_info
    }
    strides: dict[str, tuple[int, int]] = {}
    for node in network.nodes:
        for name in node.output:
            dims = shapes.get(name, [])
            if len(dims) == 4 and dims[2] > 1 and dims[3] > 1:
                stride = height_px // dims[2]
                if (dims[2] * stride, dims[3] * stride) == (height_px, width_px):
                    strides[name] = (stride, dims[1])
    return strides
