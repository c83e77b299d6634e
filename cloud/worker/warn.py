"""What should be known about the user's frames before figures on them are believed."""

from __future__ import annotations

from collections.abc import Sequence

from cloud.actions.held_out import MeasuredFiles, count_near, taught_frames, warnings_of
from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledFrame
from cloud.detector.full import FullDetector


def warnings_on(
    home: Home, detector: FullDetector, files: MeasuredFiles | None, frames: Sequence[LabelledFrame]
) -> list[str]:
    """Return, a line each, why a measurement on these frames may mislead; nothing for the frozen split.

    Raises:
        InputError: No labelled object is of a class that the detector knows.
    """
    if files is None:
        return []
    with home.database.read() as session:
        near = count_near(frames, taught_frames(session, detector.ref.id))
    return warnings_of(frames, near, [label.name for label in detector.labels])
