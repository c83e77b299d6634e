"""Attributes of a detector: made, shown examples of, listed, forgotten."""

from __future__ import annotations

from pathlib import Path

from cloud.actions.open_home import Home
from cloud.attributes.document import (
    Attribute,
    Example,
    attributes_in,
    find_attribute,
    keep,
    keep_new,
    new_attribute,
    remove,
    with_example,
)
from cloud.attributes.people import Consent
from cloud.errors import InputError
from cloud.settings import Settings
from cloud.store import detectors, media


def attributes_path(settings: Settings, detector_id: str) -> Path:
    """Return the folder of a detector's attributes; they outlive its versions."""
    return settings.detectors_path / detector_id / "attributes"


def add_attribute(
    home: Home,
    reference: str,
    name: str,
    labels: tuple[str, ...],
    values: tuple[str, ...],
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
    consent = Consent(by=allowed_by, at=home.clock.now_s()) if allowed_by else None
    attribute = new_attribute(name, labels, values, consent)
    keep_new(folder, attribute)
    return attribute


def show_example(home: Home, reference: str, name: str, value: str, example: Example) -> Attribute:
    """Add one example of a value.

    Raises:
        NotFoundError: There is no such detector, attribute or medium.
        InputError: No such value, or the medium has no such frame or is another detector's.
    """
    with home.database.read() as session:
        detector = detectors.find(session, reference)
        row = media.find(session, example.media_id)
        if row.detector_id != detector.id or example.frame_index >= row.frame_count:
            message = f"detector {detector.name!r} has no frame {example.frame_index} of {example.media_id}"
            raise InputError(message)
        folder = attributes_path(home.settings, detector.id)
    changed = with_example(find_attribute(folder, name), value, example)
    keep(folder, changed)
    return changed


def attributes_of(home: Home, reference: str) -> list[Attribute]:
    """Return a detector's attributes.

    Raises:
        NotFoundError: There is no such detector.
    """
    with home.database.read() as session:
        return attributes_in(attributes_path(home.settings, detectors.find(session, reference).id))


def forget_attribute(home: Home, reference: str, name: str) -> None:
    """Forget an attribute with its examples.

    Raises:
        NotFoundError: There is no such detector or attribute.
    """
    with home.database.read() as session:
        remove(attributes_path(home.settings, detectors.find(session, reference).id), name)
