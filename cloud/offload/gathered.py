"""Many pictures, each with its own detector, in one pass of each subnet.

Pictures that need the same subnets at the same size are looked at together. Of what was seen there, light
heads are gathered into one product of matrices, whichever detectors they are of; other heads run once for all
pictures that ask for them. Answers are those of every detector alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional

from cloud.detector.full import FullDetector, decode_detections
from cloud.detector.light import LightHead, LightNetwork
from cloud.detector.presence import PresenceHead
from cloud.offload.part import look_size
from cloud.subnets.features import shared_extractor
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.trunks import load_trunk
from edge_agent.errors import ElfowlError
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.letterbox import Letterboxed, letterbox
from edge_agent.wire.base import WHOLE, XyxyNorm
from edge_agent.wire.detection import Detection

Levels = tuple[torch.Tensor, ...]
"""Maps of a subnet, `(n, channels, h, w) float32`, finest first."""

Outputs = tuple[torch.Tensor, torch.Tensor]
"""Logits `(n, classes, h, w)` and distances `(n, 4, h, w)`."""


class Trunks(Protocol):
    """Runs the subnets."""

    @property
    def device(self) -> torch.device:
        """Return where the levels are."""
        ...

    def levels(self, subnet: SubnetManifest, pixels: Rgb) -> Levels:
        """Return what a subnet sees in `(n, h, w, 3) uint8`."""
        ...


class OnnxTrunks:
    """Subnets in ONNX Runtime, on one core."""

    device = torch.device("cpu")

    def levels(self, subnet: SubnetManifest, pixels: Rgb) -> Levels:
        """Return what a subnet sees in `(n, h, w, 3) uint8`."""
        maps = shared_extractor(subnet).features(pixels)
        return tuple(torch.from_numpy(level).permute(0, 3, 1, 2) for level in maps)


class TorchTrunks:
    """Subnets in torch: for a graphics processor."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._trunk = cache(lambda subnet: load_trunk(subnet).to(device))

    def levels(self, subnet: SubnetManifest, pixels: Rgb) -> Levels:
        """Return what a subnet sees in `(n, h, w, 3) uint8`."""
        image = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)
        levels: Levels = tuple(self._trunk(subnet)((image.float() - 127) / 128))
        return levels


def trunks_here() -> Trunks:
    """Return what runs subnets best on this machine."""
    return TorchTrunks(torch.device("cuda")) if torch.cuda.is_available() else OnnxTrunks()


@dataclass(frozen=True)
class Question:
    """A picture `(h, w, 3) uint8 RGB`, who shall look at it, and from which score on it is told.

    No score: of each class from its own threshold on. `part` of the camera's frame is what it shows.
    """

    detector: FullDetector
    rgb: Rgb
    score_floor: float | None = None
    part: XyxyNorm = WHOLE

    @property
    def look_px(self) -> tuple[int, int]:
        """Return width and height of the network input."""
        # Whether something is there is told of the whole input, so that its size must be what taught it.
        part = WHOLE if isinstance(self.detector.taught_head, PresenceHead) else self.part
        height_px, width_px = self.rgb.shape[:2]
        return look_size(self.detector.input_size_px, (width_px, height_px), part)


def run_loose(detectors: Sequence[FullDetector], neck_levels: Levels) -> Outputs:
    """Return the outputs of detectors with light heads of equal widths, of their own tensors."""
    networks = (one.taught_head for one in detectors)
    return run_light([one.head for one in networks if isinstance(one, LightNetwork)], neck_levels)


RunLight = Callable[[Sequence[FullDetector], Levels], Outputs]
"""Runs light heads of equal widths, each on its own row of the neck's levels."""


def detect_each(
    questions: Sequence[Question], trunks: Trunks, run_lights: RunLight = run_loose
) -> list[list[Detection] | ElfowlError]:
    """Return what each picture's own detector sees in it, or why it cannot tell.

    The heads must be where the trunks are.
    """
    answers: list[list[Detection] | ElfowlError] = [[] for _ in questions]
    for places in _alike(_look_key(one) for one in questions):
        some = [questions[place] for place in places]
        for place, answer in zip(places, _look_once(some, trunks, run_lights), strict=True):
            answers[place] = answer
    return answers


