"""What a worker of streams looks with: detectors, and the subnets that they share; torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

import torch

from cloud.cache.plan import CachePlan
from cloud.detector.full import FullDetector
from cloud.detector.light_int8 import int8_levels
from cloud.detector.presence import PresenceHead
from cloud.detector.shared import SharedRunner
from cloud.offload.cached import CachedDetectors
from cloud.offload.gathered import Question, Trunks, detect_each, trunks_here
from cloud.streams.book import DetectorKey
from edge_agent.errors import BackendError, ElfowlError
from edge_agent.pipeline.boxes import to_arrays
from edge_agent.pipeline.detect import own_slugs
from edge_agent.pipeline.detector import LabelRule, Sighting
from edge_agent.pipeline.region import Cut, cover, cut, holds
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.letterbox import Letterboxed, letterbox
from edge_agent.wire.base import WHOLE, XyxyNorm
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.manifest import InputSpec

_MOST_ON_CPU = 1
"""Measured: one core looks at four pictures together no faster than at one after the other, and all wait."""

_MOST_ON_GPU = 64

Seen = Mapping[DetectorRef, Sequence[Detection]]
"""What each detector sees in one picture; labels are names."""


@dataclass(eq=False, frozen=True)
class Party:
    """Detectors that look at the same pictures.

    Attributes:
        detectors: All of them.
        runner: Runs them together.
        input: What they share, if parts of it are to be looked at.
    """

    detectors: tuple[FullDetector, ...]
    runner: SharedRunner
    input: InputSpec | None


@dataclass(frozen=True)
class Look:
    """A picture, and who looks at it.

    Attributes:
        rgb: `(h, w, 3) uint8 RGB`.
        party: Who looks.
        floor: From which score on.
        boxed: The picture in the input that all of them share, if they do.
        parts: Of that input, to look at; none: all.
    """

    rgb: Rgb
    party: Party
    floor: float
    boxed: Letterboxed | None = None
    parts: tuple[Cut, ...] = ()


class StreamEyes:
    """Detectors in memory, for as long as any stream has them. `open` is for any thread, `see` for one."""

    def __init__(self, plan: CachePlan, trunks: Trunks, *, gathers: bool | None = None) -> None:
        """Begin with none; `gathers`: look at many pictures in one pass; none: as this machine does best.

        Raises:
            StorageError: The disk of the model cache is full or read-only.
        """
        self._path, self._trunks = plan.detectors_path, trunks
        self._detectors = CachedDetectors.of_this_process(plan, trunks.device)
        self._gathers = trunks.device.type != "cpu" if gathers is None else gathers
        self._lock = threading.Lock()
        self._parties: WeakValueDictionary[tuple[DetectorKey, ...], Party] = WeakValueDictionary()

    @classmethod
    def of_this_machine(cls, plan: CachePlan) -> StreamEyes:
        """Return eyes on the graphics processor where there is one, else on one core."""
        import cv2

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        return cls(plan, trunks_here())

    @property
    def most_at_once(self) -> int:
        """Return how many pictures to look at together, at most: more would only make them wait."""
        return _MOST_ON_GPU if self._gathers else _MOST_ON_CPU

    def open(self, keys: Sequence[DetectorKey]) -> Party:
        """Return detectors, loaded once however many streams have them.

        Raises:
            NotFoundError: There is no such detector or version.
            ElfowlError: It cannot be loaded.
        """
        with self._lock:
            party = self._parties.get(tuple(keys))
            if party is None:
                found = tuple(self._load(key) for key in keys)
                # Pictures that are looked at in one pass must be of one size.
                shared = None if self._gathers else _shared_input(found)
                runner = SharedRunner(found, levels_for=int8_levels)
                if not self._gathers:
                    runner.prepare()
                party = self._parties[tuple(keys)] = Party(found, runner, shared)
            return party

    def see(self, looks: Sequence[Look]) -> list[Seen | ElfowlError]:
        """Return what each detector sees in each picture: each subnet looks once at a picture."""
        return self._see_gathered(looks) if self._gathers else [_see_one(look) for look in looks]

    def _see_gathered(self, looks: Sequence[Look]) -> list[Seen | ElfowlError]:
        questions = [
            Question(detector, look.rgb, look.floor) for look in looks for detector in look.party.detectors
        ]
        answers = iter(detect_each(questions, self._trunks))
        return [_joined(look, [next(answers) for _ in look.party.detectors]) for look in looks]

    def _load(self, key: DetectorKey) -> FullDetector:
        detector_id, version = key
        # Known from the database: its files need not be on this machine.
        folder = self._path / detector_id / f"v{version}"
        # It stays for as long as a party has it, also when the cache gives its place to another one.
        with self._detectors.use(folder) as detector:
            return detector


class SharedDetector:
    """The detectors of one stream as one, as the camera's pipeline wants it."""

    def __init__(self, party: Party, ask: Callable[[Look], Seen]) -> None:
        self._party, self._ask = party, ask
        detectors = party.detectors
        slugs = own_slugs([one.spec for one in detectors])
        self._slugs = {
            one.ref: dict(zip((label.name for label in one.labels), own, strict=True))
            for one, own in zip(detectors, slugs, strict=True)
        }
        self._labels = {
            slug: LabelRule(slug, _name(label.name, slug, label.slug, one.ref), label.threshold, one.ref)
            for one, own in zip(detectors, slugs, strict=True)
            for label, slug in zip(one.labels, own, strict=True)
        }

    @property
    def labels(self) -> Mapping[str, LabelRule]:
        """Return all labels, by slug."""
        return self._labels

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what is seen in `rgb`, (h, w, 3) uint8, with a score of at least `min_score`.

        Raises:
            BackendError: A network could not be run.
        """
        return self._named(self._ask(self._look(rgb, min_score)))

    def detect_around(
        self, rgb: Rgb, boxes: Sequence[XyxyNorm], *, min_score: float | None = None
    ) -> Sighting:
        """Return what is seen in and around boxes, or in the whole picture where that costs hardly more.

        Raises:
            BackendError: A network could not be run.
        """
        look = self._look(rgb, min_score)
        cuts = _cuts(look.boxed, boxes) if look.boxed is not None else ()
        seen = self._named(self._ask(replace(look, parts=cuts)))
        return Sighting(seen, tuple(one.known for one in cuts) or (WHOLE,))

    def _look(self, rgb: Rgb, min_score: float | None) -> Look:
        floor, spec = self._floor(min_score), self._party.input
        boxed = letterbox(rgb, spec.width_px, spec.height_px, spec.pad_value) if spec is not None else None
        return Look(rgb, self._party, floor, boxed)

    def _floor(self, min_score: float | None) -> float:
        if not self._labels:
            message = "the stream has no detector"
            raise BackendError(message)
        return min(rule.threshold for rule in self._labels.values()) if min_score is None else min_score

    def _named(self, seen: Seen) -> list[Detection]:
        return [
            one.model_copy(update={"label": self._slugs[ref][one.label]})
            for ref, found in seen.items()
            for one in found
        ]


def _shared_input(detectors: Sequence[FullDetector]) -> InputSpec | None:
    """Return the input that all detectors have, if parts of it can be looked at."""
    specs = [one.spec.input for one in detectors]
    # Whether something is there at all is told of the whole input.
    needs_whole = any(isinstance(one.taught_head, PresenceHead) for one in detectors)
    return specs[0] if specs and not needs_whole and all(one == specs[0] for one in specs) else None


def _cuts(boxed: Letterboxed, boxes: Sequence[XyxyNorm]) -> tuple[Cut, ...]:
    """Return the parts of an input to look at; none: the whole."""
    height_px, width_px = boxed.pixels.shape[:2]
    regions = cover(boxed.to_input_px(to_arrays(list(boxes))), (width_px, height_px))
    return tuple(cut(boxed, region) for region in regions)


def _name(name: str, slug: str, plain_slug: str, ref: DetectorRef) -> str:
    return name if slug == plain_slug else f"{name} ({ref.name})"


def _see_one(look: Look) -> Seen | ElfowlError:
    runner = look.party.runner
    try:
        if look.parts:
            found = runner.detect_parts([part.boxed for part in look.parts], score_floor=look.floor)
            return {ref: _whole_ones(look.parts, seen) for ref, seen in found.items()}
        if look.boxed is not None:
            found = runner.detect_parts([look.boxed], score_floor=look.floor)
        else:
            found = runner.detect_many([look.rgb], score_floor=look.floor)
    except ElfowlError as error:
        return error
    return {ref: seen[0] for ref, seen in found.items()}


def _whole_ones(parts: Sequence[Cut], seen: Sequence[Sequence[Detection]]) -> list[Detection]:
    """Return what is seen in parts, without what is cut off by their edges."""
    return [one for part, some in zip(parts, seen, strict=True) for one in some if holds(part.told, one.box)]


def _joined(look: Look, answers: Sequence[list[Detection] | ElfowlError]) -> Seen | ElfowlError:
    seen: dict[DetectorRef, Sequence[Detection]] = {}
    for detector, answer in zip(look.party.detectors, answers, strict=True):
        if isinstance(answer, ElfowlError):
            return answer
        seen[detector.ref] = answer
    return seen
