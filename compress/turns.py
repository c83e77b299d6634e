"""All forms of all candidates, timed in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from compress.processes import Child
from compress.trial import Trial

_PICTURES_A_TURN = 4


def time_in_turns(trials: Sequence[Trial], start: Callable[[], Child], turns: int) -> list[Trial]:
    """Return the trials with the times that their networks took, picture by picture, on one thread.

    The forms take turns, so that a busy moment of the machine hits all of them alike: times of a machine are
    noisy, ratios of times taken in turns are not.

    Args:
        trials: Those that ended early are not timed.
        start: Starts a `compress.camera_process`, for those whose own is gone.
        turns: How often each form has its turn of four pictures; one picture before warms up.
    """
    cameras = [None if trial.ended else trial.camera or start() for trial in trials]
    times_ms: list[list[float]] = [[] for _ in trials]
    for turn in range(turns + 1):
        for trial, camera, times in zip(trials, cameras, times_ms, strict=True):
            if camera is not None:
                found = _take_turn(camera, trial, _PICTURES_A_TURN if turn else 1)
                times.extend(found if turn else ())
    return [replace(trial, inference_ms=tuple(times)) for trial, times in zip(trials, times_ms, strict=True)]


def _take_turn(camera: Child, trial: Trial, count: int) -> list[float]:
    job = {"do": "time", "bundle": str(trial.folder), "threads": 1, "count": count}
    found: list[float] = camera.ask(job | {"pictures": str(trial.calibration_file)})["inference_ms"]
    return found
