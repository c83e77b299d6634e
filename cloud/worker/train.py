"""Trains the next version of a detector from what the store holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloud.actions.detectors import version_path
from cloud.actions.frozen import SetApart, check_no_leak, set_apart, write_split
from cloud.actions.lessons import Material, gather
from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledFrame
from cloud.datasets.split import FEW_FRAMES, hold_out
from cloud.detector.files import save_detector
from cloud.store import detectors
from cloud.store.files import remove_tree, storing, write_file
from cloud.training.config import Progress as TrainProgress
from cloud.training.config import TrainConfig
from cloud.training.evaluate import evaluate
from cloud.training.fit import TrainResult, fit
from cloud.training.presence import fit_presence
from cloud.training.race import RACE_FROM_S, can_race, race
from cloud.training.verdict import RaceReport
from cloud.worker.compare import compare_with_used, keep_comparison, summary
from cloud.worker.learn_on import learn_on
from cloud.worker.progress import Cancelled, Listener, Progress, never, to_nobody
from edge_agent.wire.detection import DetectorRef

METRICS_FILE = "metrics.json"
SPLIT_FILE = "split.json"
_MOST_THREADS = 4
_LEARNED_SHARE = 0.99


def train(
    home: Home,
    reference: str,
    *,
    budget_s: float | None = None,
    seed: int | None = None,
    keep_trunk: bool = False,
    progress: Listener = to_nobody,
    cancelled: Cancelled = never,
) -> dict[str, Any]:
    """Train the next version of a detector, store it, and return what was measured.

    Args:
        home: Where everything lies.
        reference: Id or name of the detector.
        budget_s: Seconds after which learning is brought to an end; none leaves it to the recipe. With 30 or
            more, subnets are raced.
        seed: The same seed and examples give the same detector, as long as the budget is not reached.
        keep_trunk: Go on from the newest version and change its head only, which is what cameras then fetch.
        progress: Told how far it is.
        cancelled: Asked several times a second.

    Raises:
        NotFoundError: There is no such detector.
        TrainingError: The examples do not give a detector.
        CancelledError: `cancelled` said so.
        StorageError: The disk is full.
    """
    apart = set_apart(home, gather(home, reference))
    check_no_leak(apart)
    material = apart.material
    config = _config(home, material.ref, budget_s, seed)
    race_report = None
    if material.kind == "presence":
        result = fit_presence(*_lesson(material, config, progress, cancelled), clock=home.clock)
    elif keep_trunk:
        result = learn_on(home, apart, config, lambda now: progress(_as_ours(now)), cancelled)
    elif budget_s is not None and budget_s >= RACE_FROM_S and can_race(material.frames):
        raced = race(*_lesson(material, config, progress, cancelled), clock=home.clock)
        result, race_report = raced.result, raced.report
    else:
        result = fit(*_lesson(material, config, progress, cancelled), clock=home.clock)
    figures = {} if result.quality is None else {"ap50": result.quality.ap50}
    progress(Progress("measuring", _LEARNED_SHARE, "measuring the new version", None, figures))
    return _keep(home, apart, result, race_report)


_Lesson = tuple[
    Sequence[LabelledFrame], Sequence[str], TrainConfig, Callable[[TrainProgress], None], Cancelled
]


def _lesson(material: Material, config: TrainConfig, progress: Listener, cancelled: Cancelled) -> _Lesson:
    """Return what `fit` and `race` both take."""
    return material.frames, material.classes, config, lambda now: progress(_as_ours(now)), cancelled


def _config(home: Home, ref: DetectorRef, budget_s: float | None, seed: int | None) -> TrainConfig:
    threads = max(1, min(_MOST_THREADS, os.cpu_count() or 1))
    config = TrainConfig(ref=ref, threads=threads, cache_dir=home.settings.cache_path / "features")
    if budget_s is not None:
        config = replace(config, budget_s=budget_s)
    return config if seed is None else replace(config, seed=seed)


def _keep(home: Home, apart: SetApart, result: TrainResult, race_report: RaceReport | None) -> dict[str, Any]:
    material = apart.material
    quality = evaluate(result.detector, material.test_frames) if material.test_frames else result.quality
    measured = {} if quality is None else quality.model_dump(mode="json")
    compared = compare_with_used(home, result.detector, apart)
    metrics = {
        **measured,
        "seconds": round(result.seconds, 2),
        "frames": len(material.frames),
        "kept_out": apart.kept_out,
        "compared": None if compared is None else summary(compared),
        "race": None if race_report is None else race_report.model_dump(mode="json"),
    }
    folder = version_path(home.settings, material.ref.id, material.ref.version)
    try:
        with storing(folder):
            write_file(folder / METRICS_FILE, json.dumps(metrics, indent=1).encode())
            write_file(folder / SPLIT_FILE, json.dumps(_held_out(home, material)).encode())
            save_detector(result.detector, folder)
            if compared is not None:
                keep_comparison(home, material.ref.id, compared)
            write_split(home, material.ref.id, apart.split.with_taught(material.ref.version, apart.marks))
    except BaseException:
        remove_tree(folder)
        raise
    with home.database.write(durable=True) as session:
        detectors.add_version(
            session,
            detector_id=material.ref.id,
            version=material.ref.version,
            metrics=metrics,
            now_s=home.clock.now_s(),
        )
        detectors.add_labels(session, material.ref.id, material.classes)
    return {"detector": material.ref.id, "version": material.ref.version, **metrics}


def _held_out(home: Home, material: Material) -> list[list[Any]]:
    """Return which frames the network did not learn from, so that compression can be measured on them."""
    if len(material.frames) < FEW_FRAMES:
        return []
    kept = hold_out(material.frames).held_out
    return [source_key(home.settings.home, material.frames[number]) for number in kept]


def source_key(home: Path, frame: LabelledFrame) -> list[Any]:
    """Return where a frame's pixels are, as JSON that survives a move of the home folder."""
    return [str(frame.source.path.relative_to(home)), frame.source.frame_index]


def held_out_frames(home: Path, folder: Path, frames: Sequence[LabelledFrame]) -> list[LabelledFrame]:
    """Return those of `frames` that the version in `folder` did not learn from."""
    try:
        kept = json.loads((folder / SPLIT_FILE).read_bytes())
    except (OSError, ValueError):
        return []
    return [frame for frame in frames if source_key(home, frame) in kept]


def _as_ours(progress: TrainProgress) -> Progress:
    figures = {} if progress.loss is None else {"loss": progress.loss}
    return Progress(progress.stage, progress.fraction, progress.message, progress.seconds_left, figures)
