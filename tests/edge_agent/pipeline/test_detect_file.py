"""Files through a detector."""

from __future__ import annotations

import io
import json
from pathlib import Path

import av
import numpy as np
import pytest

from edge_agent.errors import BackendError, CameraError, ConfigError
from edge_agent.pipeline.detect_file import detect_file, detect_rows
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection


class BrightnessDetector:
    """Sees a `lamp` whose score is the picture's brightness; fails on black."""

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        brightness = float(rgb.mean()) / 255
        if brightness < 0.01:
            message = "too dark"
            raise BackendError(message)
        lamp = Detection(label="lamp", score=brightness, box=(0.0, 0.0, 0.5, 1.0))
        return [lamp] if brightness >= (min_score or 0.0) else []


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "0"
    write_clip(path, [20 + 20 * index for index in range(10)])
    return path


def write_clip(path: Path, greys: list[int]) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for grey in greys:
            rgb = np.full((120, 160, 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))


def test_each_frame_of_a_video_gives_a_row(clip: Path) -> None:
    rows = list(detect_rows(BrightnessDetector(), clip))
    assert [row["frame_index"] for row in rows] == list(range(10))
    assert [row["time_s"] for row in rows] == pytest.approx([index / 5 for index in range(10)])
    scores = [row["detections"][0]["score"] for row in rows]
    assert scores == sorted(scores)
    assert (rows[0]["width_px"], rows[0]["height_px"]) == (160, 120)


def test_every_leaves_frames_out_but_keeps_their_numbers(clip: Path) -> None:
    rows = list(detect_rows(BrightnessDetector(), clip, every=4))
    assert [row["frame_index"] for row in rows] == [0, 4, 8]
    assert [row["time_s"] for row in rows] == pytest.approx([0.0, 0.8, 1.6])


def test_failing_network_is_not_an_empty_row(tmp_path: Path) -> None:
    write_clip(tmp_path / "dark.mp4", [200, 0])
    rows = detect_rows(BrightnessDetector(), tmp_path / "dark.mp4")
    assert next(rows)["detections"]
    with pytest.raises(BackendError, match="too dark"):
        next(rows)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("missing.mp4", None, ConfigError),
        ("text.mp4", b"not a video at all " * 50, CameraError),
        ("empty.mp4", b"", CameraError),
        ("text.png", b"not a picture " * 50, CameraError),
    ],
)
def test_file_that_cannot_be_read_is_one_line(
    tmp_path: Path, name: str, content: bytes | None, error: type[Exception]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=name) as caught:
        list(detect_rows(BrightnessDetector(), tmp_path / name))
    assert "\n" not in str(caught.value)


def test_every_of_zero_is_refused(clip: Path) -> None:
    with pytest.raises(ConfigError, match="every"):
        list(detect_rows(BrightnessDetector(), clip, every=0))


def test_starter_prints_one_json_document(clip: Path) -> None:
    out = io.StringIO()
    assert detect_file(starter_bundle_path(), clip, as_json=True, every=5, out=out) == 0
    document = json.loads(out.getvalue())
    assert [row["frame_index"] for row in document["frames"]] == [0, 5]
    assert document["detectors"][0]["name"] == "starter"
    assert document["detectors"][0]["precision"] == "int8"


def test_starter_prints_a_line_a_frame(clip: Path) -> None:
    out = io.StringIO()
    detect_file(starter_bundle_path(), clip, as_json=False, every=5, out=out)
    assert out.getvalue().splitlines() == ["frame 0 at 0.00 s: nothing", "frame 5 at 1.00 s: nothing"]


def test_unreadable_file_prints_nothing(tmp_path: Path) -> None:
    out = io.StringIO()
    (tmp_path / "x.mp4").write_bytes(b"x" * 100)
    with pytest.raises(CameraError):
        detect_file(starter_bundle_path(), tmp_path / "x.mp4", as_json=True, out=out)
    assert not out.getvalue()
