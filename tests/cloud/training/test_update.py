"""Updates and sessions: quick, small, and never worse at what was known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from cloud.datasets.images import read_image
from cloud.detector.full import FullDetector
from cloud.errors import InputError, TrainingError
from cloud.training.config import CancelledError, Progress, TrainConfig
from cloud.training.evaluate import evaluate
from cloud.training.session import TeachingSession
from cloud.training.update import update
from tests.cloud.training.scenes import draw_scene

QUICK = TrainConfig(long_side_px=160, views_per_frame=3, batch=8, min_steps=60, folds=2, budget_s=600)
MOST_CHANGED_BYTES = 100_000


def ignore(_: Progress) -> None:
    """Report to nobody."""


def never() -> bool:
    return False


def changed(before: FullDetector, after: FullDetector) -> dict[str, torch.Tensor]:
    """Return the tensors that an update changed, as they would be sent."""
    old, new = before.taught_head.state_dict(), after.taught_head.state_dict()
    return {name: value.half() for name, value in new.items() if not torch.equal(value, old[name])}


@pytest.mark.slow
def test_session_one_more_frame_changes_little_and_keeps_what_is_known(tmp_path: Path) -> None:
    session = TeachingSession(["red"], QUICK)
    for number in range(6):
        session.put_frame(draw_scene(tmp_path, number))
    first = session.update(ignore, never)
    unseen = [draw_scene(tmp_path, number) for number in range(50, 54)]
    extra = draw_scene(tmp_path, 20)
    session.put_frame(extra, read_image(extra.source.path))
    second = session.update(ignore, never)
    different = changed(first.detector, second.detector)
    assert different
    assert not any(name.startswith("adapters") for name in different)
    assert len(save(different)) < MOST_CHANGED_BYTES
    assert evaluate(second.detector, unseen).ap50 > 0.9
    assert second.quality is None, "nothing was held out"
    assert session.detector is second.detector
    assert session.detect(read_image(unseen[0].source.path))
    assert len(second.detector.examples) == 7


@pytest.mark.slow
def test_session_many_more_frames_are_learned_anew_and_removed_ones_forgotten(tmp_path: Path) -> None:
    session = TeachingSession(["red"], replace(QUICK, min_steps=10, views_per_frame=1))
    frames = [draw_scene(tmp_path, number) for number in range(6)]
    for frame in frames[:2]:
        session.put_frame(frame)
    first = session.update(ignore, never)
    for frame in frames[2:]:
        session.put_frame(frame)
    second = session.update(ignore, never)
    assert any(name.startswith("adapters") for name in changed(first.detector, second.detector))
    session.remove_frame(frames[0].source)
    third = session.update(ignore, never)
    assert third.detector.examples == tuple(frames[1:])
    assert any(name.startswith("adapters") for name in changed(second.detector, third.detector))


@pytest.mark.slow
def test_session_whose_first_draft_gets_a_frame_more_shows_it_at_once_and_still_learns_the_rest(
    tmp_path: Path,
) -> None:
    session = TeachingSession(["red"], replace(QUICK, min_steps=10, views_per_frame=1))
    frames = [draw_scene(tmp_path, number) for number in range(3)]
    session.put_frame(frames[0])
    rough = session.update(ignore, never, soon=True)
    session.put_frame(frames[1])
    more = session.update(ignore, never, soon=True)
    assert session.is_draft
    assert more.detector.examples == tuple(frames[:2])
    assert not any(name.startswith("adapters") for name in changed(rough.detector, more.detector))

    whole = session.update(ignore, never, soon=True)

    assert not session.is_draft
    assert any(name.startswith("adapters") for name in changed(rough.detector, whole.detector))


@pytest.mark.slow
def test_session_that_somebody_waits_for_learns_what_is_new_first_and_the_rest_after_it(
    tmp_path: Path,
) -> None:
    session = TeachingSession(["red"], replace(QUICK, min_steps=10, views_per_frame=1))
    frames = [draw_scene(tmp_path, number) for number in range(6)]
    for frame in frames[:2]:
        session.put_frame(frame)
    rough = session.update(ignore, never, soon=True)
    assert session.is_draft
    assert rough.quality is None
    first = session.update(ignore, never, soon=True)
    assert not session.is_draft
    assert first.quality is not None
    assert any(name.startswith("adapters") for name in changed(rough.detector, first.detector))
    for frame in frames[2:]:
        session.put_frame(frame)
    second = session.update(ignore, never, soon=True)
    assert session.is_draft
    assert second.detector.examples == tuple(frames)
    assert not any(name.startswith("adapters") for name in changed(first.detector, second.detector))
    third = session.update(ignore, never, soon=True)
    assert not session.is_draft
    assert third.detector.examples == tuple(frames)
    assert any(name.startswith("adapters") for name in changed(second.detector, third.detector))


def test_session_before_anything_is_taught_says_so(tmp_path: Path) -> None:
    session = TeachingSession(["red"], QUICK)
    with pytest.raises(TrainingError, match="no labelled frames"):
        session.update(ignore, never)
    with pytest.raises(TrainingError, match="nothing was taught"):
        session.detect(read_image(draw_scene(tmp_path, 0).source.path))


@pytest.mark.slow
def test_update_learns_a_new_frame_and_refuses_one_that_comes_twice(tmp_path: Path) -> None:
    session = TeachingSession(["red"], QUICK)
    known = [draw_scene(tmp_path, number) for number in range(4)]
    for frame in known:
        session.put_frame(frame)
    detector = session.update(ignore, never).detector
    seen: list[Progress] = []
    result = update(detector, known, [draw_scene(tmp_path, 9)], QUICK, seen.append, never)
    assert evaluate(result.detector, [draw_scene(tmp_path, 9)]).ap50 > 0.9
    assert "learning" in {progress.stage for progress in seen}
    with pytest.raises(InputError, match="twice"):
        update(detector, known, known[:1], QUICK, ignore, never)
    with pytest.raises(CancelledError):
        update(detector, known, [draw_scene(tmp_path, 9)], QUICK, ignore, lambda: True)
