"""The whole loop as real processes, and what system tests hear, read and kill of it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions
from sqlalchemy import select

from cloud.demo.stack import CameraPlan, Stack
from cloud.ingest.broker import find_mosquitto
from cloud.store.database import open_database
from cloud.store.tables import EventGap, StoredEvent
from edge_agent.clock import SystemClock
from edge_agent.wire.event import Event

CLOCK = SystemClock()
_GONE_S = 120.0


def wait_until(
    condition: Callable[[], bool], limit_s: float, what: Callable[[], object] = lambda: ""
) -> None:
    """Look until it is so; `what` tells what there is instead when it does not come."""
    deadline_s = CLOCK.monotonic_s() + limit_s
    while CLOCK.monotonic_s() < deadline_s:
        if condition():
            return
        CLOCK.sleep(0.1)
    message = f"not within {limit_s:.0f} s; {what()}"
    raise AssertionError(message)


def kill_all(found: Sequence[psutil.Process]) -> None:
    """End processes as a power cut would; those that ended already are no error."""
    for one in found:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(found, timeout=_GONE_S)


@dataclass(frozen=True)
class Heard:
    """One message as it was published; `retained` is none when the broker does not tell it."""

    topic: str
    payload: bytes
    qos: int
    retained: bool | None


class Ear:
    """Hears everything on a broker, from its first moment on, and comes back when the broker does."""

    def __init__(self, port: int) -> None:
        # Only MQTT 5 tells listeners whether a message was published as a retained one; iotcore speaks 3.1.1.
        self._tells_retained = find_mosquitto() is not None
        protocol = MQTTProtocolVersion.MQTTv5 if self._tells_retained else MQTTProtocolVersion.MQTTv311
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self.client.on_connect = lambda *_: self._subscribe()
        self.client.on_message = self._hear
        self.client.reconnect_delay_set(1, 1)
        self.client.connect_async("127.0.0.1", port, keepalive=15)
        self.client.loop_start()

    @property
    def heard(self) -> list[Heard]:
        with self._lock:
            return list(self._heard)

    def events(self) -> list[Event]:
        """Return each event document once, however often it was delivered."""
        payloads = dict.fromkeys(one.payload for one in self.heard if one.topic.endswith("/event"))
        return [Event.from_json(payload) for payload in payloads]

    def last(self, topic: str) -> bytes | None:
        return next((one.payload for one in reversed(self.heard) if one.topic == topic), None)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _subscribe(self) -> None:
        if self._tells_retained:
            self.client.subscribe("#", options=SubscribeOptions(qos=1, retainAsPublished=True))
        else:
            self.client.subscribe("#", qos=1)

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        retained = message.retain if self._tells_retained else None
        with self._lock:
            self._heard.append(Heard(message.topic, bytes(message.payload), message.qos, retained))


class StarterStack(Stack):
    """The demo's processes, with a camera that runs the starter bundle: nothing has to be taught first."""

    def _agent_config(self, plan: CameraPlan, folder: Path) -> dict[str, object]:
        return super()._agent_config(plan, folder) | {"bundle": "starter"}


def programs_below(home: Path) -> dict[str, int]:
    """Return the process ids of agent, cloud and broker that this process keeps running on `home`.

    A program that is only about to start, with its wrapper still in its place, is not there yet.
    """
    found: dict[str, int] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        line = " ".join(command)
        if "cloud.processes" in command or str(home) not in line:
            continue
        for name, mark in (
            ("agent", "elfowl-agent"),
            ("cloud", "elfowl-cloud"),
            ("broker", f"{home}/broker/"),
        ):
            if mark in line:
                found[name] = process.pid
    return found


@dataclass(frozen=True)
class SpoolFile:
    """What stands in the spool of an agent that was stopped."""

    epoch: str
    last_seq: int
    waiting: int


def read_spool(path: Path) -> SpoolFile:
    """Read a spool as it is on the disk."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        (epoch,) = database.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
        query = "SELECT value FROM meta WHERE key = 'closed_at_seq'"
        last = database.execute(query).fetchone()
        query = "SELECT count(*) FROM event WHERE seq > (SELECT min(seq) FROM cursor)"
        (waiting,) = database.execute(query).fetchone()
        return SpoolFile(epoch, int(last[0]) if last else 0, waiting)
    finally:
        database.close()


@dataclass(frozen=True)
class StoredDocument:
    """One event document in the cloud's store, and what identifies it."""

    device: str
    epoch: str
    seq: int
    body: str

    @property
    def event(self) -> Event:
        return Event.from_json(self.body)


def stored_documents(home: Path) -> list[StoredDocument]:
    """Read what the cloud stored, in the order of the numbers."""
    database = open_database(home / "elfowl.sqlite")
    try:
        with database.read() as session:
            rows = session.scalars(select(StoredEvent).order_by(StoredEvent.epoch, StoredEvent.seq)).all()
            return [StoredDocument(row.device, row.epoch, row.seq, row.body) for row in rows]
    finally:
        database.close()


def forgotten_seqs(home: Path, epoch: str) -> set[int]:
    """Read which numbers the device said that it forgot."""
    database = open_database(home / "elfowl.sqlite")
    try:
        with database.read() as session:
            gaps = session.scalars(select(EventGap).where(EventGap.epoch == epoch)).all()
            return {seq for gap in gaps for seq in range(gap.first_seq, gap.last_seq + 1)}
    finally:
        database.close()
