"""Labels in every format: what is right is read, what is wrong is told by file and line, the rest counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloud.datasets.frames import LabelledBox
from cloud.datasets.label_files import read_labels
from cloud.datasets.label_set import LabelSet, best_match, by_stem


def read(folder: Path, **files: str) -> LabelSet:
    """Read label files; in a key `__` stands for `/` and the last `_` for the dot."""
    found: dict[str, Path] = {}
    for key, text in files.items():
        stem, _, suffix = key.replace("__", "/").rpartition("_")
        path = folder / f"{len(found)}.{suffix}"
        path.write_text(text)
        found[f"{stem}.{suffix}"] = path
    return read_labels(found)


def reasons(labels: LabelSet) -> list[str]:
    return [f"{refusal.name}: {refusal.reason}" for refusal in labels.refusals]


NAMES = "names: {0: cat, 1: dog}\n"


def test_yolo_pairs_label_files_with_pictures_of_the_twin_folder(tmp_path: Path) -> None:
    labels = read(
        tmp_path, data_yaml=NAMES, labels__train__a_txt="1 0.5 0.5 0.2 0.4\n", labels__train__b_txt=""
    )
    assert labels.classes == ("cat", "dog")
    assert [picture.name for picture in labels.pictures] == ["images/train/a", "images/train/b"]
    (box,) = labels.pictures[0].boxes
    assert box.label == "dog"
    assert box.box_xyxy_norm == pytest.approx((0.4, 0.3, 0.6, 0.7))
    assert (labels.pictures[1].boxes, labels.refusals) == ((), ())


def test_yolo_outline_becomes_its_box_and_classes_may_stand_in_a_text_file(tmp_path: Path) -> None:
    labels = read(tmp_path, classes_txt="cat\n", a_txt="0 0.1 0.2 0.5 0.2 0.3 0.6\n")
    assert labels.pictures[0].boxes == (LabelledBox("cat", (0.1, 0.2, 0.5, 0.6)),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0.5 0.5 0.2 0.2\n7 0.5 0.5 0.2 0.2\n", "line 2: class 7 has no name"),
        ("0 0.5 0.5 0.2\n", "line 1: 4 columns"),
        ("0 0.5 x 0.2 0.2\n", "line 1: a value is 'x'"),
        ("0 0.5 nan 0.2 0.2\n", "line 1: a value is 'nan'"),
        ("0 0.9 0.5 0.4 0.2\n", "line 1: box"),
        ("0 0.5 0.5 0 0.2\n", "line 1: box"),
    ],
)
def test_yolo_wrong_file_is_refused_by_line_and_the_others_count(
    tmp_path: Path, text: str, words: str
) -> None:
    labels = read(tmp_path, data_yaml=NAMES, bad_txt=text, good_txt="0 0.5 0.5 0.2 0.2\n")
    assert [picture.name for picture in labels.pictures] == ["good"]
    (reason,) = reasons(labels)
    assert reason.startswith("bad.txt: ")
    assert words in reason


@pytest.mark.parametrize("names", ["names: [", "names: {1: cat}", "nc: 2", "names: [cat, cat]"])
def test_yolo_without_sound_class_names_is_refused(tmp_path: Path, names: str) -> None:
    labels = read(tmp_path, data_yaml=names, a_txt="0 0.5 0.5 0.2 0.2\n")
    assert labels.pictures == ()
    assert [refusal.name for refusal in labels.refusals] == ["data.yaml", "a.txt"]


def voc(objects: str, size: str = "<width>100</width><height>50</height>") -> str:
    return f"<annotation>\n<filename>a.jpg</filename>\n<size>{size}</size>\n{objects}\n</annotation>"


def voc_object(x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    corners = f"<xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
    return f"<object><name>cat</name>{more}<bndbox>{corners}</bndbox></object>"


def test_voc_counts_pixels_from_1_unless_a_0_shows_otherwise(tmp_path: Path) -> None:
    by_the_book = read(tmp_path, a_xml=voc(voc_object(11, 6, 20, 25))).pictures[0]
    from_zero = read(tmp_path, a_xml=voc(voc_object(0, 5, 20, 25))).pictures[0]
    assert (by_the_book.name, by_the_book.size_px) == ("a.jpg", (100, 50))
    assert by_the_book.boxes[0].box_xyxy_norm == pytest.approx((0.1, 0.1, 0.2, 0.5))
    assert from_zero.boxes[0].box_xyxy_norm == pytest.approx((0.0, 0.1, 0.2, 0.5))


def test_voc_difficult_object_is_neither_taught_nor_background(tmp_path: Path) -> None:
    picture = read(tmp_path, a_xml=voc(voc_object(11, 6, 20, 25, "<difficult>1</difficult>"))).pictures[0]
    assert picture.boxes == ()
    area = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in picture.trusted_xyxy_norm or ())
    assert area == pytest.approx(1 - 0.1 * 0.4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (voc(voc_object(10, 5, 5, 25)), "line 4: box"),
        (voc(voc_object(10, 5, 200, 25)), "line 4: box"),
        (voc("<object><name>cat</name></object>"), "line 4: xmin"),
        (voc("<object><bndbox/></object>"), "line 4"),
        (voc("", "<width>0</width><height>0</height>"), "fill in <size>"),
        ("<annotation>\n<object>", "line 2: is no XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>\n<annotation>&b;</annotation>', "line 1: has a document type"),
        ("<annotation>" + "<a>" * 100, "nested too deep"),
    ],
)
def test_voc_wrong_file_is_refused_by_line(tmp_path: Path, text: str, words: str) -> None:
    labels = read(tmp_path, a_xml=text)
    assert labels.pictures == ()
    (reason,) = reasons(labels)
    assert reason.startswith("a.xml: ")
    assert words in reason


def cvat(tracks: str, task: str = "<size>20</size>") -> str:
    size = "<original_size><width>100</width><height>50</height></original_size>"
    labels = "<labels><label><name>dog</name></label><label><name>cat</name></label></labels>"
    return (
        f"<annotations>\n<meta><task>{task}<name>clip.mp4</name>{labels}{size}</task></meta>\n"
        f"{tracks}\n</annotations>"
    )


def cvat_box(frame: int, x: float, *, outside: int = 0, more: str = "") -> str:
    corners = f'xtl="{x}" ytl="10" xbr="{x + 20}" ybr="30"'
    return f'<box frame="{frame}" outside="{outside}" keyframe="1" {corners} {more}/>'


def cvat_track(*boxes: str) -> str:
    return f'<track id="0" label="cat">{"".join(boxes)}</track>'


def lefts(labels: LabelSet) -> dict[int | None, list[float]]:
    return {
        picture.frame_index: [round(box.box_xyxy_norm[0] * 100, 6) for box in picture.boxes]
        for picture in labels.pictures
    }


def test_cvat_track_is_interpolated_between_key_frames_until_it_is_outside(tmp_path: Path) -> None:
    track = cvat_track(cvat_box(2, 10), cvat_box(6, 30), cvat_box(8, 30, outside=1), cvat_box(10, 40))
    labels = read(tmp_path, a_xml=cvat(track, "<size>12</size>"))
    assert labels.classes == ("dog", "cat")
    assert {picture.name for picture in labels.pictures} == {"clip.mp4"}
    assert lefts(labels) == {
        2: [10], 3: [15], 4: [20], 5: [25], 6: [30], 7: [30], 8: [], 9: [], 10: [40], 11: [40],
    }  # fmt: skip


def test_cvat_track_that_lists_every_frame_ends_with_its_list(tmp_path: Path) -> None:
    assert lefts(read(tmp_path, a_xml=cvat(cvat_track(cvat_box(3, 10), cvat_box(4, 12))))) == {
        3: [10],
        4: [12],
    }


def test_cvat_task_of_every_fifth_frame_labels_only_these(tmp_path: Path) -> None:
    track = cvat_track(cvat_box(0, 10), cvat_box(10, 30), cvat_box(15, 30, outside=1))
    task = "<size>20</size><frame_filter>step=5</frame_filter>"
    assert lefts(read(tmp_path, a_xml=cvat(track, task))) == {0: [10], 5: [20], 10: [30], 15: []}


def test_cvat_turned_box_becomes_the_upright_box_around_it(tmp_path: Path) -> None:
    labels = read(tmp_path, a_xml=cvat(cvat_track(cvat_box(0, 40, more='rotation="45"'))))
    x1, y1, x2, y2 = labels.pictures[0].boxes[0].box_xyxy_norm
    assert (x2 - x1) * 100 == pytest.approx(2**0.5 * 20)
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((0.5, 0.4))


def test_cvat_polygon_counts_by_its_box_and_points_are_told_to_be_left_out(tmp_path: Path) -> None:
    polygon = '<track id="0" label="cat"><polygon frame="0" outside="0" points="10,5;30,5;20,25"/></track>'
    points = '<track id="1" label="cat"><points frame="0" outside="0" points="1,1"/></track>'
    labels = read(tmp_path, a_xml=cvat(polygon + points))
    assert labels.pictures[0].boxes == (LabelledBox("cat", (0.1, 0.1, 0.3, 0.5)),)
    assert reasons(labels) == [
        "a.xml: 1 shapes of the kind 'points' left out: only boxes, polygons, ellipses and tags count"
    ]


def test_cvat_for_images_gives_boxes_and_tags(tmp_path: Path) -> None:
    box = '<box label="cat" xtl="10" ytl="5" xbr="20" ybr="25"/>'
    images = f'<image id="0" name="s/a.png" width="100" height="50">{box}<tag label="dusk"/></image>'
    picture = read(tmp_path, a_xml=f"<annotations>{images}</annotations>").pictures[0]
    assert (picture.name, picture.frame_index, picture.tags) == ("s/a.png", None, ("dusk",))
    assert picture.boxes == (LabelledBox("cat", (0.1, 0.1, 0.2, 0.5)),)


@pytest.mark.parametrize(
    ("tracks", "words"),
    [
        (cvat_track(cvat_box(0, 95)), "line 3: box"),
        (cvat_track(cvat_box(0, 10), cvat_box(0, 20)), "frame 0 twice"),
        ('<track id="0" label="cat"><box frame="-1"/></track>', "frame is '-1'"),
        ('<track id="0"><box frame="0"/></track>', "without a label"),
        ('<track id="0" label="cat"><box frame="0"/></track>', "xtl is None"),
    ],
)
def test_cvat_wrong_file_is_refused_by_line(tmp_path: Path, tracks: str, words: str) -> None:
    labels = read(tmp_path, a_xml=cvat(tracks))
    assert labels.pictures == ()
    assert words in reasons(labels)[0]


def test_coco_among_other_files_counts_and_what_is_no_label_file_is_told(tmp_path: Path) -> None:
    coco = {
        "images": [{"id": 1, "file_name": "s/a.jpg", "width": 100, "height": 50}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 5, 10, 20]}],
    }
    labels = read(tmp_path, a_json=json.dumps(coco), other_json="[1]", readme_txt="hello", c_json="{")
    assert [(picture.name, len(picture.boxes)) for picture in labels.pictures] == [("s/a.jpg", 1)]
    assert [refusal.name for refusal in labels.refusals] == ["other.json", "readme.txt", "c.json"]


def test_picture_labelled_by_two_formats_counts_once_and_it_is_told(tmp_path: Path) -> None:
    labels = read(tmp_path, a_xml=voc(voc_object(11, 6, 20, 25)), a_txt="0 0.5 0.5 1 1", classes_txt="dog")
    assert [len(picture.boxes) for picture in labels.pictures] == [1]
    assert labels.pictures[0].boxes[0].label == "cat"
    assert reasons(labels) == ["a.txt: a is labelled by Pascal VOC already"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("train/images/a", ["train/images/a.jpg"]),
        ("images/a.jpg", ["train/images/a.jpg", "val/images/a.jpg"]),
        ("C:\\data\\val\\images\\a.jpg", ["val/images/a.jpg"]),
        ("b", ["b.png"]),
        ("b.jpg", []),
        ("c.d", ["c.d.png"]),
        ("nix", []),
    ],
)
def test_best_match_agrees_longest_from_the_end(name: str, found: list[str]) -> None:
    known = by_stem(dict.fromkeys(["train/images/a.jpg", "val/images/a.jpg", "b.png", "c.d.png"]))
    assert best_match(name, known) == found
