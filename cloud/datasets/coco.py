"""COCO files in and out; strict, because a box in the wrong place teaches the wrong thing.

A COCO image is an image file, or one frame of a video: then it has `frame_index`, 0-based over decoded
frames. Our own addition `trusted`, a list of `[x, y, width, height]` in pixels, tells in which parts of a
picture the labels hold. An annotation without a box is a tag: its class is somewhere in the picture; our own
addition `tagged` tells that all classes without such an annotation are not.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.errors import InputError
from edge_agent.wire.base import XyxyNorm

TOLERANCE_PX = 1.0
"""A box may reach this far outside of its picture; it is cut there."""

MAX_FILE_BYTES = 200_000_000

_RowT = TypeVar("_RowT", "_Image", "_Annotation", "_Category")
_Xywh = Annotated[tuple[float, float, float, float], Field(description="left, top, width, height in pixels")]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Image(_Row):
    id: int
    file_name: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    frame_index: int | None = Field(None, ge=0)
    trusted: tuple[_Xywh, ...] | None = None
    tagged: bool = False


class _Annotation(_Row):
    id: int
    image_id: int
    category_id: int
    bbox: _Xywh | None = None
    iscrowd: int = 0
    segmentation: object = None

    @model_validator(mode="after")
    def _box_of_outline(self) -> _Annotation:
        if self.bbox is None and (self.segmentation or self.iscrowd):
            message = "has an outline and no bbox"
            raise ValueError(message)
        return self


class _Category(_Row):
    id: int
    name: str = Field(min_length=1)


class _File(_Row):
    images: tuple[_Image, ...] = Field(min_length=1)
    categories: tuple[_Category, ...] = Field(min_length=1)
    annotations: tuple[_Annotation, ...] = ()


@dataclass(frozen=True)
class CocoImage:
    """One labelled picture of a COCO file, not yet tied to a file on disk."""

    id: int
    file_name: str
    frame_index: int | None
    width_px: int
    height_px: int
    boxes: tuple[LabelledBox, ...]
    trusted_xyxy_norm: tuple[XyxyNorm, ...] | None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True)
class CocoLabels:
    """A checked COCO file: its classes by display name, in the file's order, and its pictures."""

    classes: tuple[str, ...]
    images: tuple[CocoImage, ...]


def read_coco(path: Path) -> CocoLabels:
    """Read and check a COCO file.

    Raises:
        InputError: It cannot be read or something in it is wrong; one line that says what, where and what to
        do.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            message = f"{path.name}: over {MAX_FILE_BYTES} bytes; split it"
            raise InputError(message)
        data = path.read_bytes()
    except OSError as error:
        message = f"{path.name}: cannot be opened ({error.strerror})"
        raise InputError(message) from error
    return parse_coco(data, path.name)


def parse_coco(data: bytes, name: str) -> CocoLabels:
    """Check a COCO document; `name` is what errors call it.

    Raises:
        InputError: Something in it is wrong; one line that says what, where and what to do.
    """
    document = _parsed(data, name)
    categories = _unique(document.categories, "category", name)
    images = _unique(document.images, "image", name)
    _unique(document.annotations, "annotation", name)
    _refuse_twice((row.name for row in document.categories), "category name", name)
    frames = ((image.file_name, image.frame_index) for image in document.images)
    _refuse_twice(frames, "picture", name)
    of_image: dict[int, list[_Annotation]] = defaultdict(list)
    for annotation in document.annotations:
        place = f"{name}: annotation {annotation.id}"
        if annotation.image_id not in images:
            message = f"{place}: there is no image {annotation.image_id}; remove it or add the image"
            raise InputError(message)
        if annotation.category_id not in categories:
            message = f"{place}: there is no category {annotation.category_id}; add it to 'categories'"
            raise InputError(message)
        of_image[annotation.image_id].append(annotation)
    return CocoLabels(
        tuple(row.name for row in document.categories),
        tuple(_image(image, of_image[image.id], categories, name) for image in document.images),
    )


def _parsed(data: bytes, name: str) -> _File:
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        message = f"{name}: is not JSON ({error}); export the labels as COCO JSON"
        raise InputError(message) from error
    if not isinstance(raw, dict) or not raw.get("images"):
        message = f"{name}: has no images; a COCO file lists them under 'images'"
        raise InputError(message)
    try:
        return _File.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{name}: {_place(raw, first['loc'])}: {first['msg'].lower()}; mend or remove it"
        raise InputError(message) from error


def _place(raw: dict[str, Any], location: tuple[int | str, ...]) -> str:
    """Return where an error is, by the row's own id where it has one."""
    table, *rest = location
    if rest and isinstance(rest[0], int):
        row = raw[str(table)][rest[0]]
        identifier = row.get("id") if isinstance(row, dict) else None
        kind = {"images": "image", "annotations": "annotation", "categories": "category"}[str(table)]
        first = f"{kind} number {rest[0]}" if identifier is None else f"{kind} {identifier}"
        return " ".join([first, *(str(part) for part in rest[1:])])
    return ".".join(str(part) for part in location)


