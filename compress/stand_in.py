"""A detector that is another one but for what a subclass changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from compress.protocol import Compressible, HeldOutPicture, LicenceNotice, Rgb
from edge_agent.runtime.npy import read_array
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import AnchorFreeDecoder, LabelSpec, SubnetRef


class StandIn:
    """Implements `compress.protocol.Compressible`; every answer is the original's."""

    def __init__(self, original: Compressible) -> None:
        self.original = original

    @property
    def ref(self) -> DetectorRef:
        """Return which detector and version this is."""
        return self.original.ref

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        """Return the classes, in the order of the network's outputs."""
        return self.original.labels

    @property
    def input_size_px(self) -> tuple[int, int]:
        """Return (width, height) of the network's input."""
        return self.original.input_size_px

    @property
    def decoder(self) -> AnchorFreeDecoder:
        """Return how to read the outputs."""
        return self.original.decoder

    @property
    def nms_iou(self) -> float:
        """Return the IoU above which the weaker of two boxes is dropped."""
        return self.original.nms_iou

    @property
    def subnets(self) -> tuple[SubnetRef, ...]:
        """Return the pretrained subnets inside."""
        return self.original.subnets

    @property
    def licences(self) -> tuple[LicenceNotice, ...]:
        """Return the licence texts that must travel with a bundle."""
        return self.original.licences

    def network(self) -> torch.nn.Module:
        """Return the network: a copy."""
        return self.original.network()

    def calibration_pictures(self, limit: int) -> Sequence[Rgb]:
        """Return pictures of the camera."""
        return self.original.calibration_pictures(limit)

    def held_out_pictures(self) -> Sequence[HeldOutPicture]:
        """Return the frozen test set."""
        return self.original.held_out_pictures()


class Teacher(StandIn):
    """The full detector as smaller networks learn from it: on pictures on which nothing is measured."""

    def __init__(self, original: Compressible, pictures: Sequence[Path]) -> None:
        """Take `.npy` files of `(h, w, 3) uint8`, by time."""
        super().__init__(original)
        self._pictures = pictures

    def calibration_pictures(self, limit: int) -> Sequence[Rgb]:
        """Return up to `limit` of the pictures, spread evenly."""
        count = min(limit, len(self._pictures))
        return [read_array(self._pictures[place * len(self._pictures) // count]) for place in range(count)]
