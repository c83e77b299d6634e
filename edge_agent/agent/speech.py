"""Whom a session speaks to: the brokers of its config and its enrolment, and what keeps reports for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edge_agent.agent.brokers import BrokerPlan, plan_brokers
from edge_agent.agent.parts import AgentParts
from edge_agent.agent.reporter import Reporter
from edge_agent.agent.sides import CloudSide, HomeSide
from edge_agent.agent.stores import open_webhooks, webhook_targets
from edge_agent.config import AgentConfig
from edge_agent.report.commands import Command, cloud_subscriptions
from edge_agent.report.drains import CLOUD, HOME
from edge_agent.report.outbox import Outbox
from edge_agent.report.publisher import Publisher, will_of

if TYPE_CHECKING:
    from edge_agent.update.identity import Identity


def plan_speech(config: AgentConfig, identity: Identity | None) -> BrokerPlan:
    """Return which brokers a device speaks to, once it has, or has not, joined a cloud."""
    mqtt = config.mqtt
    enrolment = identity.enrolment if identity is not None else None
    return plan_brokers(
        mqtt,
        mqtt.read_password() if mqtt is not None else None,
        config.device,
        enrolment.device if enrolment is not None else None,
        enrolment.mqtt if enrolment is not None else None,
        config.cloud.ca_file if config.cloud is not None else None,
    )


def make_reporter(
    config: AgentConfig, parts: AgentParts, plan: BrokerPlan, on_command: Callable[[Command], None]
) -> Reporter:
    """Return what reports, not yet started.

    Args:
        config: The config file.
        parts: The outside world.
        plan: As `plan_speech` returns it.
        on_command: Hears what home and cloud ask for, in the reporter's thread.
    """
    hooks = webhook_targets(config)
    consumers = ([HOME] if plan.home else []) + ([CLOUD] if config.cloud is not None else [])
    outbox = Outbox(
        config.state_dir / "spool.sqlite",
        consumers=[*consumers, *(hook.consumer for hook in hooks)],
        max_bytes=config.storage.spool_bytes,
        clock=parts.clock,
    )
    home = _home_side(config, parts, plan)
    return Reporter(
        outbox,
        home=home,
        cloud=_cloud_side(config, parts, plan, home),
        cameras=[camera.name for camera in config.cameras],
        clock=parts.clock,
        on_command=on_command,
        farewell_s=parts.farewell_s,
        webhooks=open_webhooks(hooks, outbox, parts.clock),
    )


def _home_side(config: AgentConfig, parts: AgentParts, plan: BrokerPlan) -> HomeSide | None:
    if plan.home is None:
        return None
    broker, topics = plan.home
    link = parts.connect(broker, will_of(topics), plan.home_filters)
    publisher = Publisher(
        link,
        topics,
        remembered_file=config.state_dir / "topics.json",
        clock=parts.clock,
        rng=parts.rng,
        style=plan.style,
        frigate=plan.frigate,
    )
    return HomeSide(topics, link, publisher, plan.frigate)


def _cloud_side(
    config: AgentConfig, parts: AgentParts, plan: BrokerPlan, home: HomeSide | None
) -> CloudSide | None:
    if plan.cloud is None or config.cloud is None:
        return None
    broker, topics = plan.cloud
    shared = home.link if home is not None and plan.shared else None
    link = shared or parts.connect(broker, will_of(topics), cloud_subscriptions(topics))
    return CloudSide(topics, link, pictures=not config.cloud.never_send_pictures)
