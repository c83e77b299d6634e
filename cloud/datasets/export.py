"""Labelled frames out as COCO or YOLO: labels alone, or with pictures in one zip archive.

Other tools know frames of videos only as pictures, and mostly ignore EXIF: so with pictures every frame
becomes an upright image file, and labels count in these. Labels alone keep the names of the user's files, and
frames of a video are those of the file that was uploaded.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import simplejpeg
import yaml
from PIL import Image

from cloud.datasets.coco_out import coco_document
from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.datasets.images import read_image
from cloud.datasets.pictures import read_pictures
from cloud.errors import InputError

Format = Literal["coco", "yolo"]

_JPEG_QUALITY = 95
_ORIENTATION_TAG = 0x0112
_AS_THEY_ARE = frozenset({"JPEG", "PNG"})
_DIGITS = 8


@dataclass(frozen=True)
class ExportFrame:
    """A labelled frame by the user's name for it; `source_index`: its number in the uploaded video."""

    frame: LabelledFrame
    name: str
    source_index: int | None = None


@dataclass(frozen=True)
class Exported:
    """What went out, and how many frames the format cannot tell."""

    frames: int
    boxes: int
    left_out: int


def write_export(
    frames: Sequence[ExportFrame], classes: Sequence[str], out: Path, kind: Format, *, with_images: bool
) -> Exported:
    """Write frames to `out`, there whole or not at all: `.json` for COCO without pictures, else a `.zip`.

    Raises:
        InputError: There is nothing to write, or a picture cannot be read.
    """
    told = [one for one in frames if kind == "coco" or _fits_yolo(one.frame)]
    if not told:
        message = "no labelled frames to export; draw some boxes first"
        raise InputError(message)
    named = list(zip(told, _unique_names(told, with_images=with_images), strict=True))
    partial = out.with_name(out.name + ".part")
    try:
        if kind == "coco" and not with_images:
            partial.write_text(json.dumps(_coco(named, classes, ""), indent=1), encoding="utf-8")
        else:
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
                _fill(archive, named, classes, kind, with_images=with_images)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return Exported(len(told), sum(len(one.frame.boxes) for one in told), len(frames) - len(told))


def yolo_lines(boxes: Iterable[LabelledBox], classes: Sequence[str]) -> str:
    """Return the text of one YOLO label file."""
    lines = []
    for box in boxes:
        x1, y1, x2, y2 = box.box_xyxy_norm
        values = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        lines.append(" ".join([str(classes.index(box.label)), *(f"{value:.{_DIGITS}f}" for value in values)]))
    return "".join(f"{line}\n" for line in lines)


def _fits_yolo(frame: LabelledFrame) -> bool:
    """Return whether a frame was looked at as a whole: YOLO takes all that is not boxed for background."""
    return frame.trusted_xyxy_norm is None and not (frame.tags and not frame.boxes)


_Named = Sequence[tuple[ExportFrame, str]]


def _fill(
    archive: zipfile.ZipFile, named: _Named, classes: Sequence[str], kind: Format, *, with_images: bool
) -> None:
    if kind == "coco":
        archive.writestr("annotations.json", json.dumps(_coco(named, classes, "images/"), indent=1))
    else:
        description = {"path": ".", "train": "images", "val": "images", "names": dict(enumerate(classes))}
        archive.writestr("data.yaml", yaml.safe_dump(description, sort_keys=False, allow_unicode=True))
        archive.writestr("classes.txt", "".join(f"{name}\n" for name in classes))
        for one, name in named:
            stem = PurePosixPath(name).stem
            archive.writestr(f"labels/{stem}.txt", yolo_lines(one.frame.boxes, classes))
    if with_images:
        _fill_pictures(archive, named)


def _coco(named: _Named, classes: Sequence[str], folder: str) -> dict[str, object]:
    frames = []
    names: dict[int, str] = {}
    for one, name in named:
        # Within an archive with pictures a frame of a video is an image file like any other.
        index = None if folder else one.source_index
        frame = replace(one.frame, source=PictureSource(one.frame.source.path, index))
        names[id(frame)] = folder + name
        frames.append(frame)
    return coco_document(frames, classes, lambda frame: names[id(frame)])


def _unique_names(frames: Sequence[ExportFrame], *, with_images: bool) -> list[str]:
    """Return a file name for each frame, safe in any file system, none twice where each is a file."""
    names = []
    taken: set[str] = set()
    for one in frames:
        safe = "".join(sign if sign.isalnum() or sign in "-_. " else "_" for sign in one.name).strip(". ")
        stem, suffix = PurePosixPath(safe).stem or "frame", PurePosixPath(safe).suffix
        if not with_images and one.source_index is not None:
            names.append(one.name)
            continue
        if one.source_index is not None:
            stem = f"{stem}_{one.source_index:06d}"
        if one.source_index is not None or (with_images and not _is_copied(one.frame.source.path)):
            suffix = ".jpg"
        base, count = stem, 1
        while stem.casefold() in taken:
            count += 1
            stem = f"{base}-{count}"
        taken.add(stem.casefold())
        names.append(stem + suffix)
    return names


def _is_copied(path: Path) -> bool:
    """Return whether an image file goes out byte by byte: any tool reads its kind, and it stands upright."""
    with Image.open(path) as image:
        return image.format in _AS_THEY_ARE and image.getexif().get(_ORIENTATION_TAG, 1) == 1


def _fill_pictures(archive: zipfile.ZipFile, named: _Named) -> None:
    of_videos: dict[PictureSource, str] = {}
    for one, name in named:
        source = one.frame.source
        if source.frame_index is not None:
            of_videos[source] = name
        elif _is_copied(source.path):
            archive.write(source.path, f"images/{name}", zipfile.ZIP_STORED)
        else:
            _write_jpeg(archive, name, simplejpeg.encode_jpeg(read_image(source.path), _JPEG_QUALITY, "RGB"))
    for source, rgb in read_pictures(of_videos):
        _write_jpeg(archive, of_videos[source], simplejpeg.encode_jpeg(rgb, _JPEG_QUALITY, "RGB"))


def _write_jpeg(archive: zipfile.ZipFile, name: str, jpeg: bytes) -> None:
    archive.writestr(f"images/{name}", jpeg, zipfile.ZIP_STORED)
