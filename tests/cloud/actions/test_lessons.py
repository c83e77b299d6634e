"""What a detector learns from: boxes from whole or partial frames, presence from tags."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.actions.lessons import gather, labelled_frames, tagged_frames
from cloud.actions.open_home import Home
from cloud.errors import TrainingError
from cloud.store import labels, media
from cloud.store.labels import FrameLabels
from cloud.store.tables import Media
from edge_agent.wire.base import WHOLE
from tests.cloud.homes import add_detector, make_home


def say(home: Home, detector_id: str, *said: FrameLabels) -> None:
    """Label the first frames of one video."""
    row = Media(
        id="med_1", detector_id=detector_id, kind="video", name="a.mp4", path="media/a.mp4", sha256="0",
        width_px=64, height_px=48, frame_count=9, fps=10.0, created=1.0,
    )  # fmt: skip
    with home.database.write() as session:
        media.add(session, row)
        for index, one in enumerate(said):
            labels.put(session, media_id=row.id, frame_index=index, revision=0, labels=one, now_s=1.0)


def test_tagged_frames_teach_presence_and_only_boxes_or_nothing_here_teach_boxes(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    detector_id = add_detector(home)
    say(
        home,
        detector_id,
        FrameLabels((("cat", (0.1, 0.1, 0.5, 0.5)),)),
        FrameLabels((), tags=("cat",)),
        FrameLabels((), nothing_here=True),
        FrameLabels((), tags=()),
        FrameLabels(()),
    )
    with home.database.read() as session:
        boxed = labelled_frames(session, home.settings.home, detector_id)
        tagged = tagged_frames(session, home.settings.home, detector_id)
    assert [frame.source.frame_index for frame in boxed] == [0, 2]
    assert [(frame.source.frame_index, frame.tags) for frame in tagged] == [(1, ("cat",)), (2, ()), (3, ())]


CAT_BOX = FrameLabels((("cat", (0.1, 0.1, 0.5, 0.5)),))
CAT_TAG = FrameLabels((), tags=("cat",))
NOTHING = FrameLabels((), nothing_here=True)


@pytest.mark.parametrize(
    ("said", "kind", "boxes"),
    [
        ((CAT_BOX, NOTHING), "boxes", [1, 0]),
        ((CAT_BOX, CAT_TAG, NOTHING), "boxes", [1, 0]),
        ((CAT_TAG, NOTHING, FrameLabels((), tags=())), "presence", [1, 0, 0]),
    ],
)
def test_gather_teaches_presence_only_where_no_box_was_drawn(
    tmp_path: Path, said: tuple[FrameLabels, ...], kind: str, boxes: list[int]
) -> None:
    home = make_home(tmp_path)
    say(home, add_detector(home), *said)
    material = gather(home, "persons")
    assert material.kind == kind
    assert material.classes == ["cat"]
    assert [len(frame.boxes) for frame in material.frames] == boxes
    if kind == "presence":
        assert material.frames[0].boxes[0].box_xyxy_norm == WHOLE


def test_gather_without_boxes_and_tags_says_what_to_do(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    say(home, add_detector(home), NOTHING)
    with pytest.raises(TrainingError, match="no boxes to learn from yet"):
        gather(home, "persons")
