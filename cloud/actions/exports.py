"""Labelled frames of a detector out, as COCO or YOLO."""

from __future__ import annotations

from pathlib import Path

from cloud.actions.lessons import classes_of, source_of
from cloud.actions.media import Role, map_of
from cloud.actions.open_home import Home
from cloud.datasets.export import Exported, ExportFrame, Format, write_export
from cloud.datasets.frames import LabelledBox, LabelledFrame
from cloud.datasets.playback import PlaybackMap
from cloud.errors import InputError
from cloud.store import detectors, labels


def export_labels(
    home: Home, reference: str, out: Path, kind: Format, *, with_images: bool, role: Role = "teach"
) -> Exported:
    """Write all labelled frames of a detector to a file.

    Args:
        home: Where the frames lie.
        reference: Name or id of the detector.
        out: The file; COCO without pictures is JSON, all else a zip archive.
        kind: Which format.
        with_images: Put the pictures into the archive.
        role: Frames to teach with, or to test on.

    Raises:
        NotFoundError: There is no such detector.
        InputError: Nothing is labelled, the file is called wrong or cannot be written, or a picture cannot be
        read.
    """
    suffix = ".json" if kind == "coco" and not with_images else ".zip"
    if out.suffix.lower() != suffix:
        message = f"{out.name}: this export is a {suffix} file; call it so"
        raise InputError(message)
    with home.database.read() as session:
        detector = detectors.find(session, reference)
        frames: list[ExportFrame] = []
        maps: dict[str, PlaybackMap | None] = {}
        for row, frame in labels.of_detector(session, detector.id, role):
            if not labels.says_something(frame):
                continue
            if row.id not in maps:
                maps[row.id] = map_of(row)
            said, shown = labels.labels_of(frame), maps[row.id]
            labelled = LabelledFrame(
                source_of(home.settings.home, row, frame.frame_index),
                row.width_px,
                row.height_px,
                tuple(LabelledBox(label, box) for label, box in said.boxes),
                said.trusted_xyxy_norm,
                said.tags,
            )
            index = frame.frame_index if shown is None else shown.to_source(frame.frame_index)
            frames.append(ExportFrame(labelled, row.name, None if row.kind == "image" else index))
        known = list(detector.labels)
    tags = [tag for one in frames for tag in one.frame.tags or ()]
    classes = list(dict.fromkeys([*classes_of(known, [one.frame for one in frames]), *tags]))
    return write_export(frames, classes, out, kind, with_images=with_images)
