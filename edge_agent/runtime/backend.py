"""What a runtime must offer, and how bytes become a network's input and its answers become real numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.manifest import Head, InputSpec, SsdDecoder


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
    names: list[str] = []
    for head in heads:
        decoder = head.decoder
        if isinstance(decoder, SsdDecoder):
            names += [decoder.scores_output, decoder.boxes_output]
        else:
            names += [name for level in decoder.levels for name in (level.scores_output, level.boxes_output)]
    return tuple(dict.fromkeys(names))


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
