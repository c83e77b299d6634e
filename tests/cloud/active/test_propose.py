"""Proposals on pictures: what a detector doubts, what is new, never near what tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cloud.active.candidates import Candidate
from cloud.active.propose import Proposal, ProposePlan, propose, worth_of
from cloud.datasets.frames import PictureSource
from cloud.errors import InputError
from cloud.subnets.features import Features
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import subnet_by_name
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import LabelSpec


class Colours:
    """A feature extractor without a network: the mean colour of each cell."""

    subnet: SubnetManifest = subnet_by_name("efficientnet_lite0")

    def features(self, pixels: Rgb) -> Features:
        count, height, width, _ = pixels.shape
        cells = pixels.reshape(count, height // 32, 32, width // 32, 32, 3).mean((2, 4)) / 255
        level = cells.astype(np.float32)
        return level, level, level


@dataclass
class Seer:
    """A detector that sees an object in every picture, as surely as its upper left corner is red."""

    asked: int = 0
    labels: tuple[LabelSpec, ...] = (LabelSpec(name="cat", slug="cat", threshold=0.5),)

    def detect_many(
        self, pictures: Sequence[Rgb], *, score_floor: float | None = None
    ) -> list[list[Detection]]:
        assert score_floor is not None
        assert score_floor < 0.5
        self.asked += len(pictures)
        sure = float(pictures[0][0, 0, 0]) / 255
        box = (0.1, 0.1, 0.2, 0.2)
        mirror = (0.8, 0.1, 0.9, 0.2)
        boxes = [box, mirror][: len(pictures)]
        return [[Detection(label="cat", score=sure, box=place)] for place in boxes]


def picture(folder: Path, number: int, sure: float = 1.0, spot: int | None = None) -> Candidate:
    rgb = np.full((96, 128, 3), 90, np.uint8)
    if spot is not None:
        rgb[40:80, 20 + 30 * spot : 50 + 30 * spot] = (230, 40, 40)
    rgb[0:2, 0:2] = round(255 * sure)
    path = folder / f"{number:02}.png"
    Image.fromarray(rgb).save(path)
    return Candidate(PictureSource(path), "clip", float(number * 5))


def names(proposals: Sequence[Proposal]) -> list[str]:
    return [one.frame.source.path.stem for one in proposals]


def test_frame_in_doubt_is_proposed_before_others_that_show_as_much(tmp_path: Path) -> None:
    frames = [
        picture(tmp_path, number, 0.52 if number == 4 else 0.95, spot=number % 3) for number in range(6)
    ]
    seer = Seer()
    proposals = propose(seer, frames, ProposePlan(1), extractor=Colours())
    assert names(proposals) == ["04"]
    assert proposals[0].doubt is not None
    assert proposals[0].doubt.near_threshold == pytest.approx(0.8, abs=0.05)
    assert "threshold" in proposals[0].reason
    assert seer.asked == 2 * len(frames)


def test_without_a_detector_frames_that_show_something_come_first(tmp_path: Path) -> None:
    frames = [picture(tmp_path, number, spot={5: 0, 9: 2}.get(number)) for number in range(12)]
    proposals = propose(None, frames, ProposePlan(2), extractor=Colours())
    assert sorted(names(proposals)) == ["05", "09"]
    assert {one.doubt for one in proposals} == {None}
    assert "unlike" in proposals[0].reason


def test_frames_near_labelled_or_test_frames_are_never_proposed(tmp_path: Path) -> None:
    frames = [picture(tmp_path, number, spot=number % 3) for number in range(6)]
    plan = ProposePlan(10, gap_s=6.0, labelled=(frames[0],), test=(frames[4],))
    left = names(propose(None, frames, plan, extractor=Colours()))
    assert left
    assert set(left) <= {"02", "03", "05"}


def test_nothing_left_to_propose_says_so(tmp_path: Path) -> None:
    frames = [picture(tmp_path, 0)]
    with pytest.raises(InputError, match="no frame is left"):
        propose(None, frames, ProposePlan(3, test=(frames[0],)), extractor=Colours())


def test_proposing_can_be_cancelled_at_any_frame(tmp_path: Path) -> None:
    frames = [picture(tmp_path, number) for number in range(4)]

    def refuse(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        propose(None, frames, ProposePlan(3), extractor=Colours(), refuse_if_cancelled=refuse)


def test_worth_without_any_doubt_is_the_same_for_all() -> None:
    assert worth_of([None, None]).tolist() == [1.0, 1.0]
