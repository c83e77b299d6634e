"""`worth`: what asking the cloud is worth; baseline: the compressed detector that never asks.

Films are replayed through the camera's whole pipeline with the full detector, with the compressed one, and
with the compressed one that may ask: a crowd as it was recorded, and persons cut out of it who come one by
one (`bench/composing`), those of each part of the recording in a film of their own. Truth here is what the
full detector's pipeline tells: an event that only one of two pipelines tells of is an error. Pictures are
sent as the camera sends them, a part or the whole in 320 px as JPEG, and answered as the cloud answers two
frames later. Detectors are taught on different frames. Beside their compressed forms one that errs more is
tried: the starter bundle, a stock SSD in int8. Each film is watched in several passes, in which pictures come
some other milliseconds early or late; a trial is all of them.

Two processes share the work; whenever one is through with a film, the result so far is kept.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from bench.asking.compare import Errors, Replay, compare
from bench.asking.replay import FullEyes, Remembering, cloud_of, replay
from bench.composing.cuttings import PARTS, Cuttings, read_passages
from bench.composing.film import write_film
from bench.composing.script import write_script
from bench.creating.lessons import read_lessons, tell
from bench.creating.teach import teach
from bench.result import Metric, Result
from cloud.detector.files import load_detector, save_detector
from cloud.detector.full import FullDetector
from cloud.training.config import TrainConfig
from compress.effort import QUICK
from compress.run import Budget, compress
from edge_agent.clock import SystemClock
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import LabelRule, label_rules
from edge_agent.runtime.profiles import load_profile
from edge_agent.starter.location import starter_bundle_path

PROFILE = "pi-zero-2w"
SETS = 2
STOCK = "stock"
FILM_MINUTES, FILM_STILL_MIN = 5.0, 0.5
MOST_SENT = 0.02
PASSES = 2
_PROCESSES = 2
_LABEL = "person"


@dataclass(frozen=True)
class Pass:
    """What three pipelines told of a film: the full detector's, a compressed one's, and the one that asks."""

    truth: Replay
    alone: Replay
    asking: Replay


@dataclass(frozen=True)
class Trial:
    """One compressed detector and one film."""

    film: str
    small: str
    passes: tuple[Pass, ...]

    @property
    def events(self) -> int:
        """Return how many events the full detector's pipeline told of."""
        return sum(len(one.truth.events) for one in self.passes)

    @property
    def alone(self) -> Errors:
        """Return what the compressed detector that never asks told wrong."""
        return _summed([compare(one.truth, one.alone) for one in self.passes])

    @property
    def asking(self) -> Errors:
        """Return what the one that may ask told wrong."""
        return _summed([compare(one.truth, one.asking) for one in self.passes])


@dataclass(frozen=True)
class Taught:
    """The detector that one set of frames taught, and its compressed forms by name; all as files."""

    full: Path
    smalls: Mapping[str, Path]


def run(*, quick: bool = False) -> Result:
    """Replay with detectors from several sets of frames; `quick` takes one set, and the stock bundle only."""
    load = os.getloadavg()[0]
    clip = read_lessons("persons").sets[0][0].source.path
    with (
        tempfile.TemporaryDirectory() as name,
        ProcessPoolExecutor(_PROCESSES, get_context("spawn"), initializer=_one_thread) as pool,
    ):
        folder, numbers = Path(name), range(1 if quick else SETS)
        lessons = [pool.submit(_teach, number, folder, quick=quick) for number in numbers]
        films = _films(clip, folder)
        looks = [
            pool.submit(_try, lesson.result(), film, path)
            for lesson in lessons
            for film, path in films.items()
        ]
        trials: list[Trial] = []
        for done, look in enumerate(as_completed(looks), start=1):
            trials += look.result()
            result = _result(trials, load, len(looks) - done)
            tell(f"{done} of {len(looks)} films are through")
            if not quick:
                result.write(SystemClock())
    return result


