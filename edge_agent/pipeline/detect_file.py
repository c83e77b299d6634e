"""A picture or recording through a detector, frame by frame."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

from edge_agent.camera.frame import Frame
from edge_agent.camera.open_source import open_source
from edge_agent.errors import CameraError, ConfigError
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import Detector
from edge_agent.wire.detection import Detection

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_LARGEST_JPEG_BYTES = 100_000_000


def detect_rows(detector: Detector, path: Path, *, every: int = 1) -> Iterator[dict[str, Any]]:
    """Give what the detector sees in each frame, ready for JSON.

    Args:
        detector: Answers for each frame.
        path: A picture or video file.
        every: Look at each so many-th frame only.

    Yields:
        `frame_index` from 0, `time_s` from the first frame, `width_px`, `height_px` and `detections`: each a
        `label`, `score` and `box` (xyxy as fractions of the frame).

    Raises:
        ConfigError: There is no such file, or `every` is not positive.
        CameraError: The file cannot be read as picture or video.
        BackendError: The network failed.
    """
    if every < 1:
        message = f"every is {every}, but must be 1 or more"
        raise ConfigError(message)
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such file"
        message = f"{path}: {problem}; name a picture or video"
        raise ConfigError(message)
    _refuse_cut_jpeg(path)
    # The whole path: a file called `0` is not the first webcam.
    with closing(open_source(str(path.resolve()), real_time=False)) as frames:
        first_s: float | None = None
        for frame in frames:
            first_s = frame.monotonic_s if first_s is None else first_s
            if frame.index % every == 0:
                yield _row(frame, frame.monotonic_s - first_s, detector.detect(frame.rgb))
    if first_s is None:
        message = f"{path}: no picture that can be read; save it anew as JPEG, PNG or MP4"
        raise CameraError(message)


def _refuse_cut_jpeg(path: Path) -> None:
    """Refuse half a JPEG: decoders fill the rest with grey, and nothing would seem to be there."""
    try:
        with path.open("rb") as file:
            is_cut = file.read(2) == _JPEG_START and _JPEG_END not in file.read(_LARGEST_JPEG_BYTES)
    except OSError as error:
        message = f"{path}: {error.strerror}; name a picture or video that this user may read"
        raise ConfigError(message) from error
    if is_cut:
        message = f"{path}: the picture is cut off; copy or download it again"
        raise CameraError(message)


def detect_file(bundle: Path, path: Path, *, as_json: bool, every: int = 1, out: TextIO | None = None) -> int:
    """Print what a bundle sees in a picture or video: the command `elfowl-agent detect`.

    Args:
        bundle: A bundle's folder or zip.
        path: A picture or video file.
        as_json: Print one JSON document instead of lines for people.
        every: Look at each so many-th frame only.
        out: Where to print; standard output by default.

    Returns:
        The exit status 0.

    Raises:
        ElfowlError: As `BundleDetector.open` and `detect_rows`.
    """
    out = out or sys.stdout
    with closing(BundleDetector.open(bundle)) as detector:
        rows = detect_rows(detector, path, every=every)
        if as_json:
            refs = [detector.detector_ref(i).model_dump() for i in range(len(detector.bundle.manifest.heads))]
            _write_json(rows, {"source": str(path), "detectors": refs}, out)
        else:
            _write_lines(rows, out)
    return 0


def _row(frame: Frame, time_s: float, detections: list[Detection]) -> dict[str, Any]:
    return {
        "frame_index": frame.index,
        "time_s": round(time_s, 6),
        "width_px": frame.width_px,
        "height_px": frame.height_px,
        "detections": [detection.model_dump() for detection in detections],
    }


def _write_json(rows: Iterator[dict[str, Any]], head: dict[str, Any], out: TextIO) -> None:
    # The first row comes before anything is printed: a file that cannot be read prints no half document.
    first = next(rows)
    out.write(json.dumps(head)[:-1] + ', "frames": [\n' + json.dumps(first))
    out.writelines(",\n" + json.dumps(row) for row in rows)
    out.write("\n]}\n")


def _write_lines(rows: Iterator[dict[str, Any]], out: TextIO) -> None:
    for row in rows:
        seen = ", ".join(f"{found['label']} {found['score']:.0%}" for found in row["detections"])
        out.write(f"frame {row['frame_index']} at {row['time_s']:.2f} s: {seen or 'nothing'}\n")
