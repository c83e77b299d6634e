"""What a trial says to devices of different memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.camera_process import CameraRun
from compress.forms import LITERT_INT8
from compress.memory_limit import MemoryWatch
from compress.trial import Trial

MB = 1_000_000


def trial(peak_mb: int, *refused_mb: int) -> Trial:
    return Trial(
        LITERT_INT8,
        Path("int8.tflite"),
        Path("bundle"),
        Path("calibration.npy"),
        run=CameraRun(peak_memory_bytes=peak_mb * MB),
        inference_ms=(20.0,),
        memory=MemoryWatch(128 * MB, "polling"),
        refused=tuple(MemoryWatch(one * MB, "polling", over=True) for one in refused_mb),
    )


@pytest.mark.parametrize("limit_mb", [128, 400])
def test_trial_under_a_limit_under_which_it_stayed_is_the_same(limit_mb: int) -> None:
    one = trial(90, 40, 80)
    assert one.under(limit_mb * MB) is one


@pytest.mark.parametrize(
    ("limit_mb", "ended_at_mb", "need_mb"), [(80, 80, 90), (60, 80, 90), (40, 40, 90), (20, 40, 90)]
)
def test_trial_under_a_limit_at_which_it_was_ended_has_its_need_only(
    limit_mb: int, ended_at_mb: int, need_mb: int
) -> None:
    one = trial(90, 40, 80).under(limit_mb * MB)
    assert one.ended == f"ended when it used more than {ended_at_mb}.0 MB of memory"
    assert one.memory is not None
    assert one.memory.limit_bytes == ended_at_mb * MB
    assert one.run == CameraRun(peak_memory_bytes=need_mb * MB)
    assert one.inference_ms == ()


def test_trial_that_was_ended_needs_more_than_the_limit_however_little_the_next_run_used() -> None:
    assert trial(70, 80).under(80 * MB).run.peak_memory_bytes == 80 * MB + 1
