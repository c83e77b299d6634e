"""`compress`: the full cocktail of two subnets into bundles for all known cameras, on real footage.

Smaller networks are taught once; three small cameras have the goals, of the others is told whether it fits
them. Baselines in the same run: the cocktail in float, the best single subnet with plain int8 quantization,
the stock detector of the starter bundle. All are run by the camera's own code, and timed in turns.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from bench.creating.lessons import Lessons, read_lessons, tell
from bench.creating.teach import teach
from bench.result import Metric, Result, spread
from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_pictures
from cloud.datasets.video import probe
from cloud.detector.full import FullDetector
from cloud.training.config import TrainConfig
from compress.accuracy import average_precision
from compress.bundle import BundleSpec, write_bundle
from compress.effort import EFFORTS, QUICK, Effort
from compress.fits import Fit, fit_table, fits
from compress.forms import FULL
from compress.limits import limits_for
from compress.processes import Child
from compress.result import Result as Compressed
from compress.run import Budget, compress, compress_for
from compress.targets import Target
from compress.terminal import PlainLines
from edge_agent.clock import SystemClock
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.profiles import load_profile, profile_names
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.decode import SCORE_FLOOR
from edge_agent.wire.receipt import Measurement

COCKTAIL = ("efficientnet_lite0", "ssd_mobilenet_v2")
SINGLE = ("ssd_mobilenet_v2",)
PROFILES = ("arm64-128mb", "pi-zero-2w", "pi-4")
"""Those with goals."""

UNLABELLED = 524
"""Frames: those that calibrate int8, and 500 on which answers are compared."""

ROUNDS = 15
_TOLD_OF_FITS = (
    "fits",
    "broken",
    "candidate",
    "form",
    "memory_bytes",
    "memory_limit_bytes",
    "bundles_bytes",
    "storage_bytes",
    "there_ms",
    "there",
)
_PICTURES = 4
_AWAY_S = 1.0
"""Frames nearer to a test frame are not shown to anything that is tuned."""


@dataclass(frozen=True)
class Runner:
    """One bundle that takes its turn: a folder or zip."""

    name: str
    bundle: Path


def run(*, quick: bool = False) -> Result:
    """Teach, compress for all profiles at once, and time everything in turns; `quick` does not search."""
    lessons = read_lessons("persons")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cocktail, single = (_taught(lessons, subnets) for subnets in (COCKTAIL, SINGLE))
        effort = QUICK if quick else EFFORTS["normal"]
        plain, full = _full_bundle(cocktail, folder)
        stock = Runner("stock", starter_bundle_path())
        tell("plain int8 of the single subnet")
        ptq = _compressed(single, "pi-zero-2w", folder / "ptq", QUICK)
        devices = [load_profile(name) for name in profile_names()]
        tell(f"compressing for {len(devices)} profiles")
        targets = [Target(one, limits_for(one), folder / "all" / one.name) for one in devices]
        budget = Budget(effort=effort)
        outcomes = compress_for(cocktail, targets, folder / "all", budget, progress=PlainLines())
        rows = fits(outcomes, devices)
        tell(fit_table(rows))
        found = {name: outcomes[name] for name in PROFILES}
        bundles = {name: one for name, one in found.items() if isinstance(one, Compressed)}
        runners = [full, stock, Runner("ptq", ptq.chosen)]
        runners += [Runner(profile, one.chosen) for profile, one in bundles.items()]
        tell("timing all in turns")
        times_ms = _in_turns(runners, lessons, folder)
        metrics: dict[str, Metric] = {profile: _metrics(one) for profile, one in bundles.items()}
        metrics |= {
            "full": {"bytes": plain.receipt.before.bytes, "ms": spread(times_ms["full"])},
            "full_ptq": _form_metrics(plain),
            "ptq": _form_metrics(ptq),
            "stock": {"bytes": stock.bundle.stat().st_size, "ms": spread(times_ms["stock"])},
            "stock_ap50": _stock_ap50(cocktail),
            "tried": [_short(row) for row in next(iter(outcomes.values())).receipt.tried],
            "fits": {row.profile: _fit(row) for row in rows},
        }
    return Result(
        "compress",
        "the full cocktail (Lite0 and SSD trunk) in float on ONNX Runtime, one thread",
        metrics,
        {profile: _ratios(profile, one, times_ms) for profile, one in bundles.items()},
        (
            f"effort {effort.name}, {len(cocktail.examples)} frames over {_AWAY_S:g} s from test frames",
            "processor time of one thread here, no camera was run; medians of rounds in which all took turns",
            "one teaching for all profiles; in `fits` memory and bytes are measured, times as `there` says",
        ),
    )


def _taught(lessons: Lessons, subnets: tuple[str, ...]) -> FullDetector:
    tell(f"teaching on {' and '.join(subnets)}")
    config = replace(TrainConfig(), subnets=subnets)
    detector, _, _ = teach(lessons.sets[0], lessons.classes, config)
    return replace(detector, examples=_unlabelled(lessons), test_frames=lessons.test)


def _unlabelled(lessons: Lessons) -> tuple[LabelledFrame, ...]:
    """Return frames of the clip that are not near a test frame, as if nobody had looked at them."""
    first = lessons.sets[0][0]
    clip = probe(first.source.path)
    tests = [frame_number(frame.source.path) for frame in lessons.test]
    return tuple(
        replace(first, source=replace(first.source, frame_index=number), boxes=())
        for number in frames_away(clip.frames, tests, _AWAY_S * clip.fps)
    )


def frames_away(count: int, tests: Sequence[int], gap: float) -> list[int]:
    """Return up to `UNLABELLED` numbers below `count`, evenly spread, farther than `gap` from every test."""
    away = [number for number in range(count) if all(abs(number - test) > gap for test in tests)]
    few = min(UNLABELLED, len(away))
    return [away[place * len(away) // few] for place in range(few)]


def frame_number(unpacked: Path) -> int:
    """Return the number of a frame that was unpacked, from its file's name `clip.avi#000123.png`."""
    return int(unpacked.stem.rsplit("#", 1)[1])


