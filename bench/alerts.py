"""`alerts`: how long after a thing is confirmed its alert is there, on one machine.

The agent looks at `vtest.avi` as if it were live; it, the broker and the cloud are the real programs, each in
a process of its own. Confirmed is an event when its first document is heard at the broker at home; its alert
is there when the server that it is posted to has read it, with a picture. Then the cloud itself watches the
film as a stream; there, time counts from when the picture was taken that confirmed the event, so the look at
it counts too. At last a camera is played that sends events with pictures at random moments, many more than
there are in the film.
"""

from __future__ import annotations

import base64
import io
import os
import queue
import random
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import httpx
import numpy as np
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from PIL import Image

from bench.alerting.streamed import add_taught_detector, confirmed_s, watch
from bench.result import Metric, Result
from cloud.demo.stack import CameraPlan, Stack
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from cloud.settings import Settings
from cloud.store import devices
from cloud.store.database import open_database
from cloud.store.tables import Device
from edge_agent.clock import SystemClock
from edge_agent.errors import ElfowlError
from edge_agent.wire.event import Event
from edge_agent.wire.sync import BatchItem, EventBatch
from edge_agent.wire.topics import Topics
from tests.cloud.notify.receiver import Receiver, receiving
from tests.fakes.events import make_event
from tests.system.mosquitto import free_port

_FILM_S, _QUICK_FILM_S = 180.0, 40.0
_PLAYED, _QUICK_PLAYED = 300, 40
_GAP_S = 0.4
_GOAL_S = 2.0
_LATE_S = 60.0
_FILMED, _PLAYER = "porch", "player"


@dataclass
class _Times:
    """When events were confirmed and told, by id, on this machine's own clock."""

    confirmed_s: dict[str, float] = field(default_factory=dict)
    told_s: dict[str, float] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    pictures: int = 0

    def took_s(self, events: set[str]) -> list[float]:
        """Return how long each of these took that were told."""
        return [self.told_s[one] - self.confirmed_s[one] for one in events if one in self.told_s]


class _FilmStack(Stack):
    """The demo's processes; the camera runs the starter bundle."""

    def _agent_config(self, plan: CameraPlan, folder: Path) -> dict[str, object]:
        return super()._agent_config(plan, folder) | {"bundle": "starter"}


def run(*, quick: bool = False) -> Result:
    """Measure; `quick` for a short time."""
    clock, load, times = SystemClock(), os.getloadavg()[0], _Times()
    film_s, count = (_QUICK_FILM_S, _QUICK_PLAYED) if quick else (_FILM_S, _PLAYED)
    with tempfile.TemporaryDirectory() as folder, receiving() as receiver, _told(receiver, times):
        settings = Settings(home=Path(folder) / "home", port=free_port(), broker_port=free_port())
        clip = _clip(Path(folder))
        add_taught_detector(settings)
        stack = _FilmStack(settings, clock)
        try:
            stack.start_server_side()
            _add_rule(stack.url, receiver.address)
            with _listening(stack.broker_port, times) as client:
                filmed = _film(stack, Path(folder), clip, times, film_s)
                streamed = _stream(stack.url, settings, clip, times, film_s)
                played = _play(settings.home, client, times, count)
        finally:
            stack.stop()
    parts = {"film": filmed, "stream": streamed, "played": played}
    return _result(times, parts, (load, os.getloadavg()[0]))


def _clip(folder: Path) -> Path:
    return obtain_clip(
        find_sample_task("persons"),
        cache_dir=folder / "footage",
        runner=SystemCommandRunner(),
        report=lambda _line: None,
    )


def _film(stack: Stack, folder: Path, clip: Path, times: _Times, seconds: float) -> set[str]:
    """Let a camera look at the film for so long after its first event; return its events."""
    token = httpx.post(f"{stack.url}/api/v1/enrolment-tokens", timeout=30.0).json()["token"]
    (folder / "token").write_text(token)
    stack.start_camera(CameraPlan(_FILMED, "x86-64", clip, folder / "token"))
    _wait(lambda: bool(times.told_s), _LATE_S)
    SystemClock().sleep(seconds)
    stack.stop_camera()
    _wait(lambda: set(times.told_s) >= set(times.confirmed_s), _LATE_S)
    return set(times.confirmed_s)


def _stream(url: str, settings: Settings, clip: Path, times: _Times, seconds: float) -> set[str]:
    """Let the cloud watch the film for so long after its first event; return its events."""
    clock, before = SystemClock(), len(times.told_s)
    watch(url, settings, clip)
    _wait(lambda: len(times.told_s) > before, _LATE_S)
    clock.sleep(seconds)
    httpx.post(f"{url}/api/v1/streams/yard/pause", timeout=30.0).raise_for_status()
    clock.sleep(_GOAL_S)
    events = confirmed_s(settings)
    _wait(lambda: set(times.told_s) >= set(events), _LATE_S)
    # The pictures' times are UTC.
    since_s = clock.monotonic_s() - clock.now_s()
    times.confirmed_s |= {event: at_s + since_s for event, at_s in events.items()}
    return set(events)


