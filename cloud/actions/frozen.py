"""The frozen test split of a detector: `split.json` beside its versions, set apart before training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.orm import Session

from cloud.actions.lessons import (
    Kind,
    Material,
    frames_with_tags,
    labelled_frames,
    lessons_of,
    tagged_frames,
)
from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledFrame
from cloud.errors import InputError, TrainingError
from cloud.evaluation.likeness import likeness_of
from cloud.evaluation.split import Candidate, FrameMark, FrozenSplit, Vicinity, draw_test, leaks
from cloud.evaluation.times import USUAL_FPS
from cloud.store import detectors, media
from cloud.store.files import sha256_of, storing, write_file
from cloud.store.tables import Media

SPLIT_FILE = "split.json"


@dataclass(frozen=True)
class SetApart:
    """What a training may use, and what it must not.

    Attributes:
        material: Less all that is a test frame, or near one; its test frames are those of the split.
        split: As it is to be kept once the version is trained.
        marks: Of the frames to learn from.
        test_marks: Of the material's test frames.
        kept_out: How many frames are not learned from because they are near a test frame, none themselves.
    """

    material: Material
    split: FrozenSplit
    marks: tuple[FrameMark, ...]
    test_marks: tuple[FrameMark, ...]
    kept_out: int


def read_split(home: Home, detector_id: str) -> FrozenSplit | None:
    """Return the split of a detector, or none when it has none yet.

    Raises:
        InputError: The file is damaged.
    """
    path = _path(home, detector_id)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror})"
        raise InputError(message) from error
    try:
        return FrozenSplit.model_validate_json(data)
    except ValidationError as error:
        message = (
            f"{path}: damaged; restore it from a backup, for without it test frames would be learned from"
        )
        raise InputError(message) from error


def write_split(home: Home, detector_id: str, split: FrozenSplit) -> None:
    """Keep a split.

    Raises:
        StorageError: The disk is full.
    """
    path = _path(home, detector_id)
    with storing(path):
        write_file(path, split.model_dump_json().encode())


def set_apart(home: Home, material: Material) -> SetApart:
    """Return what may be learned from: no test frame, and nothing near one.

    Where the detector has no test frames yet and 30 or more frames are labelled, some are drawn; from then
    on they stay what it is measured on.

    Raises:
        TrainingError: All labelled frames are near test frames.
        InputError: The split is damaged.
    """
    with home.database.read() as session:
        known = {home.settings.home / row.path: row for row in media.of_detector(session, material.ref.id)}
        marker = _Marker(known)
        split = _current_split(home, session, material.ref.id, marker)
    lessons = marker.marks(material.frames)
    if not split.test:
        drawn = draw_test(_candidates(material.frames, lessons, known), split.ever_taught())
        split = split.model_copy(update={"test": drawn, "how": "drawn"}) if drawn else split
    vicinity, tests = Vicinity(split.test), {mark.key for mark in split.test}
    kept = [pair for pair in zip(material.frames, lessons, strict=True) if not vicinity.covers(pair[1])]
    material = replace(
        material,
        frames=[frame for frame, _ in kept],
        test_frames=_frames_of(split.test, [*material.frames, *material.test_frames], marker),
        classes=_classes_left(material, [frame for frame, _ in kept]),
    )
    marks = tuple(mark for _, mark in kept)
    test_marks = tuple(marker.marks(material.test_frames))
    lost = sum(vicinity.covers(mark) and mark.key not in tests for mark in lessons)
    return SetApart(material, split, marks, test_marks, lost)


def clean_test_frames(
    home: Home, session: Session, detector_id: str, *versions: int, kind: Kind = "boxes"
) -> list[LabelledFrame]:
    """Return the test frames that are near nothing that these versions were taught.

    Presence is measured on tagged frames, all else on frames with boxes.

    Raises:
        InputError: The split is damaged.
    """
    folder = home.settings.home
    known = {folder / row.path: row for row in media.of_detector(session, detector_id)}
    marker = _Marker(known)
    split = _current_split(home, session, detector_id, marker)
    read = labelled_frames if kind == "boxes" else frames_with_tags
    frames = [*read(session, folder, detector_id, "test"), *read(session, folder, detector_id, "teach")]
    return _frames_of(split.clean_test(*versions), frames, marker)


def without_tests(
    home: Home, session: Session, detector_id: str, frames: Sequence[LabelledFrame]
) -> list[LabelledFrame]:
    """Return the frames that are no test frames, nor near one: what may be used to calibrate.

    Raises:
        InputError: The split is damaged.
    """
    known = {home.settings.home / row.path: row for row in media.of_detector(session, detector_id)}
    marker = _Marker(known)
    vicinity = Vicinity(_current_split(home, session, detector_id, marker).test)
    return [frame for frame in frames if not vicinity.covers(marker.mark(frame))]


def check_no_leak(apart: SetApart) -> None:
    """Refuse to go on when a frame to learn from is near a test frame, whatever led to it.

    Raises:
        TrainingError: There is such a frame.
    """
    if found := leaks(apart.marks, apart.split.test):
        message = (
            f"{len(found)} frames to learn from are near test frames, so nothing was trained; report this"
        )
        raise TrainingError(message)


def _current_split(home: Home, session: Session, detector_id: str, marker: _Marker) -> FrozenSplit:
    """Return the split, with all frames given to test on that are near nothing that was taught."""
    split = read_split(home, detector_id) or _first_split(home, session, detector_id, marker)
    taught, known = split.ever_taught(), {mark.key for mark in split.test}
    folder = home.settings.home
    given = marker.marks(
        [
            *labelled_frames(session, folder, detector_id, "test"),
            *tagged_frames(session, folder, detector_id, "test"),
        ]
    )
    new = [mark for mark in given if mark.key not in known and not taught.covers(mark)]
    if not new:
        return split
    return split.model_copy(update={"test": (*split.test, *dict.fromkeys(new)), "how": split.how or "given"})


def _first_split(home: Home, session: Session, detector_id: str, marker: _Marker) -> FrozenSplit:
    """Return a split without test frames; versions without one count as taught by all labels."""
    versions = [row.version for row in detectors.find(session, detector_id).versions]
    if not versions:
        return FrozenSplit()
    marks = tuple(marker.marks(lessons_of(session, home.settings.home, detector_id)))
    return FrozenSplit(taught={str(version): marks for version in versions})


class _Marker:
    """Says which frame a labelled frame is; looks at each image file once."""

    def __init__(self, known: Mapping[Path, Media]) -> None:
        self._known = known
        self._marks: dict[tuple[Path, int | None], FrameMark] = {}

    def marks(self, frames: Iterable[LabelledFrame]) -> list[FrameMark]:
        """Return the marks of some frames."""
        return [self.mark(frame) for frame in frames]

    def mark(self, frame: LabelledFrame) -> FrameMark:
        """Return the mark of a frame."""
        key = (frame.source.path, frame.source.frame_index)
        if key not in self._marks:
            self._marks[key] = self._made(frame)
        return self._marks[key]

    def _made(self, frame: LabelledFrame) -> FrameMark:
        path, index = frame.source.path, frame.source.frame_index
        row = self._known.get(path)
        file = (sha256_of(path) if path.is_file() else str(path)) if row is None else row.sha256
        if index is None:
            return FrameMark(file=file, likeness=_likeness(path))
        rate = (row.fps if row is not None else None) or USUAL_FPS
        return FrameMark(file=file, frame=index, second=round(index / rate, 4))


def _likeness(path: Path) -> str | None:
    """Return the hash of an image; whoever needs the pixels of one that is damaged finds that out."""
    try:
        return likeness_of(path)
    except InputError:
        return None


def _candidates(
    frames: Sequence[LabelledFrame], marks: Sequence[FrameMark], known: Mapping[Path, Media]
) -> list[Candidate]:
    """Return the frames that people labelled as a whole; of each the first, should one be there twice."""
    found: dict[tuple[str, int], Candidate] = {}
    for frame, mark in zip(frames, marks, strict=True):
        row = known.get(frame.source.path)
        if row is not None and frame.trusted_xyxy_norm is None:
            labels = tuple(box.label for box in frame.boxes)
            found.setdefault(mark.key, Candidate(mark, row.name, labels))
    return list(found.values())


def _frames_of(
    marks: Iterable[FrameMark], frames: Sequence[LabelledFrame], marker: _Marker
) -> list[LabelledFrame]:
    """Return the labelled frames that marks are of; one whose labels are gone is left out."""
    by_key: dict[tuple[str, int], LabelledFrame] = {}
    for frame in frames:
        if frame.trusted_xyxy_norm is None:
            by_key.setdefault(marker.mark(frame).key, frame)
    return [by_key[mark.key] for mark in marks if mark.key in by_key]


def _classes_left(material: Material, frames: Sequence[LabelledFrame]) -> list[str]:
    """Return the classes that still have a box to learn from.

    Raises:
        TrainingError: None has.
    """
    seen = {box.label for frame in frames for box in frame.boxes}
    left = [name for name in material.classes if name in seen]
    if not left:
        message = (
            f"all labelled frames of {material.ref.name!r} are test frames or within a second of one; "
            "label others, or give other frames to test on"
        )
        raise TrainingError(message)
    return left


def _path(home: Home, detector_id: str) -> Path:
    return home.settings.detectors_path / detector_id / SPLIT_FILE