def _compressed(detector: FullDetector, profile: str, out: Path, effort: Effort) -> Compressed:
    tell(f"compressing for {profile}")
    return compress(detector, load_profile(profile), out, Budget(effort=effort), progress=PlainLines())


def _full_bundle(cocktail: FullDetector, folder: Path) -> tuple[Compressed, Runner]:
    """Return the cocktail's plain int8, and its float network as a bundle that the camera's code runs."""
    tell("the full cocktail in float")
    device = load_profile("pi-4")
    budget = Budget(files=("onnx-float",))
    made = compress(cocktail, device, folder / "full", budget, progress=PlainLines())
    spec = BundleSpec(cocktail, FULL, device, 1, SystemClock().now_s())
    write_bundle(folder / "full_bundle", spec, made.receipt_file.parent / "files" / "float.onnx")
    return made, Runner("full", folder / "full_bundle")


def _in_turns(runners: Sequence[Runner], lessons: Lessons, folder: Path) -> dict[str, list[float]]:
    """Return the milliseconds of each runner's network, one number a round: the median of a few pictures."""
    pictures = folder / "pictures.npy"
    sources = [frame.source for frame in lessons.test[:: len(lessons.test) // _PICTURES][:_PICTURES]]
    np.save(pictures, np.stack([rgb for _, rgb in read_pictures(sources)]))
    times_ms: dict[str, list[float]] = {runner.name: [] for runner in runners}
    with _cameras(runners, folder) as cameras:
        for turn in range(ROUNDS + 1):
            for runner, camera in zip(runners, cameras, strict=True):
                job = {"do": "time", "bundle": str(runner.bundle), "threads": 1}
                found = camera.ask(job | {"pictures": str(pictures), "count": _PICTURES})["inference_ms"]
                if turn:  # the first warms up
                    times_ms[runner.name].append(median(found))
    return times_ms


@contextmanager
def _cameras(runners: Sequence[Runner], folder: Path) -> Iterator[list[Child]]:
    cameras = [Child("compress.camera_process", folder / f"{runner.name}.log") for runner in runners]
    try:
        yield cameras
    finally:
        for camera in cameras:
            camera.close()


def _metrics(one: Compressed) -> dict[str, Metric]:
    return _form_metrics(one) | {
        "ap50_full": one.receipt.before.ap50,
        "seconds": one.receipt.seconds["total"],
    }


def _fit(row: Fit) -> dict[str, Metric]:
    """Return whether a device's limits are kept, and what was held against them."""
    told = row.to_json_dict()
    told["broken"] = "; ".join(row.broken)
    return {name: told[name] for name in _TOLD_OF_FITS}


def _short(row: Measurement) -> dict[str, Metric]:
    return {
        "candidate": row.candidate or "as it is",
        "form": row.form,
        "bytes": row.bytes,
        "macs": row.macs,
        "ms": row.ms_p50,
        "ap50": row.ap50,
        "agreement_f1": row.agreement_f1,
    }


def _form_metrics(one: Compressed) -> dict[str, Metric]:
    row = _chosen(one)
    return {
        "candidate": row.candidate or "as it is",
        "form": row.form,
        "bytes": row.bundle_bytes,
        "network_bytes": row.bytes,
        "ms": row.ms_p50,
        "ms_p99": row.ms_p99,
        "peak_rss_bytes": row.peak_memory_bytes,
        "ap50": row.ap50,
        "ap50_change_95": list(row.ap50_change_95 or ()),
        "agreement_f1": row.agreement_f1,
        "agreement_95": list(row.agreement_95 or ()),
        "agreement_images": row.agreement_images,
    }


def _ratios(profile: str, one: Compressed, times_ms: dict[str, list[float]]) -> dict[str, Metric]:
    row = _chosen(one)
    return {
        "smaller": one.receipt.before.bytes / row.bytes,
        "smaller_as_bundle": one.receipt.before.bytes / (row.bundle_bytes or row.bytes),
        "faster": faster(times_ms, profile, "full"),
        "faster_than_ptq": faster(times_ms, profile, "ptq"),
        "faster_than_stock": faster(times_ms, profile, "stock"),
    }


def faster(times_ms: dict[str, list[float]], ours: str, base: str) -> dict[str, Metric]:
    """Return by how much one runner is faster than another, round by round."""
    return spread([one / two for two, one in zip(times_ms[ours], times_ms[base], strict=True)])


def _chosen(one: Compressed) -> Measurement:
    return next(row for row in one.receipt.after if row.form == one.receipt.chosen)


def _stock_ap50(cocktail: FullDetector) -> float | None:
    """Return the stock detector's AP50 on the same test frames, its persons as ours."""
    stock, ours = BundleDetector.open(starter_bundle_path()), cocktail.labels[0].slug
    found = [
        [
            one.model_copy(update={"label": ours})
            for one in stock.detect(picture.rgb(), min_score=SCORE_FLOOR)
            if one.label == "person"
        ]
        for picture in cocktail.held_out_pictures()
    ]
    truth = [picture.truth for picture in cocktail.held_out_pictures()]
    precision = average_precision(truth, found, cocktail.labels)
    return None if precision is None else precision[0]
