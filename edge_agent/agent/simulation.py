"""Many simulated devices in one process: a queue of who looks next, and a few threads that do it."""

from __future__ import annotations

import heapq
import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from edge_agent.agent.device import arch
from edge_agent.agent.simulated_device import Behaviour, SimulatedDevice
from edge_agent.clock import Clock
from edge_agent.errors import ConfigError, LinkError
from edge_agent.update.enrol import DeviceFacts, enrol
from edge_agent.update.identity import Identity, load_identity

_IDLE_S: Final = 0.02


@dataclass
class Tally:
    """What was measured: seconds of each look that the cloud answered, and how many looks it did not."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    unreachable: int = 0
    looks_by_second: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, status: int, seconds: float, at_s: float) -> None:
        """Count one look at a desired state."""
        with self.lock:
            self.seconds.append(seconds)
            self.statuses[status] += 1
            self.looks_by_second[int(at_s)] += 1

    def note_unreachable(self) -> None:
        """Count one look that nobody answered."""
        with self.lock:
            self.unreachable += 1

    def quantile_s(self, share: float) -> float:
        """Return the look time that `share` of all looks did not exceed; 0 when there was none."""
        with self.lock:
            ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class TimedTransport(httpx.BaseTransport):
    """Passes requests on, and times those that ask for a desired state."""

    def __init__(self, inner: httpx.BaseTransport, tally: Tally, clock: Clock) -> None:
        self._inner, self._tally, self._clock = inner, tally, clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass one request on."""
        if not request.url.path.endswith("/device/desired"):
            return self._inner.handle_request(request)
        begun_s = self._clock.monotonic_s()
        try:
            response = self._inner.handle_request(request)
        except httpx.HTTPError:
            self._tally.note_unreachable()
            raise
        ended_s = self._clock.monotonic_s()
        self._tally.note(response.status_code, ended_s - begun_s, ended_s)
        return response

    def close(self) -> None:
        """Close what is below."""
        self._inner.close()


class Simulation:
    """Lets devices look at their cloud, each when it is due, until it is stopped."""

    def __init__(self, devices: Sequence[SimulatedDevice], clock: Clock, rng: random.Random) -> None:
        """Prepare; the first looks are spread over one poll, as those of a fleet that runs already."""
        self._devices = devices
        self._clock = clock
        now_s = clock.monotonic_s()
        firsts = [now_s + rng.uniform(0.0, device.behaviour.poll_s) for device in devices]
        self._due = [(first_s, number) for number, first_s in enumerate(firsts)]
        heapq.heapify(self._due)
        self._stepping: set[int] = set()
        self._woken: set[int] = set()
        self._lock = threading.Lock()

    @property
    def reachable(self) -> int:
        """Return how many devices are in step with the cloud."""
        return sum(device.reachable for device in self._devices)

    def all_at_once(self) -> None:
        """Let every device look now, as after a power cut of the whole town."""
        with self._lock:
            self._due = [(self._clock.monotonic_s(), number) for _, number in self._due]
            heapq.heapify(self._due)

    def wake(self, number: int) -> None:
        """Let one device look now, or once more when it is at it; from any thread."""
        with self._lock:
            self._woken.add(number)

    def run(self, seconds: float, *, threads: int = 8, stopping: threading.Event | None = None) -> None:
        """Run for so long, or until it is stopped."""
        until_s = self._clock.monotonic_s() + seconds
        ended = stopping or threading.Event()
        workers = [threading.Thread(target=self._work, args=(until_s, ended)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _work(self, until_s: float, stopping: threading.Event) -> None:
        while not stopping.is_set() and self._clock.monotonic_s() < until_s:
            number = self._next()
            if number is None:
                stopping.wait(_IDLE_S)
                continue
            pause_s = self._devices[number].step()
            with self._lock:
                self._stepping.discard(number)
                heapq.heappush(self._due, (self._clock.monotonic_s() + pause_s, number))

    def _next(self) -> int | None:
        with self._lock:
            self._bring_forward()
            if not self._due or self._due[0][0] > self._clock.monotonic_s():
                return None
            number = heapq.heappop(self._due)[1]
            self._stepping.add(number)
            return number

    def _bring_forward(self) -> None:
        woken = self._woken - self._stepping
        if woken:
            now_s = self._clock.monotonic_s()
            self._due = [(now_s if number in woken else due_s, number) for due_s, number in self._due]
            heapq.heapify(self._due)
            self._woken -= woken


@dataclass(frozen=True)
class FleetOrder:
    """Which devices to simulate, and where they join."""

    cloud_url: str
    count: int
    state_dir: Path
    profile: str
    prefix: str = "sim"
    access_token: str | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)


def join_fleet(order: FleetOrder, http: httpx.Client) -> list[Identity]:
    """Let devices join that have not yet, each with a token and a key of its own; return who they are.

    Raises:
        ConfigError: The cloud refused a token or a device.
        LinkError: It cannot be reached.
        StorageError: The disk is full or read-only.
    """
    found = []
    for number in range(order.count):
        name = f"{order.prefix}-{number:05d}"
        folder = order.state_dir / name
        known = load_identity(folder)
        if known is None:
            facts = DeviceFacts(name, order.profile, arch(), "simulated")
            known = enrol(order.cloud_url, _token(order, http), facts, folder, client=http)
        found.append(known)
    return found


def _token(order: FleetOrder, http: httpx.Client) -> str:
    headers = {"Authorization": f"Bearer {order.access_token}"} if order.access_token else {}
    url = f"{order.cloud_url.rstrip('/')}/api/v1/enrolment-tokens"
    try:
        response = http.post(url, headers=headers)
    except httpx.HTTPError as error:
        message = f"cannot reach the cloud at {order.cloud_url}: {error or type(error).__name__}"
        raise LinkError(message) from error
    if response.status_code != httpx.codes.CREATED:
        message = f"{url}: HTTP {response.status_code}; give --access-token if the cloud has one"
        raise ConfigError(message)
    return str(response.json()["token"])


def make_devices(
    order: FleetOrder, identities: Sequence[Identity], http: httpx.Client, clock: Clock, rng: random.Random
) -> list[SimulatedDevice]:
    """Return the devices of these identities."""
    return [
        SimulatedDevice(
            identity,
            order.profile,
            order.state_dir / identity.device,
            http,
            clock,
            random.Random(rng.random()),  # noqa: S311 - spreads polls; keeps no secret
            order.behaviour,
        )
        for identity in identities
    ]
