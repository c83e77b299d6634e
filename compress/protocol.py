"""What a detector must offer to be compressed.

`cloud.detector` implements it; a user's own torch model can too. Loaders are found through the entry-point
group `elfowl.detector_loaders`: a callable `loader(reference) -> Compressible | None`, none when the
reference is not its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import AnchorFreeDecoder, LabelSpec, SubnetRef

Rgb = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TruthBox:
    """One labelled object: index into the detector's labels, box as fractions of the picture."""

    label_index: int
    box_xyxy_norm: XyxyNorm


@dataclass(frozen=True)
class HeldOutPicture:
    """A picture that training never saw, with all its objects.

    `rgb` is called when the picture is needed: `(h, w, 3) uint8`.
    """

    name: str
    rgb: Callable[[], Rgb]
    truth: tuple[TruthBox, ...]


@dataclass(frozen=True)
class LicenceNotice:
    """A licence text that must travel with the weights."""

    subnet: str
    text: str


class TwoPartNetwork(nn.Module):
    """A body that turns the picture into one map, and heads that each answer from it.

    Such a network can be exported as a trunk file and head files, and gets a new head on the same trunk.
    """

    def __init__(self, body: nn.Module, heads: Iterable[nn.Module]) -> None:
        """Put the parts together.

        Args:
            body: `(n, 3, h, w) float32` → one map `(n, channels, h/8, w/8) float32`.
            heads: Each takes the map and answers `scores (n, h/8, w/8, classes)` logits and `boxes (n, h/8,
                w/8, 4)` distances in strides that are not negative, both NHWC.
        """
        super().__init__()
        self.body, self.heads = body, nn.ModuleList(heads)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return scores and boxes of the first head, then those of the next one, and so on."""
        mixed = self.body(image)
        return tuple(output for head in self.heads for output in head(mixed))


class Compressible(Protocol):
    """A trained detector, as compression sees it."""

    @property
    def ref(self) -> DetectorRef:
        """Return which detector and version this is."""
        ...

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        """Return the classes with their recommended thresholds, in the order of the network's outputs."""
        ...

    @property
    def input_size_px(self) -> tuple[int, int]:
        """Return (width, height) of the network's input, multiples of 32."""
        ...

    @property
    def decoder(self) -> AnchorFreeDecoder:
        """Return how to read the outputs; output names are those of `network`'s results, in order."""
        ...

    @property
    def nms_iou(self) -> float:
        """Return the IoU above which the weaker of two boxes is dropped."""
        ...

    @property
    def subnets(self) -> tuple[SubnetRef, ...]:
        """Return the pretrained subnets inside."""
        ...

    @property
    def licences(self) -> tuple[LicenceNotice, ...]:
        """Return the licence texts that must travel with the bundle."""
        ...

    def network(self) -> torch.nn.Module:
        """Return the network in eval mode.

        Input `(n, 3, h, w) float32`, (byte - 127) / 128, RGB. Output: a tuple in the decoder's order, per
        level `scores (n, h, w, classes)` logits, then `boxes (n, h, w, 4)` distances in strides that are
        not negative, both NHWC. A `TwoPartNetwork` allows new heads on a compressed trunk.
        """
        ...

    def calibration_pictures(self, limit: int) -> Sequence[Rgb]:
        """Return up to `limit` pictures of the camera, labelled or not, chosen for coverage."""
        ...

    def held_out_pictures(self) -> Sequence[HeldOutPicture]:
        """Return the frozen test set; may be empty."""
        ...


@dataclass(frozen=True)
class NotHere:
    """What a loader answers when it does not know a detector.

    Attributes:
        where: The place that it looked in, as a person would name it: `the home folder /srv/elfowl`.
        to_do: How to see what is there, and how to look elsewhere.
    """

    where: str
    to_do: str


DetectorLoader = Callable[[str], Compressible | NotHere]
