"""Every MQTT topic of elfowl, and what is published there.

`Topics` builds names for one prefix and device; `TOPICS` is the one map from pattern to payload, from which the
reference in `docs/wire` is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_agent.wire.base import Document
from edge_agent.wire.correction import Feedback
from edge_agent.wire.event import Event
from edge_agent.wire.homeassistant import HaDeviceDocument, HaEntity, HaTrigger
from edge_agent.wire.live import LivePicture, LookWanted
from edge_agent.wire.status import CameraDetail, LabelAttributes, Stats, UpdateState
from edge_agent.wire.sync import Ack, DesiredHint, EventBatch

DEFAULT_PREFIX = "elfowl"
DEFAULT_DISCOVERY_PREFIX = "homeassistant"
SESSION_PROPERTY = "session"
"""User property (MQTT 5) beside `online` and its will: another value is another connection of the device."""
Direction = Literal["from agent", "to agent"]


@dataclass(frozen=True)
class TopicSpec:
    """One row of the map: `<p>` is the prefix, `<h>` Home Assistant's discovery prefix, other `<…>` one segment."""

    pattern: str
    payload: type[Document] | str
    qos: Literal[0, 1]
    retained: bool
    direction: Direction
    meaning: str


TOPICS: tuple[TopicSpec, ...] = (
    TopicSpec(
        "<p>/<device>/available",
        "online | offline",
        1,
        True,
        "from agent",
        "the agent is connected; `offline` is its will and its clean stop; with MQTT 5 the user property "
        "`session` names the connection, so that a will that comes late can be told",
    ),
    TopicSpec("<p>/<device>/stats", Stats, 0, False, "from agent", "health, every 60 s"),
    TopicSpec(
        "<p>/<device>/detector/state", UpdateState, 1, True, "from agent", "installed and newest detector"
    ),
    TopicSpec(
        "<p>/<device>/detector/set", "install", 1, False, "to agent", "install the newest detector now"
    ),
    TopicSpec("<p>/<device>/feedback/set", Feedback, 1, False, "to agent", "right, wrong or missed"),
    TopicSpec(
        "<p>/<device>/cure/set",
        "forget",
        1,
        False,
        "to agent",
        "forget what was called wrong, on all cameras",
    ),
    TopicSpec(
        "<p>/<device>/cam/<camera>/status",
        "online | offline",
        1,
        True,
        "from agent",
        "the camera gives pictures",
    ),
    TopicSpec(
        "<p>/<device>/cam/<camera>/detail", CameraDetail, 1, True, "from agent", "why it is online or offline"
    ),
    TopicSpec(
        "<p>/<device>/cam/<camera>/event",
        Event,
        1,
        False,
        "from agent",
        "something was seen, changed or left",
    ),
    TopicSpec(
        "<p>/<device>/cam/<camera>/label/<slug>",
        "integer as text",
        1,
        True,
        "from agent",
        "count now in view",
    ),
    TopicSpec(
        "<p>/<device>/cam/<camera>/label/<slug>/attributes",
        LabelAttributes,
        1,
        True,
        "from agent",
        "best sight of the label",
    ),
    TopicSpec(
        "<p>/<device>/cam/<camera>/label/<slug>/snapshot",
        "JPEG",
        0,
        True,
        "from agent",
        "last picture, small and blurred unless the owner chose clear",
    ),
    TopicSpec(
        "<p>/<device>/cam/<camera>/switch/<feature>/state",
        "ON | OFF | number",
        1,
        True,
        "from agent",
        "a setting: detect, snapshots, offload, threshold",
    ),
    TopicSpec(
        "<p>/<device>/cam/<camera>/switch/<feature>/set",
        "ON | OFF | number",
        1,
        False,
        "to agent",
        "change a setting; survives restarts",
    ),
    TopicSpec("<p>/<device>/up/events", EventBatch, 1, False, "from agent", "events for the cloud"),
    TopicSpec("<p>/<device>/down/ack", Ack, 1, False, "to agent", "events that the cloud has stored"),
    TopicSpec(
        "<p>/<device>/down/desired", DesiredHint, 1, False, "to agent", "a newer desired state can be fetched"
    ),
    TopicSpec(
        "<p>/<device>/down/look", LookWanted, 0, False, "to agent", "somebody looks at a camera in the portal"
    ),
    TopicSpec("<p>/<device>/up/look", LivePicture, 0, False, "from agent", "a picture, while somebody looks"),
    # Before the row of any component: the first that fits counts.
    TopicSpec(
        "<h>/device_automation/<node>/<object>/config",
        HaTrigger,
        1,
        True,
        "from agent",
        "Home Assistant discovery of a moment that automations can start from",
    ),
    TopicSpec(
        "<h>/<component>/<node>/<object>/config",
        HaEntity,
        1,
        True,
        "from agent",
        "Home Assistant discovery of one entity (`discovery: per_entity`)",
    ),
    TopicSpec(
        "<h>/device/<id>/config",
        HaDeviceDocument,
        1,
        True,
        "from agent",
        "Home Assistant discovery of all entities together (`discovery: device`)",
    ),
    TopicSpec("<h>/status", "online | offline", 1, False, "to agent", "Home Assistant's birth and will"),
)


