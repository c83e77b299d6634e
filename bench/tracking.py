"""`tracking`: the camera's tracker against a plain one by overlap, both on the same stored real detections.

Scored by TrackEval on annotated identities. The tracker's settings, and the best settings of the plain one,
were chosen on one part of the clip; the figures are of another.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import product

from bench.following.followers import PlainSettings, follow_as_camera, follow_plainly
from bench.following.score import Score, score
from bench.following.sequences import Clip, read_clip
from bench.result import Metric, Result

EVERY = (1, 2, 5)
"""Of ten pictures a second: 10, 5 and 2 a second."""

PLAIN = PlainSettings()
TUNED = PlainSettings(threshold=0.45, min_iou=0.1, patience=10)
"""The best on `tune` at ten pictures a second of those that `tune_plain` tries."""

_NOTES = (
    "detections: starter bundle, scores from 0.24; the camera's threshold is 0.4",
    "between two pictures persons move by 0.1 sizes (root of the box's area) at 10 a second, by 0.4 at 2",
    "mota counts boxes at an overlap of 0.5; both trackers carry the detector's misses",
)


def run() -> Result:
    """Follow and score."""
    clip = read_clip("report")
    metrics: dict[str, Metric] = {}
    ratios: dict[str, Metric] = {}
    for every in EVERY:
        rate = f"fps_{10 // every}"
        camera = score(clip, follow_as_camera(clip, every))
        plain = score(clip, follow_plainly(clip, every, PLAIN))
        tuned = score(clip, follow_plainly(clip, every, TUNED))
        metrics[rate] = {"camera": _metric(camera), "plain": _metric(plain), "plain_tuned": _metric(tuned)}
        ratios[rate] = {
            "mota": camera.mota - max(plain.mota, tuned.mota),
            "idf1": camera.idf1 - max(plain.idf1, tuned.idf1),
        }
    return Result("tracking", "the better of two plain trackers; ratios are gains", metrics, ratios, _NOTES)


def tune_plain(clip: Clip, every: int) -> tuple[PlainSettings, Score]:
    """Return the plain tracker's settings with the best sum of both scores."""
    tries = [
        PlainSettings(*values)
        for values in product((0.3, 0.35, 0.4, 0.45, 0.5), (0.1, 0.2, 0.3, 0.5), (1, 3, 10), (1, 3))
    ]
    scored = [(one, score(clip, follow_plainly(clip, every, one))) for one in tries]
    return max(scored, key=lambda pair: pair[1].mota + pair[1].idf1)


def _metric(found: Score) -> Metric:
    return {name: round(value, 4) for name, value in asdict(found).items()}
