"""Small pictures of single objects, cut out of their frames, as data that a page can hold itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence

from PIL import Image, ImageDraw

from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.datasets.pictures import read_pictures
from cloud.evaluation.report import Finding
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm

_SIDE_PX = 120
_AROUND = 1.8
_LEAST_SIDE_PX = 48
_QUALITY = 72
_MISSED_RGB, _ALARM_RGB = (64, 200, 120), (240, 150, 40)


def with_pictures(
    findings: Sequence[Finding],
    frames: Iterable[LabelledFrame],
    limit: int,
    read: Callable[[Iterable[PictureSource]], Iterable[tuple[PictureSource, Rgb]]] = read_pictures,
) -> tuple[Finding, ...]:
    """Return the findings, the first `limit` of them with a picture.

    Raises:
        InputError: A picture cannot be read.
    """
    sources = {frame.source.name: frame.source for frame in frames}
    wanted = findings[:limit]
    needed = dict.fromkeys(sources[one.frame] for one in wanted if one.frame in sources)
    pictures: dict[int, str] = {}
    for source, rgb in read(needed):
        for number, one in enumerate(wanted):
            if one.frame == source.name:
                pictures[number] = cut_out(rgb, one.box, _MISSED_RGB if one.kind == "missed" else _ALARM_RGB)
    return tuple(
        one.model_copy(update={"picture": pictures.get(number)}) for number, one in enumerate(findings)
    )


def cut_out(rgb: Rgb, box: XyxyNorm, colour: tuple[int, int, int]) -> str:
    """Return an object with its surroundings and a thin frame around it, a JPEG as a data URI."""
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    half = max(x2 - x1, y2 - y1, _LEAST_SIDE_PX) * _AROUND / 2
    left, top = round((x1 + x2) / 2 - half), round((y1 + y2) / 2 - half)
    side = max(1, round(2 * half))
    picture = Image.fromarray(rgb).crop((left, top, left + side, top + side)).resize((_SIDE_PX, _SIDE_PX))
    scale = _SIDE_PX / side
    corners = [(x1 - left) * scale, (y1 - top) * scale, (x2 - left) * scale, (y2 - top) * scale]
    ImageDraw.Draw(picture).rectangle(corners, outline=colour, width=2)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
