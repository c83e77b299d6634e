"""A little world to look at: red squares that come and go, and a detector that sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_agent.agent.local_detector import OpenedBundle
from edge_agent.camera.capture import CaptureHealth
from edge_agent.camera.frame import Frame
from edge_agent.clock import Clock
from edge_agent.errors import ArtifactError, BackendError
from edge_agent.pipeline.detector import LabelRule
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.manifest import (
    AnchorFreeDecoder,
    AnchorFreeLevel,
    Head,
    InputSpec,
    LabelSpec,
    Manifest,
)

HEIGHT_PX, WIDTH_PX = 90, 160
REF = DetectorRef(id="squares", name="squares", version=1, precision="int8")


def square_picture(shift_px: int | None) -> Rgb:
    """Return grey with a red square that moved by so many pixels; none: without."""
    rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)
    if shift_px is not None:
        left = 10 + shift_px % 100
        rgb[30:60, left : left + 30] = (255, 0, 0)
    return rgb


class SquareDetector:
    """Finds the red square."""

    inference_ms = 1.0

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.closed = False

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        if self.broken:
            message = "the network failed"
            raise BackendError(message)
        red = (rgb[..., 0] > 200) & (rgb[..., 1] < 80)
        if not red.any() or (min_score or 0.0) > 0.9:
            return []
        rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
        height, width = rgb.shape[:2]
        box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
        return [Detection(label="red_square", score=0.9, box=(*map(float, box),))]

    def close(self) -> None:
        self.closed = True


def square_manifest(version: int = 1, *, blue: bool = False) -> Manifest:
    level = AnchorFreeLevel(stride_px=8, scores_output="s", boxes_output="b")
    head = Head(
        detector=REF.model_copy(update={"version": version}),
        labels=tuple(
            LabelSpec(name=f"{colour} square", slug=f"{colour}_square", threshold=0.5)
            for colour in (["red", "blue"] if blue else ["red"])
        ),
        decoder=AnchorFreeDecoder(levels=(level,)),
    )
    return Manifest(
        name="squares",
        profile="x86-64",
        release=version,
        runtime="onnx",
        precision="int8",
        model_file="model.onnx",
        files={"model.onnx": "0" * 64},
        input=InputSpec(name="x", width_px=160, height_px=96, dtype="int8"),
        heads=(head,),
        created=0.0,
    )


def open_square_bundle(path: Path, _threads: int) -> OpenedBundle:
    """Open any path: `…broken…` fails on pictures, `…damaged…` cannot be opened, `…2…` is version 2.

    `…blue…` knows blue squares too, of which there are none.
    """
    if "damaged" in path.name:
        message = f"{path.name} is damaged"
        raise ArtifactError(message)
    manifest = square_manifest(2 if "2" in path.name else 1, blue="blue" in path.name)
    head = manifest.heads[0]
    rules = {label.slug: LabelRule(label.slug, label.name, 0.5, head.detector) for label in head.labels}
    return OpenedBundle(SquareDetector(broken="broken" in path.name), manifest, rules)


class SquareCamera:
    """Implements `PictureSource`: a square is there for `seen_s` seconds of each `period_s`."""

    def __init__(
        self, clock: Clock, *, fps: float = 10.0, seen_s: float = 1.5, period_s: float = 4.0
    ) -> None:
        self._clock = clock
        self._fps = fps
        self._seen_s = seen_s
        self._period_s = period_s
        self._started_s = self._next_s = clock.monotonic_s()
        self._index = 0
        self.offline: str | None = None

    def start(self) -> None:
        self._started_s = self._next_s = self._clock.monotonic_s()

    def latest(self, timeout_s: float) -> Frame | None:
        if self.offline is not None:
            self._clock.sleep(timeout_s)
            return None
        self._clock.sleep(max(0.0, self._next_s - self._clock.monotonic_s()))
        now_s = self._clock.monotonic_s()
        self._next_s = now_s + 1.0 / self._fps
        phase_s = (now_s - self._started_s) % self._period_s
        shift_px = int(phase_s * 40) if 0.5 <= phase_s < 0.5 + self._seen_s else None
        self._index += 1
        return Frame(square_picture(shift_px), self._index, self._clock.now_s(), now_s)

    def health(self) -> CaptureHealth:
        if self.offline is not None:
            return CaptureHealth("offline", self.offline, 1.0)
        return CaptureHealth("online", "pictures are coming", 1.0, fps=self._fps, frames=self._index)

    def close(self) -> None:
        pass
