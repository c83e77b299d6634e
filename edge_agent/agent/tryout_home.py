"""A try's side of Home Assistant: the same publisher, spool and commands as the agent's, for one camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edge_agent.agent.brokers import home_broker
from edge_agent.agent.device import agent_version, rss_bytes
from edge_agent.agent.parts import AgentParts
from edge_agent.agent.reporter import Reporter
from edge_agent.agent.settings import SettingsStore
from edge_agent.agent.sides import HomeSide
from edge_agent.config import MqttConfig
from edge_agent.errors import ConfigError
from edge_agent.pipeline.detector import LabelRule
from edge_agent.report.commands import Command, SetSwitch, SetThreshold, home_subscriptions
from edge_agent.report.discovery import (
    CameraEntity,
    DeviceEntity,
    LabelEntity,
    discovery_documents,
    state_topics,
)
from edge_agent.report.drains import HOME
from edge_agent.report.outbox import Outbox
from edge_agent.report.publisher import Publisher, will_of
from edge_agent.wire.homeassistant import HaConfig
from edge_agent.wire.status import CameraStats, Stats, UpdateState
from edge_agent.wire.topics import Topics

_SPOOL_BYTES = 4_000_000
_MQTT_PORT = 1883
_MQTTS_PORT = 8883
_STATS_EVERY_S = 10.0
_PROFILE = "elfowl-agent try"


@dataclass(frozen=True)
class TryCamera:
    """What a try shows: one camera of one device, and its detector; `labels` by slug."""

    device: str
    name: str
    labels: Mapping[str, LabelRule]
    bundle_name: str
    release: int


def parse_broker(text: str) -> MqttConfig:
    """Return a broker from `HOST`, `HOST:PORT` or `USER:PASSWORD@HOST:PORT`, with or without `mqtt://`.

    Raises:
        ConfigError: It is none of these; the text does not repeat the password.
    """
    message = "--mqtt: write HOST, HOST:PORT or USER:PASSWORD@HOST:PORT"
    try:
        parts = urlsplit(text if "://" in text else f"mqtt://{text}")
        port = parts.port or (_MQTTS_PORT if parts.scheme == "mqtts" else _MQTT_PORT)
    except ValueError as error:
        raise ConfigError(message) from error
    if not parts.hostname or parts.scheme not in {"mqtt", "mqtts"}:
        raise ConfigError(message)
    return MqttConfig.model_validate(
        {
            "host": parts.hostname,
            "port": port,
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "tls": parts.scheme == "mqtts",
        }
    )


class TryHome:
    """Reports one camera to a home broker; without one it takes everything and forgets it."""

    def __init__(
        self,
        folder: Path,
        camera: TryCamera,
        mqtt: MqttConfig | None,
        parts: AgentParts,
        settings: SettingsStore,
    ) -> None:
        """Prepare; `start` connects.

        Args:
            folder: For the spool; of no use afterwards.
            camera: What is shown.
            mqtt: The broker, if there is one.
            parts: The outside world.
            settings: What switches in Home Assistant change.
        """
        self._camera = camera
        self._settings = settings
        self._clock = parts.clock
        self._started_s = parts.clock.monotonic_s()
        self._stats_due_s = self._started_s
        self._home = _open_home(folder, camera, mqtt, parts) if mqtt else None
        consumers = [HOME] if self._home else []
        spool = Outbox(
            folder / "spool.sqlite", consumers=consumers, max_bytes=_SPOOL_BYTES, clock=parts.clock
        )
        self.reporter = Reporter(
            spool,
            home=self._home,
            cloud=None,
            cameras=[camera.name],
            clock=parts.clock,
            on_command=self._obey,
        )
        settings.on_change = lambda _camera, _settings: self._tell_settings()

    @property
    def connected(self) -> bool:
        """Return whether the broker is connected."""
        return self._home is not None and self._home.link.connected

    def start(self) -> None:
        """Connect, and show the camera in Home Assistant."""
        home = self._home
        if home is not None:
            self.reporter.publish(lambda publisher: publisher.declare(*_entities(home.topics, self._camera)))
            self.reporter.publish(lambda publisher: publisher.detector(_update_state(self._camera)))
            self._tell_settings()
        self.reporter.start()

    def tick(self, stats: CameraStats) -> None:
        """Tell how the camera does, now and then."""
        if self._clock.monotonic_s() < self._stats_due_s:
            return
        self._stats_due_s = self._clock.monotonic_s() + _STATS_EVERY_S
        document = Stats(
            device=self._camera.device,
            agent_version=agent_version(),
            uptime_s=self._clock.monotonic_s() - self._started_s,
            cameras={self._camera.name: stats},
            rss_bytes=rss_bytes(),
        )
        self.reporter.publish(lambda publisher: publisher.stats(document))

    def stop(self) -> None:
        """Take the entities out of Home Assistant again, and disconnect: a try leaves nothing behind."""
        self.reporter.publish(lambda publisher: publisher.withdraw())
        self.reporter.stop(leave_nothing=True)

    def _obey(self, command: Command) -> None:
        if isinstance(command, SetSwitch):
            self._settings.change(command.camera, **{command.feature: command.on})
        elif isinstance(command, SetThreshold):
            self._settings.change(command.camera, threshold=command.threshold)

    def _tell_settings(self) -> None:
        name, settings = self._camera.name, self._settings.get(self._camera.name)
        lowest = min((rule.threshold for rule in self._camera.labels.values()), default=0.5)
        threshold = lowest if settings.threshold is None else settings.threshold
        values = {
            "detect": _on_off(settings.detect),
            "snapshots": _on_off(settings.snapshots),
            "threshold": f"{threshold:.2f}",
        }
        for feature, value in values.items():
            self.reporter.publish(partial(_say_switch, name, feature, value))


def _open_home(folder: Path, camera: TryCamera, mqtt: MqttConfig, parts: AgentParts) -> HomeSide:
    topics = Topics(camera.device, mqtt.prefix, mqtt.discovery_prefix)
    broker = home_broker(mqtt, mqtt.read_password(), camera.device)
    link = parts.connect(broker, will_of(topics), home_subscriptions(topics))
    publisher = Publisher(
        link,
        topics,
        remembered_file=folder / "topics.json",
        clock=parts.clock,
        rng=parts.rng,
        style=mqtt.discovery_style,
    )
    return HomeSide(topics, link, publisher)


def _entities(topics: Topics, camera: TryCamera) -> tuple[list[tuple[str, HaConfig]], list[str]]:
    labels = tuple(LabelEntity(rule.name, rule.slug) for rule in camera.labels.values())
    cameras = [CameraEntity(camera.name, labels)]
    device = DeviceEntity(agent_version(), _PROFILE)
    return discovery_documents(topics, device, cameras), state_topics(topics, cameras)


def _update_state(camera: TryCamera) -> UpdateState:
    release = str(camera.release)
    return UpdateState(installed_version=release, latest_version=release, title=camera.bundle_name)


def _say_switch(camera: str, feature: str, value: str, publisher: Publisher) -> None:
    publisher.switch(camera, feature, value)


def _on_off(on: bool) -> str:
    return "ON" if on else "OFF"
