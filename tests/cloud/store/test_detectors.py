"""Detectors, versions and labels in the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.actions.open_home import Home
from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.store import detectors, labels, media
from cloud.store.labels import FrameLabels
from cloud.store.tables import Media
from tests.cloud.homes import add_detector, make_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def add_medium(home: Home, detector_id: str, role: str = "teach") -> str:
    row = Media(
        id=f"med_{role}", detector_id=detector_id, role=role, kind="video", name="clip.avi",
        path="media/clip.avi", sha256="0" * 64, width_px=64, height_px=48, frame_count=10, created=1.0,
    )  # fmt: skip
    with home.database.write() as session:
        return media.add(session, row).id


def put(home: Home, media_id: str, revision: int, said: FrameLabels, index: int = 3) -> int:
    with home.database.write() as session:
        return labels.put(
            session, media_id=media_id, frame_index=index, revision=revision, labels=said, now_s=1.0
        ).revision


BOX = FrameLabels((("person", (0.1, 0.1, 0.5, 0.5)),))


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a@2", "line\nbreak"])
def test_detector_with_a_name_that_cannot_be_typed_is_refused(home: Home, name: str) -> None:
    with pytest.raises(InputError, match="is no name"):
        add_detector(home, name)


def test_detector_of_a_taken_name_is_refused(home: Home) -> None:
    add_detector(home, "box")
    with pytest.raises(ConflictError, match="exists already"):
        add_detector(home, "box")


def test_detector_is_found_by_id_and_by_name(home: Home) -> None:
    detector_id = add_detector(home, "box")
    with home.database.read() as session:
        assert detectors.find(session, "box").id == detectors.find(session, detector_id).id == detector_id
        with pytest.raises(NotFoundError, match="no detector 'nix'"):
            detectors.find(session, "nix")


def test_version_without_a_number_is_the_newest(home: Home) -> None:
    detector_id = add_detector(home)
    with home.database.write() as session:
        for number in (1, 2):
            assert detectors.next_version(session, detector_id) == number
            detectors.add_version(
                session, detector_id=detector_id, version=number, metrics={"ap50": 0.5}, now_s=1.0
            )
        assert detectors.find_version(session, detector_id).version == 2
        assert detectors.find_version(session, detector_id, 1).version == 1
        with pytest.raises(NotFoundError, match="has no version 9"):
            detectors.find_version(session, detector_id, 9)


def test_labels_with_a_stale_revision_are_refused_and_change_nothing(home: Home) -> None:
    medium = add_medium(home, add_detector(home))
    assert put(home, medium, 0, BOX) == 1
    with pytest.raises(ConflictError, match="changed meanwhile"):
        put(home, medium, 0, FrameLabels((), nothing_here=True))
    with home.database.read() as session:
        frame = labels.find(session, medium, 3)
        assert frame is not None
        assert labels.labels_of(frame) == BOX


def test_labels_replaced_keep_only_the_new_boxes(home: Home) -> None:
    medium = add_medium(home, add_detector(home))
    put(home, medium, 0, BOX)
    new = FrameLabels((("cat", (0.2, 0.2, 0.3, 0.3)),), trusted_xyxy_norm=((0.0, 0.0, 0.5, 0.5),))
    assert put(home, medium, 1, new) == 2
    with home.database.read() as session:
        assert [labels.labels_of(frame) for frame in labels.of_media(session, medium)] == [new]


def test_counts_leave_out_empty_frames_and_what_is_only_for_tests(home: Home) -> None:
    detector_id = add_detector(home)
    medium, test_medium = add_medium(home, detector_id), add_medium(home, detector_id, "test")
    put(home, medium, 0, BOX, index=1)
    put(home, medium, 0, FrameLabels((), nothing_here=True), index=2)
    put(home, medium, 0, FrameLabels(()), index=3)
    put(home, test_medium, 0, BOX, index=4)
    with home.database.read() as session:
        counts = detectors.count_examples(session, detector_id)
    assert counts == {"media": 2, "labelled_frames": 2, "boxes": 1, "corrections": 0}


def test_class_renamed_is_renamed_on_every_box(home: Home) -> None:
    detector_id = add_detector(home)
    medium = add_medium(home, detector_id)
    put(home, medium, 0, BOX)
    with home.database.write() as session:
        detectors.rename_labels(session, detector_id, {"person": "walker"})
    with home.database.read() as session:
        assert detectors.find(session, detector_id).labels == ["walker"]
        assert [box.label for frame in labels.of_media(session, medium) for box in frame.boxes] == ["walker"]


def test_class_renamed_is_renamed_on_tagged_frames(home: Home) -> None:
    detector_id = add_detector(home)
    medium = add_medium(home, detector_id)
    put(home, medium, 0, FrameLabels((), tags=("person", "cat")))
    with home.database.write() as session:
        detectors.rename_labels(session, detector_id, {"person": "walker"})
    with home.database.read() as session:
        assert [frame.tags for frame in labels.of_media(session, medium)] == [["walker", "cat"]]


def test_class_renamed_to_a_taken_name_is_refused(home: Home) -> None:
    detector_id = add_detector(home)
    with home.database.write() as session:
        detectors.set_labels(session, detector_id, ["person", "cat"])
        with pytest.raises(InputError, match="each its own"):
            detectors.rename_labels(session, detector_id, {"person": "cat"})


def test_detector_deleted_takes_media_labels_and_versions_along(home: Home) -> None:
    detector_id = add_detector(home)
    put(home, add_medium(home, detector_id), 0, BOX)
    with home.database.write() as session:
        detectors.add_version(session, detector_id=detector_id, version=1, metrics={}, now_s=1.0)
    with home.database.write() as session:
        detectors.delete(session, detector_id)
    with home.database.read() as session:
        assert media.of_detector(session, detector_id) == []
        assert labels.of_detector(session, detector_id) == []
        with pytest.raises(NotFoundError):
            detectors.find_version(session, detector_id, 1)


@pytest.mark.parametrize(
    ("verdicts", "used"),
    [
        ((None,), 1),
        ((None, "better"), 2),
        ((None, "not measurably different"), 2),
        ((None, "not compared"), 2),
        ((None, "worse"), 1),
        ((None, "better", "worse", "worse"), 2),
        ((None, "worse", "better"), 3),
    ],
)
def test_find_version_in_use_is_the_newest_that_is_not_worse(
    home: Home, verdicts: tuple[str | None, ...], used: int
) -> None:
    detector_id = add_detector(home, "raced")
    with home.database.write() as session:
        for number, verdict in enumerate(verdicts, 1):
            compared = None if verdict is None else {"verdict": verdict}
            detectors.add_version(
                session, detector_id=detector_id, version=number, metrics={"compared": compared}, now_s=1.0
            )
    with home.database.read() as session:
        assert detectors.find_version(session, detector_id).version == used
        assert detectors.find_version(session, detector_id, len(verdicts)).version == len(verdicts)
