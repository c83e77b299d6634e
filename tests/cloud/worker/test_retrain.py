"""What was corrected changes the next version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cloud.actions.corrections import record
from cloud.actions.media import import_file
from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.datasets.images import read_image
from cloud.detector.full import FullDetector
from cloud.detector.presence import PresenceHead
from cloud.errors import TrainingError
from cloud.evaluation.split import FrameMark
from cloud.store import labels
from cloud.store.ids import new_id
from cloud.store.labels import FrameLabels
from cloud.worker.learn_on import check_can_go_on, sort_out
from cloud.worker.loader import load_version
from cloud.worker.refit import same_trunk
from cloud.worker.train import train
from edge_agent.vision.nms import iou_matrix
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.correction import Correction
from tests.cloud.detector.examples import small_detector
from tests.cloud.homes import add_detector, make_home
from tests.cloud.training.scenes import HEIGHT_PX, WIDTH_PX, draw_scene

PLACE = (60, 50, 84, 74)
BOX = (PLACE[0] / WIDTH_PX, PLACE[1] / HEIGHT_PX, PLACE[2] / WIDTH_PX, PLACE[3] / HEIGHT_PX)


def add_lessons(home: Home, detector_id: str, folder: Path) -> None:
    for number in range(4):
        scene = draw_scene(folder, number)
        with home.database.write() as session:
            row = import_file(
                session, home.settings, detector_id=detector_id, source=scene.source.path, now_s=1.0
            )
            said = FrameLabels(tuple(("person", box.box_xyxy_norm) for box in scene.boxes))
            labels.put(session, media_id=row.id, frame_index=0, revision=0, labels=said, now_s=1.0)


def draw_false_alarm(path: Path) -> None:
    """Draw what is nearly as red as the blocks that were taught."""
    rgb = np.random.default_rng(3).integers(90, 140, (HEIGHT_PX, WIDTH_PX, 3)).astype(np.uint8)
    rgb[PLACE[1] : PLACE[3], PLACE[0] : PLACE[2]] = (200, 60, 40)
    Image.fromarray(rgb).save(path)


def score_at(detector: FullDetector, picture: Path, box: XyxyNorm) -> float:
    (found,) = detector.detect_many([read_image(picture)], score_floor=0.01)
    boxes = np.array([one.box for one in found], np.float32).reshape(-1, 4)
    there = iou_matrix(boxes, np.array([box], np.float32))[:, 0] >= 0.3
    return max((one.score for one, is_there in zip(found, there, strict=True) if is_there), default=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("keep_trunk", [False, True])
def test_what_was_called_wrong_scores_lower_in_the_next_version(tmp_path: Path, *, keep_trunk: bool) -> None:
    home = make_home(tmp_path / "home")
    detector_id = add_detector(home)
    add_lessons(home, detector_id, tmp_path)
    alarm = tmp_path / "alarm.png"
    draw_false_alarm(alarm)
    with home.database.write() as session:
        media_id = import_file(session, home.settings, detector_id=detector_id, source=alarm, now_s=1.0).id
    train(home, detector_id)
    first = load_version(home, detector_id)
    before = score_at(first, alarm, BOX)
    wrong = Correction(
        id=new_id("cor"),
        verdict="wrong",
        media_id=media_id,
        frame_index=0,
        box=BOX,
        source="player",
        created=2.0,
    )
    with home.database.write() as session:
        record(session, wrong, now_s=2.0)
    train(home, detector_id, keep_trunk=keep_trunk)
    second = load_version(home, f"{detector_id}@2")
    after = score_at(second, alarm, BOX)
    assert before > 0.3
    assert after < before
    assert same_trunk(second, first) == keep_trunk


def test_head_alone_without_a_version_is_refused(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    detector_id = add_detector(home)
    add_lessons(home, detector_id, tmp_path)
    with pytest.raises(TrainingError, match="no version to keep the trunk of yet"):
        train(home, detector_id, keep_trunk=True)


@pytest.mark.slow
def test_head_alone_with_nothing_new_is_refused(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    detector_id = add_detector(home)
    add_lessons(home, detector_id, tmp_path)
    train(home, detector_id)
    with pytest.raises(TrainingError, match="version 1 knows all labelled frames"):
        train(home, detector_id, keep_trunk=True)


@pytest.mark.parametrize(
    ("detector", "classes", "words"),
    [
        (small_detector(), ["cat", "owl"], "finds cat, dog, not cat, owl"),
        (replace(small_detector(), taught_head=PresenceHead([8], 2)), ["cat", "dog"], "no trunk of its own"),
    ],
)
def test_head_alone_of_other_kind_or_classes_is_refused(
    detector: FullDetector, classes: list[str], words: str
) -> None:
    with pytest.raises(TrainingError, match=words):
        check_can_go_on(detector, classes)


def test_sort_out_frames_partly_known_count_as_new() -> None:
    source = PictureSource(Path("clip.mp4"), 0)
    old, corrected, unknown = (
        LabelledFrame(replace(source, frame_index=index), 64, 48, (), trusted)
        for index, trusted in ((1, None), (2, ((0.0, 0.0, 1.0, 1.0),)), (3, None))
    )
    marks = [FrameMark(file="a" * 64, frame=index, second=float(index)) for index in (1, 2, 3)]
    assert sort_out([old, corrected, unknown], marks, marks[:2]) == ([old], [corrected, unknown])
