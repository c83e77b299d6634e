"""COCO and YOLO out: what goes out comes back the same, in both formats."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cloud.datasets.export import ExportFrame, write_export
from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.datasets.gather import gather
from cloud.datasets.label_files import read_labels
from cloud.datasets.label_set import LabelSet
from cloud.errors import InputError
from tests.cloud.datasets.footage import shown_number, write_video

CLASSES = ["cat", "black dog"]
WIDTH_PX, HEIGHT_PX = 640, 360

side = st.integers(0, 9900).map(lambda value: value / 10_000)
extent = st.integers(100, 10_000).map(lambda value: value / 10_000)


def corners(x1: float, y1: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x1, y1, min(1.0, x1 + width), min(1.0, y1 + height)


boxes = st.builds(LabelledBox, st.sampled_from(CLASSES), st.builds(corners, side, side, extent, extent))


def frame(*found: LabelledBox, name: str = "a.jpg") -> ExportFrame:
    return ExportFrame(LabelledFrame(PictureSource(Path(name)), WIDTH_PX, HEIGHT_PX, found), name)


def read_back(folder: Path, path: Path) -> LabelSet:
    return read_labels(gather([path], folder / "work").labels)


def pixels(found: tuple[LabelledBox, ...]) -> list[tuple[str, list[float]]]:
    scale = (WIDTH_PX, HEIGHT_PX, WIDTH_PX, HEIGHT_PX)
    return sorted(
        (box.label, [v * s for v, s in zip(box.box_xyxy_norm, scale, strict=True)]) for box in found
    )


@settings(deadline=None, max_examples=40)
@given(st.lists(boxes, min_size=1, max_size=4, unique_by=lambda box: box.box_xyxy_norm))
def test_coco_to_yolo_to_coco_keeps_boxes_within_a_hundredth_of_a_pixel(found: list[LabelledBox]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_export([frame(*found)], CLASSES, folder / "a.json", "coco", with_images=False)
        from_coco = read_back(folder, folder / "a.json").pictures[0].boxes
        write_export([frame(*from_coco)], CLASSES, folder / "b.zip", "yolo", with_images=False)
        from_yolo = read_back(folder, folder / "b.zip")
        write_export(
            [frame(*from_yolo.pictures[0].boxes)], CLASSES, folder / "c.json", "coco", with_images=False
        )
        back = read_back(folder, folder / "c.json")
    assert (from_yolo.classes, back.classes) == (tuple(CLASSES), tuple(CLASSES))
    for (label, box), (label_back, box_back) in zip(
        pixels(tuple(found)), pixels(back.pictures[0].boxes), strict=True
    ):
        assert label == label_back
        assert box == pytest.approx(box_back, abs=0.01)


def test_coco_keeps_frame_numbers_of_the_upload_parts_and_tags(tmp_path: Path) -> None:
    source = PictureSource(Path("med_1.mp4"), 7)
    region = ((0.0, 0.0, 0.5, 0.5),)
    shown = [
        ExportFrame(LabelledFrame(source, 64, 48, (), region), "clip.avi", 14),
        ExportFrame(LabelledFrame(source, 64, 48, (), None, ("cat",)), "clip.avi", 15),
    ]
    write_export(shown, CLASSES, tmp_path / "a.json", "coco", with_images=False)
    first, second = read_back(tmp_path, tmp_path / "a.json").pictures
    assert (first.name, first.frame_index, first.trusted_xyxy_norm) == ("clip.avi", 14, region)
    assert (second.frame_index, second.tags) == (15, ("cat",))


def test_yolo_leaves_out_what_it_cannot_tell_and_says_so(tmp_path: Path) -> None:
    source = PictureSource(Path("a.jpg"))
    partial = ExportFrame(LabelledFrame(source, 64, 48, (), ((0.0, 0.0, 0.5, 0.5),)), "b.jpg")
    tagged = ExportFrame(LabelledFrame(source, 64, 48, (), None, ("cat",)), "c.jpg")
    done = write_export([frame(), partial, tagged], CLASSES, tmp_path / "a.zip", "yolo", with_images=False)
    assert (done.frames, done.boxes, done.left_out) == (1, 0, 2)
    assert [(p.name, p.boxes) for p in read_back(tmp_path, tmp_path / "a.zip").pictures] == [("images/a", ())]


@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_export_with_pictures_holds_upright_files_of_their_own_names(tmp_path: Path, kind: str) -> None:
    clip = write_video(tmp_path / "med_1.mp4", 8)
    turned = tmp_path / "med_2.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(turned, exif=exif)
    box = LabelledBox("cat", (0.25, 0.25, 0.5, 0.5))
    shown = [
        ExportFrame(LabelledFrame(PictureSource(clip, 5), 192, 96, (box,)), "clip.avi", 5),
        ExportFrame(LabelledFrame(PictureSource(turned), 20, 40, (box,)), "a?.jpg"),
        ExportFrame(LabelledFrame(PictureSource(turned), 20, 40, ()), "A_.jpg"),
    ]
    out = tmp_path / "a.zip"
    write_export(shown, CLASSES, out, "coco" if kind == "coco" else "yolo", with_images=True)
    with zipfile.ZipFile(out) as archive:
        pictures = {
            name: Image.open(io.BytesIO(archive.read(name)))
            for name in archive.namelist()
            if name.startswith("images/")
        }
        assert {name: picture.size for name, picture in pictures.items()} == {
            "images/clip_000005.jpg": (192, 96), "images/a_.jpg": (20, 40), "images/A_-2.jpg": (20, 40),
        }  # fmt: skip
        assert shown_number(np.asarray(pictures["images/clip_000005.jpg"])) == 5
    labels = read_back(tmp_path, out)
    assert {Path(one.name).stem: len(one.boxes) for one in labels.pictures} == {
        "clip_000005": 1, "a_": 1, "A_-2": 0,
    }  # fmt: skip
    assert {one.frame_index for one in labels.pictures} == {None}


def test_export_of_nothing_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no labelled frames"):
        write_export([], CLASSES, tmp_path / "a.json", "coco", with_images=False)
    assert list(tmp_path.iterdir()) == []
