"""JSON of the HTTP API, where it is not a wire document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud.actions.corrected import Standing
from cloud.actions.detectors import DetectorState
from cloud.actions.media import MediaState, Role
from edge_agent.wire.base import Name, XyxyNorm
from edge_agent.wire.correction import CorrectionSource, Verdict
from edge_agent.wire.detection import DetectorRef

Label = str
Tag = Annotated[str, Field(min_length=1, max_length=80)]
JobKind = Literal[
    "train",
    "compress",
    "prepare",
    "import",
    "prelabel",
    "suggest",
    "scan",
    "evaluate",
    "compare",
    "attribute",
    "watch",
]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewDetector(_Body):
    """A detector to be taught."""

    name: str
    labels: list[Label] = Field(default_factory=list, max_length=100)


class DetectorChange(_Body):
    """New classes in their order, or new names for some."""

    labels: list[Label] | None = Field(None, max_length=100)
    rename: dict[str, Label] | None = None


class VersionView(BaseModel):
    """A trained version; `metrics` holds ap50, ap, per_class, threshold, images, where they were measured."""

    version: int
    created: float
    metrics: dict[str, Any]


class DetectorView(BaseModel):
    """A detector, what it has and what it waits for; `poster` is the address of a picture.

    `in_use` is the newest version that was not measured to be worse than the one in use before it, or the one
    that a person chose since.
    """

    id: str
    name: str
    labels: list[Label]
    created: float
    state: DetectorState
    counts: dict[str, int]
    versions: list[VersionView]
    in_use: int | None = None
    job: JobView | None = None
    poster: str | None = None


class JobView(BaseModel):
    """Long work and how far it is; `progress` is 0..1, `figures` holds loss and ap50 while they are known."""

    id: str
    kind: JobKind
    detector_id: str
    params: dict[str, Any]
    state: JobState
    progress: float
    stage: str
    message: str
    seconds_left: float | None
    error: str | None
    result: dict[str, Any] | None
    figures: dict[str, float] = {}
    created: float
    updated: float


class MediaView(BaseModel):
    """A picture or video; `labelled` lists the indices of frames that have labels.

    A video has no frames while it is `preparing`, which its `job` does; `reason` says why one is `broken`.
    """

    id: str
    detector_id: str
    role: Role
    kind: Literal["image", "video"]
    name: str
    width_px: int
    height_px: int
    frame_count: int
    fps: float | None
    created: float
    state: MediaState
    reason: str | None
    labelled: list[int]
    job: str | None = None


class BoxBody(_Body):
    """One box, as fractions of the picture."""

    label: Label = Field(min_length=1, max_length=80)
    box: XyxyNorm


class LabelsBody(_Body):
    """All labels of a frame; `revision` is the one that was loaded, 0 when there was none.

    `tags` are the classes that are somewhere in the picture, where that is known of the whole picture.
    """

    revision: int = Field(ge=0)
    boxes: list[BoxBody] = Field(max_length=1000)
    nothing_here: bool = False
    trusted: list[XyxyNorm] | None = None
    tags: list[Tag] | None = Field(None, max_length=100)


class LabelsView(BaseModel):
    """All labels of a frame."""

    revision: int
    boxes: list[BoxBody]
    nothing_here: bool
    trusted: list[XyxyNorm] | None
    tags: list[Tag] | None = None


class ProposalView(BaseModel):
    """A box that a detector offers for a frame, as fractions of the picture."""

    id: int
    label: Label
    score: float
    box: XyxyNorm
    proposed_by: str
    created: float


class AcceptBody(_Body):
    """Which proposals become labels; `ids` none: all. `revision` is that of the labels that were loaded.

    `whole`: somebody looked at the whole picture, so that what is not boxed is background.
    """

    revision: int = Field(ge=0)
    ids: list[int] | None = Field(None, max_length=1000)
    whole: bool = True


class RejectBody(_Body):
    """Which proposals are turned down; `ids` none: all."""

    ids: list[int] | None = Field(None, max_length=1000)


class PrelabelBody(_Body):
    """Who shall offer boxes for unlabelled frames: `starter`, a bundle's id, or a detector.

    `media`: of which media, all by default; `min_score`: each class's recommended threshold by default;
    `every_s`: how far apart the frames of a video are; `labels`: which classes, by default those that the
    detector has.
    """

    helper: str = Field(alias="with", min_length=1)
    media: list[str] | None = Field(None, max_length=10_000)
    min_score: float | None = Field(None, ge=0.0, le=1.0)
    every_s: float = Field(1.0, gt=0.0)
    labels: list[Label] | None = Field(None, max_length=100)


class ImportedView(BaseModel):
    """How much came in from a file of labels."""

    frames: int
    boxes: int


class TrainBody(_Body):
    """How to train; `budget_s` none leaves it to the recipe, the same `seed` gives the same detector.

    With `keep_trunk` the newest version goes on learning and only its head changes.
    """

    budget_s: float | None = Field(None, gt=0, le=86_400)
    seed: int | None = Field(None, ge=0, lt=2**32)
    keep_trunk: bool | None = None


class CompressBody(_Body):
    """For which camera to compress; `version` none is the newest, `effort` the time to look for less."""

    profile: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    version: int | None = Field(None, ge=1)
    effort: Literal["quick", "normal", "best"] = "quick"


class PublishBody(_Body):
    """Which bundle to sign."""

    bundle: str


class BundleView(BaseModel):
    """A compressed detector; `receipt` is null in lists."""

    id: str
    detector_id: str
    detector_version: int
    profile: str
    runtime: str
    state: Literal["made", "published"]
    release: int | None
    sha256: str
    length_bytes: int
    created: float
    receipt: dict[str, Any] | None = None


class DeviceView(BaseModel):
    """A camera: what it is, what is wanted of it, what it says."""

    name: str
    profile: str
    arch: str
    agent_version: str
    state: Literal["pending", "enrolled", "revoked"]
    group: str | None
    labels: list[str]
    enrolled: float
    online: bool
    last_seen: float | None
    converged: bool
    desired: dict[str, Any]
    reported: dict[str, Any] | None
    stats: dict[str, Any] | None


class ProfileView(BaseModel):
    """A kind of device that detectors can be compressed for."""

    name: str
    title: str


class AssignBody(_Body):
    """Which bundle a camera shall run; none: no bundle is wanted."""

    bundle_id: str | None


class TokenBody(_Body):
    """How a token shall be: who joins with one that does not accept waits until a person does."""

    accepts: bool = True
    group: str | None = Field(None, min_length=1, max_length=60)


class TokenView(BaseModel):
    """A one-time enrolment token; shown once. `command` is what to type on the camera.

    `ticket` says the same for a file or a QR code that is brought to the camera; `qr_svg` is that code.
    """

    token: str
    expires: float
    command: str
    ticket: dict[str, Any]
    qr_svg: str


class ArrangeBody(_Body):
    """Group and labels of a camera; they replace those that it had."""

    group: str | None = None
    labels: list[str] = Field(default_factory=list)


class EventView(BaseModel):
    """The latest state of an event; `history` only for one event."""

    event: dict[str, Any]
    received: float
    thumbnail: bool
    correction: dict[str, Any] | None = None
    history: list[dict[str, Any]] | None = None


class NewCorrection(_Body):
    """What a person says about an event, a moment of a camera, or a frame of a medium.

    `detector_id` names who shall learn from a missed object.
    """

    verdict: Verdict
    device: Name | None = None
    event_id: str | None = None
    camera: Name | None = None
    time: float | None = None
    media_id: str | None = None
    frame_index: int | None = Field(None, ge=0)
    label: Label | None = Field(None, max_length=80)
    box: XyxyNorm | None = None
    detector: DetectorRef | None = None
    source: CorrectionSource = "api"
    author: str | None = Field(None, max_length=200)
    detector_id: str | None = None


class CorrectionBox(_Body):
    """Where a missed object is, drawn on the key frame."""

    box: XyxyNorm
    label: Label | None = Field(None, max_length=80)


class CorrectionView(BaseModel):
    """A correction with its provenance; `standing` is what becomes of it, `meaning` that in words.

    `key_frame` tells whether the camera's picture has come, without which nothing can be learned.
    """

    correction: dict[str, Any]
    detector_id: str | None
    key_frame: bool
    standing: Standing
    meaning: str
