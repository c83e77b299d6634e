"""Devices that ask, each in a thread of its own with a connection that stays open."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.offloading.fleet import CONTENT_TYPE, BenchDevice
from edge_agent.clock import Clock

_TIMEOUT_S = 120.0
HTTP_OK = 200


@dataclass(frozen=True)
class Asked:
    """One question: when it came back, how long it took, and the answer."""

    ended_s: float
    took_s: float
    status: int
    waited_ms: float | None = None


@dataclass
class Crowd:
    """Devices that ask one endpoint."""

    port: int
    devices: Sequence[BenchDevice]
    jpegs: Sequence[bytes]
    clock: Clock
    _asked: list[Asked] = field(default_factory=list)

    def ask(
        self, seconds: float, *, deadline_ms: int = 60_000, every_s: float = 0.0, most: int | None = None
    ) -> list[Asked]:
        """Return what became of all questions that came back in time.

        Args:
            seconds: For how long.
            deadline_ms: Of each question.
            every_s: A device asks so often; 0 = as soon as it was answered.
            most: Questions of each device at most.
        """
        self._asked = []
        until_s = self.clock.monotonic_s() + seconds
        threads = [
            threading.Thread(target=self._go_on, args=(number, until_s, deadline_ms, every_s, most))
            for number in range(len(self.devices))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [one for one in self._asked if one.ended_s <= until_s]

    @property
    def everything(self) -> int:
        """Return how many questions of the last time were answered, late ones too."""
        return sum(one.status == HTTP_OK for one in self._asked)

    def _go_on(self, number: int, until_s: float, deadline_ms: int, every_s: float, most: int | None) -> None:
        device = self.devices[number]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        # Spread over the interval, as devices that know nothing of each other are.
        next_s = self.clock.monotonic_s() + every_s * number / len(self.devices)
        count = 0
        while self.clock.monotonic_s() < until_s and (most is None or count < most):
            self.clock.sleep(max(0.0, min(next_s, until_s) - self.clock.monotonic_s()))
            next_s = max(next_s + every_s, self.clock.monotonic_s() if not every_s else 0.0)
            jpeg = self.jpegs[(number + count) % len(self.jpegs)]
            self._asked.append(self._ask_once(connection, device, jpeg, deadline_ms))
            count += 1
        connection.close()

    def _ask_once(
        self, connection: http.client.HTTPConnection, device: BenchDevice, jpeg: bytes, deadline_ms: int
    ) -> Asked:
        headers = {"Authorization": f"Bearer {device.token(self.clock)}", "Content-Type": CONTENT_TYPE}
        body = device.body(jpeg, deadline_ms)
        start_s = self.clock.monotonic_s()
        connection.request("POST", "/api/v1/offload", body, headers)
        response = connection.getresponse()
        content = response.read()
        end_s = self.clock.monotonic_s()
        waited_ms = json.loads(content).get("queued_ms") if response.status == HTTP_OK else None
        return Asked(end_s, end_s - start_s, response.status, waited_ms)


def answered_per_s(asked: Sequence[Asked], seconds: float) -> float:
    """Return how many questions were answered each second."""
    return sum(one.status == HTTP_OK for one in asked) / seconds
