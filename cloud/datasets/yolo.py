"""YOLO labels: a text file a picture, a line an object: class number, then centre and size as fractions.

The names of the classes stand in `data.yaml` (`names`), `classes.txt` or `obj.names`. An empty text file says
that nothing is in the picture; a picture without one says nothing. A line with more numbers is an outline,
whose box counts.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from cloud.datasets.boxes import box_of_pixels, number
from cloud.datasets.frames import LabelledBox
from cloud.datasets.label_set import Files, LabelSet, PictureLabels, Refusal
from cloud.errors import InputError
from edge_agent.wire.base import XyxyNorm

CLASS_FILES = ("classes.txt", "obj.names", "labels.txt", "_darknet.labels")
_LISTS = frozenset({"train.txt", "val.txt", "valid.txt", "test.txt"})
_TOLERANCE = 0.005
_MAX_FILE_BYTES = 20_000_000
_BOX_COLUMNS = 5
_OUTLINE_COLUMNS = 7


class YoloReader:
    """Reads YOLO."""

    title = "YOLO"

    def claims(self, files: Files) -> frozenset[str]:
        """Return text files of labels, and the files with the names of the classes."""
        texts = {
            name
            for name in files
            if name.lower().endswith(".txt") and _last(name) not in {*_LISTS, *CLASS_FILES}
        }
        labels = {name for name in texts if _is_labels(files[name])}
        names = {name for name in files if _last(name) in CLASS_FILES or _is_description(name)}
        lists = {name for name in files if _last(name) in _LISTS}
        return frozenset(labels | names | lists) if labels else frozenset()

    def read(self, files: Files) -> LabelSet:
        """Return what the files say; a wrong one is refused, the others count."""
        refusals: list[Refusal] = []
        classes: tuple[str, ...] = ()
        for name in sorted(name for name in files if _last(name) in CLASS_FILES or _is_description(name)):
            try:
                classes = classes or _class_names(files[name], name)
            except InputError as error:
                refusals.append(Refusal(name, str(error)))
        pictures = []
        for name, path in sorted(files.items()):
            if not name.lower().endswith(".txt") or _last(name) in {*CLASS_FILES, *_LISTS}:
                continue
            try:
                pictures.append(_picture(path, name, classes))
            except InputError as error:
                refusals.append(Refusal(name, str(error)))
        return LabelSet(classes, tuple(pictures), tuple(refusals))


def _last(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _is_description(name: str) -> bool:
    return _last(name).endswith((".yaml", ".yml"))


def _is_labels(path: Path) -> bool:
    """Return whether the first line with words begins with a class number; an empty file is labels."""
    if path.stat().st_size > _MAX_FILE_BYTES:
        return False
    with path.open("rb") as stream:
        head = stream.read(4096).decode("utf-8", "replace")
    columns = next((line.split() for line in head.splitlines() if line.strip()), ["0", "0"])
    return len(columns) > 1 and columns[0].isdecimal()


def _class_names(path: Path, name: str) -> tuple[str, ...]:
    if not _is_description(name):
        lines = path.read_text("utf-8", "replace").splitlines()
        return _checked([line.strip() for line in lines if line.strip()])
    try:
        document = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f"line {mark.line + 1}: "
        message = f"{place}is no YAML; mend it"
        raise InputError(message) from error
    found = document.get("names") if isinstance(document, dict) else None
    if isinstance(found, dict):
        if sorted(found) != list(range(len(found))):
            message = "the classes under 'names' are not numbered 0, 1, 2, …; number them so"
            raise InputError(message)
        found = [found[index] for index in range(len(found))]
    if not isinstance(found, list) or not found:
        message = "has no 'names', so the classes are not known; list them there"
        raise InputError(message)
    return _checked([str(one).strip() for one in found])


def _checked(names: list[str]) -> tuple[str, ...]:
    if not all(names) or len(set(names)) != len(names):
        message = "a class has no name, or two have the same; give each its own"
        raise InputError(message)
    return tuple(names)


def _picture(path: Path, name: str, classes: tuple[str, ...]) -> PictureLabels:
    boxes = []
    for line, text in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        if text.strip():
            try:
                boxes.append(_box(text.split(), classes))
            except InputError as error:
                message = f"line {line}: {error}"
                raise InputError(message) from error
    stem = name.rpartition(".")[0]
    # The usual twin folders: labels/train/a.txt is about images/train/a.jpg.
    parts = ["images" if part == "labels" else part for part in stem.split("/")]
    return PictureLabels("/".join(parts), name, tuple(dict.fromkeys(boxes)))


def _box(columns: list[str], classes: tuple[str, ...]) -> LabelledBox:
    if not columns[0].isdecimal():
        message = f"{columns[0]!r} is no class number"
        raise InputError(message)
    index = int(columns[0])
    if not classes:
        message = "the names of the classes are missing; add a classes.txt or data.yaml"
        raise InputError(message)
    if index >= len(classes):
        message = f"class {index} has no name; there are {len(classes)}, numbered from 0"
        raise InputError(message)
    return LabelledBox(classes[index], _place([number(text, "a value") for text in columns[1:]]))


def _place(values: list[float]) -> XyxyNorm:
    if len(values) == _BOX_COLUMNS - 1:
        x, y, width, height = values
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    elif len(values) >= _OUTLINE_COLUMNS - 1 and len(values) % 2 == 0:
        xs, ys = values[::2], values[1::2]
        corners = (min(xs), min(ys), max(xs), max(ys))
    else:
        message = f"{len(values) + 1} columns; a box has 5 (class, centre x, centre y, width, height)"
        raise InputError(message)
    return box_of_pixels(corners, (1.0, 1.0), _TOLERANCE)
