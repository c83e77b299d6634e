"""Cloud sync: enrolment, desired and reported state, event batches and their acknowledgement."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.wire.base import Document, Name, RelativePath, Sha256
from edge_agent.wire.event import Event
from edge_agent.wire.nearby import NearbyWanted
from edge_agent.wire.rules import CameraRules
from edge_agent.wire.shadow import ShadowReport

UpdatePhase = Literal["idle", "download", "verify", "trial", "commit", "rollback"]
Outcome = Literal["success", "failure"]


class EnrolRequest(Document):
    """A device asks to join with a one-time token and the public half of a key that it made itself."""

    schema_version: Literal[1] = Field(1, alias="schema")
    token: str = Field(min_length=8, max_length=200)
    name: Name
    public_key_pem: str = Field(max_length=2000, description="Ed25519, SubjectPublicKeyInfo")
    profile: str
    arch: str
    agent_version: str


class EnrolTicket(Document):
    """What a camera needs to join, as a file or a QR code that is brought to it."""

    schema_version: Literal[1] = Field(1, alias="schema")
    cloud: str = Field(max_length=500, description="address of the cloud")
    token: str = Field(min_length=8, max_length=200)
    root_sha256: Sha256 | None = Field(
        None, description="of the root of trust that the cloud will send; another one is refused"
    )


class MqttAccess(Document):
    """Where and how a device reaches a broker."""

    host: str
    port: int = Field(ge=1, le=65535)
    username: str | None = None
    password: str | None = None
    client_id: str | None = None
    tls: bool = False
    prefix: str = "elfowl"


class EnrolReply(Document):
    """What an enrolled device gets: its id, the cloud's broker, the root that it will trust for updates."""

    schema_version: Literal[1] = Field(1, alias="schema")
    device: Name
    mqtt: MqttAccess
    tuf_root: str = Field(description="root metadata of the update repository, JSON text, to be pinned")
    tuf_metadata_url: str
    tuf_targets_url: str


class BundleTarget(Document):
    """A signed bundle as desired state names it; the signature is checked by TUF, not here."""

    path: RelativePath
    sha256: Sha256
    length_bytes: int = Field(gt=0)
    release: int = Field(ge=1)
    detector_id: str
    detector_name: str
    detector_version: int = Field(ge=1)
    attempt: int = Field(1, ge=1, description="raised when a bundle that was refused shall be tried again")


class CameraSettings(Document):
    """Settings of one camera, as edited in the portal or in Home Assistant."""

    detect: bool = True
    snapshots: bool = True
    offload: bool = True
    threshold: float | None = Field(None, ge=0.0, le=1.0, description="none: the detector's own")
    rules: CameraRules | None = Field(None, description="as a whole; none: those of the camera's config file")


class FrameWanted(Document):
    """A key frame that the cloud asks for, because somebody corrected what was seen on it."""

    request_id: str
    event_id: str | None = None
    camera: Name | None = None
    time: float | None = None


class Desired(Document):
    """What the cloud wants of a device; `version` only grows."""

    schema_version: Literal[1] = Field(1, alias="schema")
    device: Name
    version: int = Field(ge=0)
    bundle: BundleTarget | None = None
    shadow: BundleTarget | None = Field(
        None, description="to be tried beside what runs: it looks on spare cycles, and nobody is alerted"
    )
    cameras: dict[str, CameraSettings] = Field(default_factory=dict)
    frames_wanted: tuple[FrameWanted, ...] = ()
    nearby_wanted: NearbyWanted | None = Field(None, description="until the device has answered it")


class DesiredHint(Document):
    """MQTT hint that a newer desired state can be fetched: `<p>/<device>/down/desired`."""

    version: int = Field(ge=0)


class UpdateOutcome(Document):
    """How one installation ended; each is reported exactly once."""

    id: str
    bundle_sha256: Sha256
    outcome: Outcome
    reason: str | None = Field(None, description="why it failed, or why a success took the longer way")
    at: float = Field(description="UTC seconds since 1970")


class Reported(Document):
    """What a device says it runs."""

    schema_version: Literal[1] = Field(1, alias="schema")
    device: Name
    desired_version: int = Field(ge=0)
    agent_version: str
    profile: str
    installed: BundleTarget | None = None
    shadow: ShadowReport | None = Field(None, description="how the candidate on trial compares")
    phase: UpdatePhase = "idle"
    outcomes: tuple[UpdateOutcome, ...] = ()
    cameras: dict[str, CameraSettings] = Field(default_factory=dict)


class BatchItem(Document):
    """One event of a batch, and its small blurred picture."""

    seq: int = Field(ge=1)
    event: Event
    thumbnail_jpeg_base64: str | None = Field(None, max_length=100_000)


class DroppedRange(Document):
    """Events that the quota of the spool made the device forget."""

    first_seq: int = Field(ge=1)
    last_seq: int = Field(ge=1)
    reason: str


class EventBatch(Document):
    """Events on their way to the cloud: `<p>/<device>/up/events`.

    (device, epoch, seq) is the identity of one message about an event.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    device: Name
    epoch: str = Field(min_length=4, max_length=64, description="new for each new spool file")
    items: tuple[BatchItem, ...]
    dropped: tuple[DroppedRange, ...] = ()
    oldest_seq: int | None = Field(
        None,
        ge=1,
        description="for several batches under way: nothing of the epoch before it will be sent (again); "
        "none: one batch at a time, which begins with the oldest that is left and leaves nothing out",
    )


class Ack(Document):
    """All events of the epoch up to `seq` are stored: `<p>/<device>/down/ack`.

    Only this lets the spool delete them.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    epoch: str
    seq: int = Field(ge=0)
