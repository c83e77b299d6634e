"""Whatever files a user has: the good ones come in with their labels, of the others is told why not."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cloud.actions.exports import export_labels
from cloud.actions.imports import ImportOrder, ImportReport, ImportStoppedError, import_files
from cloud.actions.lessons import labelled_frames, tagged_frames
from cloud.actions.open_home import Home
from cloud.datasets.pictures import read_picture
from cloud.errors import InputError
from cloud.store import detectors, labels, media
from tests.cloud.datasets.footage import shown_number, write_video
from tests.cloud.homes import add_detector, make_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path / "home")
    add_detector(home)
    return home


def detector_id(home: Home) -> str:
    with home.database.read() as session:
        return detectors.find(session, "persons").id


def take_in(home: Home, *paths: Path, folders_are_classes: bool = False) -> ImportReport:
    return import_files(home, ImportOrder(detector_id(home), paths, folders_are_classes=folders_are_classes))


def picture(path: Path, seed: int, quality: int = 90) -> Path:
    """Write a picture that looks like no other of another seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(noise).resize((64, 48), Image.Resampling.BICUBIC).save(path, quality=quality)
    return path


def coco(path: Path, *images: tuple[str, int | None], size: tuple[int, int] = (64, 48)) -> Path:
    """Write labels with one box in the middle of each picture."""
    box = [size[0] / 4, size[1] / 4, size[0] / 2, size[1] / 2]
    document = {
        "images": [
            {"id": number, "file_name": name, "width": size[0], "height": size[1], "frame_index": index}
            for number, (name, index) in enumerate(images)
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "unused"}],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1, "bbox": box} for number in range(len(images))
        ],
    }
    path.write_text(json.dumps(document))
    return path


