"""Queries about detectors and their versions."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, selectinload

from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.store import scope
from cloud.store.ids import new_id
from cloud.store.tables import Detector, Frame, LabelBox, Media, StoredCorrection, Version

_MAX_NAME_CHARS = 80


def create(session: Session, *, name: str, labels: Sequence[str] = (), now_s: float) -> Detector:
    """Add a detector without examples.

    Raises:
        InputError: The name is empty, too long or has signs that cannot be printed.
        ConflictError: A detector of that name exists.
    """
    name = name.strip()
    if not name or len(name) > _MAX_NAME_CHARS or not name.isprintable() or "@" in name:
        message = f"{name!r} is no name for a detector: 1 to {_MAX_NAME_CHARS} printable signs, no '@'"
        raise InputError(message)
    if session.scalar(select(Detector.id).where(Detector.name == name)) or _is_id(session, name):
        message = f"a detector {name!r} exists already; choose another name, or train that one"
        raise ConflictError(message)
    detector = Detector(id=new_id("det"), name=name, labels=list(labels), created=now_s, versions=[])
    session.add(detector)
    session.flush()
    return detector


def _is_id(session: Session, name: str) -> bool:
    # Of any workspace: what works for the whole server asks for a detector by its id, and gets that one.
    with scope.seeing(session, None):
        return session.scalar(select(Detector.id).where(Detector.id == name)) is not None


def find(session: Session, reference: str) -> Detector:
    """Return the detector with this id or name, with its versions.

    Raises:
        NotFoundError: There is none.
    """
    query = select(Detector).where(or_(Detector.id == reference, Detector.name == reference))
    detector = session.scalar(query.options(selectinload(Detector.versions)))
    if detector is None:
        message = f"there is no detector {reference!r}; `elfowl-cloud detector list` shows all"
        raise NotFoundError(message)
    return detector


def every(session: Session) -> list[Detector]:
    """Return all detectors, oldest first, with their versions."""
    query = select(Detector).options(selectinload(Detector.versions)).order_by(Detector.created)
    return list(session.scalars(query))


def count(session: Session) -> int:
    """Return how many detectors there are."""
    return session.scalar(select(func.count()).select_from(Detector)) or 0


def delete(session: Session, detector_id: str) -> None:
    """Remove a detector with its media, labels, versions and bundles; its events stay."""
    session.delete(find(session, detector_id))


def set_labels(session: Session, detector_id: str, labels: Sequence[str]) -> None:
    """Set the classes that the detector tells apart, in the order of its outputs.

    Raises:
        InputError: A name is empty, or two are the same.
    """
    names = [label.strip() for label in labels]
    if not all(names) or len(set(names)) != len(names):
        message = f"classes need names, each its own: {', '.join(labels)}"
        raise InputError(message)
    find(session, detector_id).labels = names


def rename_labels(session: Session, detector_id: str, names: Mapping[str, str]) -> None:
    """Rename classes, in the detector, on every box and every tagged frame.

    Raises:
        InputError: Two classes would have the same name, or one is unknown.
    """
    detector = find(session, detector_id)
    if unknown := [name for name in names if name not in detector.labels]:
        message = f"detector {detector.name!r} has no class {unknown[0]!r}"
        raise InputError(message)
    set_labels(session, detector_id, [names.get(label, label) for label in detector.labels])
    frames = select(Frame.id).join(Media).where(Media.detector_id == detector_id)
    for old, new in names.items():
        boxes = update(LabelBox).where(LabelBox.label == old, LabelBox.frame_id.in_(frames))
        session.execute(boxes.values(label=new))
    tagged = select(Frame).join(Media).where(Media.detector_id == detector_id, Frame.tags.is_not(None))
    for frame in session.scalars(tagged):
        # A null of JSON is not one of SQL.
        frame.tags = None if frame.tags is None else [names.get(tag, tag) for tag in frame.tags]


def add_labels(session: Session, detector_id: str, labels: Sequence[str]) -> None:
    """Add classes that the detector did not know, keeping the order of the others."""
    detector = find(session, detector_id)
    detector.labels = list(dict.fromkeys([*detector.labels, *labels]))


def find_version(session: Session, detector_id: str, version: int | None = None) -> Version:
    """Return one version; the one in use when `version` is none.

    Raises:
        NotFoundError: There is no such version.
    """
    query = select(Version).where(Version.detector_id == detector_id)
    rows = list(session.scalars(query if version is None else query.where(Version.version == version)))
    found = in_use(rows)
    if version is not None and rows:
        found = rows[0]
    if found is None:
        detector = session.get(Detector, detector_id)
        name = detector_id if detector is None else detector.name
        advice = f"is not trained yet; `elfowl-cloud detector train {shlex.quote(name)}` does it"
        message = f"detector {name!r} {advice if version is None else f'has no version {version}'}"
        raise NotFoundError(message)
    return found


def in_use(versions: Iterable[Version]) -> Version | None:
    """Return the newest version that was not measured to be worse than the one in use before it.

    A version that a person chose stays until one that was trained later takes over like that.
    """
    newest_first = sorted(versions, key=lambda row: -row.version)
    chosen = max(newest_first, key=_chosen_s, default=None)
    since_s = float("-inf") if chosen is None else _chosen_s(chosen)
    later = (row for row in newest_first if row.created > since_s and verdict_of(row) != "worse")
    return next(later, None if since_s == float("-inf") else chosen)


def choose(session: Session, detector_id: str, version: int, *, now_s: float) -> None:
    """Note that a person puts a version in use.

    Raises:
        NotFoundError: There is no such version.
    """
    row = find_version(session, detector_id, version)
    row.metrics = {**row.metrics, "chosen": now_s}
    session.flush()


def _chosen_s(version: Version) -> float:
    return float(version.metrics.get("chosen", "-inf"))


def verdict_of(version: Version) -> str | None:
    """Return how a version compared with the one in use when it was trained; none: not compared."""
    verdict = (version.metrics.get("compared") or {}).get("verdict")
    return verdict if isinstance(verdict, str) else None


def next_version(session: Session, detector_id: str) -> int:
    """Return the number of the version to be trained next."""
    newest = session.scalar(select(func.max(Version.version)).where(Version.detector_id == detector_id))
    return (newest or 0) + 1


def add_version(
    session: Session, *, detector_id: str, version: int, metrics: dict[str, Any], now_s: float
) -> Version:
    """Note a trained version whose files are on the disk."""
    row = Version(detector_id=detector_id, version=version, metrics=metrics, created=now_s)
    session.add(row)
    session.flush()
    return row


def count_examples(session: Session, detector_id: str) -> dict[str, int]:
    """Return how many media, frames and boxes to learn from, and corrections a detector has."""
    has_boxes = select(LabelBox.id).where(LabelBox.frame_id == Frame.id).exists()
    frames = (
        select(Frame.id)
        .join(Media)
        .where(Media.detector_id == detector_id, Media.role == "teach")
        .where(or_(Frame.nothing_here, has_boxes))
    )
    return {
        "media": _count(session, select(Media.id).where(Media.detector_id == detector_id)),
        "labelled_frames": _count(session, frames),
        "boxes": _count(session, select(LabelBox.id).where(LabelBox.frame_id.in_(frames))),
        "corrections": _count(
            session,
            select(StoredCorrection.id).where(
                StoredCorrection.detector_id == detector_id, StoredCorrection.withdrawn.is_(None)
            ),
        ),
    }


def _count(session: Session, query: Any) -> int:  # noqa: ANN401 - any select
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0
