"""Goes through a recording, window by window: the gate, the plan, the looks."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from cloud.scan.eyes import Eyes
from cloud.scan.plan import BEFORE, ScanSettings, Shown, first_looks, next_looks
from cloud.scan.recording import Sample
from cloud.watch.kept import Seen
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.gate import MotionGate
from edge_agent.pipeline.track import TrackSettings
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef

_BATCH = 12
_AT_ONCE = 2
"""So many windows are in work: what two looks of one leave open is looked at together with the next one."""

_FULL = 0xFFFF

_Look = dict[DetectorRef, tuple[Detection, ...]]
Sights = dict[DetectorRef, list[Seen]]


@dataclass(frozen=True)
class Part:
    """A part of a recording that is done: what each detector saw, and the number of the picture after it."""

    seen: Sights
    until: int
    until_s: float


def go_through(
    pictures: Iterable[Sample],
    eyes: Eyes,
    settings: ScanSettings,
    *,
    done: int = 0,
    before: Mapping[DetectorRef, Seen] | None = None,
) -> Iterator[Part]:
    """Look at a recording and yield each window when it was looked at.

    Args:
        pictures: Those that can be looked at, from the first one on.
        eyes: Who looks.
        settings: How closely.
        done: Pictures before this one were looked at before: they are only shown to the gate.
        before: What each detector saw when it looked last before `done`.
    """
    plans, running = _plans(pictures, settings, done), deque[_Plan]()
    shown = _shown_by_all(before or {}, done - 1, eyes)
    while True:
        plan = next(plans, None) if len(running) < _AT_ONCE else None
        if plan is not None:
            plan.begin(shown)
            running.append(plan)
        if not running:
            return
        _look(running, eyes)
        shown = running[-1].shown_last
        while running and not running[0].wanted:
            yield running.popleft().part(eyes.rules)


def look_at_each(pictures: Iterable[Sample], eyes: Eyes) -> Iterator[tuple[Sample, dict[DetectorRef, Seen]]]:
    """Look at every picture."""
    left = iter(pictures)
    while batch := list(islice(left, _BATCH)):
        looks = eyes.look([sample.rgb for sample in batch])
        for place, sample in enumerate(batch):
            yield sample, {ref: Seen(sample.index, rounded(seen[place])) for ref, seen in looks.items()}


def sure(detections: Sequence[Detection], rules: Mapping[str, LabelRule]) -> list[Detection]:
    """Return the detections that reach the thresholds of their labels."""
    return [one for one in detections if _over(one, rules) >= 0.0]


def rounded(detections: Sequence[Detection]) -> tuple[Detection, ...]:
    """Return detections as they can be kept, so that it makes no difference if they were kept meanwhile."""
    return tuple(
        Detection(
            label=one.label,
            score=round(one.score * _FULL) / _FULL,
            box=tuple(round(round(min(1.0, max(0.0, side)) * _FULL) / _FULL, 5) for side in one.box),
        )
        for one in detections
    )


class _Plan:
    """One window: where to look next, and what was seen so far."""

    def __init__(self, window: Sequence[Sample], open_at: Sequence[bool], settings: ScanSettings) -> None:
        self._window = window
        self._open_at = open_at
        self._settings = settings
        self._looks: dict[int, _Look] = {}
        self._shown: dict[int, Shown] = {}
        self.wanted: Sequence[int] = ()

    @property
    def shown_last(self) -> Shown | None:
        """Return what the last picture showed, if it was looked at."""
        return self._shown.get(len(self._window) - 1)

    def begin(self, before: Shown | None) -> None:
        """Want the first looks; `before`: what the last picture before the window showed, if it did."""
        if before is not None:
            self._shown[BEFORE] = before
        self.wanted = first_looks(self._open_at, self._settings.stride, after_look=before is not None)

    def pictures(self) -> list[Rgb]:
        """Return what to look at now."""
        return [self._window[place].rgb for place in self.wanted]

    def take(self, looks: Sequence[_Look], eyes: Eyes) -> None:
        """Take what was seen in each of `pictures`."""
        for place, look in zip(self.wanted, looks, strict=True):
            self._looks[place], self._shown[place] = look, _shown(look, eyes)
        self.wanted = next_looks(self._open_at, self._shown, self._settings)

    def part(self, refs: Collection[DetectorRef]) -> Part:
        """Return all that was seen."""
        seen = {
            ref: [Seen(self._window[place].index, self._looks[place][ref]) for place in sorted(self._looks)]
            for ref in refs
        }
        return Part(seen, self._window[-1].index + 1, self._window[-1].at_s)


def _plans(pictures: Iterable[Sample], settings: ScanSettings, done: int) -> Iterator[_Plan]:
    gate, left = MotionGate(), iter(pictures)
    while window := list(islice(left, settings.window)):
        open_at = [gate.decide(sample.brightness, sample.at_s).look for sample in window]
        if window[-1].index >= done:
            yield _Plan(window, open_at, settings)


def _look(plans: Iterable[_Plan], eyes: Eyes) -> None:
    """Look at what several windows want, together."""
    plans = [plan for plan in plans if plan.wanted]
    looks = iter(_looks_at([rgb for plan in plans for rgb in plan.pictures()], eyes))
    for plan in plans:
        plan.take(list(islice(looks, len(plan.wanted))), eyes)


def _looks_at(pictures: Sequence[Rgb], eyes: Eyes) -> list[_Look]:
    looks: list[_Look] = []
    for begin in range(0, len(pictures), _BATCH):
        batch = pictures[begin : begin + _BATCH]
        seen = eyes.look(batch)
        looks += [{ref: rounded(each[number]) for ref, each in seen.items()} for number in range(len(batch))]
    return looks


def _shown_by_all(seen: Mapping[DetectorRef, Seen], index: int, eyes: Eyes) -> Shown | None:
    """Return what the picture of this index showed, if all looked at it."""
    if set(seen) != set(eyes.rules) or any(one.frame != index for one in seen.values()):
        return None
    return _shown({ref: one.detections for ref, one in seen.items()}, eyes)


def _shown(look: _Look, eyes: Eyes) -> Shown:
    every = [(one, _over(one, eyes.rules[ref])) for ref, seen in look.items() for one in seen]
    surely = [one for one, over in every if over >= 0.0]
    almost = [one for one, over in every if -TrackSettings.birth_margin <= over < 0.0]
    return Shown(surely, [*surely, *almost], [one for one, _ in every])


def _over(one: Detection, rules: Mapping[str, LabelRule]) -> float:
    """Return by how much a score is over its threshold."""
    return one.score - rules[one.label].threshold if one.label in rules else float("-inf")
