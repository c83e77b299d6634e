"""COCO in and out: what is right comes back the same, what is wrong is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.datasets.coco import (
    CocoLabels,
    in_folder,
    labelled_frames,
    parse_coco,
    read_coco,
    without,
)
from cloud.datasets.coco_out import write_coco
from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.errors import InputError


def document(**changes: object) -> dict[str, Any]:
    good: dict[str, Any] = {
        "images": [{"id": 7, "file_name": "a.mp4#000012", "width": 100, "height": 50, "frame_index": 12}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 4, "name": "dog"}],
        "annotations": [{"id": 3, "image_id": 7, "category_id": 4, "bbox": [10, 5, 20, 10]}],
    }
    return {**good, **changes}


def parse(raw: dict[str, Any]) -> CocoLabels:
    return parse_coco(json.dumps(raw).encode(), "labels.json")


def annotation(**changes: object) -> list[dict[str, Any]]:
    return [{"id": 3, "image_id": 7, "category_id": 4, "bbox": [10, 5, 20, 10], **changes}]


def image(**changes: object) -> dict[str, Any]:
    return {"id": 7, "file_name": "a.png", "width": 100, "height": 50, **changes}


def test_parse_good_file_gives_classes_and_boxes_in_fractions() -> None:
    labels = parse(document())
    assert labels.classes == ("cat", "dog")
    assert labels.images[0].frame_index == 12
    assert labels.images[0].boxes == (LabelledBox("dog", (0.1, 0.1, 0.3, 0.3)),)
    assert labels.images[0].trusted_xyxy_norm is None


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (document(images=[]), ["no images"]),
        (document(categories=[]), ["categories"]),
        (document(annotations=annotation(bbox=[90, 5, 20, 10])), ["annotation 3", "image 7", "outside"]),
        (document(annotations=annotation(bbox=[-2, 5, 20, 10])), ["annotation 3", "outside"]),
        (document(annotations=annotation(bbox=[10, 5, 0, 10])), ["annotation 3", "no size"]),
        (document(annotations=annotation(bbox=[10, 5, 5, -1])), ["annotation 3", "no size"]),
        (document(annotations=annotation(bbox=[100.5, 5, 0.2, 1])), ["annotation 3", "outside"]),
        (document(annotations=annotation(bbox=[1, 2, 3])), ["annotation 3", "bbox"]),
        (document(annotations=annotation(bbox=["x", 2, 3, 4])), ["annotation 3", "bbox 0"]),
        (document(annotations=annotation(category_id=9)), ["annotation 3", "no category 9"]),
        (document(annotations=annotation(image_id=8)), ["annotation 3", "no image 8"]),
        (document(annotations=annotation() + annotation()), ["annotation id 3", "twice"]),
        (document(images=[image(), image(file_name="b.png")]), ["image id 7", "twice"]),
        (document(images=[image(), image(id=8)]), ["a.png", "twice"]),
        (document(images=[image(width=0)]), ["image 7", "width"]),
        (document(images=[image(frame_index=-1)]), ["image 7", "frame_index"]),
        (document(categories=[{"id": 1, "name": "cat"}, {"id": 4, "name": "cat"}]), ["cat", "twice"]),
        (document(categories=[{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}]), ["category id 1"]),
        (document(annotations={"3": "x"}), ["annotations"]),
    ],
)
def test_parse_bad_file_names_what_and_where_in_one_line(raw: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse(raw)
    text = str(caught.value)
    assert text.startswith("labels.json: ")
    assert "\n" not in text
    for word in words:
        assert word in text


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_parse_not_coco_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"labels\.json"):
        parse_coco(data, "labels.json")


def test_parse_nan_in_box_is_refused() -> None:
    text = json.dumps(document(annotations=annotation(bbox=[float("nan"), 1, 2, 3])))
    with pytest.raises(InputError, match="annotation 3"):
        parse_coco(text.encode(), "labels.json")


def test_parse_box_within_a_pixel_outside_is_cut() -> None:
    labels = parse(document(annotations=annotation(bbox=[-0.9, 45, 20, 5.9])))
    assert labels.images[0].boxes[0].box_xyxy_norm == pytest.approx((0.0, 0.9, 0.191, 1.0))


def test_parse_crowd_makes_its_place_untrusted() -> None:
    labels = parse(document(annotations=annotation(iscrowd=1, bbox=[20, 10, 30, 20])))
    read = labels.images[0]
    assert read.boxes == ()
    assert read.trusted_xyxy_norm is not None
    area = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in read.trusted_xyxy_norm)
    assert area == pytest.approx(1 - 0.3 * 0.4)


def test_parse_annotation_without_a_box_tags_its_picture() -> None:
    tagged = parse(document(annotations=[{"id": 3, "image_id": 7, "category_id": 4}])).images[0]
    assert (tagged.boxes, tagged.tags) == ((), ("dog",))
    assert parse(document()).images[0].tags is None
    assert parse(document(images=[image(tagged=True)], annotations=[])).images[0].tags == ()


def test_parse_outline_without_a_box_is_refused() -> None:
    outline = [{"id": 3, "image_id": 7, "category_id": 4, "segmentation": [[1, 1, 5, 1, 5, 5]]}]
    with pytest.raises(InputError, match=r"annotation 3: .*no bbox"):
        parse(document(annotations=outline))


unit = st.floats(0, 1).map(lambda value: round(value, 3))
boxes = st.tuples(unit, unit, unit, unit).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


@given(boxes, boxes, st.tuples(unit, unit))
def test_without_keeps_a_point_exactly_when_it_is_in_the_region_and_not_in_the_hole(
    region: tuple[float, float, float, float],
    hole: tuple[float, float, float, float],
    point: tuple[float, float],
) -> None:
    def strictly_in(box: tuple[float, float, float, float]) -> bool:
        return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]

    def on_edge(box: tuple[float, float, float, float]) -> bool:
        return point[0] in (box[0], box[2]) or point[1] in (box[1], box[3])

    if on_edge(region) or on_edge(hole):
        return
    kept = sum(strictly_in(part) for part in without([region], hole))
    on_cut = any(on_edge(part) for part in without([region], hole))
    assert on_cut or kept == (strictly_in(region) and not strictly_in(hole))


def test_write_then_read_gives_the_same_frames(tmp_path: Path) -> None:
    clip, photo = tmp_path / "clip.mp4", tmp_path / "photo.jpg"
    clip.touch()
    photo.touch()
    frames = [
        LabelledFrame(PictureSource(clip, 5), 64, 48, (LabelledBox("cat", (0.25, 0.25, 0.5, 0.75)),)),
        LabelledFrame(PictureSource(photo), 40, 20, (), ((0.0, 0.0, 0.5, 0.5),)),
        LabelledFrame(PictureSource(clip, 6), 64, 48, (), None, ("cat", "dog")),
        LabelledFrame(PictureSource(clip, 7), 64, 48, (), None, ()),
    ]
    write_coco(frames, ["dog", "cat"], tmp_path / "out.json")
    labels = read_coco(tmp_path / "out.json")
    assert labels.classes == ("dog", "cat")
    assert labelled_frames(labels, in_folder(tmp_path)) == frames


def test_write_unknown_class_is_refused(tmp_path: Path) -> None:
    frame = LabelledFrame(PictureSource(tmp_path / "a.png"), 9, 9, (LabelledBox("cow", (0, 0, 1, 1)),))
    with pytest.raises(InputError, match="cow"):
        write_coco([frame], ["cat"], tmp_path / "out.json")


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "..\\secret.png", "sub/secret.png"])
def test_in_folder_looks_only_in_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").touch()
    folder = tmp_path / "media"
    folder.mkdir()
    labels = parse(document(images=[image(file_name=name)]))
    with pytest.raises(InputError, match=r"there is no secret\.png"):
        labelled_frames(labels, in_folder(folder))
