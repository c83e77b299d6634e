"""Frames to measure on: how near they are to what was taught, and what is kept of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.actions.held_out import (
    TaughtFrames,
    count_near,
    has_test_material,
    keep_test_material,
    open_test_files,
    taught_frames,
    warnings_of,
)
from cloud.actions.labels import import_labelled
from cloud.actions.lessons import gather
from cloud.actions.open_home import Home
from cloud.datasets.coco import read_coco
from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.errors import InputError
from cloud.store import detectors
from tests.cloud.homes import add_detector, jpeg, make_home


def frame(label: str = "person") -> LabelledFrame:
    box = LabelledBox(label, (0.1, 0.1, 0.5, 0.5))
    return LabelledFrame(PictureSource(Path("a.jpg")), 64, 48, (box,))


def write_pictures(folder: Path, greys: dict[str, int], label: str = "person") -> Path:
    """Write pictures, each of one grey, and a COCO file with a box on each."""
    folder.mkdir()
    for name, grey in greys.items():
        (folder / name).write_bytes(jpeg(grey=grey))
    numbers = range(1, len(greys) + 1)
    document = {
        "images": [
            {"id": n, "file_name": name, "width": 64, "height": 48}
            for n, name in zip(numbers, greys, strict=True)
        ],
        "categories": [{"id": 1, "name": label}],
        "annotations": [{"id": n, "image_id": n, "category_id": 1, "bbox": [6, 6, 20, 20]} for n in numbers],
    }
    (folder / "labels.json").write_text(json.dumps(document))
    return folder / "labels.json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home with one detector that was taught two pictures."""
    home = make_home(tmp_path / "home")
    detector_id = add_detector(home)
    labels = write_pictures(tmp_path / "teach", {"a.jpg": 10, "b.jpg": 20})
    import_labelled(home, detector_id=detector_id, images=labels.parent, video=None, coco=read_coco(labels))
    return home


def id_of(home: Home) -> str:
    with home.database.read() as session:
        return detectors.find(session, "persons").id


@given(st.sets(st.integers(0, 500), min_size=1), st.integers(0, 500), st.floats(1, 60))
def test_frame_is_near_when_any_taught_one_is_within_a_second(
    taught: set[int], index: int, fps: float
) -> None:
    expected = min(abs(index - one) for one in taught) <= fps
    assert TaughtFrames(fps, tuple(sorted(taught))).is_near(index) is expected


def test_same_picture_under_another_name_is_near(home: Home, tmp_path: Path) -> None:
    labels = write_pictures(tmp_path / "test", {"copy.jpg": 10, "new.jpg": 30})
    frames = open_test_files(labels, labels.parent, None).frames()
    with home.database.read() as session:
        assert count_near(frames, taught_frames(session, id_of(home))) == 1


def test_kept_frames_are_measured_on_and_never_learned_from(home: Home, tmp_path: Path) -> None:
    labels = write_pictures(tmp_path / "test", {"new.jpg": 30}, label="dog")
    kept = keep_test_material(home, id_of(home), open_test_files(labels, labels.parent, None))
    assert (kept.frames, kept.boxes) == (1, 1)
    with home.database.read() as session:
        assert has_test_material(session, id_of(home))
        assert detectors.find(session, "persons").labels == ["person"]
    material = gather(home, "persons")
    assert (len(material.frames), len(material.test_frames)) == (2, 1)


def test_warning_names_what_flatters_and_what_does_not_count() -> None:
    told = warnings_of([frame(), frame("dog")], 1, ["person"])
    assert len(told) == 2
    assert told[0].startswith("1 of 2 frames were taught")
    assert "'dog'" in told[1]
    assert warnings_of([frame()], 0, ["person"]) == []


def test_labels_of_other_classes_only_are_refused() -> None:
    with pytest.raises(InputError, match="'dog', but the detector knows 'person'"):
        warnings_of([frame("dog")], 0, ["person"])