def _look_once(
    questions: Sequence[Question], trunks: Trunks, run_lights: RunLight
) -> list[list[Detection] | ElfowlError]:
    """Answer questions whose detectors have subnets and input in common."""
    first = questions[0].detector
    # Many detectors on one picture look at it once.
    pictures = {id(one.rgb): one.rgb for one in questions}
    rows = {key: row for row, key in enumerate(pictures)}
    look_px = questions[0].look_px
    boxed = [letterbox(rgb, *look_px, first.spec.input.pad_value) for rgb in pictures.values()]
    pixels = np.stack([one.pixels for one in boxed])
    answers: list[list[Detection] | ElfowlError] = [[] for _ in questions]
    with torch.inference_mode():
        levels = tuple(level for subnet in first.manifests for level in trunks.levels(subnet, pixels))
        for places in _alike(_head_key(one.detector) for one in questions):
            some = [questions[place].detector for place in places]
            own_rows = [rows[id(questions[place].rgb)] for place in places]
            # Whole batches need no copy of the maps.
            whole = own_rows == list(range(len(boxed)))
            seen = levels if whole else tuple(level[own_rows] for level in levels)
            scores, boxes = _run_heads(some, seen, run_lights)
            for row, place in enumerate(places):
                outputs = scores[row : row + 1], boxes[row : row + 1]
                answers[place] = _decoded(questions[place], outputs, boxed[own_rows[row]])
    return answers


def _run_heads(detectors: Sequence[FullDetector], levels: Levels, run_lights: RunLight) -> Outputs:
    """Return the outputs of heads that run together, on the processor; each looks at its own row."""
    head = detectors[0].taught_head
    if isinstance(head, LightNetwork):
        scores, boxes = run_lights(detectors, head.neck(levels))
    else:
        scores, boxes = head(levels)
    return scores.cpu(), boxes.cpu()


def run_light(heads: Sequence[LightHead], neck_levels: Levels) -> Outputs:
    """Return the outputs of light heads of equal widths, each on its own row of the neck's levels.

    Where a head has fewer classes than another, its logits beyond them mean nothing.
    """
    fine, middle, coarse = (
        torch.bmm(_weights(heads, f"adapters.{index}"), level.flatten(2)).view(
            len(heads), -1, *level.shape[2:]
        )
        for index, level in enumerate(neck_levels)
    )
    middle += functional.interpolate(coarse, scale_factor=2.0)
    fine += functional.interpolate(middle, scale_factor=2.0)
    fine += _biases(heads, "adapters.0")[:, :, None, None]
    hidden = fine.clamp_(0, 6)
    width = heads[0].score_width
    scores = _last(heads, "scores", hidden[:, :width])
    return scores, _last(heads, "boxes", hidden[:, width:]).clamp_(min=0)


def _last(heads: Sequence[LightHead], name: str, hidden: torch.Tensor) -> torch.Tensor:
    answers = torch.baddbmm(_biases(heads, name)[:, :, None], _weights(heads, name), hidden.flatten(2))
    return answers.view(len(heads), -1, *hidden.shape[2:])


def _weights(heads: Sequence[LightHead], name: str) -> torch.Tensor:
    """Return the weights of a 1x1 layer of all heads, `(heads, out, in)`; missing outputs are zeros."""
    return _padded([head.get_parameter(f"{name}.weight")[:, :, 0, 0] for head in heads])


def _biases(heads: Sequence[LightHead], name: str) -> torch.Tensor:
    return _padded([head.get_parameter(f"{name}.bias") for head in heads])


def _padded(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def _decoded(question: Question, outputs: Outputs, boxed: Letterboxed) -> list[Detection] | ElfowlError:
    (scores, boxes), detector = outputs, question.detector
    classes = len(detector.labels)
    try:
        return decode_detections(
            detector.spec,
            scores[:, :classes].permute(0, 2, 3, 1).numpy(),
            boxes.permute(0, 2, 3, 1).numpy(),
            boxed.to_source_norm,
            question.score_floor,
        )
    except ElfowlError as error:
        return error


def _look_key(question: Question) -> Hashable:
    """Return what pictures must have in common to be looked at together."""
    digests = tuple(subnet.sha256 for subnet in question.detector.manifests)
    return digests, question.look_px, question.detector.spec.input.pad_value


def _head_key(detector: FullDetector) -> Hashable:
    """Return what detectors must have in common, beside the look, for their heads to run together."""
    network = detector.taught_head
    if isinstance(network, LightNetwork):
        return network.head.score_width, network.head.box_width
    return detector.ref


def _alike(keys: Iterable[Hashable]) -> list[list[int]]:
    """Return the places of equal keys."""
    places: dict[Hashable, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        places[key].append(place)
    return list(places.values())
