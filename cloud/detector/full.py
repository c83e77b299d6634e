"""The full detector: frozen subnet, taught head; what people train, watch and compress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import PictureShelf, read_pictures
from cloud.detector.head import AnchorFreeHead, fuse_levels
from cloud.detector.light import LightHead, LightNetwork, new_light
from cloud.detector.presence import PresenceHead
from cloud.detector.spec import BOXES_OUTPUT, SCORES_OUTPUT, DetectorSpec
from cloud.subnets.features import FeatureExtractor, Features, shared_extractor
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import subnet_by_digest
from cloud.subnets.trunks import load_trunk
from cloud.subnets.weights import licence_text
from compress.protocol import HeldOutPicture, LicenceNotice, TruthBox, TwoPartNetwork
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.decode import SCORE_FLOOR, decode_head
from edge_agent.vision.letterbox import letterbox
from edge_agent.vision.nms import nms
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.manifest import AnchorFreeDecoder, LabelSpec, SubnetRef

TaughtHead = AnchorFreeHead | LightNetwork | PresenceHead
"""What a detector has of its own; the neck of the light form is the same for all detectors of a subnet."""


class FullNetwork(nn.Module):
    """Trunks and head as one network.

    Input `(n, 3, h, w) float32`, (byte - 127) / 128, RGB. Output: scores `(n, h/8, w/8, classes)` logits,
    boxes `(n, h/8, w/8, 4)` distances in strides, not negative.
    """

    def __init__(self, trunks: Sequence[nn.Module], head: TaughtHead) -> None:
        super().__init__()
        self.trunks, self.head = nn.ModuleList(trunks), head

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores and boxes, NHWC."""
        scores, boxes = self.head([level for trunk in self.trunks for level in trunk(image)])
        return scores.permute(0, 2, 3, 1), boxes.permute(0, 2, 3, 1)


class TrunkBody(nn.Module):
    """The part of an anchor-free detector before its block: trunks, adapters, and the mix at stride 8.

    Input `(n, 3, h, w) float32`; output one map `(n, width, h/8, w/8) float32`, between 0 and 6.
    """

    def __init__(self, trunks: Sequence[nn.Module], head: AnchorFreeHead) -> None:
        super().__init__()
        self.trunks, self.adapters, self.mix = nn.ModuleList(trunks), head.adapters, head.mix

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the map, NCHW."""
        levels = [level for trunk in self.trunks for level in trunk(image)]
        mixed: torch.Tensor = self.mix(fuse_levels(levels, lambda index, level: self.adapters[index](level)))
        return mixed


class MapHead(nn.Module):
    """The part of an anchor-free detector from its block on: one map in, scores and boxes out."""

    def __init__(self, head: AnchorFreeHead) -> None:
        super().__init__()
        self.block, self.scores, self.boxes = head.block, head.scores, head.boxes

    def forward(self, mixed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits `(n, h, w, classes)` and distances `(n, h, w, 4)` for a map `(n, width, h, w)`."""
        hidden = self.block(mixed)
        boxes = functional.relu(self.boxes(hidden))
        return self.scores(hidden).permute(0, 2, 3, 1), boxes.permute(0, 2, 3, 1)


