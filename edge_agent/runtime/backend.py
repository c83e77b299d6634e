"""What a runtime must offer, and how bytes become a network's input and its answers become real numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.manifest import Head, InputSpec, TrunkMap

_SAME_SCALE = 1e-5
"""Scales are written down as 32-bit floats."""

Raw = npt.NDArray[np.generic]
"""A tensor as the network has it: int8, uint8 or float32."""


@dataclass(frozen=True)
class Tensor:
    """One input or output of a network; scale 0 = not quantized."""

    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


class Network(Protocol):
    """One file, loaded by its runtime: a raw tensor in, raw tensors out."""

    @property
    def input(self) -> Tensor:
        """Return what it takes."""
        ...

    def outputs(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Return what it answers under these names.

        Raises:
            ArtifactError: It has no output of such a name, or one that cannot be read.
        """
        ...

    def run(self, values: Raw, names: Sequence[str]) -> dict[str, Raw]:
        """Run it on one input.

        Raises:
            BackendError: The runtime failed, or the network is closed.
        """
        ...

    def close(self) -> None:
        """Free its memory."""
        ...


class Backend(Protocol):
    """A network, loaded and ready to run on this machine."""

    def infer(self, pixels: Rgb) -> dict[str, Float32]:
        """Run the network on one picture.

        Args:
            pixels: `(1, h, w, 3) uint8` RGB, already letterboxed to the network's input size.

        Returns:
            Every output that the manifest's heads read, by name, `float32`, dequantized.

        Raises:
            BackendError: The picture has another size, or the runtime failed.
        """
        ...

    def close(self) -> None:
        """Free the network's memory; the backend cannot be used afterwards."""
        ...


class NetworkBackend:
    """One network that takes the picture and has all the outputs."""

    def __init__(self, network: Network, spec: InputSpec, outputs: Sequence[str]) -> None:
        """Check that the network is what the manifest promises.

        Args:
            network: Loaded.
            spec: The input that the manifest promises.
            outputs: Names of the outputs to return.

        Raises:
            ArtifactError: It is not.
        """
        check_picture_input(network.input, spec)
        self._network, self._spec, self._outputs = network, spec, network.outputs(outputs)

    def infer(self, pixels: Rgb) -> dict[str, Float32]:
        """Run the network on `(1, h, w, 3) uint8` RGB; see `Backend.infer`."""
        raw = self._network.run(network_input(pixels, self._spec), list(self._outputs))
        return _real(raw, self._outputs)

    def close(self) -> None:
        """Free the network."""
        self._network.close()


class SplitBackend:
    """A trunk that runs once, and heads that answer from its map; the map stays as the trunk wrote it."""

    def __init__(
        self,
        trunk: Network,
        heads: Sequence[tuple[Network, Sequence[str]]],
        spec: InputSpec,
        between: TrunkMap,
    ) -> None:
        """Check that the parts fit together.

        Args:
            trunk: Takes the picture.
            heads: Each with the names of its outputs; no name comes twice.
            spec: The input that the manifest promises.
            between: The map that the manifest promises.

        Raises:
            ArtifactError: A part is not what the manifest promises.
        """
        check_picture_input(trunk.input, spec)
        check_map("the trunk's output", trunk.outputs([between.output])[between.output], between)
        for network, _ in heads:
            check_map("a head's input", network.input, between)
        self._trunk, self._spec, self._between = trunk, spec, between
        self._heads = [(network, network.outputs(names)) for network, names in heads]
        self._mixed: Raw | None = None

    def infer(self, pixels: Rgb) -> dict[str, Float32]:
        """Run trunk and heads on `(1, h, w, 3) uint8` RGB; see `Backend.infer`."""
        name = self._between.output
        mixed = self._trunk.run(network_input(pixels, self._spec), [name])[name]
        self._mixed = mixed
        answers: dict[str, Float32] = {}
        for network, outputs in self._heads:
            answers |= _real(network.run(mixed, list(outputs)), outputs)
        return answers

    def last_map(self) -> Float32 | None:
        """Return the trunk's map of the last picture, `(h, w, c) float32`; none before the first."""
        later = self.later_map()
        return later() if later is not None else None

    def later_map(self) -> Callable[[], Float32] | None:
        """Return what gives `last_map` of the picture before this call, also when others came since."""
        return cache(partial(self._real_map, self._mixed)) if self._mixed is not None else None

    def _real_map(self, mixed: Raw) -> Float32:
        if np.issubdtype(mixed.dtype, np.floating):
            return np.asarray(mixed[0], np.float32)
        return dequantized(mixed[0], self._between.scale, self._between.zero_point)

    def close(self) -> None:
        """Free all networks."""
        self._mixed = None
        for network in (self._trunk, *(network for network, _ in self._heads)):
            network.close()


