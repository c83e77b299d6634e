"""Attributes of a detector: made, changed, shown examples of, listed, forgotten."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud.actions.open_home import Home
from cloud.attributes import files
from cloud.attributes.document import (
    Attribute,
    Example,
    new_attribute,
    with_example,
    with_name,
    with_renamed_labels,
    with_renamed_values,
    with_values,
    without_example,
)
from cloud.attributes.learn import check_counts
from cloud.attributes.people import Consent, check_consent
from cloud.errors import InputError
from cloud.settings import Settings
from cloud.store import detectors, labels, media
from cloud.store.tables import Media
from edge_agent.pipeline.boxes import iou
from edge_agent.wire.base import XyxyNorm

_SAME_IOU = 0.9
"""A drawn box that overlaps an example so much is that example, moved a little since."""


def attributes_path(settings: Settings, detector_id: str) -> Path:
    """Return the folder of a detector's attributes; they outlive its versions."""
    return settings.detectors_path / detector_id / "attributes"


def add_attribute(
    home: Home,
    reference: str,
    name: str,
    labels: Sequence[str],
    values: Sequence[str],
    allowed_by: str | None = None,
) -> Attribute:
    """Make an attribute.

    Args:
        home: Where.
        reference: Name or id of the detector.
        name: Of the attribute.
        labels: Of which things.
        values: What is told apart.
        allowed_by: Who allows that people are told apart; needed only for labels of people.

    Raises:
        NotFoundError: There is no such detector.
        InputError: The detector has no such label, or there are fewer than two values.
        DeniedError: It would tell people apart, and nobody allowed that.
        ConflictError: There is an attribute of that name.
    """
    with home.database.read() as session:
        detector = detectors.find(session, reference)
        known = list(detector.labels)
        if unknown := [label for label in labels if label not in known]:
            message = f"detector {detector.name!r} has no label {unknown[0]!r}; it has {', '.join(known)}"
            raise InputError(message)
        folder = attributes_path(home.settings, detector.id)
    who = (allowed_by or "").strip()
    consent = Consent(by=who, at=home.clock.now_s()) if who else None
    attribute = new_attribute(name, labels, values, consent)
    files.keep_new(folder, attribute)
    return attribute


def change_attribute(
    home: Home,
    reference: str,
    name: str,
    *,
    new_name: str | None = None,
    rename: Mapping[str, str] | None = None,
    values: Sequence[str] | None = None,
) -> Attribute:
    """Change an attribute: all at once, or nothing.

    Args:
        home: Where.
        reference: Name or id of the detector.
        name: Of the attribute, as it is called now.
        new_name: What it is called from now on; none: the same.
        rename: New names of values by their old ones; done first.
        values: All values in their order; those left out go with their examples. None: the same.

    Raises:
        NotFoundError: There is no such detector or attribute.
        InputError: A value is unknown, empty or comes twice, or fewer than two are left.
        ConflictError: There is an attribute of the new name.
    """

    def changed(attribute: Attribute) -> Attribute:
        if rename:
            attribute = with_renamed_values(attribute, rename)
        if values is not None:
            attribute = with_values(attribute, values)
        return attribute if new_name is None else with_name(attribute, new_name)

    return files.change(_folder(home, reference), name, changed)


def show_example(home: Home, reference: str, name: str, value: str, example: Example) -> Attribute:
    """Add one example of a value.

    Raises:
        NotFoundError: There is no such detector, attribute or medium.
        InputError: No such value, the box is empty, or the medium has no such frame or is another detector's.
    """
    with home.database.read() as session:
        detector = detectors.find(session, reference)
        row = media.find(session, example.media_id)
        if row.detector_id != detector.id or example.frame_index >= row.frame_count:
            message = f"detector {detector.name!r} has no frame {example.frame_index} of {example.media_id}"
            raise InputError(message)
        folder = attributes_path(home.settings, detector.id)
    x1, y1, x2, y2 = example.box
    if x1 == x2 or y1 == y2:
        message = f"box {x1},{y1},{x2},{y2} is empty; draw it around the thing"
        raise InputError(message)
    return files.change(folder, name, lambda attribute: with_example(attribute, value, example))


def take_back_example(home: Home, reference: str, name: str, example_id: str) -> Attribute:
    """Take one example back.

    Raises:
        NotFoundError: There is no such detector, attribute or example.
    """
    folder = _folder(home, reference)
    return files.change(folder, name, lambda attribute: without_example(attribute, example_id))


def attributes_of(home: Home, reference: str) -> list[Attribute]:
    """Return a detector's attributes.

    Raises:
        NotFoundError: There is no such detector.
    """
    return files.attributes_in(_folder(home, reference))


def attribute_of(home: Home, reference: str, name: str) -> Attribute:
    """Return one attribute of a detector.

    Raises:
        NotFoundError: There is no such detector or attribute.
    """
    return files.find_attribute(_folder(home, reference), name)


def teachable(home: Home, reference: str, name: str) -> Attribute:
    """Return an attribute that can be learned now.

    Raises:
        NotFoundError: There is no such detector or attribute.
        TrainingError: There are too few examples; the text says of what.
        DeniedError: It would tell people apart, and nobody allowed that.
    """
    attribute = attribute_of(home, reference, name)
    check_consent(attribute.labels, attribute.consent)
    check_counts({value: len(shown) for value, shown in attribute.values.items()})
    return attribute


def forget_attribute(home: Home, reference: str, name: str) -> None:
    """Forget an attribute with its examples.

    Raises:
        NotFoundError: There is no such detector or attribute.
    """
    files.remove(_folder(home, reference), name)


def follow_labels(settings: Settings, detector_id: str, names: Mapping[str, str]) -> None:
    """Let attributes follow classes of their detector that were renamed (new names by old ones)."""
    folder = attributes_path(settings, detector_id)
    for attribute in files.attributes_in(folder):
        if any(label in names for label in attribute.labels):
            files.change(folder, attribute.slug, lambda one: with_renamed_labels(one, names))


@dataclass(frozen=True)
class Drawn:
    """A box that somebody drew around a thing of the attribute's labels, and that is no example yet."""

    media: Media
    label: str
    example: Example


def unsorted_boxes(home: Home, reference: str, name: str) -> list[Drawn]:
    """Return the drawn boxes that could become examples, in the order of the footage.

    Only frames to learn from count, not those kept for the test.

    Raises:
        NotFoundError: There is no such detector or attribute.
    """
    attribute = attribute_of(home, reference, name)
    shown: dict[tuple[str, int], list[XyxyNorm]] = defaultdict(list)
    for example in (one for examples in attribute.values.values() for one in examples):
        shown[example.media_id, example.frame_index].append(example.box)
    with home.database.read() as session:
        found = detectors.find(session, reference)
        drawn = [
            Drawn(row, label, Example(media_id=row.id, frame_index=frame.frame_index, box=box))
            for row, frame in labels.of_detector(session, found.id)
            for label, box in labels.labels_of(frame).boxes
            if label in attribute.labels
        ]
    return [
        one
        for one in drawn
        if not _is_among(one.example.box, shown[one.example.media_id, one.example.frame_index])
    ]


def _is_among(box: XyxyNorm, others: Sequence[XyxyNorm]) -> bool:
    return any(box == other or iou(box, other) >= _SAME_IOU for other in others)


def _folder(home: Home, reference: str) -> Path:
    with home.database.read() as session:
        return attributes_path(home.settings, detectors.find(session, reference).id)
