"""False alarms: frames and episodes, and the hour that they are counted on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.errors import InputError
from cloud.evaluation.alarms import Sampled, count_alarms, watch
from edge_agent.wire.detection import Detection
from tests.cloud.datasets.footage import write_video
from tests.cloud.evaluation.answered import HERE
from tests.cloud.evaluation.scenes import BrightDetector


def seen(*seconds: float, label: str = "cat") -> list[Sampled]:
    alarm = (Detection(label=label, score=0.9, box=HERE),)
    return [Sampled(float(second), alarm if second in seconds else ()) for second in range(60)]


@pytest.mark.parametrize(
    ("seconds", "frames", "episodes"),
    [((), 0, 0), ((3,), 1, 1), ((3, 4, 5), 3, 1), ((3, 8), 2, 1), ((3, 9), 2, 2), ((0, 20, 21, 40), 4, 3)],
)
def test_count_alarms_near_ones_are_one_episode(
    seconds: tuple[float, ...], frames: int, episodes: int
) -> None:
    alarms = count_alarms("clip", seen(*seconds), 60.0)
    assert (alarms.frames, alarms.episodes, alarms.looked) == (frames, episodes, 60)
    assert alarms.per_hour == episodes * 60


def test_count_alarms_classes_count_apart() -> None:
    both = [Sampled(one.second, one.detections + other.detections)
            for one, other in zip(seen(3), seen(3, label="dog"), strict=True)]  # fmt: skip
    alarms = count_alarms("clip", both, 60.0)
    assert (alarms.frames, alarms.episodes) == (1, 2)


def test_watch_looks_once_a_second_at_the_whole_video(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", 50, fps=10)
    detector = BrightDetector(floor=0)
    alarms = watch(detector, clip, {"lamp": 0.3})
    assert alarms.looked == 5
    assert alarms.seconds == pytest.approx(5.0)
    assert detector.looked == 5
    assert watch(BrightDetector(floor=0), clip, {"lamp": 0.9}).frames == 0


def test_watch_no_video_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"text\.mp4"):
        watch(BrightDetector(), tmp_path / "text.mp4", {"lamp": 0.3})
