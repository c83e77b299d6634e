"""CVAT XML 1.1: "CVAT for video" (tracks) and "CVAT for images".

A track is a list of boxes by frame. Where it leaves out frames, the boxes between two are interpolated, as
CVAT does; `outside` ends it until it comes back. A track with gaps goes on after its last box until the end
of the task; one that lists every frame ends where its list does. Labels hold from the first to the last frame
that any track names: of frames before and after nothing is said.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from cloud.datasets.boxes import box_of_pixels, number
from cloud.datasets.frames import LabelledBox
from cloud.datasets.label_set import Files, LabelSet, PictureLabels, Refusal
from cloud.datasets.xml_tree import Element, read_xml
from cloud.errors import InputError

_PEEK_BYTES = 4096
_MAX_FRAMES = 10_000_000
_TASKS = ("meta/task", "meta/job", "meta/project/tasks/task")

Xyxy = tuple[float, float, float, float]


class CvatReader:
    """Reads CVAT XML."""

    title = "CVAT"

    def claims(self, files: Files) -> frozenset[str]:
        """Return the XML files whose root is `<annotations>`."""
        return frozenset(name for name in files if name.lower().endswith(".xml") and _is_cvat(files, name))

    def read(self, files: Files) -> LabelSet:
        """Return what the files say; of a wrong file nothing counts, a shape without area is left out."""
        pictures: list[PictureLabels] = []
        refusals: list[Refusal] = []
        classes: list[str] = []
        for name, path in sorted(files.items()):
            try:
                root = read_xml(path, name)
                pictures += [*_video(root, name), *_images(root, name)]
            except InputError as error:
                refusals.append(Refusal(name, str(error).removeprefix(f"{name}: ")))
                continue
            refusals += _left_out(root, name)
            classes += _class_names(root)
        seen = sorted({box.label for picture in pictures for box in picture.boxes})
        return LabelSet(tuple(dict.fromkeys([*classes, *seen])), tuple(pictures), tuple(refusals))


def _is_cvat(files: Files, name: str) -> bool:
    with files[name].open("rb") as stream:
        return b"<annotations" in stream.read(_PEEK_BYTES)


@dataclass(frozen=True)
class _Task:
    name: str
    size_px: tuple[float, float]
    frames: int
    step: int


def _task(root: Element, name: str) -> _Task:
    found = next((task for path in _TASKS if (task := root.find(path))), None)
    if found is None:
        message = f"{name}: has no <meta><task>; export it as 'CVAT for video 1.1'"
        raise InputError(message)
    size = (
        number(found.said("original_size/width"), f"{name}: original_size/width"),
        number(found.said("original_size/height"), f"{name}: original_size/height"),
    )
    frames = number(found.said("size") or "0", f"{name}: size")
    stop = found.said("stop_frame")
    last = number(stop, f"{name}: stop_frame") + 1 if stop else frames
    step = found.said("frame_filter").replace(" ", "").removeprefix("step=")
    every = int(step) if step.isdecimal() and int(step) else 1
    source = found.said("source") or root.said("meta/source") or found.said("name")
    return _Task(source, size, int(min(max(frames, last), _MAX_FRAMES)), every)


def _video(root: Element, name: str) -> list[PictureLabels]:
    tracks = root.every("track")
    if not tracks:
        return []
    task = _task(root, name)
    boxes: dict[int, list[LabelledBox]] = defaultdict(list)
    named: set[int] = set()
    for track in tracks:
        label = _label(track, name)
        shapes = _shapes(track, name)
        named.update(shape.frame for shape in shapes)
        for frame, xyxy, line in _filled(shapes, task):
            boxes[frame].append(LabelledBox(label, _placed(xyxy, task.size_px, name, line)))
    if not named:
        return []
    size_px = (round(task.size_px[0]), round(task.size_px[1]))
    start, end = min(named), max([*named, *boxes])
    return [
        PictureLabels(task.name, f"{name}: frame {frame}", tuple(boxes[frame]), frame, size_px)
        for frame in range(start, end + 1)
        if (frame - start) % task.step == 0
    ]


@dataclass(frozen=True)
class _Shape:
    frame: int
    xyxy_px: Xyxy
    is_outside: bool
    line: int


def _shapes(track: Element, name: str) -> list[_Shape]:
    found = []
    for one in [*track.every("box"), *track.every("polygon"), *track.every("ellipse")]:
        frame = one.attributes.get("frame", "")
        if not frame.isdecimal() or int(frame) >= _MAX_FRAMES:
            message = f"{name}: line {one.line}: frame is {frame!r}, which is no frame number"
            raise InputError(message)
        outside = one.attributes.get("outside") == "1"
        found.append(_Shape(int(frame), _corners(one, name), outside, one.line))
    found.sort(key=lambda shape: shape.frame)
    for before, after in pairwise(found):
        if before.frame == after.frame:
            message = f"{name}: line {after.line}: the track has frame {after.frame} twice; remove one"
            raise InputError(message)
    return found


def _filled(shapes: list[_Shape], task: _Task) -> Iterator[tuple[int, Xyxy, int]]:
    """Yield the boxes of a track frame by frame; those that the list leaves out lie between two of it."""
    is_sparse = any(after.frame - before.frame > task.step for before, after in pairwise(shapes))
    for before, after in pairwise(shapes):
        if before.is_outside:
            continue
        for frame in range(before.frame, after.frame):
            share = 0.0 if after.is_outside else (frame - before.frame) / (after.frame - before.frame)
            pairs = zip(before.xyxy_px, after.xyxy_px, strict=True)
            x1, y1, x2, y2 = (start + (end - start) * share for start, end in pairs)
            yield frame, (x1, y1, x2, y2), before.line
    if shapes and not shapes[-1].is_outside:
        last = shapes[-1]
        for frame in range(last.frame, max(last.frame + 1, task.frames if is_sparse else 0)):
            yield frame, last.xyxy_px, last.line


def _images(root: Element, name: str) -> list[PictureLabels]:
    pictures = []
    for image in root.every("image"):
        place = f"{name}: line {image.line}"
        size = (
            number(image.attributes.get("width"), f"{place}: width"),
            number(image.attributes.get("height"), f"{place}: height"),
        )
        boxes = tuple(
            LabelledBox(_label(one, name), _placed(_corners(one, name), size, name, one.line))
            for one in image.children
            if one.tag in {"box", "polygon", "ellipse"}
        )
        tags = tuple(dict.fromkeys(_label(one, name) for one in image.every("tag"))) or None
        size_px = (round(size[0]), round(size[1]))
        pictures.append(
            PictureLabels(image.attributes.get("name", ""), place, boxes, size_px=size_px, tags=tags)
        )
    return pictures


def _corners(one: Element, name: str) -> Xyxy:
    """Return the upright box around a shape; CVAT turns boxes clockwise about their centre."""
    place = f"{name}: line {one.line}"
    given = one.attributes
    if one.tag == "polygon":
        points = [pair.split(",") for pair in given.get("points", "").split(";")]
        if any(len(pair) != 2 for pair in points):
            message = f"{place}: the points of the polygon are not 'x,y;x,y;…'"
            raise InputError(message)
        xs, ys = ([number(pair[axis], f"{place}: a point") for pair in points] for axis in (0, 1))
        return min(xs), min(ys), max(xs), max(ys)
    if one.tag == "ellipse":
        x, y, rx, ry = (number(given.get(key), f"{place}: {key}") for key in ("cx", "cy", "rx", "ry"))
        return x - rx, y - ry, x + rx, y + ry
    x1, y1, x2, y2 = (number(given.get(key), f"{place}: {key}") for key in ("xtl", "ytl", "xbr", "ybr"))
    if "rotation" not in given:
        return x1, y1, x2, y2
    angle = math.radians(number(given["rotation"], f"{place}: rotation"))
    half_x, half_y = (x2 - x1) / 2, (y2 - y1) / 2
    reach_x = abs(half_x * math.cos(angle)) + abs(half_y * math.sin(angle))
    reach_y = abs(half_x * math.sin(angle)) + abs(half_y * math.cos(angle))
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return x - reach_x, y - reach_y, x + reach_x, y + reach_y


def _placed(xyxy_px: Xyxy, size: tuple[float, float], name: str, line: int) -> Xyxy:
    try:
        return box_of_pixels(xyxy_px, size)
    except InputError as error:
        message = f"{name}: line {line}: {error}"
        raise InputError(message) from error


def _label(one: Element, name: str) -> str:
    label = one.attributes.get("label", "").strip()
    if not label:
        message = f"{name}: line {one.line}: a <{one.tag}> without a label; give it one"
        raise InputError(message)
    return label


def _class_names(root: Element) -> list[str]:
    labels = next((found for path in _TASKS if (found := root.find(f"{path}/labels"))), None)
    return [] if labels is None else [name for one in labels.every("label") if (name := one.said("name"))]


def _left_out(root: Element, name: str) -> list[Refusal]:
    """Return which kinds of shapes have no area, so that no box can be made of them."""
    known = {"box", "polygon", "ellipse", "tag", "attribute"}
    counts: dict[str, int] = defaultdict(int)
    for holder in [*root.every("track"), *root.every("image")]:
        for one in holder.children:
            if one.tag not in known:
                counts[one.tag] += 1
    return [
        Refusal(
            name,
            f"{count} shapes of the kind {kind!r} left out: only boxes, polygons, ellipses and tags count",
        )
        for kind, count in sorted(counts.items())
    ]
