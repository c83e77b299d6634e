"""What others ask of the agent over MQTT: hostile until parsed."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from edge_agent.clock import Clock
from edge_agent.errors import ProtocolError
from edge_agent.wire.correction import Feedback
from edge_agent.wire.live import LookWanted
from edge_agent.wire.sync import Ack, DesiredHint
from edge_agent.wire.topics import Topics

_log = logging.getLogger(__name__)

SwitchFeature = Literal["detect", "snapshots", "offload"]
_SWITCHES: tuple[SwitchFeature, ...] = ("detect", "snapshots", "offload")
_MAX_BYTES = 10_000


@dataclass(frozen=True)
class SetSwitch:
    """Turn a feature of a camera on or off."""

    camera: str
    feature: SwitchFeature
    on: bool


@dataclass(frozen=True)
class SetThreshold:
    """Change the score from which something counts as seen."""

    camera: str
    threshold: float


@dataclass(frozen=True)
class InstallDetector:
    """Install the newest detector now."""


@dataclass(frozen=True)
class ForgetCorrections:
    """Forget what was called wrong; it may be told again."""


@dataclass(frozen=True)
class HomeAssistantStarted:
    """Home Assistant is there (again) and knows no states."""


Command = (
    SetSwitch
    | SetThreshold
    | InstallDetector
    | ForgetCorrections
    | HomeAssistantStarted
    | Feedback
    | Ack
    | DesiredHint
    | LookWanted
)


def home_subscriptions(topics: Topics) -> tuple[str, ...]:
    """Return what to subscribe to at the home broker."""
    return (
        topics.homeassistant_status,
        topics.detector_set,
        topics.feedback,
        topics.cure_set,
        topics.switch("+", "+", "set"),
    )


def cloud_subscriptions(topics: Topics) -> tuple[str, ...]:
    """Return what to subscribe to at the cloud's broker."""
    return (topics.down_ack, topics.down_desired, topics.down_look)


def parse_command(
    topics: Topics, cameras: Collection[str], topic: str, payload: bytes, *, retained: bool = False
) -> Command | None:
    """Return what a message asks for; none when it asks for nothing.

    Args:
        topics: The device's topics at the broker that the message came from.
        cameras: Names of the cameras that there are.
        topic: Where it was published.
        payload: What.
        retained: The broker had kept it; a command kept would be obeyed again after every start.

    Raises:
        ProtocolError: It is not in the documented form; the text says what is wrong.
    """
    if len(payload) > _MAX_BYTES:
        raise _refusal(topic, f"{len(payload)} bytes are too many")
    if topic == topics.homeassistant_status:
        return HomeAssistantStarted() if payload == b"online" else None
    try:
        if topic == topics.down_ack:
            return Ack.from_json(payload)
        if topic == topics.down_desired:
            return DesiredHint.from_json(payload)
        if retained:
            raise _refusal(topic, "a command must not be retained; publish it without")
        if topic in {topics.feedback, topics.down_look}:
            return (Feedback if topic == topics.feedback else LookWanted).from_json(payload)
    except ValueError as error:
        raise _refusal(topic, _first_line(error)) from error
    words: dict[str, tuple[bytes, Command]] = {
        topics.detector_set: (b"install", InstallDetector()),
        topics.cure_set: (b"forget", ForgetCorrections()),
    }
    if topic in words:
        return _word(topic, payload, *words[topic])
    return _setting(topics, cameras, topic, payload)


def _word(topic: str, payload: bytes, word: bytes, command: Command) -> Command:
    if payload != word:
        raise _refusal(topic, f"only '{word.decode()}' is understood")
    return command


def _setting(topics: Topics, cameras: Collection[str], topic: str, payload: bytes) -> Command:
    for camera in cameras:
        for feature in _SWITCHES:
            if topic == topics.switch(camera, feature, "set"):
                return SetSwitch(camera, feature, _on_or_off(topic, payload))
        if topic == topics.switch(camera, "threshold", "set"):
            return SetThreshold(camera, _share(topic, payload))
    raise _refusal(topic, "no such camera or setting")


def _on_or_off(topic: str, payload: bytes) -> bool:
    if payload not in {b"ON", b"OFF"}:
        raise _refusal(topic, "only ON and OFF are understood")
    return payload == b"ON"


def _share(topic: str, payload: bytes) -> float:
    try:
        value = float(payload[:30].decode("ascii"))
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise _refusal(topic, "a number from 0 to 1 is needed")
    return value


def _refusal(topic: str, why: str) -> ProtocolError:
    return ProtocolError(f"ignored what came on {topic[:120]!r}: {why}")


def _first_line(error: ValueError) -> str:
    lines = str(error).splitlines()
    return "; ".join(line.strip() for line in lines[:3])[:200]


class RateLimitedLog:
    """Logs a few warnings a minute, then how many were held back; nobody can fill a disk with them."""

    def __init__(self, clock: Clock, *, per_minute: int = 5) -> None:
        """Begin with nothing held back."""
        self._clock = clock
        self._per_minute = per_minute
        self._window_from_s = clock.monotonic_s()
        self._said = self.held_back = 0

    def warning(self, text: str) -> None:
        """Log a warning, or count it when there were too many."""
        now_s = self._clock.monotonic_s()
        if now_s - self._window_from_s >= 60.0:
            if self.held_back:
                _log.warning("%d more warnings of this kind were not written", self.held_back)
            self._window_from_s, self._said, self.held_back = now_s, 0, 0
        if self._said < self._per_minute:
            self._said += 1
            _log.warning("%s", text)
        else:
            self.held_back += 1
