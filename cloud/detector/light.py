"""The light form: a fixed neck that all detectors of a subnet share, and a small head of each one's own.

The neck is principal components of the subnet's levels over photos, each beside the mean of its surroundings:
nothing in it belongs to any task. A head is two layers of 1x1, at most 50 kB on disk. Its scores see eight
mixed channels, few enough for one product of matrices to serve fifty detectors (`cloud.detector.shared`); its
boxes see more, and are worked out there only where something was found.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn
from torch.nn import functional

from cloud.detector.layers import as_convolution, bias_of
from cloud.errors import InputError
from cloud.subnets.manifest import SubnetManifest

NECK_WIDTHS = (48, 48, 32)
"""Components kept of the levels at strides 8, 16 and 32."""

NECK_CONTEXTS_CELLS = (5, 3, 0)
"""Across how many cells each level is averaged; 0 = not at all."""

SCORE_WIDTH = 8
BOX_WIDTH = 64
MAX_STORED_BYTES = 50_000
"""So that a million heads fit into the memory of one graphics processor."""

_NECKS = files("cloud.detector") / "necks"
_PRIOR_SCORE = 0.01


class Surroundings(nn.Module):
    """The mean of the cells around each cell, `(n, channels, h, w)`; beyond the edge there is nothing."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        # First across, then down: the same mean for a third of the additions.
        self.across = nn.AvgPool2d((1, cells), 1, (0, cells // 2), count_include_pad=False)
        self.down = nn.AvgPool2d((cells, 1), 1, (cells // 2, 0), count_include_pad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the means."""
        means: torch.Tensor = self.down(self.across(x))
        return means


class LightNeck(nn.Module):
    """Levels of a subnet in, fewer channels with context out; fixed.

    Input: features at strides 8, 16, 32, each `(n, level_channels, h, w) float32`. Output: as many levels,
    each `(n, channels, h, w)` with `channels` as the property says.
    """

    def __init__(
        self,
        level_channels: Sequence[int],
        widths: Sequence[int] = NECK_WIDTHS,
        contexts_cells: Sequence[int] = NECK_CONTEXTS_CELLS,
    ) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Conv2d(channels, width, 1) for channels, width in zip(level_channels, widths, strict=True)
        )
        self.contexts = nn.ModuleList(
            Surroundings(cells) if cells else nn.Identity() for cells in contexts_cells
        )
        self._has_context = tuple(cells > 0 for cells in contexts_cells)
        self._widths = tuple(widths)

    @property
    def channels(self) -> tuple[int, ...]:
        """Return the channels of each level that comes out."""
        return tuple(
            width * (2 if wide else 1) for width, wide in zip(self._widths, self._has_context, strict=True)
        )

    def forward(self, levels: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Return the neck's levels, finest first."""
        mixed = []
        for projection, context, wide, level in zip(
            self.projections, self.contexts, self._has_context, levels, strict=True
        ):
            # With a cell's channels together the means take a tenth of the time, and are the same.
            own = projection(level).contiguous(memory_format=torch.channels_last)
            mixed.append(torch.cat([own, context(own)], 1) if wide else own)
        return tuple(mixed)


class LightHead(nn.Module):
    """Neck levels in, class logits and box distances out; all that a light detector has of its own.

    Input: the levels of `LightNeck`. Output: as `AnchorFreeHead`: logits `(n, classes, h/8, w/8)` and
    distances left, top, right, bottom in strides `(n, 4, h/8, w/8)`, not negative. The first `score_width`
    mixed channels are for the scores, the rest for the boxes.
    """

    def __init__(
        self,
        neck_channels: Sequence[int],
        classes: int,
        score_width: int = SCORE_WIDTH,
        box_width: int = BOX_WIDTH,
    ) -> None:
        super().__init__()
        self.score_width, self.box_width = score_width, box_width
        self.adapters = nn.ModuleList(
            nn.Conv2d(channels, score_width + box_width, 1, bias=index == 0)
            for index, channels in enumerate(neck_channels)
        )
        self.scores = nn.Conv2d(score_width, classes, 1)
        self.boxes = nn.Conv2d(box_width, 4, 1)

    def start_from(self, mean_distances: Sequence[float], generator: torch.Generator) -> None:
        """Initialise: seldom anything anywhere, boxes of the mean size (He et al. 2015 elsewhere)."""
        inputs = sum(as_convolution(adapter).in_channels for adapter in self.adapters)
        for adapter in self.adapters:
            nn.init.normal_(as_convolution(adapter).weight, std=math.sqrt(2 / inputs), generator=generator)
        nn.init.zeros_(bias_of(as_convolution(self.adapters[0])))
        for layer in (self.scores, self.boxes):
            nn.init.normal_(layer.weight, std=0.01, generator=generator)
        nn.init.constant_(bias_of(self.scores), -math.log((1 - _PRIOR_SCORE) / _PRIOR_SCORE))
        with torch.no_grad():
            bias_of(self.boxes).copy_(torch.tensor(mean_distances))

    def forward(self, neck_levels: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and distances, NCHW."""
        fine, middle, coarse = (
            adapter(level) for adapter, level in zip(self.adapters, neck_levels, strict=True)
        )
        middle = middle + functional.interpolate(coarse, scale_factor=2.0)
        hidden = functional.relu6(fine + functional.interpolate(middle, scale_factor=2.0))
        scores = self.scores(hidden[:, : self.score_width])
        return scores, functional.relu(self.boxes(hidden[:, self.score_width :]))


class LightNetwork(nn.Module):
    """Neck and head as one: takes a subnet's levels and answers as `AnchorFreeHead` does."""

    def __init__(self, neck: LightNeck, head: LightHead) -> None:
        super().__init__()
        self.neck, self.head = neck.requires_grad_(requires_grad=False), head

    def forward(self, features: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and distances, NCHW."""
        answer: tuple[torch.Tensor, torch.Tensor] = self.head(self.neck(features))
        return answer


def new_light(subnet: SubnetManifest, classes: int) -> LightNetwork:
    """Return the subnet's neck with an untaught head.

    Raises:
        InputError: The subnet has no neck.
    """
    neck = light_neck(subnet)
    return LightNetwork(neck, LightHead(neck.channels, classes))


def has_light_neck(subnet: SubnetManifest) -> bool:
    """Tell whether detectors on this subnet can have the light form."""
    return (_NECKS / f"{subnet.name}.safetensors").is_file()


@cache
def light_neck(subnet: SubnetManifest) -> LightNeck:
    """Return the neck that all light detectors on a subnet share, in eval mode, frozen.

    Raises:
        InputError: There is none for this subnet.
    """
    tensors = load_tensors(_neck_bytes(subnet))
    neck = LightNeck([level.channels for level in subnet.levels])
    neck.load_state_dict({name: value.float() for name, value in tensors.items()})
    return neck.eval().requires_grad_(requires_grad=False)


@cache
def light_neck_sha256(subnet: SubnetManifest) -> str:
    """Return the digest that names the neck of a subnet.

    Raises:
        InputError: There is none for this subnet.
    """
    return hashlib.sha256(_neck_bytes(subnet)).hexdigest()


def rounded(head: LightHead) -> LightHead:
    """Return the head as it will be read back: its numbers in half precision, worked with in single."""
    copy = LightHead(
        [as_convolution(adapter).in_channels for adapter in head.adapters],
        head.scores.out_channels,
        head.score_width,
        head.box_width,
    )
    copy.load_state_dict({name: value.half().float() for name, value in head.state_dict().items()})
    return copy.eval().requires_grad_(requires_grad=False)


def stored(head: LightHead) -> dict[str, torch.Tensor]:
    """Return what is kept of a light detector: the head alone, in half precision."""
    return {name: value.half().contiguous() for name, value in head.state_dict().items()}


def stored_bytes(head: LightHead) -> int:
    """Return the size of the file that a head makes."""
    return len(save_tensors(stored(head)))


def _neck_bytes(subnet: SubnetManifest) -> bytes:
    if not has_light_neck(subnet):
        message = f"subnet {subnet.name} has no light neck: use the full form, or another subnet"
        raise InputError(message)
    return (_NECKS / f"{subnet.name}.safetensors").read_bytes()
