"""Teaches the newest version what is new and leaves its adapters alone: cameras then fetch a head only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cloud.actions.detectors import version_path
from cloud.actions.frozen import SetApart
from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledFrame
from cloud.detector.files import load_detector
from cloud.detector.full import FullDetector
from cloud.detector.head import AnchorFreeHead
from cloud.errors import TrainingError
from cloud.evaluation.split import FrameMark
from cloud.store import detectors
from cloud.training.config import Progress, TrainConfig
from cloud.training.fit import TrainResult
from cloud.training.update import update
from cloud.worker.progress import Cancelled

_ANEW = "train it anew, without keeping the trunk"


def learn_on(
    home: Home,
    apart: SetApart,
    config: TrainConfig,
    progress: Callable[[Progress], None],
    cancelled: Cancelled,
) -> TrainResult:
    """Teach the newest version the frames that it does not know, or that were corrected.

    Thresholds stay, and nothing is held out: how good it is, only test frames tell.

    Args:
        home: Where everything lies.
        apart: What may be learned from.
        config: Settings; `ref` names the result.
        progress: Told where it stands.
        cancelled: Asked several times a second.

    Raises:
        TrainingError: There is no version to go on from, it cannot be gone on from, or nothing is new.
        InputError: The version's files are damaged.
        CancelledError: `cancelled` said so.
    """
    material = apart.material
    version = _newest_version(home, material.ref.id)
    base = load_detector(version_path(home.settings, material.ref.id, version))
    check_can_go_on(base, material.classes)
    known, new = sort_out(material.frames, apart.marks, apart.split.taught.get(str(version), ()))
    if not new:
        message = f"version {version} knows all labelled frames already: label or correct some first"
        raise TrainingError(message)
    return update(base, known, new, config, progress, cancelled, clock=home.clock)


def check_can_go_on(base: FullDetector, classes: Sequence[str]) -> None:
    """Refuse a version whose head alone cannot learn what there is to learn.

    Raises:
        TrainingError: It has no adapters of its own, or other classes.
    """
    if not isinstance(base.taught_head, AnchorFreeHead):
        message = f"version {base.ref.version} has no trunk of its own to keep: {_ANEW}"
        raise TrainingError(message)
    own = [label.name for label in base.labels]
    if own != list(classes):
        message = f"version {base.ref.version} finds {', '.join(own)}, not {', '.join(classes)}: {_ANEW}"
        raise TrainingError(message)


def sort_out(
    frames: Sequence[LabelledFrame], marks: Sequence[FrameMark], taught: Sequence[FrameMark]
) -> tuple[list[LabelledFrame], list[LabelledFrame]]:
    """Return the frames that a version was taught, and those that are new to it.

    A frame that is known only in part comes from a correction; it counts as new, so that it is shown more.

    Args:
        frames: All there are.
        marks: Which frames they are, in the same order.
        taught: What the version was taught.
    """
    keys = {mark.key for mark in taught}
    is_known = [
        mark.key in keys and frame.trusted_xyxy_norm is None
        for frame, mark in zip(frames, marks, strict=True)
    ]
    known = [frame for frame, is_old in zip(frames, is_known, strict=True) if is_old]
    new = [frame for frame, is_old in zip(frames, is_known, strict=True) if not is_old]
    return known, new


def _newest_version(home: Home, detector_id: str) -> int:
    with home.database.read() as session:
        versions = [row.version for row in detectors.find(session, detector_id).versions]
    if not versions:
        message = f"there is no version to keep the trunk of yet: {_ANEW}"
        raise TrainingError(message)
    return max(versions)