def match_topic(
    topic: str, *, prefix: str = DEFAULT_PREFIX, discovery: str = DEFAULT_DISCOVERY_PREFIX
) -> TopicSpec | None:
    """Return the row that describes `topic`, or none when elfowl does not know it."""
    for spec in TOPICS:
        pattern = spec.pattern.replace("<p>", prefix).replace("<h>", discovery).split("/")
        segments = topic.split("/")
        if len(pattern) == len(segments) and all(
            want == got or want.startswith("<") for want, got in zip(pattern, segments, strict=True)
        ):
            return spec
    return None


@dataclass(frozen=True)
class Topics:
    """Names of the topics of one device."""

    device: str
    prefix: str = DEFAULT_PREFIX
    discovery_prefix: str = DEFAULT_DISCOVERY_PREFIX

    @property
    def base(self) -> str:
        """Return the part that all topics of the device share."""
        return f"{self.prefix}/{self.device}"

    @property
    def available(self) -> str:
        """Return the topic of the will."""
        return f"{self.base}/available"

    @property
    def stats(self) -> str:
        """Return the topic of health."""
        return f"{self.base}/stats"

    @property
    def detector_state(self) -> str:
        """Return the topic of the installed detector."""
        return f"{self.base}/detector/state"

    @property
    def detector_set(self) -> str:
        """Return the topic that asks for an installation."""
        return f"{self.base}/detector/set"

    @property
    def feedback(self) -> str:
        """Return the topic for right, wrong and missed."""
        return f"{self.base}/feedback/set"

    @property
    def cure_set(self) -> str:
        """Return the topic that asks to forget what was called wrong."""
        return f"{self.base}/cure/set"

    @property
    def up_events(self) -> str:
        """Return the topic of event batches for the cloud."""
        return f"{self.base}/up/events"

    @property
    def down_ack(self) -> str:
        """Return the topic of the cloud's acknowledgements."""
        return f"{self.base}/down/ack"

    @property
    def down_desired(self) -> str:
        """Return the topic of the cloud's hints."""
        return f"{self.base}/down/desired"

    @property
    def down_look(self) -> str:
        """Return where the cloud says that somebody looks."""
        return f"{self.base}/down/look"

    @property
    def up_look(self) -> str:
        """Return where pictures go while somebody looks."""
        return f"{self.base}/up/look"

    @property
    def homeassistant_status(self) -> str:
        """Return the topic of Home Assistant's birth message."""
        return f"{self.discovery_prefix}/status"

    def camera(self, camera: str, leaf: str) -> str:
        """Return a topic of one camera; `leaf` is `status`, `detail` or `event`."""
        return f"{self.base}/cam/{camera}/{leaf}"

    def label(self, camera: str, slug: str, leaf: str | None = None) -> str:
        """Return a topic of one label; `leaf` is none (the count), `attributes` or `snapshot`."""
        topic = f"{self.base}/cam/{camera}/label/{slug}"
        return topic if leaf is None else f"{topic}/{leaf}"

    def switch(self, camera: str, feature: str, leaf: str) -> str:
        """Return a topic of one setting; `leaf` is `state` or `set`."""
        return f"{self.base}/cam/{camera}/switch/{feature}/{leaf}"

    def discovery(self, component: str, object_id: str) -> str:
        """Return the discovery topic of one entity."""
        return f"{self.discovery_prefix}/{component}/{self.device}/{object_id}/config"

    @property
    def discovery_device(self) -> str:
        """Return the discovery topic of the whole device."""
        return f"{self.discovery_prefix}/device/elfowl-{self.device}/config"
