"""Looks through a video with one version, so that people can watch and correct what it sees."""

from __future__ import annotations

from typing import Any

from cloud.actions.detectors import version_path
from cloud.actions.lessons import media_path
from cloud.actions.media import refuse_unready
from cloud.actions.open_home import Home
from cloud.actions.watching import refuse_picture, watched_path
from cloud.datasets.video import iterate_frames
from cloud.detector.files import load_detector
from cloud.store import detectors, media
from cloud.training.config import CancelledError
from cloud.watch.kept import Facts, Keeper
from cloud.watch.look import FLOOR, look_through
from cloud.worker.progress import Cancelled, Listener, Progress, never, to_nobody

_USUAL_FPS = 25.0


def watch(
    home: Home, job: dict[str, Any], *, progress: Listener = to_nobody, cancelled: Cancelled = never
) -> dict[str, Any]:
    """Look through a video; what was looked at before is not looked at again.

    Args:
        home: Where the video and the version lie.
        job: `detector_id`, `version`, `media_id`, and `frames`: `motion` or `every`.
        progress: Told how far it is.
        cancelled: Asked after each part; what was seen until then stays.

    Raises:
        NotFoundError: There is no such video or version.
        InputError: The video or the version cannot be read.
        CancelledError: `cancelled` said so.
    """
    with home.database.read() as session:
        row = media.find(session, job["media_id"])
        found = detectors.find_version(session, row.detector_id, job["version"])
    refuse_picture(row)
    refuse_unready(row)
    detector = load_detector(version_path(home.settings, row.detector_id, found.version))
    facts = Facts(labels=tuple(label.name for label in detector.labels), frame_count=row.frame_count)
    folder = watched_path(home.settings, row, found.version, job["frames"])
    begin_s = home.clock.monotonic_s()
    with Keeper(folder, facts) as keeper:
        first = keeper.until
        for until in look_through(
            iterate_frames(media_path(home.settings, row)),
            lambda pictures: detector.detect_many(pictures, score_floor=FLOOR),
            keeper,
            fps=row.fps or _USUAL_FPS,
            which=job["frames"],
            count=row.frame_count,
        ):
            if cancelled():
                message = f"cancelled; the first {until} frames were looked at and stay"
                raise CancelledError(message)
            took_s = home.clock.monotonic_s() - begin_s
            progress(_progress(first, until, row.frame_count, took_s))
    return {"media": row.id, "version": found.version, "frames": row.frame_count}


def _progress(first: int, until: int, count: int, took_s: float) -> Progress:
    left_s = took_s * (count - until) / max(1, until - first)
    return Progress("watching", until / max(1, count), f"looked at {until} of {count} frames", left_s)
