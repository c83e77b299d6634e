"""A simulated device's connection to its cloud's broker: its own account, will and hints, as the agent's."""

from __future__ import annotations

import random
from collections.abc import Callable

from edge_agent.agent.brokers import plan_brokers
from edge_agent.clock import Clock
from edge_agent.errors import ConfigError
from edge_agent.report.commands import cloud_subscriptions
from edge_agent.report.link import MqttLink
from edge_agent.report.protocol import LinkEvents, Message
from edge_agent.report.publisher import will_of
from edge_agent.update.identity import Identity


def open_link(identity: Identity, look: Callable[[], None], clock: Clock, rng: random.Random) -> MqttLink:
    """Connect a device to its cloud's broker, and again whenever the connection is lost.

    Args:
        identity: Who it is; names the broker and the account.
        look: Called when something new is wanted, and on every connect; from any thread, quick.
        clock: Where times come from.
        rng: Spreads the reconnects of many devices.
    """
    name = identity.device
    planned = plan_brokers(None, None, name, name, identity.enrolment.mqtt).cloud
    if planned is None:
        message = f"device {name!r} was told no broker; let it join again"
        raise ConfigError(message)
    broker, topics = planned
    link = MqttLink(
        broker, will=will_of(topics), subscriptions=cloud_subscriptions(topics), clock=clock, rng=rng
    )

    def up() -> None:
        link.publish(Message(topics.available, b"online", retain=True))
        look()

    def hear(topic: str, _payload: bytes, _retained: bool) -> None:
        if topic == topics.down_desired:
            look()

    link.start(LinkEvents(up, lambda _reason: None, hear))
    return link


def say_goodbye(identity: Identity, link: MqttLink) -> None:
    """Say that the device leaves, and disconnect."""
    planned = plan_brokers(None, None, identity.device, identity.device, identity.enrolment.mqtt).cloud
    link.stop([] if planned is None else [will_of(planned[1])])
