"""`worth`: what asking the cloud is worth; baseline: the compressed detector that never asks.

Films are replayed through the camera's whole pipeline with the full detector, with the compressed one, and
with the compressed one that may ask: a crowd as it was recorded, and persons cut out of it who come one by
one (`bench/composing`), those of each part of the recording in a film of their own. Truth here is what the
full detector's pipeline tells: an event that only one of two pipelines tells of is an error. Pictures are
sent as the camera sends them, a part or the whole in 320 px as JPEG, and answered as the cloud answers two
frames later. Detectors are taught on different frames. Beside their compressed forms one that errs more is
tried: the starter bundle, a stock SSD in int8.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.composing.cuttings import PARTS, Cuttings, read_passages
from bench.composing.film import write_film
from bench.composing.script import write_script
from bench.creating.lessons import Lessons, read_lessons, tell
from bench.creating.teach import teach
from bench.result import Metric, Result
from cloud.detector.full import FullDetector
from cloud.offload.gathered import OnnxTrunks, Question, detect_each
from cloud.offload.pictures import decoded
from cloud.training.config import TrainConfig
from compress.effort import QUICK
from compress.run import Budget, compress
from edge_agent.camera.open_source import open_source
from edge_agent.errors import ElfowlError
from edge_agent.offload.client import cut
from edge_agent.pipeline.boxes import iou
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.decide import OffloadPermit
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import Detector, LabelRule, label_rules
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.pipeline.result import Conditions, OffloadWanted
from edge_agent.report.snapshots import encode_jpeg, shrink
from edge_agent.runtime.profiles import load_profile
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection
from edge_agent.wire.offload import OffloadReply

PROFILE = "pi-zero-2w"
SETS = 3
STOCK = "stock"
FILM_MINUTES, FILM_STILL_MIN = 5.0, 0.5
SENT_PX, JPEG_QUALITY = 320, 80
ANSWER_FRAMES = 2
MOST_SENT = 0.02
_LABEL = "person"
_MIN_IOU = 0.3
_MIN_SHARED = 0.5
"""Of the shorter of two events: so long they must show the same thing to count as the same."""

Course = dict[int, XyxyNorm]
"""Where the thing of one event was, by frame."""


@dataclass(frozen=True)
class Replay:
    """What one pipeline told: the course of each event, and how many pictures it sent of how many."""

    events: tuple[Course, ...]
    sent: int
    sent_bytes: int
    frames: int


@dataclass(frozen=True)
class Errors:
    """Events that only one of two pipelines tells of."""

    missed: int
    false: int

    @property
    def all(self) -> int:
        """Return how many there are."""
        return self.missed + self.false


@dataclass(frozen=True)
class Trial:
    """One detector and one film: errors of a compressed form alone, and of the one that may ask."""

    film: str
    small: str
    events: int
    alone: Errors
    asking: Errors
    replay: Replay


def run(*, quick: bool = False) -> Result:
    """Replay with detectors from several sets of frames; `quick` takes one set, and the stock bundle only."""
    load = os.getloadavg()[0]
    lessons = read_lessons("persons")
    with tempfile.TemporaryDirectory() as folder:
        films = _films(lessons.sets[0][0].source.path, Path(folder))
        trials = [
            trial
            for number in range(1 if quick else SETS)
            for trial in _try(lessons, number, films, Path(folder), quick=quick)
        ]
    metrics: dict[str, Metric] = {
        "errors_alone": sum(trial.alone.all for trial in trials),
        "errors_asking": sum(trial.asking.all for trial in trials),
        "trials": [_told(trial) for trial in trials],
        "load_before": load,
    }
    notes = (
        f"goals: recovered at least 0.5 while at most {MOST_SENT:g} of the frames are sent",
        "truth is what the full detector's own pipeline tells of the film, not what a person would",
        "how often to ask was chosen on `crowd` and `one_by_one_tune`, not on `one_by_one_report`",
    )
    by_film: dict[str, Metric] = {
        name: _recovered([one for one in trials if one.film == name]) for name in films
    }
    ratios: dict[str, Metric] = {
        "recovered": _recovered(trials),
        "recovered_by_film": by_film,
        "sent": sum(one.replay.sent for one in trials) / sum(one.replay.frames for one in trials),
    }
    return Result("worth", "the compressed detector that never asks", metrics, ratios, notes)


def _recovered(trials: Sequence[Trial]) -> float | None:
    """Return the share of the errors that asking mended; less than nothing if it made more."""
    alone = sum(trial.alone.all for trial in trials)
    return 1 - sum(trial.asking.all for trial in trials) / alone if alone else None


def _films(clip: Path, folder: Path) -> dict[str, Path]:
    """Return the films by their names."""
    films = {"crowd": clip}
    passages = read_passages()
    for part in PARTS:
        some = [passage for passage in passages if passage.part == part]
        tell(f"writing a film of {len(some)} persons, one by one")
        path = films[f"one_by_one_{part}"] = folder / f"{part}.mp4"
        frames = {frame for passage in some for frame in passage.frames}
        write_film(write_script(some, ("whole",), FILM_MINUTES, FILM_STILL_MIN), Cuttings(clip, frames), path)
    return films


def _try(
    lessons: Lessons, number: int, films: Mapping[str, Path], folder: Path, *, quick: bool
) -> list[Trial]:
    """Return the trials of the detector that one set of frames teaches."""
    tell(f"teaching on set {number}")
    full, _, _ = teach(lessons.sets[number], lessons.classes, TrainConfig())
    smalls = {STOCK: starter_bundle_path()} if number == 0 else {}
    if not quick:
        tell(f"compressing for {PROFILE}")
        out = folder / str(number)
        smalls[f"set_{number}"] = compress(full, load_profile(PROFILE), out, Budget(effort=QUICK)).chosen
    trials = []
    for film, path in films.items():
        tell(f"{film}: watching with the full detector, compressed ones, and those asking")
        truth = _replay(path, _Full(full), _rules_of(full))
        for name, bundle in smalls.items():
            with closing(BundleDetector.open(bundle)) as small:
                rules = {slug: rule for slug, rule in label_rules(small).items() if slug == _LABEL}
                alone, asking = _replay(path, small, rules), _replay(path, small, rules, cloud=full)
            errors = compare(truth, alone), compare(truth, asking)
            trials.append(Trial(film, name, len(truth.events), *errors, asking))
    return trials


def _rules_of(full: FullDetector) -> dict[str, LabelRule]:
    return {
        label.slug: LabelRule(label.slug, label.name, label.threshold, full.ref)
        for label in full.labels
        if label.slug == _LABEL
    }


class _Full:
    """The full detector in a camera's place."""

    def __init__(self, detector: FullDetector) -> None:
        self._detector = detector

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what is seen in `(h, w, 3) uint8 RGB`."""
        return self._detector.detect_many([rgb], score_floor=min_score)[0]


def _replay(
    clip: Path, detector: Detector, rules: Mapping[str, LabelRule], cloud: FullDetector | None = None
) -> Replay:
    """Return what a camera's pipeline, as it is set by default, tells of a clip."""
    identity = CameraIdentity("bench", "clip", "boot")
    rng = random.Random(0)  # noqa: S311 - ids of events
    pipeline = CameraPipeline(identity, detector, rules, rng=rng)
    courses: dict[str, Course] = defaultdict(dict)
    waiting: _Waiting | None = None
    frames = sent = sent_bytes = 0
    with closing(open_source(str(clip), real_time=False)) as source:
        for frame in source:
            frames += 1
            if waiting is not None and waiting.frames_left == 0 and cloud is not None:
                reply = _reply(cloud, waiting)
                pipeline.apply_offload(
                    waiting.wanted, reply, time_s=frame.time_s, monotonic_s=frame.monotonic_s
                )
                waiting = None
            permit = OffloadPermit(allowed=cloud is not None, in_flight=waiting is not None)
            result = pipeline.process(frame, Conditions(permit=permit))
            if waiting is not None:
                waiting.frames_left -= 1
            if result.offload_wanted is not None:
                waiting = _Waiting(result.offload_wanted, _sent(result.offload_wanted), ANSWER_FRAMES)
                sent, sent_bytes = sent + 1, sent_bytes + len(waiting.jpeg)
            for seen in result.in_view:
                if seen.event_id is not None:
                    courses[seen.event_id][frame.index] = seen.box
    return Replay(tuple(courses.values()), sent, sent_bytes, frames)


