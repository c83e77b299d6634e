"""Many detectors on one stream: the subnet looks once, every detector answers from what it saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from cloud.detector.full import FullDetector, decode_detections, run_head
from cloud.detector.light import LightNetwork
from cloud.detector.shared_decode import Rules, boxes_px, detections, find_peaks
from cloud.detector.shared_heads import StackedHeads
from cloud.subnets.features import FeatureExtractor, Features, shared_extractor
from cloud.subnets.manifest import SubnetManifest
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.letterbox import Letterboxed, letterbox
from edge_agent.wire.detection import Detection, DetectorRef

Answers = dict[DetectorRef, list[list[Detection]]]
"""What each detector saw in each picture."""


class NeckLevels(Protocol):
    """A subnet and its light neck as one, perhaps worked out with rougher numbers."""

    def levels(self, pixels: Rgb) -> Features:
        """Return what the neck makes of `(n, h, w, 3) uint8`, h and w multiples of 32; channels last."""
        ...


LevelsFor = Callable[[SubnetManifest], NeckLevels | None]
"""Gives what looks for light heads in place of a subnet and its neck; none: those do."""


def _plainly(_subnet: SubnetManifest) -> None:
    """Let subnet and neck look."""


@dataclass(frozen=True)
class _LightKey:
    """Heads that differ in none of these can be stacked."""

    subnet_sha256: str
    input_size_px: tuple[int, int]
    score_width: int
    box_width: int
    peak_kernel: int


class SharedRunner:
    """Runs any number of detectors, with one pass of each subnet a picture and input size.

    Answers are those of every detector alone. Light heads are stacked into one product of matrices, full ones
    run singly. Adding and removing are cheap: no subnet is loaded again. Not for several threads at once.
    """

    def __init__(
        self,
        detectors: Iterable[FullDetector] = (),
        *,
        extractor_for: Callable[[SubnetManifest], FeatureExtractor] = shared_extractor,
        levels_for: LevelsFor = _plainly,
    ) -> None:
        """Begin with some detectors.

        Args:
            detectors: Run them.
            extractor_for: Gives subnets.
            levels_for: Where it gives something for a subnet, light heads answer from that; not so beside
                full heads on that subnet, which want to see what the subnet itself says.
        """
        self._extractor_for = extractor_for
        self._levels_for = levels_for
        self._detectors = {detector.ref: detector for detector in detectors}
        self._stacks: dict[_LightKey, _Stack] = {}

    @property
    def refs(self) -> tuple[DetectorRef, ...]:
        """Return the detectors that run, in the order they were added."""
        return tuple(self._detectors)

    def add(self, detector: FullDetector) -> None:
        """Run this one too; it takes the place of the one with the same reference."""
        self._detectors[detector.ref] = detector
        self._stacks.clear()

    def remove(self, ref: DetectorRef) -> None:
        """No longer run a detector; one that does not run is no mistake."""
        self._detectors.pop(ref, None)
        self._stacks.clear()

    def prepare(self) -> None:
        """Load what light detectors look with, so that the first look does not have to."""
        self._light_stacks()

    def detect_many(self, pictures: Sequence[Rgb], *, score_floor: float | None = None) -> Answers:
        """Return what each detector sees in each picture.

        Args:
            pictures: Each `(h, w, 3) uint8 RGB`, of any size.
            score_floor: Report from this score on; none = each class from its own threshold on.

        Raises:
            CameraError: A picture is empty or not RGB.
            BackendError: A network answered numbers that are not finite.
        """
        if not pictures:
            return {ref: [] for ref in self._detectors}
        return self._answers(_Looks(pictures, self._extractor_for), score_floor)

    def detect_parts(self, parts: Sequence[Letterboxed], *, score_floor: float | None = None) -> Answers:
        """Return what each detector sees in each part of an input, boxes of the whole picture.

        Only for detectors with equal inputs.

        Args:
            parts: Of an input that all detectors share; width and height are multiples of 32.
            score_floor: As in `detect_many`.

        Raises:
            BackendError: A network answered numbers that are not finite.
        """
        answers: Answers = {ref: [] for ref in self._detectors}
        for part in parts:
            # They differ in size, and a processor looks at several no faster than at one after the other.
            for ref, (seen,) in self._answers(_Looks((), self._extractor_for, [part]), score_floor).items():
                answers[ref].append(seen)
        return answers

    def _answers(self, looked: _Looks, score_floor: float | None) -> Answers:
        answers: Answers = {}
        for stack in self._light_stacks():
            answers |= stack.detect(looked, score_floor)
        for ref, detector in self._detectors.items():
            if not isinstance(detector.taught_head, LightNetwork):
                answers[ref] = _detect_alone(detector, looked, score_floor)
        return {ref: answers[ref] for ref in self._detectors}

    def _light_stacks(self) -> list[_Stack]:
        if not self._stacks:
            groups: dict[_LightKey, list[FullDetector]] = {}
            for detector in self._detectors.values():
                if isinstance(detector.taught_head, LightNetwork):
                    groups.setdefault(_light_key(detector, detector.taught_head), []).append(detector)
            self._stacks = {key: _Stack(group, self._levels_of(group)) for key, group in groups.items()}
        return list(self._stacks.values())

    def _levels_of(self, light: Sequence[FullDetector]) -> NeckLevels | None:
        subnet = light[0].manifests[0]
        beside = (one for one in self._detectors.values() if not isinstance(one.taught_head, LightNetwork))
        if any(subnet.sha256 == other.sha256 for one in beside for other in one.manifests):
            return None
        return self._levels_for(subnet)


class _Looks:
    """Pictures as the subnets see them: letterboxed once a size, looked at once a size and subnet."""

    def __init__(
        self,
        pictures: Sequence[Rgb],
        extractor_for: Callable[[SubnetManifest], FeatureExtractor],
        inputs: Sequence[Letterboxed] = (),
    ) -> None:
        self._pictures, self._extractor_for, self._inputs = pictures, extractor_for, inputs
        self._boxed: dict[tuple[tuple[int, int], int], list[Letterboxed]] = {}
        self._features: dict[tuple[str, tuple[int, int], int], Features] = {}

    def boxed(self, detector: FullDetector) -> list[Letterboxed]:
        """Return the pictures inside the detector's input."""
        if self._inputs:
            return list(self._inputs)
        size_px, pad_value = detector.input_size_px, detector.spec.input.pad_value
        if (size_px, pad_value) not in self._boxed:
            self._boxed[size_px, pad_value] = [letterbox(rgb, *size_px, pad_value) for rgb in self._pictures]
        return self._boxed[size_px, pad_value]

    def features(self, detector: FullDetector) -> Features:
        """Return what the detector's subnets see in all pictures."""
        return tuple(level for subnet in detector.manifests for level in self._levels(detector, subnet))

    def pixels(self, detector: FullDetector) -> Rgb:
        """Return the pictures inside the detector's input, `(n, h, w, 3) uint8`."""
        return np.stack([one.pixels for one in self.boxed(detector)])

    def _levels(self, detector: FullDetector, subnet: SubnetManifest) -> Features:
        key = subnet.sha256, detector.input_size_px, detector.spec.input.pad_value
        if key not in self._features:
            self._features[key] = self._extractor_for(subnet).features(self.pixels(detector))
        return self._features[key]


