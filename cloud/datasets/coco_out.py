"""COCO files out: what `cloud.datasets.coco` reads back the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cloud.datasets.frames import LabelledFrame
from cloud.errors import InputError
from edge_agent.wire.base import XyxyNorm

NameOf = Callable[[LabelledFrame], str]


def write_coco(frames: Sequence[LabelledFrame], classes: Sequence[str], path: Path) -> None:
    """Write frames as a COCO file that `read_coco` reads back.

    Raises:
        InputError: A box or tag has a class that is not in `classes`.
    """
    document = coco_document(frames, classes, lambda frame: frame.source.name)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(document, indent=1), encoding="utf-8")
    partial.replace(path)


def coco_document(frames: Sequence[LabelledFrame], classes: Sequence[str], name_of: NameOf) -> dict[str, Any]:
    """Return frames as a COCO document; `name_of` gives each its `file_name`.

    Raises:
        InputError: A box or tag has a class that is not in `classes`.
    """
    category = {name: number for number, name in enumerate(classes, 1)}
    annotations: list[dict[str, Any]] = []
    for number, frame in enumerate(frames, 1):
        for row in _annotations(frame, category):
            annotations.append({"id": len(annotations) + 1, "image_id": number, **row})
    return {
        "images": [_image(frame, number, name_of(frame)) for number, frame in enumerate(frames, 1)],
        "annotations": annotations,
        "categories": [{"id": identifier, "name": name} for name, identifier in category.items()],
    }


def _image(frame: LabelledFrame, number: int, name: str) -> dict[str, Any]:
    size = (frame.width_px, frame.height_px)
    image: dict[str, Any] = {"id": number, "file_name": name, "width": size[0], "height": size[1]}
    if frame.source.frame_index is not None:
        image["frame_index"] = frame.source.frame_index
    if frame.trusted_xyxy_norm is not None:
        image["trusted"] = [_xywh(region, size) for region in frame.trusted_xyxy_norm]
    if frame.tags is not None:
        image["tagged"] = True
    return image


def _annotations(frame: LabelledFrame, category: dict[str, int]) -> list[dict[str, Any]]:
    found = [box.label for box in frame.boxes] + list(frame.tags or ())
    if unknown := [name for name in found if name not in category]:
        message = f"{frame.source.name}: class {unknown[0]!r} is not among {', '.join(category)}"
        raise InputError(message)
    rows: list[dict[str, Any]] = []
    for box in frame.boxes:
        place = _xywh(box.box_xyxy_norm, (frame.width_px, frame.height_px))
        area = round(place[2] * place[3], 3)
        rows.append({"category_id": category[box.label], "bbox": place, "area": area, "iscrowd": 0})
    return [*rows, *({"category_id": category[tag]} for tag in frame.tags or ())]


def _xywh(box: XyxyNorm, size_px: tuple[int, int]) -> list[float]:
    width_px, height_px = size_px
    x1, y1, x2, y2 = box
    pixels = (x1 * width_px, y1 * height_px, (x2 - x1) * width_px, (y2 - y1) * height_px)
    # A ten-thousandth of a pixel: the file stays readable, and nothing is lost.
    return [round(value, 4) for value in pixels]