@dataclass
class _Waiting:
    """A question on its way."""

    wanted: OffloadWanted
    jpeg: bytes
    frames_left: int


def _sent(wanted: OffloadWanted) -> bytes:
    """Return the picture as the camera sends it."""
    return encode_jpeg(shrink(cut(wanted.frame.rgb, wanted.crop), SENT_PX), JPEG_QUALITY)


def _reply(cloud: FullDetector, waiting: _Waiting) -> OffloadReply:
    question = Question(cloud, decoded(waiting.jpeg), part=waiting.wanted.crop)
    (found,) = detect_each([question], OnnxTrunks())
    if isinstance(found, ElfowlError):
        raise found
    return OffloadReply(request_id="benchmark", detector=cloud.ref, detections=tuple(found), inference_ms=0.0)


def compare(truth: Replay, told: Replay) -> Errors:
    """Return what a pipeline told wrong: events are paired greedily, the longest in common first."""
    pairs = sorted(
        (
            (shared, one, other)
            for one, ours in enumerate(truth.events)
            for other, theirs in enumerate(told.events)
            if (shared := _shared(ours, theirs)) >= _MIN_SHARED * min(len(ours), len(theirs))
        ),
        reverse=True,
    )
    ours_found: set[int] = set()
    theirs_found: set[int] = set()
    for _, one, other in pairs:
        if one not in ours_found and other not in theirs_found:
            ours_found.add(one)
            theirs_found.add(other)
    return Errors(len(truth.events) - len(ours_found), len(told.events) - len(theirs_found))


def _shared(ours: Course, theirs: Course) -> int:
    """Return in how many frames two events are in the same place."""
    return sum(iou(ours[frame], theirs[frame]) >= _MIN_IOU for frame in ours.keys() & theirs.keys())


def _told(trial: Trial) -> Metric:
    return {
        "film": trial.film,
        "compressed": trial.small,
        "events_of_full": trial.events,
        "missed_alone": trial.alone.missed,
        "false_alone": trial.alone.false,
        "missed_asking": trial.asking.missed,
        "false_asking": trial.asking.false,
        "sent": trial.replay.sent,
        "sent_bytes": trial.replay.sent_bytes,
        "frames": trial.replay.frames,
    }
