"""All formats of labels behind one door: which files are labels is told by their content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cloud.datasets.coco import CocoImage, CocoLabels, read_coco
from cloud.datasets.cvat import CvatReader
from cloud.datasets.label_set import Files, LabelReader, LabelSet, PictureLabels, Refusal
from cloud.datasets.voc import VocReader
from cloud.datasets.yolo import YoloReader
from cloud.errors import InputError

LABEL_SUFFIXES = frozenset({".json", ".xml", ".txt", ".yaml", ".yml", ".names", ".labels"})


class CocoReader:
    """Reads COCO; see `cloud.datasets.coco`."""

    title = "COCO"

    def claims(self, files: Files) -> frozenset[str]:
        """Return the JSON files that list images."""
        return frozenset(
            name for name, path in files.items() if name.lower().endswith(".json") and _is_coco(path)
        )

    def read(self, files: Files) -> LabelSet:
        """Return what the files say; of a wrong file nothing counts."""
        pictures: list[PictureLabels] = []
        refusals: list[Refusal] = []
        classes: list[str] = []
        for name, path in sorted(files.items()):
            try:
                coco = read_coco(path)
            except InputError as error:
                refusals.append(Refusal(name, str(error).removeprefix(f"{path.name}: ")))
                continue
            classes += coco.classes
            pictures += pictures_of_coco(coco, name)
        return LabelSet(tuple(dict.fromkeys(classes)), tuple(pictures), tuple(refusals))


READERS: tuple[LabelReader, ...] = (CocoReader(), CvatReader(), VocReader(), YoloReader())


def read_labels(files: Files) -> LabelSet:
    """Return what all label files among `files` say together.

    What is wrong is told in `refusals`, so that the rest can go in. When two formats speak of one picture,
    the first of COCO, CVAT, VOC and YOLO counts.
    """
    sets: list[tuple[str, LabelSet]] = []
    left = dict(files)
    for reader in READERS:
        claimed = reader.claims(left)
        if claimed:
            sets.append((reader.title, reader.read({name: left.pop(name) for name in sorted(claimed)})))
    unknown = tuple(
        Refusal(name, "neither a picture, a video nor labels that are known") for name in sorted(left)
    )
    return _merged(sets, unknown)


def pictures_of_coco(coco: CocoLabels, name: str) -> list[PictureLabels]:
    """Return the pictures of a COCO file, as all formats tell them."""
    return [_picture(image, name) for image in coco.images]


def _picture(image: CocoImage, name: str) -> PictureLabels:
    file_name = image.file_name if image.frame_index is None else image.file_name.split("#")[0]
    return PictureLabels(
        file_name,
        f"{name}: image {image.id}",
        image.boxes,
        image.frame_index,
        (image.width_px, image.height_px),
        image.trusted_xyxy_norm,
        image.tags,
    )


def _merged(sets: Sequence[tuple[str, LabelSet]], unknown: tuple[Refusal, ...]) -> LabelSet:
    classes: list[str] = []
    pictures: dict[tuple[str, int | None], PictureLabels] = {}
    refusals = [*unknown]
    said_by: dict[tuple[str, int | None], str] = {}
    for title, one in sets:
        classes += one.classes
        refusals += one.refusals
        for picture in one.pictures:
            key = (picture.name.rpartition(".")[0] or picture.name, picture.frame_index)
            if key in pictures and said_by[key] != title:
                refusals.append(
                    Refusal(picture.place, f"{picture.name} is labelled by {said_by[key]} already")
                )
                continue
            pictures[key] = picture
            said_by[key] = title
    return LabelSet(tuple(dict.fromkeys(classes)), tuple(pictures.values()), tuple(refusals))


def _is_coco(path: Path) -> bool:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError):
        # Broken JSON is meant as labels, so it is told what is wrong with it.
        return True
    return isinstance(document, dict) and "images" in document
