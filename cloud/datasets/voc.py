"""Pascal VOC labels: one XML file a picture, root `<annotation>`."""

from __future__ import annotations

from cloud.datasets.boxes import box_of_pixels, number
from cloud.datasets.coco import without
from cloud.datasets.frames import LabelledBox
from cloud.datasets.label_set import Files, LabelSet, PictureLabels, Refusal
from cloud.datasets.xml_tree import Element, read_xml
from cloud.errors import InputError
from edge_agent.wire.base import XyxyNorm

_PEEK_BYTES = 4096
_SIDES = ("xmin", "ymin", "xmax", "ymax")


class VocReader:
    """Reads Pascal VOC."""

    title = "Pascal VOC"

    def claims(self, files: Files) -> frozenset[str]:
        """Return the XML files whose root is `<annotation>`."""
        return frozenset(name for name in files if name.lower().endswith(".xml") and _is_voc(files, name))

    def read(self, files: Files) -> LabelSet:
        """Return what the files say; a wrong one is refused, the others count."""
        pictures, refusals = [], []
        for name, path in sorted(files.items()):
            try:
                pictures.append(_picture(read_xml(path, name), name))
            except InputError as error:
                refusals.append(Refusal(name, str(error).removeprefix(f"{name}: ")))
        classes = sorted({box.label for picture in pictures for box in picture.boxes})
        return LabelSet(tuple(classes), tuple(pictures), tuple(refusals))


def _is_voc(files: Files, name: str) -> bool:
    with files[name].open("rb") as stream:
        head = stream.read(_PEEK_BYTES)
    return b"<annotation>" in head or b"<annotation " in head


def _picture(root: Element, name: str) -> PictureLabels:
    if root.tag != "annotation":
        message = f"{name}: line {root.line}: the root is <{root.tag}>, not <annotation>"
        raise InputError(message)
    size = (
        number(root.said("size/width"), "size/width"),
        number(root.said("size/height"), "size/height"),
    )
    if min(size) <= 0:
        message = f"{name}: the size of the picture is {size[0]:g}x{size[1]:g}; fill in <size>"
        raise InputError(message)
    corners = [_corners(one, name) for one in root.every("object")]
    # By the book the first pixel is number 1; many tools count from 0, and a 0 gives them away.
    shift = 0.0 if any(min(xyxy[:2]) < 1 for xyxy in corners) else 1.0
    boxes: list[LabelledBox] = []
    regions: list[XyxyNorm] | None = None
    for one, (x1, y1, x2, y2) in zip(root.every("object"), corners, strict=True):
        box = _placed((x1 - shift, y1 - shift, x2, y2), size, one, name)
        if one.said("difficult") == "1":
            # By the book neither object nor background: nothing is learned from where it is.
            regions = without(regions if regions is not None else [(0.0, 0.0, 1.0, 1.0)], box)
        else:
            boxes.append(LabelledBox(_label(one, name), box))
    return PictureLabels(
        _folder(name) + (root.said("filename") or name.rpartition("/")[2].rpartition(".")[0]),
        name,
        tuple(boxes),
        size_px=(round(size[0]), round(size[1])),
        trusted_xyxy_norm=None if regions is None else tuple(regions),
    )


def _folder(name: str) -> str:
    """Return the folder of the labels, as where the pictures are looked for first."""
    folder = name.rpartition("/")[0].replace("Annotations", "JPEGImages")
    return f"{folder}/" if folder else ""


def _label(one: Element, name: str) -> str:
    label = one.said("name")
    if not label:
        message = f"{name}: line {one.line}: an object without a name; give it one"
        raise InputError(message)
    return label


def _corners(one: Element, name: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (number(one.said(f"bndbox/{side}"), side) for side in _SIDES)
    except InputError as error:
        message = f"{name}: line {one.line}: {error}"
        raise InputError(message) from error
    return x1, y1, x2, y2


def _placed(
    xyxy_px: tuple[float, float, float, float], size: tuple[float, float], one: Element, name: str
) -> XyxyNorm:
    try:
        return box_of_pixels(xyxy_px, size)
    except InputError as error:
        message = f"{name}: line {one.line}: {error}"
        raise InputError(message) from error