class _Stack:
    """Light detectors whose heads run as one."""

    def __init__(self, detectors: Sequence[FullDetector], levels: NeckLevels | None) -> None:
        networks = [one.taught_head for one in detectors if isinstance(one.taught_head, LightNetwork)]
        self._detectors = detectors
        self._neck, self._quick = networks[0].neck, levels
        self._heads = StackedHeads([network.head for network in networks])
        self._rules: dict[float | None, Rules] = {}

    def detect(self, looked: _Looks, score_floor: float | None) -> Answers:
        """Return what each of them sees in each picture."""
        if score_floor not in self._rules:
            specs = [detector.spec for detector in self._detectors]
            self._rules = {score_floor: Rules.of(specs, self._heads.columns, score_floor)}
        rules = self._rules[score_floor]
        first = self._detectors[0]
        answers: Answers = {detector.ref: [] for detector in self._detectors}
        with torch.inference_mode():
            levels = self._levels(looked)
            for index, boxed in enumerate(looked.boxed(first)):
                own = [level[index] for level in levels]
                peaks = find_peaks(self._heads.logits(own), rules)
                boxes = boxes_px(peaks, self._heads.distances(own, peaks.heads, peaks.rows, peaks.columns))
                found = detections(peaks, boxes, rules, boxed.to_source_norm)
                for detector, seen in zip(self._detectors, found, strict=True):
                    answers[detector.ref].append(seen)
        return answers

    def _levels(self, looked: _Looks) -> list[torch.Tensor]:
        """Return what the heads read, `(n, h, w, channels)` a level."""
        first = self._detectors[0]
        if self._quick is not None:
            return [torch.from_numpy(level) for level in self._quick.levels(looked.pixels(first))]
        inputs = [torch.from_numpy(level).permute(0, 3, 1, 2) for level in looked.features(first)]
        return [level.permute(0, 2, 3, 1).contiguous() for level in self._neck(inputs)]


def _light_key(detector: FullDetector, network: LightNetwork) -> _LightKey:
    return _LightKey(
        detector.manifests[0].sha256,
        detector.input_size_px,
        network.head.score_width,
        network.head.box_width,
        detector.spec.peak_kernel,
    )


def _detect_alone(detector: FullDetector, looked: _Looks, score_floor: float | None) -> list[list[Detection]]:
    scores, boxes = run_head(detector.taught_head, looked.features(detector))
    return [
        decode_detections(detector.spec, scores[[i]], boxes[[i]], one.to_source_norm, score_floor)
        for i, one in enumerate(looked.boxed(detector))
    ]
