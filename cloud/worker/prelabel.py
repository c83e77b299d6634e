"""Lets a detector offer boxes for frames that nobody labelled; a person accepts or rejects them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud.actions.imports import ImportStoppedError
from cloud.actions.lessons import source_of
from cloud.actions.open_home import Home
from cloud.actions.proposals import offer
from cloud.datasets.pictures import read_pictures
from cloud.errors import InputError
from cloud.store import bundles, detectors, labels, media
from cloud.store.tables import Media
from cloud.worker.progress import Cancelled, Listener, Progress, never, to_nobody
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import label_rules
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection

STARTER = "starter"
_USUAL_FPS = 25.0


@dataclass(frozen=True)
class Prelabeller:
    """Who offers: how it looks at a picture from a score on, what its labels are called, and its name."""

    look: Callable[[Rgb, float | None], list[Detection]]
    names: Mapping[str, str]
    title: str


def prelabel(
    home: Home, job: dict[str, Any], *, progress: Listener = to_nobody, cancelled: Cancelled = never
) -> dict[str, Any]:
    """Offer boxes for unlabelled frames and return how many for how many.

    Args:
        home: Where the frames lie.
        job: `detector_id`; `with`: `starter`, a bundle's id or file, or a detector; `media`: ids, none for
            all; `min_score`: none for each label's recommended threshold; `every_s`: how far apart frames of
            a video are; `labels`: which classes, none for those that the detector has, or all when it has
            none of them.
        progress: Told how far it is.
        cancelled: Asked for each frame.

    Raises:
        NotFoundError: There is no such detector or bundle.
        InputError: A picture cannot be read, or the one asked knows none of the classes.
        ImportStoppedError: `cancelled` said so; what was offered so far stays.
    """
    helper = open_prelabeller(home, str(job["with"]))
    with home.database.read() as session:
        detector = detectors.find(session, job["detector_id"])
        rows = [row for row in media.of_detector(session, detector.id) if row.state == "ready"]
        asked = set(job.get("media") or [row.id for row in rows])
        frames = [
            (row.id, index, source_of(home.settings.home, row, index))
            for row in rows
            if row.id in asked
            for index in _unlabelled(
                row, {frame.frame_index for frame in labels.of_media(session, row.id)}, job["every_s"]
            )
        ]
    names = wanted_names(helper.names, job.get("labels") or detector.labels, strict=bool(job.get("labels")))
    places = {source: (media_id, index) for media_id, index, source in frames}
    boxes = 0
    for count, (source, rgb) in enumerate(read_pictures(places)):
        if cancelled():
            message = f"cancelled; {boxes} boxes on {count} frames were offered before"
            raise ImportStoppedError(message)
        progress(Progress("looking", count / len(places), f"Looking at frame {count + 1} of {len(places)}"))
        seen = helper.look(rgb, job.get("min_score"))
        found = [(names[one.label], one.score, one.box) for one in seen if one.label in names]
        boxes += _offer(home, places[source], found, helper.title)
    return {
        "frames": len(places),
        "boxes": boxes,
        "with": helper.title,
        "labels": sorted(set(names.values())),
    }


def _offer(
    home: Home, place: tuple[str, int], found: Sequence[tuple[str, float, XyxyNorm]], title: str
) -> int:
    with home.database.write() as session:
        return offer(session, *place, found, proposed_by=title, now_s=home.clock.now_s())


def _unlabelled(row: Media, labelled: set[int], every_s: float) -> list[int]:
    """Return the frames to look at: a picture, or frames of a video at a distance from each other."""
    if row.kind == "image":
        return [] if 0 in labelled else [0]
    step = max(1, round(every_s * (row.fps or _USUAL_FPS)))
    return [index for index in range(0, row.frame_count, step) if index not in labelled]


def wanted_names(known: Mapping[str, str], wanted: Sequence[str], *, strict: bool) -> dict[str, str]:
    """Return by slug what to call the classes that are wanted; case does not matter.

    Args:
        known: What the one who offers calls its classes, by slug.
        wanted: The names that are asked for.
        strict: Refuse, instead of offering everything, when none of them is known.

    Raises:
        InputError: None of the names is known.
    """
    by_name = {name.casefold(): name for name in wanted}
    chosen = {slug: by_name[name.casefold()] for slug, name in known.items() if name.casefold() in by_name}
    if not chosen and strict:
        message = f"it knows {', '.join(sorted(known.values()))}; none of these is {', '.join(wanted)}"
        raise InputError(message)
    return chosen or dict(known)


def open_prelabeller(home: Home, reference: str) -> Prelabeller:
    """Return the detector that a reference names.

    Raises:
        NotFoundError: There is no such detector or bundle.
        ConfigError: The starter bundle is missing.
        ArtifactError: A bundle is damaged.
    """
    if reference == STARTER:
        return _of_bundle(starter_bundle_path(), STARTER)
    if reference.startswith("bun_"):
        with home.database.read() as session:
            row = bundles.find(session, reference)
        return _of_bundle(home.settings.home / row.path, reference)
    if Path(reference).suffix == ".zip":
        return _of_bundle(Path(reference), Path(reference).name)
    from cloud.worker.loader import load_version  # noqa: PLC0415 - torch, which bundles do without

    full = load_version(home, reference)
    title = f"{full.ref.name}@{full.ref.version}"

    def look(rgb: Rgb, min_score: float | None) -> list[Detection]:
        return full.detect_many([rgb], score_floor=min_score)[0]

    return Prelabeller(look, {spec.slug: spec.name for spec in full.labels}, title)


def _of_bundle(path: Path, title: str) -> Prelabeller:
    detector = BundleDetector.open(path)
    names = {slug: rule.name for slug, rule in label_rules(detector).items()}

    def look(rgb: Rgb, min_score: float | None) -> list[Detection]:
        return detector.detect(rgb, min_score=min_score)

    return Prelabeller(look, names, title)
