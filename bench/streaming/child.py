"""A process that watches: `python -m bench.streaming.child KIND DETECTORS`; it speaks JSON, line by line.

`elfowl` watches all its streams as a worker of the cloud does, with one look for all; `alone` is one stream
and one detector, which looks at every picture. It stays for many orders, so that nothing is loaded twice.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.streaming.films import FPS
from cloud.cache.plan import CachePlan
from cloud.detector.files import load_detector
from cloud.settings import Settings
from cloud.streams.book import Held, Told, Wanted
from cloud.streams.eyes import SharedDetector, StreamEyes
from cloud.streams.settings import StreamSettings
from cloud.streams.turns import Turns
from cloud.streams.watcher import StreamWatch, WatchPorts
from cloud.streams.worker import small_jpeg
from edge_agent.camera.capture import Capture
from edge_agent.camera.frame import FrameSource
from edge_agent.camera.open_source import open_source
from edge_agent.clock import Clock, SystemClock

_NOTHING = 0.5


@dataclass(frozen=True)
class Stream:
    """A film to watch with a detector; its pictures come so long after those of a stream with no delay."""

    detector: str
    address: str
    delay_s: float = 0.0


@dataclass(frozen=True)
class Order:
    """What to watch: for some seconds that do not count, and then for those that do."""

    streams: tuple[Stream, ...]
    settle_s: float
    seconds: float

    @classmethod
    def read(cls, line: str) -> Order:
        """Read an order."""
        found = json.loads(line)
        streams = tuple(Stream(**one) for one in found.pop("streams"))
        return cls(streams, **found)

    def line(self) -> str:
        """Return the order as one line."""
        return json.dumps(asdict(self)) + "\n"


@dataclass(frozen=True)
class Answer:
    """How late each picture was answered, how many came and were looked at, and the processor's time."""

    delays_s: tuple[float, ...]
    pictures: int
    looked: int
    cpu_s: float


class Watcher(Protocol):
    """Follows orders."""

    def watch(self, order: Order) -> Answer:
        """Watch as ordered."""
        ...


class Together:
    """Watches streams as a worker does."""

    def __init__(self, detectors: Path, clock: Clock) -> None:
        """Prepare."""
        eyes = StreamEyes.of_this_machine(CachePlan.of(Settings(home=detectors.parent)))
        turns = Turns(eyes.see, clock, most=eyes.most_at_once)
        self._clock = clock
        self._ports = WatchPorts(
            open_frames=lambda wanted: _open(wanted.address, clock),
            open_detector=lambda keys: SharedDetector(eyes.open(keys), turns.ask),
            small_jpeg=small_jpeg,
            told=_forget,
            clock=clock,
            rng=random.Random(1),  # noqa: S311 - makes ids
        )

    def watch(self, order: Order) -> Answer:
        """Watch all streams of an order from their beginning."""
        watches = [StreamWatch(Held(_wanted(one), 1), self._ports) for one in order.streams]
        began_s = self._clock.monotonic_s()
        for stream, watch in sorted(zip(order.streams, watches, strict=True), key=lambda one: one[0].delay_s):
            _wait_until(began_s + stream.delay_s, self._clock)
            watch.start()
        self._clock.sleep(order.settle_s)
        before, spent_s = [watch.figures() for watch in watches], time.process_time()
        self._clock.sleep(order.seconds)
        cpu_s = time.process_time() - spent_s
        found = [(watch.figures(), watch.delays_s()) for watch in watches]
        for watch in watches:
            watch.end()
        for watch in watches:
            watch.stop()
        fresh = [
            round(now["pictures"] - was["pictures"]) for (now, _), was in zip(found, before, strict=True)
        ]
        looked = sum(now["looked"] - was["looked"] for (now, _), was in zip(found, before, strict=True))
        delays = [
            late for (_, some), count in zip(found, fresh, strict=True) for late in some[-count:] if count
        ]
        return Answer(tuple(delays), sum(fresh), round(looked), cpu_s)


class Alone:
    """Looks at every picture of one stream with one detector."""

    def __init__(self, detectors: Path, clock: Clock) -> None:
        """Prepare; the detector is loaded with the first order."""
        self._detectors, self._clock = detectors, clock
        self._detect: Callable[[Any], object] | None = None

    def watch(self, order: Order) -> Answer:
        """Watch the only stream of an order."""
        (stream,) = order.streams
        detect = self._detect
        if detect is None:
            detect = self._detect = load_detector(self._detectors / stream.detector / "v1").detect
        _wait_until(self._clock.monotonic_s() + stream.delay_s, self._clock)
        with Capture(lambda: _open(stream.address, self._clock), clock=self._clock) as source:
            self._look(source, detect, order.settle_s)
            began_s = time.process_time()
            delays_s = self._look(source, detect, order.seconds)
            cpu_s = time.process_time() - began_s
        return Answer(delays_s, len(delays_s), len(delays_s), cpu_s)

    def _look(self, source: Capture, detect: Callable[[Any], object], seconds: float) -> tuple[float, ...]:
        delays_s: list[float] = []
        until_s = self._clock.monotonic_s() + seconds
        while self._clock.monotonic_s() < until_s:
            frame = source.latest(_NOTHING)
            if frame is not None:
                detect(frame.rgb)
                delays_s.append(self._clock.monotonic_s() - frame.monotonic_s)
        return tuple(delays_s)


def _wait_until(at_s: float, clock: Clock) -> None:
    clock.sleep(max(0.0, at_s - clock.monotonic_s()))


def _open(address: str, clock: Clock) -> FrameSource:
    return open_source(address, clock=clock, loop=True, max_fps=float(FPS))


def _wanted(one: Stream) -> Wanted:
    key = (one.detector, 1)
    return Wanted(one.detector, one.detector, one.address, StreamSettings(fps=FPS), (key,))


def _forget(_held: Held, _told: Told) -> None:
    """Take an event: where it is stored is not measured here."""


def main(arguments: Sequence[str]) -> None:
    """Do as each line says, until there are no more."""
    kind, detectors = arguments
    clock = SystemClock()
    watcher: Watcher = (Together if kind == "elfowl" else Alone)(Path(detectors), clock)
    _say("ready")
    for line in sys.stdin:
        _say(json.dumps(asdict(watcher.watch(Order.read(line)))))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
