"""Trained detectors by reference: `NAME`, `ID` or `ID@version`, from the home folder of this user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy.orm import Session

from cloud.actions.detectors import split_reference, version_path
from cloud.actions.frozen import clean_test_frames, without_tests
from cloud.actions.lessons import frames_with_tags, lessons_of, source_of
from cloud.actions.open_home import Home, open_home
from cloud.datasets.frames import LabelledFrame
from cloud.detector.files import load_detector
from cloud.detector.full import FullDetector
from cloud.errors import NotFoundError
from cloud.settings import Settings, settings_from
from cloud.store import detectors, media
from cloud.worker.attributes import with_attributes
from cloud.worker.train import held_out_frames
from compress.protocol import NotHere

_UNLABELLED = 600
"""Frames of videos to teach smaller networks with, and to compare them on; nobody labels them."""

_NEAR_FRAMES = 30


def load_compressible(reference: str) -> FullDetector | NotHere:
    """Return a trained detector, or where it was looked for when there is none of that name.

    Raises:
        NotFoundError: It is not trained yet, or has no such version.
        InputError: Its files are damaged.
    """
    settings = settings_from()
    if settings.database is None and not settings.database_path.is_file():
        return _not_in(settings)
    home = open_home(settings)
    try:
        with home.database.read() as session:
            detectors.find(session, split_reference(reference)[0])
    except NotFoundError:
        return _not_in(settings)
    return load_version(home, reference)


def _not_in(settings: Settings) -> NotHere:
    is_there = settings.database is not None or settings.database_path.is_file()
    where = f"the home folder {settings.home}" + ("" if is_there else ", where nothing is yet")
    return NotHere(
        where, "`elfowl-cloud detector list` shows what is there; ELFOWL_HOME=DIR looks into another folder"
    )


def load_version(home: Home, reference: str) -> FullDetector:
    """Return a trained detector with the frames to calibrate and to test it on.

    Raises:
        NotFoundError: There is no such detector or version.
        InputError: The reference or the files are damaged.
    """
    name, version = split_reference(reference)
    with home.database.read() as session:
        detector = detectors.find(session, name)
        found = detectors.find_version(session, detector.id, version)
        lessons = lessons_of(session, home.settings.home, detector.id)
        frames = without_tests(home, session, detector.id, lessons)
        tests = clean_test_frames(home, session, detector.id, found.version)
        others = without_tests(home, session, detector.id, _between(home, session, detector.id))
    folder = version_path(home.settings, detector.id, found.version)
    loaded = load_detector(
        folder,
        examples=frames,
        test_frames=tests or held_out_frames(home.settings.home, folder, frames),
    )
    loaded = replace(loaded, unlabelled=tuple(_apart_from(loaded.test_frames, others)))
    if loaded.spec.architecture == "presence":
        return _with_tagged_frames(home, loaded)
    return with_attributes(home, loaded)


def _between(home: Home, session: Session, detector_id: str) -> list[LabelledFrame]:
    """Return frames of the videos that teach, spread over all of them, whatever is in them."""
    videos = [
        row
        for row in media.of_detector(session, detector_id)
        if row.role == "teach" and row.state == "ready" and row.kind == "video" and row.frame_count
    ]
    each = _UNLABELLED // max(1, len(videos))
    return [
        LabelledFrame(source_of(home.settings.home, row, index), row.width_px, row.height_px, ())
        for row in videos
        for index in range(0, row.frame_count, max(1, row.frame_count // max(1, each)))
    ]


def _apart_from(tests: Sequence[LabelledFrame], frames: Sequence[LabelledFrame]) -> list[LabelledFrame]:
    """Return the frames of videos in which no frame is held out near them, by number.

    Frames set apart for good have kept theirs away already; those of a cross-check have not.
    """
    taken: dict[Path, list[int]] = defaultdict(list)
    for frame in tests:
        if frame.source.frame_index is not None:
            taken[frame.source.path].append(frame.source.frame_index)
    return [
        frame
        for frame in frames
        if all(
            abs((frame.source.frame_index or 0) - other) > _NEAR_FRAMES for other in taken[frame.source.path]
        )
    ]


def _with_tagged_frames(home: Home, detector: FullDetector) -> FullDetector:
    """Return a presence detector with its own kind of frames, those that test apart from the others."""
    ref = detector.ref
    with home.database.read() as session:
        tagged = frames_with_tags(session, home.settings.home, ref.id, "teach")
        teach = without_tests(home, session, ref.id, tagged)
        test = clean_test_frames(home, session, ref.id, ref.version, kind="presence")
    return replace(detector, examples=tuple(teach), test_frames=tuple(test))