def _result(trials: Sequence[Trial], load: float, films_left: int) -> Result:
    metrics: dict[str, Metric] = {
        "errors_alone": sum(trial.alone.all for trial in trials),
        "errors_asking": sum(trial.asking.all for trial in trials),
        "trials": [_told(trial) for trial in trials],
        "films_left": films_left,
        "load_before": load,
    }
    notes = (
        f"goals: recovered at least 0.5 while at most {MOST_SENT:g} of the frames are sent",
        "truth is what the full detector's own pipeline tells of the film, not what a person would",
        "how often to ask was chosen on `crowd` and `one_by_one_tune`, not on `one_by_one_report`",
    )
    by_film: dict[str, Metric] = {
        name: _recovered([one for one in trials if one.film == name])
        for name in sorted({one.film for one in trials})
    }
    ratios: dict[str, Metric] = {
        "recovered": _recovered(trials),
        "recovered_by_film": by_film,
        "sent": _sent(trials) / sum(one.asking.frames for trial in trials for one in trial.passes),
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
        write_film(write_script(some, ("whole",), FILM_MINUTES, FILM_STILL_MIN), Cuttings(clip, some), path)
    return films


def _one_thread() -> None:
    """Let a process of the pool use one core."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _teach(number: int, folder: Path, *, quick: bool) -> Taught:
    """Teach on one set of frames, and compress what came of it; in a process of the pool."""
    lessons = read_lessons("persons")
    tell(f"teaching on set {number}")
    full, _, _ = teach(lessons.sets[number], lessons.classes, TrainConfig())
    out = folder / str(number)
    save_detector(full, out / "full")
    smalls = {STOCK: starter_bundle_path()} if number == 0 else {}
    if not quick:
        tell(f"compressing what set {number} taught for {PROFILE}")
        smalls[f"set_{number}"] = compress(
            full, load_profile(PROFILE), out / "small", Budget(effort=QUICK)
        ).chosen
    return Taught(out / "full", smalls)


def _try(taught: Taught, film: str, path: Path) -> list[Trial]:
    """Return the trials of one film; in a process of the pool."""
    full = load_detector(taught.full)
    tell(f"{film}: watching with the full detector of set {taught.full.parent.name}")
    cloud, eyes = cloud_of(full), Remembering(FullEyes(full))
    truths = [replay(path, eyes, _rules_of(full), seed=seed) for seed in range(PASSES)]
    trials = []
    for name, bundle in taught.smalls.items():
        tell(f"{film}: watching with {name}, alone and asking")
        with closing(BundleDetector.open(bundle)) as detector:
            rules = {slug: rule for slug, rule in label_rules(detector).items() if slug == _LABEL}
            small = Remembering(detector)
            passes = [
                Pass(
                    truth,
                    replay(path, small, rules, seed=seed),
                    replay(path, small, rules, cloud, seed=seed),
                )
                for seed, truth in enumerate(truths)
            ]
        trials.append(Trial(film, name, tuple(passes)))
    return trials


def _summed(errors: Sequence[Errors]) -> Errors:
    return Errors(sum(one.missed for one in errors), sum(one.false for one in errors))


def _rules_of(full: FullDetector) -> dict[str, LabelRule]:
    return {
        label.slug: LabelRule(label.slug, label.name, label.threshold, full.ref)
        for label in full.labels
        if label.slug == _LABEL
    }


def _told(trial: Trial) -> Metric:
    return {
        "film": trial.film,
        "compressed": trial.small,
        "events_of_full": trial.events,
        "missed_alone": trial.alone.missed,
        "false_alone": trial.alone.false,
        "missed_asking": trial.asking.missed,
        "false_asking": trial.asking.false,
        "sent": _sent([trial]),
        "sent_bytes": sum(one.asking.sent_bytes for one in trial.passes),
        "frames": sum(one.asking.frames for one in trial.passes),
    }


def _sent(trials: Sequence[Trial]) -> int:
    return sum(one.asking.sent for trial in trials for one in trial.passes)
