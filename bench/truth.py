"""`truth`: do events tell who came? An hour composed of real footage, through the camera's whole pipeline.

The film is written as a video file and read as a camera's file is; time is the film's, so an hour takes
minutes. What the film is made of, and what is not real in it, stands in `bench/composing`.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.composing.cuttings import Cuttings, read_passages
from bench.composing.film import write_film
from bench.composing.script import Appearance, Kind, Script, write_script
from bench.creating.lessons import tell
from bench.following.sequences import LABEL
from bench.result import Metric, Result
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from edge_agent.camera.open_source import open_source
from edge_agent.pipeline.boxes import inside, iou
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import label_rules
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.starter.location import starter_bundle_path
from edge_agent.wire.base import XyxyNorm

MINUTES, STILL_MIN = 60.0, 25.0
QUICK_MINUTES, QUICK_STILL_MIN = 13.0, 4.0
_MIN_IOU = 0.25
_MIN_INSIDE = 0.6
"""Of an event's box that lies in a person's: a part of a person seen is that person."""

_NOTES = (
    "film: persons cut out of vtest.avi, pasted into its empty scene; light drifts by 12 %, dims by 15 %",
    "persons in the middle of the picture come and go at once, as none does in life",
    "detector: the starter bundle; its threshold and int8 ranges were set on frames of this clip below 600",
    "false: a new event where nobody is; repeated: a second one of somebody who was told of already",
)


@dataclass(frozen=True)
class Told:
    """A `new` event: when, seconds from the film's start, and where."""

    at_s: float
    box: XyxyNorm


@dataclass(frozen=True)
class Verdict:
    """What the events of a film are worth.

    Attributes:
        missed: Appearances that no event tells of.
        late_s: Of each one told of, how long after it came into view.
        repeated: Events of somebody who was told of already.
        false: Events where nobody is.
        hours: Length of the film.
    """

    missed: tuple[Appearance, ...]
    late_s: tuple[float, ...]
    repeated: tuple[Told, ...]
    false: tuple[Told, ...]
    hours: float

    @property
    def recall(self) -> float:
        """Return the share of appearances that were told of."""
        return len(self.late_s) / (len(self.late_s) + len(self.missed))

    @property
    def false_an_hour(self) -> float:
        """Return false events an hour."""
        return len(self.false) / self.hours


@dataclass(frozen=True)
class Watched:
    """What came of a film: events, how many pictures there were, and at how many the detector looked."""

    told: tuple[Told, ...]
    pictures: int
    looked: int


def run(*, quick: bool = False) -> Result:
    """Compose, watch, and compare with what is known."""
    script, cuttings = compose(quick=quick)
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        tell(f"writing a film of {script.duration_s / 60:.0f} minutes")
        write_film(script, cuttings, film)
        del cuttings
        tell("watching it")
        watched = watch(film)
    verdict = judge(script, watched.told)
    return Result("truth", "what is known of the film", _metrics(script, watched, verdict), notes=_NOTES)


def compose(*, quick: bool) -> tuple[Script, Cuttings]:
    """Return the script, and what the film is made of."""
    task = find_sample_task("persons")
    cache = Path.home() / ".cache" / "elfowl"
    clip = obtain_clip(task, cache_dir=cache, runner=SystemCommandRunner(), report=tell)
    passages = read_passages()
    kinds: Sequence[Kind] = ("whole", "scene") if quick else ("whole", "half", "scene")
    minutes, still_min = (QUICK_MINUTES, QUICK_STILL_MIN) if quick else (MINUTES, STILL_MIN)
    script = write_script(passages, kinds, minutes, still_min)
    return script, Cuttings(clip, passages)


def watch(film: Path, bundle: Path | None = None) -> Watched:
    """Return the events of a film from the camera's pipeline, as it is set by default."""
    told: list[Told] = []
    pictures = looked = 0
    with closing(BundleDetector.open(bundle or starter_bundle_path())) as detector:
        rules = {slug: rule for slug, rule in label_rules(detector).items() if slug == LABEL}
        pipeline = CameraPipeline(
            CameraIdentity("bench", "film", "boot"),
            detector,
            rules,
            rng=random.Random(0),  # noqa: S311 - ids of events
        )
        with closing(open_source(str(film), real_time=False)) as source:
            start_s = None
            for frame in source:
                start_s = frame.time_s if start_s is None else start_s
                result = pipeline.process(frame)
                pictures, looked = pictures + 1, looked + result.inferred
                told += [Told(e.frame_time - start_s, e.box) for e in result.events if e.event_type == "new"]
    return Watched(tuple(told), pictures, looked)


def judge(script: Script, told: Sequence[Told]) -> Verdict:
    """Compare events with what is known of a film."""
    first: dict[int, Told] = {}
    repeated, false = [], []
    for event in told:
        whose = _whose(script.appearances, event)
        if whose is None:
            false.append(event)
        elif whose in first:
            repeated.append(event)
        else:
            first[whose] = event
    return Verdict(
        missed=tuple(one for i, one in enumerate(script.appearances) if i not in first),
        late_s=tuple(event.at_s - script.appearances[i].shown_s for i, event in first.items()),
        repeated=tuple(repeated),
        false=tuple(false),
        hours=script.duration_s / 3600.0,
    )


def _whose(appearances: Sequence[Appearance], event: Told) -> int | None:
    """Return the index of the appearance that an event tells of."""
    best, whose = 0.0, None
    for index, one in enumerate(appearances):
        box = one.box(event.at_s)
        if box is None:
            continue
        overlap = iou(event.box, box)
        is_inside = inside(event.box, box) >= _MIN_INSIDE
        if overlap > best and (overlap >= _MIN_IOU or is_inside):
            best, whose = overlap, index
    return whose


def _metrics(script: Script, watched: Watched, verdict: Verdict) -> dict[str, Metric]:
    late_s = sorted(verdict.late_s)
    missed = Counter(one.kind for one in verdict.missed)
    return {
        "minutes": script.duration_s / 60.0,
        "still_minutes_in_a_row": (script.still[1] - script.still[0]) / 60.0,
        "appearances": {
            kind: sum(one.kind == kind for one in script.appearances) for kind in ("whole", "half", "scene")
        },
        "recall": verdict.recall,
        "missed": {kind: missed[kind] for kind in ("whole", "half", "scene")},
        "false_an_hour": verdict.false_an_hour,
        "repeated": len(verdict.repeated),
        "told_after_s": {"median": late_s[len(late_s) // 2], "max": late_s[-1]} if late_s else None,
        "looked_share": watched.looked / watched.pictures,
    }
