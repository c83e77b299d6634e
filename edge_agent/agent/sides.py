"""The two brokers that the reporter speaks to, each with everything that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.report.frigate import Frigate
from edge_agent.report.link import Link
from edge_agent.report.publisher import Publisher
from edge_agent.wire.topics import Topics


@dataclass(frozen=True)
class HomeSide:
    """Everything of the home broker."""

    topics: Topics
    link: Link
    publisher: Publisher
    frigate: Frigate | None = None


@dataclass(frozen=True)
class CloudSide:
    """Everything of the cloud's broker; its link may be the home's."""

    topics: Topics
    link: Link
    pictures: bool
