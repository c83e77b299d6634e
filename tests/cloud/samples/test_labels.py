"""The shipped boxes are whole: what a trainer and an evaluator take for granted is true of them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
import pytest

from cloud.samples.catalog import SAMPLE_TASKS, SampleTask

MIN_SIDE_PX = 8
FIRST_PERSONS_TEST_FRAME = 600
BOX_HALF_FRAME = 227
VTEST_FRAMES_PER_S = 10
CUP_FRAMES_PER_S = 27

LABEL_FILES = [
    pytest.param(task, labels, id=labels.name)
    for task in SAMPLE_TASKS
    for labels in (task.train_labels, task.test_labels, task.blind_labels)
    if labels is not None
]


def load(labels: Traversable) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(labels.read_text("utf-8"))
    return loaded


def frames_of(labels: Traversable, split: str | None = None) -> set[int]:
    return {image["frame_index"] for image in load(labels)["images"] if split in (None, image.get("split"))}


def task_named(name: str) -> SampleTask:
    return next(task for task in SAMPLE_TASKS if task.name == name)


def iou_xywh(a: list[int], b: list[int]) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    overlap = max(0, width) * max(0, height)
    return overlap / (a[2] * a[3] + b[2] * b[3] - overlap)


@pytest.mark.parametrize(("task", "labels"), LABEL_FILES)
class TestEveryLabelFile:
    def test_boxes_lie_inside_their_picture_and_are_not_tiny(
        self, task: SampleTask, labels: Traversable
    ) -> None:
        coco = load(labels)
        images = {image["id"]: image for image in coco["images"]}
        for box in coco["annotations"]:
            x, y, width, height = box["bbox"]
            image = images[box["image_id"]]
            assert 0 <= x < x + width <= image["width"], f"{task.name}: {box}"
            assert 0 <= y < y + height <= image["height"], f"{task.name}: {box}"
            assert min(width, height) >= MIN_SIDE_PX, f"{task.name}: {box}"
            assert box["area"] == width * height
            assert box["iscrowd"] == 0

    def test_ids_and_frames_are_unique(self, task: SampleTask, labels: Traversable) -> None:
        coco = load(labels)
        for entries in (coco["images"], coco["annotations"], coco["categories"]):
            assert len({entry["id"] for entry in entries}) == len(entries)
        assert len(frames_of(labels)) == len(coco["images"])
        assert {image["file_name"] for image in coco["images"]} == {
            f"{task.clip_file_name}#{frame:06d}" for frame in frames_of(labels)
        }

    def test_no_object_has_two_boxes(self, task: SampleTask, labels: Traversable) -> None:
        boxes_by_image: dict[int, list[list[int]]] = {}
        for box in load(labels)["annotations"]:
            boxes_by_image.setdefault(box["image_id"], []).append(box["bbox"])
        for image_id, boxes in boxes_by_image.items():
            for first, second in itertools.combinations(boxes, 2):
                assert iou_xywh(first, second) < 0.8, f"{task.name}, image {image_id}: {first}, {second}"

    def test_classes_are_those_of_the_catalog(self, task: SampleTask, labels: Traversable) -> None:
        coco = load(labels)
        assert [category["id"] for category in coco["categories"]] == list(range(1, len(task.classes) + 1))
        assert tuple(category["name"] for category in coco["categories"]) == task.classes
        assert {box["category_id"] for box in coco["annotations"]} == {
            category["id"] for category in coco["categories"]
        }

    def test_info_names_the_clip_and_the_licence(self, task: SampleTask, labels: Traversable) -> None:
        info = load(labels)["info"]
        assert info["clip_file_name"] == task.clip_file_name
        assert info["clip_sha256"] == task.clip_sha256
        assert info["licence"].startswith("Apache-2.0")


@pytest.mark.parametrize("task", SAMPLE_TASKS, ids=lambda task: task.name)
class TestEveryTask:
    def test_train_and_test_frames_do_not_meet(self, task: SampleTask) -> None:
        assert max(frames_of(task.train_labels)) < min(frames_of(task.test_labels))

    def test_train_frames_are_all_to_teach_or_to_correct_or_more(self, task: SampleTask) -> None:
        splits = Counter(image["split"] for image in load(task.train_labels)["images"])
        assert {"teach", "correct"} <= set(splits) <= {"teach", "correct", "more"}
        assert min(splits.values()) >= 8

    def test_test_frames_are_enough(self, task: SampleTask) -> None:
        assert len(frames_of(task.test_labels)) >= 20


def test_persons_test_frames_lie_in_the_part_kept_for_evaluation() -> None:
    persons = task_named("persons")
    assert min(frames_of(persons.test_labels)) >= FIRST_PERSONS_TEST_FRAME
    assert max(frames_of(persons.train_labels)) < FIRST_PERSONS_TEST_FRAME


def test_persons_teach_frames_are_fourteen_a_second_apart() -> None:
    teach = sorted(frames_of(task_named("persons").train_labels, "teach"))
    assert len(teach) == 14
    assert min(after - before for before, after in itertools.pairwise(teach)) >= 10


def sets_of_persons() -> dict[int, list[int]]:
    sets: dict[int, list[int]] = {}
    for image in load(task_named("persons").train_labels)["images"]:
        if "set" in image:
            sets.setdefault(image["set"], []).append(image["frame_index"])
    return sets


def test_persons_sets_are_five_of_ten_frames_a_second_before_the_first_test_frame() -> None:
    sets = sets_of_persons()
    assert {number: len(frames) for number, frames in sets.items()} == dict.fromkeys(range(5), 10)
    last = max(max(frames) for frames in sets.values())
    assert last <= FIRST_PERSONS_TEST_FRAME - VTEST_FRAMES_PER_S


def test_persons_sets_are_dealt_by_the_rule_that_the_file_states() -> None:
    sets = sets_of_persons()
    of_frame = {frame: number for number, frames in sets.items() for frame in frames}
    random = np.random.default_rng(0)
    rule = [number for _ in range(10) for number in random.permutation(5).tolist()]
    assert [of_frame[frame] for frame in sorted(of_frame)] == rule


def test_persons_blind_frames_are_neither_taught_nor_near_a_test_frame() -> None:
    persons = task_named("persons")
    assert persons.blind_labels is not None
    blind = frames_of(persons.blind_labels)
    assert len(blind) >= 15
    assert min(blind) >= FIRST_PERSONS_TEST_FRAME
    assert min(abs(a - b) for a in blind for b in frames_of(persons.test_labels)) >= 4


def test_flask_test_frames_begin_a_second_after_the_last_train_frame() -> None:
    flask = task_named("flask")
    assert min(frames_of(flask.test_labels)) - max(frames_of(flask.train_labels)) >= CUP_FRAMES_PER_S


def test_biscuit_box_halves_of_the_clip_are_kept_apart() -> None:
    box = task_named("biscuit-box")
    assert max(frames_of(box.train_labels)) < BOX_HALF_FRAME <= min(frames_of(box.test_labels))
