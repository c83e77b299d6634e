"""A video whose frames say their own number, watched by two versions, for the tests of the player."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cloud.actions.detectors import version_path
from cloud.actions.media import note, stage
from cloud.actions.open_home import Home
from cloud.actions.watching import watched_path
from cloud.store import detectors, media
from cloud.watch.kept import Facts, Keeper, Seen
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection
from tests.cloud.datasets.footage import write_video

Sees = Callable[[int, int, int], tuple[Detection, ...]]
"""What a version sees in a frame of so many."""

LABELS = ("person", "dog")
THRESHOLD = 0.6
PERSON_FRAMES = range(20, 40)
UNSURE_FRAMES = range(60, 66)
DOG_FRAMES = range(80, 90)


@dataclass(frozen=True)
class WatchedVideo:
    """A detector with two versions, and a video that both have watched."""

    detector_id: str
    media_id: str
    count: int
    fps: int


def place_of(frame: int, count: int) -> XyxyNorm:
    """Return a box that tells its frame: its left edge grows by the same step with each."""
    left = 0.1 + 0.6 * frame / count
    return (left, 0.4, left + 0.2, 0.9)


def seen_by(version: int, frame: int, count: int) -> tuple[Detection, ...]:
    """Return what a version sees: the second one sees no dog."""
    found = []
    if frame in PERSON_FRAMES:
        found.append(Detection(label="person", score=0.9, box=place_of(frame, count)))
    if frame in UNSURE_FRAMES:
        found.append(Detection(label="person", score=0.55, box=place_of(frame, count)))
    if frame in DOG_FRAMES and version == 1:
        found.append(Detection(label="dog", score=0.8, box=place_of(frame, count)))
    return tuple(found)


def seen_always(_version: int, frame: int, count: int) -> tuple[Detection, ...]:
    """Return one person in every frame, where the frame says."""
    return (Detection(label="person", score=0.9, box=place_of(frame, count)),)


def add_watched_video(
    home: Home, folder: Path, *, name: str = "watched", count: int = 100, fps: int = 10,
    seen: Sees = seen_by, size_px: tuple[int, int] = (384, 192),
) -> WatchedVideo:  # fmt: skip
    """Make a detector, its versions and a video; keep what both saw in each frame of it."""
    clip = write_video(folder / f"{name}.mp4", count, fps=fps, gop=fps, b_frames=0, size_px=size_px)
    with home.database.write(durable=True) as session:
        detector_id = detectors.create(session, name=name, labels=LABELS, now_s=home.clock.now_s()).id
        for version in (1, 2):
            metrics = {"ap50": 0.7 + version / 10, "threshold": THRESHOLD, "images": 12, "how": "test"}
            detectors.add_version(
                session, detector_id=detector_id, version=version, metrics=metrics, now_s=home.clock.now_s()
            )
    staged = stage(home.settings, detector_id, clip)
    with home.database.write(durable=True) as session:
        row = note(session, home.settings, staged, detector_id, home.clock.now_s(), "teach")
        media_id = media.find(session, row.id).id
    labels = [{"name": label, "slug": label, "threshold": THRESHOLD} for label in LABELS]
    for version in (1, 2):
        kept = version_path(home.settings, detector_id, version)
        kept.mkdir(parents=True)
        (kept / "spec.json").write_text(json.dumps({"schema": 2, "labels": labels}))
        with home.database.read() as session:
            watched = watched_path(home.settings, media.find(session, media_id), version, "every")
        with Keeper(watched, Facts(labels=LABELS, frame_count=count)) as keeper:
            keeper.add([Seen(frame, seen(version, frame, count)) for frame in range(count)], count)
    return WatchedVideo(detector_id, media_id, count, fps)
