"""A video with squares that come and go, and eyes that see them by their brightness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from cloud.scan.eyes import Looks
from edge_agent.pipeline.detector import LabelRule
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef

FPS, COUNT = 10, 200
WIDTH_PX, HEIGHT_PX, SIDE_PX = 160, 96, 24
APPEARANCES = ((30, 70), (110, 160))
"""First frame and end of each square, which moves to the right meanwhile."""

REF = DetectorRef(id="det_squares", name="squares", version=1)


def write_squares(path: Path, *, gop: int = 40) -> Path:
    with av.open(str(path), "w") as output:
        options = {"g": str(gop), "bf": "0", "crf": "12", "preset": "ultrafast"}
        stream = output.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def picture(number: int) -> Rgb:
    rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), 60, np.uint8)
    for first, end in APPEARANCES:
        if first <= number < end:
            left = 4 + 2 * (number - first)
            rgb[30 : 30 + SIDE_PX, left : left + SIDE_PX] = 250
    return rgb


class SquareEyes:
    """Sees the white square; counts how many pictures it was shown, and may break at one."""

    def __init__(self, ref: DetectorRef = REF, breaks_at: int | None = None) -> None:
        self.ref = ref
        self.looks = 0
        self.breaks_at = breaks_at

    @property
    def rules(self) -> Mapping[DetectorRef, Mapping[str, LabelRule]]:
        return {self.ref: {"square": LabelRule("square", "square", 0.5, self.ref)}}

    def look(self, pictures: Sequence[Rgb]) -> Looks:
        self.looks += len(pictures)
        if self.breaks_at is not None and self.looks >= self.breaks_at:
            raise KeyboardInterrupt
        return {self.ref: [_seen(rgb) for rgb in pictures]}


def _seen(rgb: Rgb) -> list[Detection]:
    ys, xs = np.nonzero(rgb[:, :, 1] > 180)
    if len(xs) < SIDE_PX:
        return []
    height, width = rgb.shape[:2]
    box = (xs.min() / width, ys.min() / height, (xs.max() + 1) / width, (ys.max() + 1) / height)
    return [Detection(label="square", score=0.9, box=tuple(float(side) for side in box))]
