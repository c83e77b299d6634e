"""Asks the network who is a camera: the question and its answers are WS-Discovery, one datagram each."""

from __future__ import annotations

import selectors
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import psutil
from onveef.wsdiscovery import build_probe, parse_probe_matches

from edge_agent.clock import Clock
from edge_agent.discover.found import Device, scope_words, service_at
from edge_agent.errors import ConfigError, LinkError

Place = tuple[str, int]

EVERYBODY: Place = ("239.255.255.250", 3702)

# Types are joined by "and" in the standard, and many cameras name this one alone.
_TYPES = "dn:NetworkVideoTransmitter"
_QUESTIONS = 3
_HOPS = 1
# What strangers can make us read: the largest answer seen in the field has some 4 kB.
_MAX_ANSWER_BYTES = 16_384
_MAX_ANSWERS = 1_000
_MAX_DEVICES = 64


@dataclass(frozen=True)
class Probe:
    """How to ask.

    Attributes:
        places: Whom: all, or addresses where multicast does not come through.
        seconds: How long to listen.
        enough: Stop at so many devices; none: listen to the end.
    """

    places: tuple[Place, ...] = (EVERYBODY,)
    seconds: float = 3.0
    enough: int | None = None


def find_devices(probe: Probe, clock: Clock) -> list[Device]:
    """Ask, and return who answered, in the order of their addresses.

    Args:
        probe: How to ask.
        clock: For how long to listen.

    Raises:
        LinkError: This machine cannot send to any of the places.
    """
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        ways = [(stack.enter_context(way), place) for way, place in _ways(probe.places)]
        for way, _ in ways:
            selector.register(way, selectors.EVENT_READ)
        return sorted(_ask(probe, ways, selector, clock), key=lambda device: _sortable(device.host))


def place_of(named: str) -> Place:
    """Return whom to ask, from `HOST[:PORT]`.

    Raises:
        ConfigError: It is no such address.
    """
    host, _, port = named.partition(":")
    if not host or (port and not port.isdigit()):
        message = f"--probe {named}: is no address; write HOST or HOST:PORT"
        raise ConfigError(message)
    return host, int(port or EVERYBODY[1])


def _ways(places: Sequence[Place]) -> Iterator[tuple[socket.socket, Place]]:
    """Give a socket for each place; for all, one on each of this machine's networks."""
    for place in places:
        for own in _own_addresses() if place == EVERYBODY else [None]:
            way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            way.setblocking(False)
            if own is not None:
                way.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOPS)
                way.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
            yield way, place


def _own_addresses() -> list[str]:
    own = [
        each.address
        for of_one in psutil.net_if_addrs().values()
        for each in of_one
        if each.family == socket.AF_INET and not each.address.startswith("127.")
    ]
    return own or ["0.0.0.0"]  # noqa: S104 - the system chooses; nothing listens there


def _ask(
    probe: Probe,
    ways: Sequence[tuple[socket.socket, Place]],
    selector: selectors.BaseSelector,
    clock: Clock,
) -> list[Device]:
    begun_s = clock.monotonic_s()
    found: dict[str, Device] = {}
    asked = read = 0
    enough = min(probe.enough or _MAX_DEVICES, _MAX_DEVICES)
    while (passed_s := clock.monotonic_s() - begun_s) < probe.seconds:
        # Datagrams get lost, and slow devices sleep: the question is spread over the time.
        if asked < _QUESTIONS and passed_s >= asked * probe.seconds / _QUESTIONS:
            _send(ways)
            asked += 1
        next_s = asked * probe.seconds / _QUESTIONS if asked < _QUESTIONS else probe.seconds
        for key, _ in selector.select(max(0.0, next_s - passed_s)):
            read += 1
            for device in _receive(key.fileobj):
                found[device.service_url] = device
                if len(found) >= enough:
                    return list(found.values())
        if read >= _MAX_ANSWERS:
            break
    return list(found.values())


def _send(ways: Sequence[tuple[socket.socket, Place]]) -> None:
    question = build_probe(message_id=f"urn:uuid:{uuid.uuid4()}", types=_TYPES).encode()
    failures = []
    for way, place in ways:
        try:
            way.sendto(question, place)
        except OSError as error:
            failures.append(error)
    # A network without multicast, a tunnel say, is no failure while another one takes the question.
    if len(failures) == len(ways):
        message = f"cannot ask the network: {failures[0].strerror or failures[0]}; check that it is connected"
        raise LinkError(message) from failures[0]


def _receive(way: object) -> Iterator[Device]:
    try:
        answer, sender = (
            way.recvfrom(_MAX_ANSWER_BYTES + 1) if isinstance(way, socket.socket) else (b"", ("",))
        )
    except OSError:
        return  # "port unreachable" of an earlier question
    if len(answer) > _MAX_ANSWER_BYTES:
        return
    for match in parse_probe_matches(answer.decode("utf-8", errors="replace")):
        name = scope_words(match.name) or scope_words(match.hardware)
        yield Device(sender[0], service_at(sender[0], match.xaddrs), name)


def _sortable(host: str) -> bytes:
    return socket.inet_aton(host)
