"""The frozen test split of a detector in the store: what is set apart, version after version."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from cloud.actions.frozen import (
    SetApart,
    check_no_leak,
    clean_test_frames,
    read_split,
    set_apart,
    without_tests,
    write_split,
)
from cloud.actions.lessons import gather, lessons_of
from cloud.actions.open_home import Home
from cloud.errors import InputError, TrainingError
from cloud.evaluation.split import NEAR_S
from cloud.store import detectors, labels, media
from cloud.store.labels import FrameLabels
from cloud.store.tables import Media
from tests.cloud.homes import add_detector, make_home

FPS = 10.0
PERSON = FrameLabels((("person", (0.1, 0.1, 0.5, 0.5)),))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home with a detector without examples."""
    home = make_home(tmp_path)
    add_detector(home)
    return home


def detector_id(home: Home) -> str:
    with home.database.read() as session:
        return detectors.find(session, "persons").id


def label(home: Home, frames: Iterable[int], role: str = "teach", said: FrameLabels = PERSON) -> None:
    """Label frames of a clip: of the same footage, whatever its role."""
    name, sha256 = f"{role}-clip", "a" * 64
    with home.database.write() as session:
        found = detectors.find(session, "persons").id
        row = Media(
            id=f"med_{name}", detector_id=found, role=role, kind="video", name="clip.avi", fps=FPS,
            path=f"media/{name}.avi", sha256=sha256, width_px=64, height_px=48, frame_count=9000, created=1.0,
        )  # fmt: skip
        medium = media.add(session, row).id
        for frame in frames:
            labels.put(session, media_id=medium, frame_index=frame, revision=0, labels=said, now_s=1.0)


def finish(home: Home, apart: SetApart) -> None:
    """Note a version as training does."""
    version = apart.material.ref.version
    write_split(home, apart.material.ref.id, apart.split.with_taught(version, apart.marks))
    with home.database.write() as session:
        detectors.add_version(
            session, detector_id=apart.material.ref.id, version=version, metrics={}, now_s=1.0
        )


def indices(frames: Iterable[object]) -> list[int]:
    return sorted(frame.source.frame_index for frame in frames)  # type: ignore[attr-defined]


def closest_s(apart: SetApart) -> float:
    """Return how near what is learned from comes to what is tested on."""
    test = indices(apart.material.test_frames)
    return min(abs(a - b) / FPS for a in indices(apart.material.frames) for b in test)


def test_set_apart_few_frames_keeps_all_to_learn_from(home: Home) -> None:
    label(home, range(0, 200, 20))
    apart = set_apart(home, gather(home, "persons"))
    assert len(apart.material.frames) == 10
    assert apart.material.test_frames == []


def test_set_apart_many_frames_draws_a_test_that_stays_while_more_is_labelled(home: Home) -> None:
    label(home, range(0, 1000, 20))
    first = set_apart(home, gather(home, "persons"))
    check_no_leak(first)
    assert len(first.material.test_frames) >= 5
    assert closest_s(first) > NEAR_S
    finish(home, first)
    # Somebody labels everything between, also right beside the test frames.
    label(home, range(7, 1000, 20))
    second = set_apart(home, gather(home, "persons"))
    check_no_leak(second)
    assert indices(second.material.test_frames) == indices(first.material.test_frames)
    assert closest_s(second) > NEAR_S
    assert second.kept_out >= len(second.material.test_frames)
    assert len(second.material.frames) > len(first.material.frames)


def test_set_apart_draws_only_what_no_version_has_learned_from(home: Home) -> None:
    label(home, range(0, 400, 20))
    first = set_apart(home, gather(home, "persons"))
    finish(home, first)
    label(home, range(2000, 2600, 20))
    second = set_apart(home, gather(home, "persons"))
    assert min(indices(second.material.test_frames)) >= 2000
    finish(home, second)
    with home.database.read() as session:
        assert clean_test_frames(home, session, detector_id(home), 1, 2) == second.material.test_frames


def test_set_apart_given_test_frames_of_the_same_footage_push_near_lessons_out(home: Home) -> None:
    label(home, [0, 100, 195], role="teach")
    label(home, [200, 300], role="test")
    apart = set_apart(home, gather(home, "persons"))
    assert indices(apart.material.frames) == [0, 100]
    assert indices(apart.material.test_frames) == [200, 300]
    assert (apart.kept_out, apart.split.how) == (1, "given")


def test_set_apart_given_test_frames_near_what_was_taught_are_not_admitted(home: Home) -> None:
    label(home, [0, 100, 195])
    finish(home, set_apart(home, gather(home, "persons")))
    label(home, [200, 300], role="test")
    apart = set_apart(home, gather(home, "persons"))
    assert indices(apart.material.test_frames) == [300]
    assert indices(apart.material.frames) == [0, 100, 195]


def test_set_apart_tagged_frames_are_tested_on_tagged_frames(home: Home) -> None:
    label(home, [0, 100, 195], said=FrameLabels((), tags=("person",)))
    label(home, [200, 300], role="test", said=FrameLabels((), tags=("person",)))
    apart = set_apart(home, gather(home, "persons"))
    assert apart.material.kind == "presence"
    assert indices(apart.material.frames) == [0, 100]
    assert indices(apart.material.test_frames) == [200, 300]


def test_clean_test_frames_of_presence_leave_out_what_is_near_its_lessons(home: Home) -> None:
    tag = FrameLabels((), tags=("person",))
    label(home, [0, 100, 195], said=tag)
    finish(home, set_apart(home, gather(home, "persons")))
    label(home, [200, 300], role="test", said=tag)
    with home.database.read() as session:
        found = clean_test_frames(home, session, detector_id(home), 1, kind="presence")
    assert indices(found) == [300]
    assert [box.label for box in found[0].boxes] == ["person"]


def test_set_apart_version_older_than_splits_counts_as_taught_by_all(home: Home) -> None:
    label(home, range(0, 800, 20))
    with home.database.write() as session:
        detectors.add_version(session, detector_id=detector_id(home), version=1, metrics={}, now_s=1.0)
    assert set_apart(home, gather(home, "persons")).material.test_frames == []


def test_set_apart_nothing_left_to_learn_from_says_so(home: Home) -> None:
    label(home, [0, 5])
    label(home, [3], role="test")
    with pytest.raises(TrainingError, match="within a second"):
        set_apart(home, gather(home, "persons"))


def test_without_tests_gives_frames_to_calibrate_with(home: Home) -> None:
    label(home, [0, 100, 195])
    label(home, [200], role="test")
    with home.database.read() as session:
        lessons = lessons_of(session, home.settings.home, detector_id(home))
        assert indices(without_tests(home, session, detector_id(home), lessons)) == [0, 100]


def test_read_split_damaged_is_one_clear_line(home: Home) -> None:
    folder = home.settings.detectors_path / detector_id(home)
    folder.mkdir(parents=True)
    (folder / "split.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        read_split(home, detector_id(home))
