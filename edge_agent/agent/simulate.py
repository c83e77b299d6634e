"""`elfowl-agent simulate`: a fleet without cameras, for trying a cloud before real devices come."""

from __future__ import annotations

import functools
import random
import signal
import threading
from collections.abc import Sequence

import httpx

from edge_agent.agent.simulated_device import SimulatedDevice
from edge_agent.agent.simulated_link import open_link, say_goodbye
from edge_agent.agent.simulation import (
    FleetOrder,
    Simulation,
    Tally,
    TimedTransport,
    join_fleet,
    make_devices,
)
from edge_agent.clock import Clock, SystemClock
from edge_agent.report.link import MqttLink

_CONNECTIONS = 64


def simulate(order: FleetOrder, seconds: float, *, mqtt: bool = False) -> dict[str, float]:
    """Let devices join and live for so long, or until SIGTERM or Ctrl-C; return what was measured.

    Args:
        order: Which devices, and where.
        seconds: How long.
        mqtt: Each connects to the cloud's broker too, with two threads of its own.

    Raises:
        ConfigError: The cloud refused a device.
        LinkError: It cannot be reached.
        StorageError: The disk is full or read-only.
    """
    clock, tally, stopping = SystemClock(), Tally(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    transport = TimedTransport(httpx.HTTPTransport(limits=limits), tally, clock)
    rng = random.Random()  # noqa: S311 - spreads polls; keeps no secret
    with httpx.Client(transport=transport, timeout=20.0, trust_env=False) as http:
        devices = make_devices(order, join_fleet(order, http), http, clock, rng)
        simulation = Simulation(devices, clock, rng)
        links = _connect(devices, simulation, clock, rng) if mqtt else []
        simulation.run(seconds, stopping=stopping)
        for device, link in zip(devices, links, strict=False):
            say_goodbye(device.identity, link)
        return {
            "devices": len(devices),
            "in_step": simulation.reachable,
            "looks": len(tally.seconds),
            "unanswered": tally.unreachable,
            "p50_s": tally.quantile_s(0.5),
            "p99_s": tally.quantile_s(0.99),
        }


def _connect(
    devices: Sequence[SimulatedDevice], simulation: Simulation, clock: Clock, rng: random.Random
) -> list[MqttLink]:
    """Give each device its connection; a hint there lets it look at once."""
    links = []
    for number, device in enumerate(devices):
        link = open_link(device.identity, functools.partial(simulation.wake, number), clock, rng)
        device.link = link
        links.append(link)
    return links