def _play(home: Path, client: Client, times: _Times, count: int) -> set[str]:
    """Send events as a camera's uplink does, and return their ids."""
    _enrol(home)
    chance, jpeg = random.Random(1), _picture()  # noqa: S311 - made-up moments
    topic, events = Topics(_PLAYER).up_events, []
    for seq in range(1, count + 1):
        event = make_event(seq).model_copy(
            update={"id": f"played-{seq:06}", "device": _PLAYER, "camera": f"cam{seq}"}
        )
        item = BatchItem(seq=seq, event=event, thumbnail_jpeg_base64=jpeg)
        document = EventBatch(device=_PLAYER, epoch="played", items=(item,), oldest_seq=1).to_json()
        events.append(event.id)
        times.confirmed_s[event.id] = SystemClock().monotonic_s()
        client.publish(topic, document, qos=1)
        SystemClock().sleep(chance.expovariate(1 / _GAP_S))
    _wait(lambda: set(times.told_s) >= set(events), _LATE_S)
    return set(events)


def _add_rule(url: str, address: str) -> None:
    rule = {"name": "all", "channels": [address], "cooldown_s": 0}
    httpx.post(f"{url}/api/v1/alerts", json=rule, timeout=30.0).raise_for_status()


def _enrol(home: Path) -> None:
    row = Device(
        name=_PLAYER, public_key_pem="key", profile="x86-64", arch="x86_64", agent_version="played",
        enrolled=SystemClock().now_s(),
    )  # fmt: skip
    database = open_database(home / "elfowl.sqlite")
    with database.write() as session:
        devices.enrol(session, row)
    database.close()


def _picture() -> str:
    noise = np.random.default_rng(1).integers(0, 255, (180, 320, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "JPEG", quality=60)
    return base64.b64encode(stream.getvalue()).decode()


@contextmanager
def _listening(port: int, times: _Times) -> Iterator[Client]:
    """Hear at the broker when events are confirmed."""

    def hear(_client: Client, _data: object, message: MQTTMessage) -> None:
        now_s = SystemClock().monotonic_s()
        times.confirmed_s.setdefault(Event.from_json(bytes(message.payload)).id, now_s)

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe(f"{Topics(_FILMED).base}/cam/+/event", 1)
    client.on_message = hear
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def _told(receiver: Receiver, times: _Times) -> Iterator[None]:
    """Note when messages come."""
    ending = threading.Event()

    def take() -> None:
        while not ending.is_set():
            try:
                message = receiver.take(0.5)
            except queue.Empty:
                continue
            now_s = SystemClock().monotonic_s()
            line, _, ident = message["message"].strip().rpartition("\n")
            times.told_s.setdefault(line.splitlines()[0].rpartition(" ")[2], now_s)
            times.messages += re.findall(r"msg_\w+", ident)
            times.pictures += len(message["attachments"])

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _wait(condition: object, limit_s: float) -> None:
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + limit_s
    while callable(condition) and not condition():
        if clock.monotonic_s() > deadline_s:
            message = "no alert came within a minute; see why with `elfowl-cloud alert log`"
            raise ElfowlError(message)
        clock.sleep(0.02)


def _figures(took_s: list[float]) -> dict[str, Metric]:
    return {
        "alerts": len(took_s),
        "p50_s": median(took_s),
        "p99_s": quantiles(took_s, n=100, method="inclusive")[98],
        "max_s": max(took_s),
    }


def _result(times: _Times, parts: dict[str, set[str]], loads: tuple[float, float]) -> Result:
    took_s = {name: times.took_s(events) for name, events in parts.items()}
    figures = _figures([one for some in took_s.values() for one in some])
    metrics: dict[str, Metric] = {
        **figures,
        "lost": len(set[str]().union(*parts.values()) - set(times.told_s)),
        "messages": len(set(times.messages)),
        "with_picture": times.pictures,
        **{name: _figures(some) for name, some in took_s.items()},
    }
    counts = ", ".join(f"{name} {len(some)} events" for name, some in took_s.items())
    notes = (
        f"{counts}; film: a real agent; stream: watched by the cloud; played: one in {_GAP_S} s on average",
        "film: from the first document at the broker; stream: from when the picture was taken; played: from",
        "when it is published, all with pictures; each until the receiver has read the message",
        f"load of the machine when it began: {loads[0]:.1f}, when it ended: {loads[1]:.1f}",
    )
    return Result("alerts", "the goal: 2 s", metrics, {"p99": float(str(figures["p99_s"])) / _GOAL_S}, notes)