def _unique(rows: Sequence[_RowT], kind: str, name: str) -> dict[int, _RowT]:
    _refuse_twice((row.id for row in rows), f"{kind} id", name)
    return {row.id: row for row in rows}


def _refuse_twice(keys: Iterable[object], kind: str, name: str) -> None:
    seen = set()
    for key in keys:
        if key in seen:
            message = f"{name}: {kind} {key} comes twice; remove or rename one"
            raise InputError(message)
        seen.add(key)


def _image(
    image: _Image, annotations: Sequence[_Annotation], categories: dict[int, _Category], name: str
) -> CocoImage:
    size = (image.width, image.height)
    place = f"{name}: image {image.id}"
    boxes = tuple(
        LabelledBox(
            categories[row.category_id].name, _box_norm(row.bbox, size, f"{place} annotation {row.id}")
        )
        for row in annotations
        if row.bbox is not None and not row.iscrowd
    )
    tags = tuple(dict.fromkeys(categories[row.category_id].name for row in annotations if row.bbox is None))
    regions = None
    if image.trusted is not None:
        regions = [_box_norm(region, size, f"{place} trusted region") for region in image.trusted]
    for row in annotations:
        if row.iscrowd and row.bbox is not None:
            # A crowd is not one object and not background: nothing is learned from where it is.
            hole = _box_norm(row.bbox, size, f"{place} annotation {row.id}")
            regions = without(regions if regions is not None else [(0.0, 0.0, 1.0, 1.0)], hole)
    return CocoImage(
        image.id,
        image.file_name,
        image.frame_index,
        *size,
        boxes,
        None if regions is None else tuple(regions),
        tags if tags or image.tagged else None,
    )


def _box_norm(bbox: _Xywh, size_px: tuple[int, int], place: str) -> XyxyNorm:
    """Return a box as fractions of its picture, cut at its edges.

    Raises:
        InputError: It is empty, or reaches more than a pixel outside.
    """
    x, y, width, height = bbox
    if width <= 0 or height <= 0:
        message = f"{place}: box {list(bbox)} has no size; mend or remove it"
        raise InputError(message)
    right, bottom = x + width, y + height
    outside = max(-x, -y, right - size_px[0], bottom - size_px[1])
    if outside > TOLERANCE_PX or x >= size_px[0] or y >= size_px[1] or right <= 0 or bottom <= 0:
        message = (
            f"{place}: box {list(bbox)} (x, y, width, height) reaches outside of the "
            f"{size_px[0]}x{size_px[1]} picture; mend or remove it"
        )
        raise InputError(message)
    return (
        max(0.0, x / size_px[0]),
        max(0.0, y / size_px[1]),
        min(1.0, right / size_px[0]),
        min(1.0, bottom / size_px[1]),
    )


def without(regions: Sequence[XyxyNorm], hole: XyxyNorm) -> list[XyxyNorm]:
    """Return the regions less a hole: each region that it touches becomes up to four around it."""
    left: list[XyxyNorm] = []
    for x1, y1, x2, y2 in regions:
        top, bottom = min(max(hole[1], y1), y2), max(min(hole[3], y2), y1)
        start, end = min(max(hole[0], x1), x2), max(min(hole[2], x2), x1)
        if start >= end or top >= bottom:
            left.append((x1, y1, x2, y2))
            continue
        parts = [(x1, y1, x2, top), (x1, bottom, x2, y2), (x1, top, start, bottom), (end, top, x2, bottom)]
        left += [part for part in parts if part[0] < part[2] and part[1] < part[3]]
    return left


def labelled_frames(labels: CocoLabels, find: Callable[[CocoImage], Path]) -> list[LabelledFrame]:
    """Tie the pictures of a COCO file to files on disk.

    Args:
        labels: From `read_coco`.
        find: Returns the image file, or the video of which `frame_index` names a frame; see `in_folder`.
    """
    return [
        LabelledFrame(
            PictureSource(find(image), image.frame_index),
            image.width_px,
            image.height_px,
            image.boxes,
            image.trusted_xyxy_norm,
            image.tags,
        )
        for image in labels.images
    ]


def in_folder(folder: Path) -> Callable[[CocoImage], Path]:
    """Return a `find` that looks for `file_name` in a folder; of `clip.mp4#000012` for `clip.mp4`.

    Only the name counts, never a path, so a file cannot point out of the folder.
    """

    def find(image: CocoImage) -> Path:
        name = image.file_name if image.frame_index is None else image.file_name.split("#")[0]
        path = folder / Path(name.replace("\\", "/")).name
        if not path.is_file():
            message = f"image {image.id}: there is no {path.name} in {folder}; put it there"
            raise InputError(message)
        return path

    return find
