"""What the web process and the teaching worker say to each other over the socket; no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.wire.detection import Detection

TEACH_PATH = "/teach"
CANCEL_PATH = "/cancel"
DETECT_PATH = "/detect"
STATES_PATH = "/states"

Stage = Literal["starting", "waiting", "looking", "learning", "checking", "ready", "cancelled", "failed"]
QualityHow = Literal["cross_validation", "held_out", "test"]
BUSY_STAGES: frozenset[Stage] = frozenset({"starting", "looking", "learning", "checking"})
"""Stages in which the live detector is about to change."""


class NextFrame(BaseModel):
    """A frame worth labelling next, and why, in words for a person."""

    model_config = ConfigDict(frozen=True)

    media_id: str
    frame_index: int = Field(ge=0)
    reason: str = ""


class CurvePoint(BaseModel):
    """How well the live detector did when it had learned from so many frames, and how that was found."""

    model_config = ConfigDict(frozen=True)

    frames: int = Field(ge=1)
    ap50: float = Field(ge=0.0, le=1.0)
    how: QualityHow | None = None


class LiveState(BaseModel):
    """Where teaching of one detector stands.

    Attributes:
        detector_id: Whose state this is.
        version: Always "live": no version that is kept; a full training makes those.
        stage: `waiting` for labels, at work, `ready`, `cancelled` until the next label, or `failed`.
        message: The same in words.
        progress: How far the update under way is, 0..1.
        seconds_left: Of the update under way, once that can be guessed.
        loss: The newest training loss of the update under way, where it is known.
        frames: How many frames the live detector has learned from; 0 = there is none yet.
        learned: When it did, UTC seconds since 1970; a new value is a new detector.
        took_s: How long that took, from the label to the detector.
        ap50: AP50 of the live detector, by cross-validation or on held-out frames; none when the last update
            was too small to be measured: then the end of the curve is the newest that is known.
        ap50_how: Which of the two; neither is a test score.
        curve: AP50 by number of frames, as far as this server saw it.
        next_frames: What to label next, the best first.
        error: Why the last update failed.
    """

    model_config = ConfigDict(frozen=True)

    detector_id: str
    version: Literal["live"] = "live"
    stage: Stage = "waiting"
    message: str = ""
    progress: float = Field(0.0, ge=0.0, le=1.0)
    seconds_left: float | None = None
    loss: float | None = None
    frames: int = Field(0, ge=0)
    learned: float | None = None
    took_s: float | None = None
    ap50: float | None = None
    ap50_how: QualityHow | None = None
    curve: tuple[CurvePoint, ...] = ()
    next_frames: tuple[NextFrame, ...] = ()
    error: str | None = None

    @property
    def is_busy(self) -> bool:
        """Return whether the live detector is about to change."""
        return self.stage in BUSY_STAGES


class LiveDetections(BaseModel):
    """What the live detector sees in one picture; `learned` says which live detector it was."""

    model_config = ConfigDict(frozen=True)

    learned: float
    frames: int
    detections: tuple[Detection, ...]


def with_point(curve: tuple[CurvePoint, ...], state: LiveState) -> tuple[CurvePoint, ...]:
    """Return the curve with what a state says; of the same number of frames the newest counts."""
    if state.ap50 is None or state.frames < 1:
        return curve
    points = {point.frames: point for point in curve}
    points[state.frames] = CurvePoint(frames=state.frames, ap50=state.ap50, how=state.ap50_how)
    return tuple(points[frames] for frames in sorted(points))
