"""`gate`: what the motion gate saves in a still scene, and whether it costs an event.

Work is processor time of reading a file as a camera's and of its pipeline, the starter bundle in it, for
each second of footage. Busy is `vtest.avi` itself, where somebody always walks; still is its empty scene
(the middle of its frames) with a camera's noise. For missed events, stretches of the clip stand between still
ones; the events with the gate are compared with those when every picture is looked at.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import av
import cv2  # noqa: TID253 - benchmarks start at leisure
import numpy as np

from bench.result import Metric, Result, spread
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from edge_agent.camera.open_source import open_source
from edge_agent.pipeline.boxes import iou
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import Detector, label_rules
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.pipeline.gate import GateSettings
from edge_agent.pipeline.result import PipelineSettings
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.event import Event

WIDTH_PX, HEIGHT_PX, CAMERA_FPS, FPS = 480, 360, 10, 5.0
STRETCHES = ((0, 100), (180, 280), (360, 460), (540, 640))
"""Frames of the clip that come between still stretches."""

_STILL_S, _BETWEEN_S = 120, 25
_NOISE = 1.0
"""Grey levels; two pictures of the clip differ by 2 at nine of ten places, those where somebody walks too."""

_NOISES = 24
_REPEATS = 2
_CODEC = {"preset": "veryfast", "crf": "23", "g": "20", "tune": "zerolatency"}
_LEAST_IOU = 0.3
_LEAST_TOGETHER_S = 1.5

_NOTES = (
    f"{WIDTH_PX} x {HEIGHT_PX}, H.264, {CAMERA_FPS} pictures a second, of which {FPS:g} are looked at",
    "processor time of decoding and pipeline together, in one thread each",
    f"still: the middle of the clip's frames, with noise of {_NOISE:g} grey level, fresh in each picture",
    "missed: a thing told of without the gate, for which the gate has no event there within 1.5 s",
)


@dataclass(frozen=True)
class Told:
    """A `new` event, and when: seconds from the film's start."""

    at_s: float
    event: Event


@dataclass(frozen=True)
class Watched:
    """What came of a film: events, pictures, looks, processor seconds, and the film's length."""

    told: tuple[Told, ...]
    pictures: int
    looked: int
    cpu_s: float
    film_s: float

    @property
    def work(self) -> float:
        """Return processor seconds a second of the film."""
        return self.cpu_s / self.film_s


def run(*, quick: bool = False) -> Result:
    """Measure; `quick` once, and with less footage."""
    clip = read_clip()
    still = still_pictures(clip, (40 if quick else _STILL_S) * CAMERA_FPS)
    stretches = STRETCHES[:2] if quick else STRETCHES
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(BundleDetector.open(starter_bundle_path())) as detector,
    ):
        films = {name: Path(folder) / f"{name}.mp4" for name in ("still", "busy", "mixed")}
        write_film(films["still"], still)
        write_film(films["busy"], clip[:200] if quick else clip)
        write_film(films["mixed"], mixed_pictures(clip, stretches, _BETWEEN_S * CAMERA_FPS))
        repeats = range(1 if quick else _REPEATS)
        runs = {name: [watch(films[name], detector) for _ in repeats] for name in ("still", "busy")}
        gated, every = watch(films["mixed"], detector), watch(films["mixed"], detector, gated=False)
    work = {name: [watched.work for watched in runs[name]] for name in runs}
    metrics: dict[str, Metric] = {
        "cpu_ms_a_second": {name: spread([1000.0 * one for one in work[name]]) for name in work},
        "looked_share": {name: runs[name][0].looked / runs[name][0].pictures for name in runs},
        "mixed": {
            "looked_share": gated.looked / gated.pictures,
            "events_every_picture": len(every.told),
            "events_gated": len(gated.told),
            "missed": len(missing(every.told, gated.told)),
            "only_gated": len(missing(gated.told, every.told)),
        },
    }
    ratio = median(work["still"]) / median(work["busy"])
    return Result("gate", "the busy clip", metrics, {"cpu_still": ratio}, notes=_NOTES)


def read_clip() -> list[Rgb]:
    """Return all frames of the clip."""
    task = find_sample_task("persons")
    cache = Path.home() / ".cache" / "elfowl"
    path = obtain_clip(task, cache_dir=cache, runner=SystemCommandRunner(), report=print)
    with av.open(str(path)) as container:
        return [
            np.asarray(picture.to_ndarray(format="rgb24", width=WIDTH_PX, height=HEIGHT_PX), np.uint8)
            for picture in container.decode(video=0)
        ]


def still_pictures(clip: Sequence[Rgb], count: int) -> Iterator[Rgb]:
    """Give pictures of the empty scene, each with other noise."""
    scene = np.median(np.stack(clip[::30]), axis=0).astype(np.int16)
    rng = np.random.default_rng(0)
    noises = [rng.normal(0.0, _NOISE, scene.shape[:2]).round().astype(np.int16) for _ in range(_NOISES)]
    noisy = [np.clip(scene + noise[..., None], 0, 255).astype(np.uint8) for noise in noises]
    for _ in range(count):
        yield noisy[rng.integers(_NOISES)]


def mixed_pictures(clip: Sequence[Rgb], stretches: Sequence[tuple[int, int]], between: int) -> Iterator[Rgb]:
    """Give stretches of the clip, `between` still pictures before each and after the last."""
    for first, last in stretches:
        yield from still_pictures(clip, between)
        yield from clip[first:last]
    yield from still_pictures(clip, between)


def write_film(path: Path, pictures: Iterator[Rgb] | Sequence[Rgb]) -> None:
    """Write H.264 as a camera sends it."""
    cv2.setNumThreads(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=CAMERA_FPS, options=_CODEC)
        stream.pix_fmt, stream.width, stream.height = "yuv420p", WIDTH_PX, HEIGHT_PX
        for rgb in pictures:
            for packet in stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def watch(film: Path, detector: BundleDetector, *, gated: bool = True) -> Watched:
    """Return what a camera's pipeline makes of a film, read as a camera's file is."""
    pipeline = make_pipeline(detector, detector, gated=gated)
    told: list[Told] = []
    pictures = looked = 0
    start_s = last_s = 0.0
    began_s = time.process_time()
    with closing(open_source(str(film), real_time=False, max_fps=FPS)) as source:
        for frame in source:
            start_s, last_s = start_s or frame.monotonic_s, frame.monotonic_s
            result = pipeline.process(frame)
            pictures, looked = pictures + 1, looked + result.inferred
            at_s = frame.monotonic_s - start_s
            told += [Told(at_s, event) for event in result.events if event.event_type == "new"]
    cpu_s = time.process_time() - began_s
    return Watched(tuple(told), pictures, looked, cpu_s, last_s - start_s)


def make_pipeline(detector: Detector, bundle: BundleDetector, *, gated: bool) -> CameraPipeline:
    """Return the pipeline as it is by default, with or without its gate."""
    return CameraPipeline(
        CameraIdentity("bench", "film", "boot"),
        detector,
        label_rules(bundle),
        rng=random.Random(0),  # noqa: S311 - ids of events
        settings=PipelineSettings(gate=GateSettings(enabled=gated)),
    )


def missing(expected: Sequence[Told], told: Sequence[Told]) -> tuple[Told, ...]:
    """Return those about whose thing the others tell nothing at that time."""
    return tuple(one for one in expected if not any(_same(one, other) for other in told))


def _same(one: Told, other: Told) -> bool:
    if one.event.label != other.event.label or abs(one.at_s - other.at_s) > _LEAST_TOGETHER_S:
        return False
    return iou(one.event.box, other.event.box) >= _LEAST_IOU