def _real(raw: Mapping[str, Raw], outputs: Mapping[str, Tensor]) -> dict[str, Float32]:
    return {name: dequantized(raw[name], tensor.scale, tensor.zero_point) for name, tensor in outputs.items()}


def network_input(pixels: Rgb, spec: InputSpec) -> npt.NDArray[np.generic]:
    """Return the picture as the network takes it.

    int8 is byte - 128, uint8 is the byte, float32 is (byte - mean) / std.

    Raises:
        BackendError: The picture is not `(1, height, width, 3) uint8` of the network's size.
    """
    expected = (1, spec.height_px, spec.width_px, 3)
    if pixels.shape != expected or pixels.dtype != np.uint8:
        message = f"the network takes {expected} uint8, got {pixels.shape} {pixels.dtype}"
        raise BackendError(message)
    if spec.dtype == "uint8":
        return pixels
    if spec.dtype == "int8":
        return np.bitwise_xor(pixels, np.uint8(0x80)).view(np.int8)
    return (pixels.astype(np.float32) - np.float32(spec.mean)) / np.float32(spec.std)


def dequantized(values: npt.NDArray[np.generic], scale: float, zero_point: int) -> Float32:
    """Return `(values - zero_point) * scale` as float32; floats pass (scale 0 means not quantized)."""
    real = values.astype(np.float32)
    if scale == 0.0:
        return real
    return (real - np.float32(zero_point)) * np.float32(scale)


def output_names(heads: Iterable[Head]) -> tuple[str, ...]:
    """Return the names of all outputs that the heads read, each once, in order."""
    return tuple(dict.fromkeys(name for head in heads for name in head.outputs))


def check_input(shape: Iterable[object], dtype: str, spec: InputSpec) -> None:
    """Refuse a network whose input is not what the manifest promises.

    Raises:
        ArtifactError: Shape or data type differ.
    """
    expected = (1, spec.height_px, spec.width_px, 3)
    found = tuple(shape)
    if found != expected or dtype != spec.dtype:
        message = (
            f"the network's input is {found} {dtype}, but the manifest promises {expected} {spec.dtype}: "
            "make the bundle again"
        )
        raise ArtifactError(message)


def check_picture_input(tensor: Tensor, spec: InputSpec) -> None:
    """Refuse a network whose input is not the manifest's, or whose int8 input is not byte - 128.

    Raises:
        ArtifactError: Shape, data type, scale or zero point differ.
    """
    check_input(tensor.shape, tensor.dtype, spec)
    if tensor.dtype != "int8":
        return
    scale, zero_point = tensor.scale, tensor.zero_point
    fits = math.isclose(scale * spec.std, 1.0, rel_tol=0.02) and abs(zero_point - (spec.mean - 128.0)) <= 1.0
    if not fits:
        message = (
            f"int8 input with scale {scale:.6f}, zero point {zero_point} does not fit mean {spec.mean}, "
            f"std {spec.std}: byte - 128 would be misread"
        )
        raise ArtifactError(message)


def check_map(what: str, tensor: Tensor, between: TrunkMap) -> None:
    """Refuse a part whose end of the map is not the manifest's.

    Raises:
        ArtifactError: Shape, data type, scale or zero point differ.
    """
    shape = (1, between.height, between.width, between.channels)
    same_steps = math.isclose(tensor.scale, between.scale, rel_tol=_SAME_SCALE) and (
        tensor.zero_point == between.zero_point
    )
    # Floats carry no steps of their own.
    if (
        tensor.shape != shape
        or tensor.dtype != between.dtype
        or not (same_steps or tensor.dtype == "float32")
    ):
        message = (
            f"{what} is {tensor.shape} {tensor.dtype} with scale {tensor.scale:.6g}, zero point "
            f"{tensor.zero_point}, but the manifest promises {shape} {between.dtype} with scale "
            f"{between.scale:.6g}, zero point {between.zero_point}: trunk and head do not belong together"
        )
        raise ArtifactError(message)
