"""What the agent is put together from; tests put simulators in place of the outside world."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from edge_agent.agent.base_bundle import base_bundle
from edge_agent.agent.local_detector import BundleOpener, open_bundle_detector
from edge_agent.agent.notify import Notifier
from edge_agent.agent.self_care import Sensors
from edge_agent.camera.capture import Capture, limits_at
from edge_agent.camera.frame import FrameSource
from edge_agent.camera.open_source import open_source
from edge_agent.camera.picture_source import PictureSource
from edge_agent.camera.sight import SightWatch
from edge_agent.camera.uri import parse_source
from edge_agent.clock import Clock, SystemClock
from edge_agent.config import AgentConfig, CameraConfig
from edge_agent.report.link import Broker, Link, Message, MqttLink

if TYPE_CHECKING:
    import httpx

_MAX_WIDTH_PX = 1280

LinkFactory = Callable[[Broker, Message, Sequence[str]], Link]
"""Takes broker, will and subscriptions."""


@dataclass(frozen=True)
class AgentParts:
    """The outside world.

    Attributes:
        clock: Where times come from.
        rng: Spreads waits, makes ids.
        http: Speaks HTTP.
        connect: Makes a connection to a broker.
        open_camera: Opens a camera of the config file.
        open_bundle: Loads a bundle's network.
        base_bundle: Finds and verifies the bundle of the config file.
        farewell_s: How long a clean stop waits for what is under way.
        sensors: Tells of memory and heat.
        notifier: Speaks to systemd; by default to nobody.
    """

    clock: Clock
    rng: random.Random
    http: httpx.Client
    connect: LinkFactory
    open_camera: Callable[[CameraConfig], PictureSource]
    open_bundle: BundleOpener
    base_bundle: Callable[[AgentConfig, Clock], Path | None]
    farewell_s: float = 2.0
    sensors: Sensors = field(default_factory=Sensors)
    notifier: Notifier = field(default_factory=lambda: Notifier({}))


def open_camera_source(camera: CameraConfig, clock: Clock) -> FrameSource:
    """Open a camera of the config file; errors as `open_source`."""
    return open_source(
        camera.source,
        clock=clock,
        loop=camera.loop,
        real_time=camera.real_time,
        max_width_px=_MAX_WIDTH_PX,
        max_fps=camera.fps,
        rtsp_transport=camera.rtsp_transport,
    )


def capture_of(camera: CameraConfig, clock: Clock, rng: random.Random) -> Capture:
    """Return what keeps a camera of the config file open."""
    return Capture(
        lambda: open_camera_source(camera, clock),
        name=camera.name,
        clock=clock,
        rng=rng,
        limits=limits_at(camera.fps),
        watch=SightWatch(may_stand_still=parse_source(camera.source).kind in {"video", "image"}),
    )


class _NoHttp:
    """In the place of what speaks HTTP on a device that has nobody to speak HTTP with."""


def real_parts(ca_file: Path | None = None, *, http: bool = True) -> AgentParts:
    """Return the real outside world.

    Args:
        ca_file: Signs the cloud's certificate; none: a public authority.
        http: Whether there is a cloud at all; httpx takes some MB.
    """
    clock = SystemClock()
    rng = random.Random()  # noqa: S311 - spreads waits, makes ids; keeps no secret

    def connect(broker: Broker, will: Message, subscriptions: Sequence[str]) -> Link:
        return MqttLink(broker, will=will, subscriptions=subscriptions, clock=clock, rng=rng)

    def open_camera(config: CameraConfig) -> PictureSource:
        return capture_of(config, clock, rng)

    notifier = Notifier(os.environ)
    return AgentParts(
        clock,
        rng,
        _http(ca_file) if http else cast("httpx.Client", _NoHttp()),
        connect,
        open_camera,
        open_bundle_detector,
        base_bundle,
        notifier=notifier,
    )


def _http(ca_file: Path | None) -> httpx.Client:
    from edge_agent.update.fetcher import open_client  # noqa: PLC0415 - only with a cloud

    return open_client(ca_file)