def test_yolo_archive_comes_in_and_the_broken_picture_is_told(home: Home, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(picture(tmp_path / "a.jpg", 1), "train/images/a.jpg")
        archive.write(picture(tmp_path / "b.jpg", 2), "train/images/b.jpg")
        archive.writestr("train/images/c.jpg", (tmp_path / "a.jpg").read_bytes()[:300])
        archive.writestr("train/labels/a.txt", "0 0.5 0.5 0.25 0.5\n")
        archive.writestr("train/labels/b.txt", "")
        archive.writestr("train/labels/gone.txt", "0 0.5 0.5 0.25 0.5\n")
        archive.writestr("data.yaml", "names: [walker]\n")
    report = take_in(home, tmp_path / "set.zip")
    assert (report.media, report.frames, report.boxes) == (2, 2, 1)
    assert {one.name: one.reason.split(";")[0] for one in report.refusals} == {
        "train/images/c.jpg": "cannot be read as an image",
        "train/labels/gone.txt": "there is no file train/images/gone",
    }
    with home.database.read() as session:
        frames = labelled_frames(session, home.settings.home, detector_id(home))
        assert [[box.label for box in frame.boxes] for frame in frames] == [["walker"], []]
        assert detectors.find(session, "persons").labels == ["person", "walker"]


def test_same_file_comes_in_once_and_near_ones_are_grouped(home: Home, tmp_path: Path) -> None:
    first = picture(tmp_path / "in" / "a.jpg", 1)
    (tmp_path / "in" / "again.jpg").write_bytes(first.read_bytes())
    picture(tmp_path / "in" / "near.jpg", 1, quality=40)
    picture(tmp_path / "in" / "other.jpg", 2)
    report = take_in(home, tmp_path / "in")
    assert (report.media, report.identical) == (3, ["again.jpg"])
    assert report.near_duplicates == [["a.jpg", "near.jpg"]]
    again = take_in(home, tmp_path / "in")
    assert (again.media, len(again.identical), again.near_duplicates) == (0, 4, [])


def test_labels_alone_are_of_what_came_before(home: Home, tmp_path: Path) -> None:
    take_in(home, picture(tmp_path / "a.jpg", 1))
    report = take_in(home, coco(tmp_path / "labels.json", ("somewhere/a.jpg", None)))
    assert (report.media, report.frames, report.boxes, report.refusals) == (0, 1, 1, [])


def test_labels_of_a_name_that_two_pictures_have_are_refused(home: Home, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "one" / "a.jpg", 1)
    picture(tmp_path / "in" / "two" / "a.jpg", 2)
    labels_path = coco(tmp_path / "labels.json", ("a.jpg", None), ("two/a.jpg", None))
    report = take_in(home, tmp_path / "in", labels_path)
    assert (report.media, report.frames) == (2, 1)
    assert [one.reason for one in report.refusals] == [
        "2 files are called a.jpg; name the folder in the labels too"
    ]


def test_folders_can_be_classes_of_whole_pictures(home: Home, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "open" / "a.jpg", 1)
    picture(tmp_path / "in" / "shut" / "b.jpg", 2)
    picture(tmp_path / "in" / "Nothing" / "c.jpg", 3)
    report = take_in(home, tmp_path / "in", folders_are_classes=True)
    assert (report.frames, report.tags) == (3, 2)
    with home.database.read() as session:
        tagged = tagged_frames(session, home.settings.home, detector_id(home))
        assert sorted(frame.tags or () for frame in tagged) == [(), ("open",), ("shut",)]
        assert labelled_frames(session, home.settings.home, detector_id(home)) == []


def test_nothing_good_is_an_error_and_leaves_nothing(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.jpg: cannot be read as an image.* nothing was taken in"):
        take_in(home, tmp_path / "a.jpg")
    assert [path for path in home.settings.media_path.rglob("*") if path.is_file()] == []
    assert list((home.settings.cache_path / "imports").iterdir()) == []


def test_cancelled_import_leaves_nothing(home: Home, tmp_path: Path) -> None:
    asked: list[bool] = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 1

    paths = (picture(tmp_path / "a.jpg", 1), picture(tmp_path / "b.jpg", 2))
    with pytest.raises(ImportStoppedError):
        import_files(home, ImportOrder(detector_id(home), paths), cancelled=cancelled)
    with home.database.read() as session:
        assert media.of_detector(session, detector_id(home)) == []
    assert [path for path in home.settings.media_path.rglob("*") if path.is_file()] == []


def test_labels_of_a_video_count_in_its_upload_and_are_kept_in_its_copy(home: Home, tmp_path: Path) -> None:
    times = [number * 100 for number in range(10)] + [2000 + number * 100 for number in range(10)]
    clip = write_video(tmp_path / "clip.mkv", 20, times=times)
    labels_path = coco(
        tmp_path / "l.json", ("clip.mkv", 4), ("clip.mkv", 15), ("clip.mkv", 99), size=(192, 96)
    )
    report = take_in(home, clip, labels_path)
    assert (report.media, report.frames) == (1, 2)
    assert [one.reason for one in report.refusals] == ["clip.mkv has no frame 99; it ends before"]
    with home.database.read() as session:
        (row,) = media.of_detector(session, detector_id(home))
        indices = [frame.frame_index for frame in labels.of_media(session, row.id)]
        frames = labelled_frames(session, home.settings.home, detector_id(home))
    assert (row.path.endswith(".play.mp4"), str(row.original_path).endswith(".mkv")) == (True, True)
    assert (indices[0], indices[1] > 15) == (4, True)
    assert [shown_number(read_picture(frame.source)) for frame in frames] == [4, 15]
    done = export_labels(home, "persons", tmp_path / "out.json", "coco", with_images=False)
    assert done.frames == 2
    exported = json.loads((tmp_path / "out.json").read_text())
    assert [(one["file_name"], one["frame_index"]) for one in exported["images"]] == [
        ("clip.mkv", 4), ("clip.mkv", 15),
    ]  # fmt: skip


def test_export_is_refused_under_a_name_of_another_kind(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a \.zip file"):
        export_labels(home, "persons", tmp_path / "out.json", "yolo", with_images=False)
