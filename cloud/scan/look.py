"""Goes through a recording, window by window: the gate, the plan, the looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from cloud.scan.eyes import Eyes
from cloud.scan.plan import BEFORE, ScanSettings, Shown, first_looks, next_looks
from cloud.scan.recording import Sample
from cloud.watch.kept import Seen
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.gate import MotionGate
from edge_agent.wire.detection import Detection, DetectorRef

_BATCH = 8
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
    gate, left = MotionGate(), iter(pictures)
    last_seen, last_index = before or {}, -1
    while window := list(islice(left, settings.window)):
        open_at = [gate.decide(sample.brightness, sample.at_s).look for sample in window]
        if window[-1].index >= done:
            shown = _shown_before(last_seen, last_index, eyes)
            looks = _look_at(window, open_at, eyes, settings, shown)
            seen = {
                ref: [Seen(window[place].index, looks[place][ref]) for place in sorted(looks)]
                for ref in eyes.rules
            }
            last_seen = {ref: every[-1] for ref, every in seen.items() if every}
            yield Part(seen, window[-1].index + 1, window[-1].at_s)
        last_index = window[-1].index


def look_at_each(pictures: Iterable[Sample], eyes: Eyes) -> Iterator[tuple[Sample, dict[DetectorRef, Seen]]]:
    """Look at every picture."""
    left = iter(pictures)
    while batch := list(islice(left, _BATCH)):
        looks = eyes.look([sample.rgb for sample in batch])
        for place, sample in enumerate(batch):
            yield sample, {ref: Seen(sample.index, rounded(seen[place])) for ref, seen in looks.items()}


def sure(detections: Sequence[Detection], rules: Mapping[str, LabelRule]) -> list[Detection]:
    """Return the detections that reach the thresholds of their labels."""
    return [one for one in detections if one.label in rules and one.score >= rules[one.label].threshold]


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


def _shown_before(seen: Mapping[DetectorRef, Seen], index: int, eyes: Eyes) -> dict[int, Shown]:
    """Return what the picture of this index showed, if all looked at it."""
    if set(seen) != set(eyes.rules) or any(one.frame != index for one in seen.values()):
        return {}
    return {BEFORE: _shown({ref: one.detections for ref, one in seen.items()}, eyes)}


def _shown(look: _Look, eyes: Eyes) -> Shown:
    surely = [one for ref, seen in look.items() for one in sure(seen, eyes.rules[ref])]
    return Shown(surely, [one for seen in look.values() for one in seen])


def _look_at(
    window: Sequence[Sample],
    open_at: Sequence[bool],
    eyes: Eyes,
    settings: ScanSettings,
    shown: dict[int, Shown],
) -> dict[int, _Look]:
    looks: dict[int, _Look] = {}
    wanted = first_looks(open_at, settings.stride, after_look=BEFORE in shown)
    while wanted:
        for begin in range(0, len(wanted), _BATCH):
            places = wanted[begin : begin + _BATCH]
            answers = eyes.look([window[place].rgb for place in places])
            for number, place in enumerate(places):
                looks[place] = {ref: rounded(seen[number]) for ref, seen in answers.items()}
                shown[place] = _shown(looks[place], eyes)
        wanted = next_looks(open_at, shown, settings)
    return looks
