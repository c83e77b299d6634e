"""A process that watches: `python -m bench.streaming.child ORDER`, an order being JSON; it answers JSON.

`elfowl` watches all its streams as a worker of the cloud does, with one look for all; `alone` is one stream
and one detector, which looks at every picture. Both begin to count once standard input says so.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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


def watch_together(order: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """Watch streams as a worker does; return delays, and how many pictures came and were looked at."""
    eyes = StreamEyes.of_this_machine(CachePlan.of(Settings(home=Path(order["detectors"]).parent)))
    turns = Turns(eyes.see, clock, most=eyes.most_at_once)
    ports = WatchPorts(
        open_frames=lambda wanted: _open(wanted.address, clock),
        open_detector=lambda keys: SharedDetector(eyes.open(keys), turns.ask),
        small_jpeg=small_jpeg,
        told=_forget,
        clock=clock,
        rng=random.Random(1),  # noqa: S311 - makes ids
    )
    watches = [StreamWatch(Held(_wanted(one), 1), ports) for one in order["streams"]]
    for watch in watches:
        watch.start()
    _ready()
    before = [(watch.figures(), len(watch.delays_s())) for watch in watches]
    clock.sleep(order["seconds"])
    found = [(watch.figures(), watch.delays_s()) for watch in watches]
    for watch in watches:
        watch.end()
    fresh = [
        round(now["pictures"] - was["pictures"]) for (now, _), (was, _) in zip(found, before, strict=True)
    ]
    looked = sum(now["looked"] - was["looked"] for (now, _), (was, _) in zip(found, before, strict=True))
    delays = [late for (_, some), count in zip(found, fresh, strict=True) for late in some[-count:] if count]
    return {"delays_s": delays, "pictures": sum(fresh), "looked": looked}


def watch_alone(order: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """Look at every picture of one stream with one detector; return as `watch_together`."""
    (stream,) = order["streams"]
    detector = load_detector(Path(order["detectors"]) / stream["detector"] / "v1")
    with Capture(lambda: _open(stream["address"], clock), clock=clock) as source:
        _look(source, detector.detect, clock, 2.0)
        _ready()
        delays = _look(source, detector.detect, clock, order["seconds"])
    return {"delays_s": delays, "pictures": len(delays), "looked": len(delays)}


def _look(source: Capture, detect: Callable[[Any], object], clock: Clock, seconds: float) -> list[float]:
    delays: list[float] = []
    until_s = clock.monotonic_s() + seconds
    while clock.monotonic_s() < until_s:
        frame = source.latest(_NOTHING)
        if frame is not None:
            detect(frame.rgb)
            delays.append(clock.monotonic_s() - frame.monotonic_s)
    return delays


def _open(address: str, clock: Clock) -> FrameSource:
    return open_source(address, clock=clock, loop=True, max_fps=float(FPS))


def _wanted(one: dict[str, Any]) -> Wanted:
    return Wanted(
        one["detector"], one["detector"], one["address"], StreamSettings(fps=FPS), ((one["detector"], 1),)
    )


def _forget(_held: Held, _told: Told) -> None:
    """Take an event: where it is stored is not measured here."""


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main(arguments: Sequence[str]) -> None:
    """Do as the order says."""
    order, clock = json.loads(arguments[0]), SystemClock()
    work = watch_together if order["kind"] == "elfowl" else watch_alone
    sys.stdout.write(json.dumps(work(order, clock)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
