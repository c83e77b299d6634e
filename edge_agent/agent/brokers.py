"""Which brokers an agent speaks to, and whether one connection does: decided here, pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.config import MqttConfig
from edge_agent.report.announcer import DiscoveryStyle
from edge_agent.report.commands import cloud_subscriptions, home_subscriptions
from edge_agent.report.frigate import Frigate
from edge_agent.report.link import Broker
from edge_agent.wire.sync import MqttAccess
from edge_agent.wire.topics import Topics


@dataclass(frozen=True)
class BrokerPlan:
    """Where to connect; `shared` says that the home's connection is the cloud's too."""

    home: tuple[Broker, Topics] | None
    cloud: tuple[Broker, Topics] | None
    shared: bool
    discovery: bool
    style: DiscoveryStyle = "per_entity"
    frigate: Frigate | None = None

    @property
    def home_filters(self) -> tuple[str, ...]:
        """Return what to subscribe to at the home broker, for the cloud too where it is the same."""
        filters = home_subscriptions(self.home[1]) if self.home is not None else ()
        if self.frigate is not None:
            filters += self.frigate.subscriptions()
        if self.shared and self.cloud is not None:
            filters += cloud_subscriptions(self.cloud[1])
        return filters


def plan_brokers(
    mqtt: MqttConfig | None,
    password: str | None,
    device: str,
    cloud_device: str | None,
    access: MqttAccess | None,
    ca_file: Path | None = None,
) -> BrokerPlan:
    """Decide where to connect.

    Args:
        mqtt: The home broker of the config file.
        password: Its password.
        device: The device's name at home.
        cloud_device: Its name at the cloud, once enrolled.
        access: The cloud's broker, once enrolled.
        ca_file: Who signs the cloud's certificates; none: the public authorities.
    """
    cloud = None
    if access is not None:
        at_cloud = cloud_device or device
        cloud = (_cloud_broker(access, at_cloud, ca_file), Topics(at_cloud, access.prefix))
    if mqtt is None:
        # Without a home broker the cloud's does: states and events are to be seen somewhere.
        return BrokerPlan(cloud, cloud, shared=True, discovery=True)
    topics = Topics(device, mqtt.prefix, mqtt.discovery_prefix)
    home = (home_broker(mqtt, password, device), topics)
    plan = BrokerPlan(
        home,
        cloud,
        shared=False,
        discovery=bool(mqtt.discovery),
        style=mqtt.discovery_style,
        frigate=Frigate(mqtt.frigate_prefix) if mqtt.compat == "frigate" else None,
    )
    if cloud is None or not home[0].is_same_broker(cloud[0]) or topics.base != cloud[1].base:
        return plan
    # One connection, under the name that the cloud gave unless the owner gave one.
    broker = home[0] if mqtt.username is not None else cloud[0]
    return replace(plan, home=(broker, topics), cloud=(broker, cloud[1]), shared=True)


def home_broker(mqtt: MqttConfig, password: str | None, device: str) -> Broker:
    """Return the broker of the config file."""
    return Broker(
        mqtt.host,
        mqtt.port,
        client_id=f"elfowl-{device}",
        username=mqtt.username,
        password=password,
        tls=mqtt.tls,
        ca_file=mqtt.ca_file,
        client_cert_file=mqtt.client_cert_file,
        client_key_file=mqtt.client_key_file,
        websocket_path=mqtt.websocket_path if mqtt.transport == "websockets" else None,
        protocol=mqtt.protocol,
    )


def _cloud_broker(access: MqttAccess, device: str, ca_file: Path | None) -> Broker:
    return Broker(
        access.host,
        access.port,
        client_id=access.client_id or f"elfowl-cloud-{device}",
        username=access.username,
        password=access.password,
        tls=access.tls,
        ca_file=ca_file,
    )
