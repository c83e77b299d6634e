"""Asks all devices at the same time, so that none that dawdles keeps the others waiting."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_agent.clock import Clock
from edge_agent.discover.found import Device, LoginWantedError, Stream
from edge_agent.discover.proposal import Proposal, propose
from edge_agent.errors import ElfowlError

# An answer of the largest size takes up to 45 MB once it is parsed.
_AT_ONCE = 4
_EACH_S = 20.0
_GRACE_S = 5.0

Asker = Callable[[Device, float], tuple[str, list[Stream]]]
"""Takes a device and the seconds that it has; returns model and streams, or raises an `ElfowlError`."""


@dataclass(frozen=True)
class Report:
    """What came out of one device.

    Attributes:
        device: Which.
        model: Maker and model; may be empty.
        proposals: One for each channel; none if it could not be asked.
        error: Why it could not, and what to do; else empty.
        wants_login: It tells its streams only to those whom it knows.
    """

    device: Device
    model: str = ""
    proposals: tuple[Proposal, ...] = ()
    error: str = ""
    wants_login: bool = False


def survey(devices: Sequence[Device], ask: Asker, clock: Clock) -> list[Report]:
    """Return what each device has, in their order.

    Args:
        devices: Whom to ask.
        ask: Asks one.
        clock: Tells when it has taken too long.
    """
    late = "takes too long to answer; restart it, or try again"
    reports = [Report(device, error=f"{device.host}: {late}") for device in devices]
    room = threading.Semaphore(_AT_ONCE)

    def look(number: int) -> None:
        with room:
            reports[number] = _report(devices[number], ask)

    threads = [threading.Thread(target=look, args=[n], daemon=True) for n in range(len(devices))]
    for thread in threads:
        thread.start()
    until_s = clock.monotonic_s() + _EACH_S * math.ceil(len(devices) / _AT_ONCE) + _GRACE_S
    for thread in threads:
        thread.join(max(0.0, until_s - clock.monotonic_s()))
    return list(reports)


def _report(device: Device, ask: Asker) -> Report:
    try:
        model, streams = ask(device, _EACH_S)
    except ElfowlError as error:
        wants_login = isinstance(error, LoginWantedError)
        return Report(device, error=" ".join(str(error).split()), wants_login=wants_login)
    return Report(device, model, tuple(propose(streams)))
