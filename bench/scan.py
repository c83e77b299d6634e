"""`scan`: how many times faster than real time a recording is looked through, and what that misses.

The films are those of `gate`: `vtest.avi`, where somebody always walks, and stretches of it between still
ones, as most recordings are; and the first one twice, long enough for a glance at its key frames. What is
missed is also told of the clip mirrored, of a part of it enlarged, and at twice its speed. The starter bundle
looks. Recall is by events: one of a pass that looks at every picture is found when the scan has one of its
label whose box overlaps at some look at which both are in view.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from bench.gate import HEIGHT_PX, STRETCHES, WIDTH_PX, mixed_pictures, read_clip, write_film
from bench.result import Metric, Result
from cloud.actions.open_home import open_home
from cloud.actions.scans import note_file
from cloud.scan.eyes import BundleEyes, Looks
from cloud.scan.look import go_through
from cloud.scan.plan import ScanSettings
from cloud.scan.recording import samples
from cloud.scan.teller import Scanned, Teller
from cloud.settings import Settings
from cloud.watch.kept import Seen
from cloud.worker.scan import scan_recording
from edge_agent.clock import SystemClock
from edge_agent.pipeline.boxes import iou
from edge_agent.pipeline.detector import LabelRule
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.resize import resize
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import DetectorRef, FrameSize

_BETWEEN_S, _FPS = 60, 10
_LEAST_IOU = 0.3
_WHERE = Scanned("scan_bench", "film", 0.0, float(_FPS), FrameSize(width_px=WIDTH_PX, height_px=HEIGHT_PX))

_FAST = ("busy", "mixed", "busy_twice")
_OTHERS: Mapping[str, Callable[[Sequence[Rgb]], Sequence[Rgb]]] = {
    "mirrored": lambda clip: [np.ascontiguousarray(rgb[:, ::-1]) for rgb in clip],
    "enlarged": lambda clip: [resize(rgb[120:, :320], WIDTH_PX, HEIGHT_PX) for rgb in clip],
    "hasty": lambda clip: clip[::2],
}

Views = dict[int, list[tuple[str, str, XyxyNorm]]]
"""By picture: event id, label and box of each thing in view that an event tells of."""


@dataclass
class _Remembering:
    """Eyes that look at each picture once, however often they are asked."""

    eyes: BundleEyes
    seen: dict[bytes, Looks]

    @property
    def rules(self) -> Mapping[DetectorRef, Mapping[str, LabelRule]]:
        """Return the rules of the eyes."""
        return self.eyes.rules

    def look(self, pictures: Sequence[Rgb]) -> Looks:
        """Return what is seen in each picture."""
        answers: Looks = {ref: [] for ref in self.rules}
        for rgb in pictures:
            key = blake2b(rgb.tobytes(), digest_size=16).digest()
            if key not in self.seen:
                self.seen[key] = self.eyes.look([rgb])
            for ref, each in self.seen[key].items():
                answers[ref] += each
        return answers


def run(*, quick: bool = False) -> Result:
    """Measure; `quick` with less footage."""
    clip, load = read_clip(), os.getloadavg()[0]
    stretches = STRETCHES[:1] if quick else STRETCHES
    eyes = BundleEyes.open(starter_bundle_path())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        films = _films(folder, clip, stretches, quick=quick)
        speeds = {name: _speed(films[name], folder / f"home-{name}", eyes) for name in _FAST}
        found = {name: _recall(films[name], eyes) for name in films if name != "busy_twice"}
    metrics: dict[str, Metric] = {name: speeds.get(name, {}) | found.get(name, {}) for name in films}
    ratios: dict[str, Metric] = {f"of_real_time_{name}": speeds[name]["of_real_time"] for name in _FAST}
    notes = (
        f"480 x 360, H.264, {_FPS} pictures a second; the starter bundle, one at once for each core",
        f"mixed: {len(stretches)} stretches of 10 s in which people walk, {_BETWEEN_S} s of still between",
        "of_real_time: wall clock, key frames, decoding, looks, events and database together",
        "busy: too short for a glance at its key frames; busy_twice is not",
        "mirrored, enlarged, hasty: busy, mirrored; two thirds of its width enlarged; twice as fast",
        "of_real_time_by_cpu: seconds of film by half the processor time: what two idle cores allow at best",
        f"load of the machine when it began: {load:.1f}, when it ended: {os.getloadavg()[0]:.1f}",
    )
    return Result("scan", "real time", metrics, ratios, notes)


def _films(
    folder: Path, clip: Sequence[Rgb], stretches: Sequence[tuple[int, int]], *, quick: bool
) -> dict[str, Path]:
    films = {name: folder / f"{name}.mp4" for name in (*_FAST, *_OTHERS)}
    busy = clip[:200] if quick else clip
    write_film(films["busy"], busy)
    write_film(films["mixed"], mixed_pictures(clip, stretches, _BETWEEN_S * _FPS))
    write_film(films["busy_twice"], [*busy, *busy])
    for name, changed in _OTHERS.items():
        write_film(films[name], changed(busy))
    return films


def _speed(film: Path, folder: Path, eyes: BundleEyes) -> dict[str, Metric]:
    home, clock = open_home(Settings(home=folder)), SystemClock()
    row = note_file(home, film, 0.0)
    began_s, began_cpu_s = clock.monotonic_s(), time.process_time()
    looks = scan_recording(home, row, eyes)
    took_s, took_cpu_s = clock.monotonic_s() - began_s, time.process_time() - began_cpu_s
    home.database.close()
    return {
        "film_s": row.duration,
        "seconds": took_s,
        "cpu_s": took_cpu_s,
        "looks": looks,
        "of_real_time": row.duration / took_s,
        "of_real_time_by_cpu": row.duration / (took_cpu_s / 2),
    }


def _recall(film: Path, eyes: BundleEyes) -> dict[str, Metric]:
    remembering = _Remembering(eyes, {})
    every, scanned = _every_picture(film, remembering), _as_scanned(film, remembering)
    wanted = {event for views in every.values() for event, _, _ in views}
    found = {
        event
        for index, views in scanned.items()
        for event, label, box in every.get(index, [])
        if any(label == other and iou(box, there) >= _LEAST_IOU for _, other, there in views)
    }
    told = {event for views in scanned.values() for event, _, _ in views}
    return {
        "events_every_picture": len(wanted),
        "events_scan": len(told),
        "found": len(found),
        "pictures_scan": len(scanned),
        "recall": len(found) / max(1, len(wanted)),
    }


def _every_picture(film: Path, eyes: _Remembering) -> Views:
    tellers = {ref: Teller(_WHERE, rules) for ref, rules in eyes.rules.items()}
    views: Views = {}
    for sample in samples(film, _FPS, _FPS):
        for ref, seen in eyes.look([sample.rgb]).items():
            _tell(tellers[ref], Seen(sample.index, tuple(seen[0])), views)
    return views


def _as_scanned(film: Path, eyes: _Remembering) -> Views:
    settings, views = ScanSettings(), Views()
    tellers = {ref: Teller(_WHERE, rules) for ref, rules in eyes.rules.items()}
    for part in go_through(samples(film, _FPS, settings.samples_a_second), eyes, settings):
        for ref, seen in part.seen.items():
            for one in seen:
                _tell(tellers[ref], one, views)
    return views


def _tell(teller: Teller, seen: Seen, views: Views) -> None:
    teller.tell(seen)
    views.setdefault(seen.frame, []).extend(
        (thing.event_id, thing.label, thing.box) for thing in teller.in_view if thing.event_id is not None
    )
