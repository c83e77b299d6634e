"""The network, captured once as a graph from which both exporters work."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.fx.experimental.optimization import fuse
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.flop_counter import FlopCounterMode

from compress.errors import ExportError
from compress.parts import MAP_NAME, head_file
from compress.protocol import Compressible, Rgb, TwoPartNetwork
from compress.threads import one_thread_each
from edge_agent.wire.manifest import AnchorFreeDecoder

INPUT_NAME = "image"

_logger = logging.getLogger(__name__)

RawOutputs = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Capture:
    """The captured network.

    `program_file` is a `torch.export` archive: input `image (1, h, w, 3) float32`, (byte - 127) / 128; output
    a dict by the decoder's names. Of a network in two parts it is the trunk, whose output is one map NHWC;
    the heads lie beside it as `compress.parts` says. `references` are torch's own outputs for the pictures
    that were given; `macs` are the multiply-accumulates of one picture.
    """

    program_file: Path
    output_names: tuple[str, ...]
    parameters: int
    references: tuple[RawOutputs, ...]
    macs: int = 0


class _Trunk(torch.nn.Module):
    """Takes NHWC and names its one map, NHWC too."""

    def __init__(self, body: torch.nn.Module) -> None:
        super().__init__()
        self._body = body

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run the body on `(1, h, w, 3) float32`."""
        return {MAP_NAME: self._body(image.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)}


class _NamedNhwc(torch.nn.Module):
    """Takes NHWC and names the outputs, so that every runtime knows them by the same names."""

    def __init__(self, network: torch.nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self._network = network
        self._names = names

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run the network on `(1, h, w, 3) float32`."""
        outputs = self._network(image.permute(0, 3, 1, 2))
        return dict(zip(self._names, outputs, strict=True))


class _NamedHead(torch.nn.Module):
    """Takes a map NHWC and names the outputs."""

    def __init__(self, head: torch.nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self._head = head
        self._names = names

    def forward(self, map: torch.Tensor) -> dict[str, torch.Tensor]:  # noqa: A002 - the name of the input
        """Run the head on `(1, h, w, channels) float32`."""
        return dict(zip(self._names, self._head(map.permute(0, 3, 1, 2)), strict=True))


def decoder_outputs(decoder: AnchorFreeDecoder) -> tuple[str, ...]:
    """Return the names of the outputs in the order in which the network answers them."""
    return tuple(name for level in decoder.levels for name in (level.scores_output, level.boxes_output))


def normalised(pixels: Rgb) -> npt.NDArray[np.float32]:
    """Return `(byte - 127) / 128` as float32, as the camera's code does."""
    return (pixels.astype(np.float32) - np.float32(127)) / np.float32(128)


def capture(detector: Compressible, pixels: Iterable[Rgb], program_file: Path) -> Capture:
    """Write the network as an export archive.

    Args:
        detector: The full detector.
        pixels: Pictures `(h, w, 3) uint8` of the network's size, whose outputs are kept as reference.
        program_file: Where to write the archive.

    Raises:
        ExportError: The network does not answer as the protocol says, or torch cannot capture it.
    """
    with one_thread_each():
        return _capture(detector, pixels, program_file)


def _capture(detector: Compressible, pixels: Iterable[Rgb], program_file: Path) -> Capture:
    names = decoder_outputs(detector.decoder)
    network = detector.network().eval()
    width_px, height_px = detector.input_size_px
    with torch.inference_mode():
        references = tuple(_answer(network, picture, names) for picture in pixels)
    sample = torch.zeros(1, height_px, width_px, 3)
    try:
        with torch.no_grad():
            if isinstance(network, TwoPartNetwork):
                _save_parts(network, names, sample, program_file)
            else:
                _save(_NamedNhwc(without_batch_norm(network), names), INPUT_NAME, sample, program_file)
    except (RuntimeError, ValueError, TypeError) as error:
        message = f"torch cannot capture the network of {detector.ref.name}: {_first_line(error)}"
        raise ExportError(message) from error
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Capture(program_file, names, parameters, references, _macs(network, (height_px, width_px)))


def _macs(network: torch.nn.Module, size: tuple[int, int]) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, *size))
    return int(counter.get_total_flops()) // 2


def _save_parts(
    network: TwoPartNetwork, names: tuple[str, ...], sample: torch.Tensor, program_file: Path
) -> None:
    trunk = _Trunk(without_batch_norm(network.body))
    _save(trunk, INPUT_NAME, sample, program_file)
    save_heads(network.heads, names, trunk(sample)[MAP_NAME], program_file)


def save_heads(
    heads: Iterable[torch.nn.Module], names: tuple[str, ...], mixed: torch.Tensor, program_file: Path
) -> None:
    """Write heads as export archives beside that of their trunk.

    Args:
        heads: Each takes a map NCHW.
        names: Of all their outputs, head by head; each has as many as the others.
        mixed: A map `(1, h, w, channels) float32`, as a sample.
        program_file: The trunk's archive.
    """
    heads = list(heads)
    each = len(names) // len(heads)
    for index, head in enumerate(heads):
        own = names[index * each : (index + 1) * each]
        file = head_file(program_file, index)
        _save(_NamedHead(without_batch_norm(head), own), MAP_NAME, mixed, file)


def _save(network: torch.nn.Module, input_name: str, sample: torch.Tensor, file: Path) -> None:
    program = torch.export.export(network.eval(), (), {input_name: sample})
    torch.export.save(program, file)


def without_batch_norm(network: torch.nn.Module) -> torch.nn.Module:
    """Return the network with batch norms folded into the convolutions before them.

    Both exporters fold them anyway, but late: fewer nodes halve the time of a conversion. A batch norm that
    does not follow a convolution becomes a depthwise 1x1 convolution, one int8 operation instead of four. A
    network that cannot be traced symbolically is returned as it is.
    """
    try:
        fused = fuse(network)
    except Exception:
        _logger.debug("batch norms stay: the network cannot be traced", exc_info=True)
        return network
    for name, module in list(fused.named_modules()):
        if isinstance(module, torch.nn.BatchNorm2d):
            fused.set_submodule(name, _as_convolution(module))
    return fused


def _as_convolution(norm: torch.nn.BatchNorm2d) -> torch.nn.Conv2d:
    """Return the depthwise 1x1 convolution that does what a batch norm does in eval mode."""
    channels = norm.num_features
    identity = torch.nn.Conv2d(channels, channels, 1, groups=channels, bias=False).eval()
    torch.nn.init.ones_(identity.weight)
    return fuse_conv_bn_eval(identity, norm)


def _answer(network: torch.nn.Module, picture: Rgb, names: tuple[str, ...]) -> RawOutputs:
    batch = torch.from_numpy(normalised(picture)).permute(2, 0, 1)[None]
    outputs = network(batch)
    if len(outputs) != len(names):
        message = f"the network answers {len(outputs)} outputs, its decoder names {len(names)}"
        raise ExportError(message)
    return {name: output.numpy() for name, output in zip(names, outputs, strict=True)}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