@dataclass(frozen=True)
class FullDetector:
    """A taught detector; implements `compress.protocol.Compressible`.

    `examples` are labelled frames of the camera and `unlabelled` others, both to calibrate and to teach
    smaller networks with; `test_frames` are those that training never saw.
    """

    spec: DetectorSpec
    taught_head: TaughtHead
    examples: tuple[LabelledFrame, ...] = ()
    test_frames: tuple[LabelledFrame, ...] = ()
    unlabelled: tuple[LabelledFrame, ...] = ()

    @property
    def manifests(self) -> tuple[SubnetManifest, ...]:
        """Return the pretrained subnets that the head builds on."""
        return manifests_of(self.spec)

    @property
    def ref(self) -> DetectorRef:
        """Return which detector and version this is."""
        return self.spec.detector

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        """Return the classes with their recommended thresholds, in the order of the network's outputs."""
        return self.spec.labels

    @property
    def input_size_px(self) -> tuple[int, int]:
        """Return (width, height) of the network's input."""
        return self.spec.input_width_px, self.spec.input_height_px

    @property
    def decoder(self) -> AnchorFreeDecoder:
        """Return how to read the outputs."""
        return self.spec.decoder

    @property
    def nms_iou(self) -> float:
        """Return the IoU above which the weaker of two boxes is dropped."""
        return self.spec.nms_iou

    @property
    def subnets(self) -> tuple[SubnetRef, ...]:
        """Return the pretrained subnets inside."""
        return tuple(use.ref for use in self.spec.subnets)

    @property
    def licences(self) -> tuple[LicenceNotice, ...]:
        """Return the licence texts that must travel with a bundle."""
        return tuple(LicenceNotice(one.name, licence_text(one)) for one in self.manifests)

    def network(self) -> nn.Module:
        """Return trunks and head as one network in eval mode: a copy, free to be pruned.

        An anchor-free one comes in two parts, a body and a head that can be exchanged.
        """
        head = new_head(self.spec)
        head.load_state_dict(self.taught_head.state_dict())
        trunks = [load_trunk(subnet) for subnet in self.manifests]
        network: nn.Module = FullNetwork(trunks, head)
        if isinstance(head, AnchorFreeHead):
            network = TwoPartNetwork(TrunkBody(trunks, head), [MapHead(head)])
        return network.eval().requires_grad_(requires_grad=False)

    def calibration_pictures(self, limit: int) -> Sequence[Rgb]:
        """Return up to `limit` pictures of the camera, spread evenly, in order of time."""
        sources = {frame.source: frame for frame in (*self.examples, *self.unlabelled)}
        frames = sorted(sources.values(), key=lambda one: (one.source.path, one.source.frame_index or 0))
        count = min(limit, len(frames))
        spread = [frames[position * len(frames) // count] for position in range(count)]
        return [rgb for _, rgb in read_pictures(frame.source for frame in spread)]

    def held_out_pictures(self) -> Sequence[HeldOutPicture]:
        """Return the frozen test set; frames that were looked at only in part are not in it."""
        whole = [frame for frame in self.test_frames if frame.trusted_xyxy_norm is None]
        shelf = PictureShelf(frame.source for frame in whole)
        return [
            HeldOutPicture(frame.source.name, partial(shelf.take, frame.source), self._truth(frame))
            for frame in whole
        ]

    def _truth(self, frame: LabelledFrame) -> tuple[TruthBox, ...]:
        index_of = {label.name: index for index, label in enumerate(self.labels)}
        return tuple(
            TruthBox(index_of[box.label], box.box_xyxy_norm) for box in frame.boxes if box.label in index_of
        )

    def detect(self, rgb: Rgb) -> list[Detection]:
        """Return what is seen in `(h, w, 3) uint8 RGB`, each class from its threshold on, best first."""
        return self.detect_many([rgb])[0]

    def detect_many(
        self,
        pictures: Sequence[Rgb],
        *,
        score_floor: float | None = None,
        extractors: Sequence[FeatureExtractor] | None = None,
    ) -> list[list[Detection]]:
        """Return what is seen in each picture, in one pass.

        Args:
            pictures: Each `(h, w, 3) uint8 RGB`, of any size.
            score_floor: Report from this score on; none = each class from its own threshold on.
            extractors: Run the subnets, in the spec's order; none = those that this process shares.

        Raises:
            CameraError: A picture is empty or not RGB.
            BackendError: The network answered numbers that are not finite.
        """
        if not pictures:
            return []
        boxed = [letterbox(rgb, *self.input_size_px, self.spec.input.pad_value) for rgb in pictures]
        runners = extractors or [shared_extractor(subnet) for subnet in self.manifests]
        pixels = np.stack([one.pixels for one in boxed])
        levels = tuple(level for runner in runners for level in runner.features(pixels))
        scores, boxes = run_head(self.taught_head, levels)
        return [
            decode_detections(self.spec, scores[[i]], boxes[[i]], one.to_source_norm, score_floor)
            for i, one in enumerate(boxed)
        ]


def manifests_of(spec: DetectorSpec) -> tuple[SubnetManifest, ...]:
    """Return the manifests of the subnets that a spec names.

    Raises:
        InputError: This elfowl lacks one.
    """
    return tuple(subnet_by_digest(use.ref.sha256 or "") for use in spec.subnets)


def new_head(spec: DetectorSpec) -> TaughtHead:
    """Return an untaught head of the shape that the spec asks for.

    Raises:
        InputError: This elfowl lacks a subnet, or its light neck.
    """
    subnets = manifests_of(spec)
    if spec.architecture == "light_stride8":
        return new_light(subnets[0], len(spec.labels))
    channels = [level.channels for subnet in subnets for level in subnet.levels]
    if spec.architecture == "presence":
        return PresenceHead(channels, len(spec.labels))
    return AnchorFreeHead(channels, len(spec.labels), spec.head_channels, spec.block)


def run_head(head: TaughtHead | LightHead, levels: Features) -> tuple[Float32, Float32]:
    """Return logits `(n, h, w, classes)` and distances `(n, h, w, 4)` for features NHWC of each level."""
    with torch.inference_mode():
        inputs = [torch.from_numpy(np.asarray(level, np.float32)).permute(0, 3, 1, 2) for level in levels]
        scores, boxes = head(inputs)
        return scores.permute(0, 2, 3, 1).numpy(), boxes.permute(0, 2, 3, 1).numpy()


def decode_detections(
    spec: DetectorSpec,
    scores: Float32,
    boxes: Float32,
    to_source_norm: Callable[[Float32], Float32],
    score_floor: float | None,
) -> list[Detection]:
    """Return the detections of one picture, best first.

    Args:
        spec: Of the detector.
        scores: `(1, h, w, classes)` logits.
        boxes: `(1, h, w, 4)` distances in strides.
        to_source_norm: Maps boxes `(n, 4)` from input pixels to fractions of the picture.
        score_floor: Report from this score on; none = each class from its own threshold on.
    """
    floor = min(label.threshold for label in spec.labels) if score_floor is None else score_floor
    outputs = {SCORES_OUTPUT: scores, BOXES_OUTPUT: boxes}
    found = decode_head(spec.head, outputs, spec.input, None, score_floor=max(floor, SCORE_FLOOR))
    found = found.take(
        nms(found.boxes_px, found.scores, found.labels, spec.nms_iou, spec.head.max_detections)
    )
    placed = to_source_norm(found.boxes_px).astype(float).tolist()
    detections = []
    for box, score, index in zip(placed, found.scores.tolist(), found.labels.tolist(), strict=True):
        label = spec.labels[index]
        if score >= (label.threshold if score_floor is None else score_floor):
            x1, y1, x2, y2 = box
            detections.append(Detection(label=label.name, score=min(1.0, score), box=(x1, y1, x2, y2)))
    return detections
