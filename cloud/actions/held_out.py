"""Frames to measure on: read from the user's files, checked against what was taught, kept for next time."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from cloud.actions.labels import Imported, import_labelled
from cloud.actions.media import map_of
from cloud.actions.open_home import Home
from cloud.datasets.coco import CocoImage, CocoLabels, in_folder, labelled_frames, read_coco
from cloud.datasets.frames import LabelledFrame
from cloud.datasets.playback import PlaybackMap
from cloud.errors import InputError
from cloud.store import labels as label_store
from cloud.store.files import sha256_of

NEAR_S = 1.0
"""Frames of a camera less than this apart look so alike that one learned from gives the other away."""

_USUAL_FPS = 25.0


@dataclass(frozen=True)
class MeasuredFiles:
    """Labelled files of the user: a folder of pictures, or a video."""

    coco: CocoLabels
    images: Path | None
    video: Path | None

    def frames(self) -> list[LabelledFrame]:
        """Return the labelled frames with their pictures."""
        if self.images is not None:
            return labelled_frames(self.coco, in_folder(self.images))

        def find(_image: CocoImage) -> Path:
            return self.video or Path()

        return labelled_frames(self.coco, find)


def open_test_files(labels: Path, images: Path | None, video: Path | None) -> MeasuredFiles:
    """Check the files of the user as far as that is cheap.

    Raises:
        InputError: The labels are wrong, or a file is missing.
    """
    coco = read_coco(labels)
    if images is not None:
        if not images.is_dir():
            message = f"{images}: no such folder"
            raise InputError(message)
        return MeasuredFiles(coco, images, None)
    if video is None or not video.is_file():
        message = f"{video}: no such file" if video else "give --images DIR or --video FILE"
        raise InputError(message)
    if frameless := [image.id for image in coco.images if image.frame_index is None]:
        message = f"{labels.name}: image {frameless[0]} has no 'frame_index', so it is no frame of a video"
        raise InputError(message)
    return MeasuredFiles(coco, None, video)


def has_test_material(session: Session, detector_id: str) -> bool:
    """Return whether a detector has frames that are only for measuring."""
    return bool(label_store.of_detector(session, detector_id, "test"))


def keep_test_material(home: Home, detector_id: str, files: MeasuredFiles) -> Imported:
    """Keep labelled files as what this detector is measured on from now on; never learned from.

    Raises:
        InputError: The labels do not fit the pictures.
        StorageError: The disk is full; nothing is kept.
    """
    return import_labelled(
        home,
        detector_id=detector_id,
        images=files.images,
        video=files.video,
        coco=files.coco,
        role="test",
    )


@dataclass(frozen=True)
class TaughtFrames:
    """Which frames of one file were taught, in order, and how far they are apart."""

    fps: float
    indices: tuple[int, ...]

    def is_near(self, frame_index: int) -> bool:
        """Return whether a frame lies within `NEAR_S` of a taught one, or is one."""
        after = bisect_left(self.indices, frame_index)
        around = self.indices[max(0, after - 1) : after + 1]
        return any(abs(taught - frame_index) <= NEAR_S * self.fps for taught in around)


def taught_frames(session: Session, detector_id: str) -> dict[str, TaughtFrames]:
    """Return the frames of the user's files that a detector was taught, by the SHA-256 of these."""
    indices: dict[str, set[int]] = defaultdict(set)
    rates: dict[str, float] = {}
    maps: dict[str, PlaybackMap | None] = {}
    for media, frame in label_store.of_detector(session, detector_id):
        if frame.boxes or frame.nothing_here:
            if media.id not in maps:
                maps[media.id] = map_of(media)
            shown = maps[media.id]
            source = frame.frame_index if shown is None else shown.to_source(frame.frame_index)
            indices[media.sha256].add(source)
            rates[media.sha256] = media.fps or _USUAL_FPS
    return {sha: TaughtFrames(rates[sha], tuple(sorted(found))) for sha, found in indices.items()}


def count_near(frames: Sequence[LabelledFrame], taught: Mapping[str, TaughtFrames]) -> int:
    """Return how many frames prove little, because they, or frames within `NEAR_S`, were taught."""
    if not taught:
        return 0
    digests = {path: sha256_of(path) for path in {frame.source.path for frame in frames}}
    own = [(taught.get(digests[frame.source.path]), frame.source.frame_index or 0) for frame in frames]
    return sum(known is not None and known.is_near(index) for known, index in own)


def warnings_of(frames: Sequence[LabelledFrame], near: int, known_classes: Sequence[str]) -> list[str]:
    """Return, a line each, why a measurement on these frames may mislead.

    Raises:
        InputError: No labelled object is of a class that the detector knows: there is nothing to measure.
    """
    found = sorted({box.label for frame in frames for box in frame.boxes})
    if (unknown := [name for name in found if name not in known_classes]) and len(unknown) == len(found):
        message = (
            f"the labels are of {', '.join(map(repr, found))}, but the detector knows "
            f"{', '.join(map(repr, known_classes))}; rename the categories"
        )
        raise InputError(message)
    told = []
    if near:
        told.append(
            f"{near} of {len(frames)} frames were taught or lie within {NEAR_S:g} s of one that was: "
            "the figures flatter"
        )
    if unknown:
        told.append(f"the detector does not know {', '.join(map(repr, unknown))}: such boxes do not count")
    return told
