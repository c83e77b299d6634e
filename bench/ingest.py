"""`ingest`: a thousand simulated devices send through a real broker; baseline: bare client, bare insert.

Each device has a connection of its own and sends its next batch once the last one is acknowledged, which is
after a commit that is on the disk. Afterwards the rows are counted: all must be there, once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from sqlalchemy import create_engine, text

from bench.ingesting.broker import mosquitto
from bench.ingesting.crowd import Played, names_of
from bench.ingesting.postgres import postgresql
from bench.result import Metric, Result, spread
from cloud.settings import Settings
from cloud.store import devices
from cloud.store.database import make_folder, open_database_url
from cloud.store.tables import Device

DEVICES, QUICK_DEVICES = 1_000, 40
BATCHES, QUICK_BATCHES = 5, 3
EVENTS = 10
ROUNDS, QUICK_ROUNDS = 5, 1
_LIMIT_S = 300.0


@dataclass(frozen=True)
class _Round:
    """One run of one kind: events a second, microseconds of processor time, and what the database says."""

    events_per_s: float
    cpu_us: dict[str, float]
    lost: int
    doubled: int


def run(*, quick: bool = False) -> Result:
    """Measure both in turns; `quick` takes few devices, once."""
    count, batches = (QUICK_DEVICES, QUICK_BATCHES) if quick else (DEVICES, BATCHES)
    load = os.getloadavg()[0]
    rounds: dict[str, list[_Round]] = {kind: [] for kind in ("elfowl", "bare", "postgresql")}
    one_by_one: list[_Round] = []
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        for kind, found in rounds.items():
            found.extend(_measure(kind, count, batches, EVENTS))
        one_by_one += _measure("elfowl", count, batches, 1)
    ours, bare = rounds["elfowl"], rounds["bare"]
    both = list(zip(ours, bare, strict=True))
    grown = rounds["postgresql"]
    everything = (*ours, *one_by_one, *grown)
    metrics: dict[str, Metric] = {
        "devices": count,
        "events_a_round": count * batches * EVENTS,
        "events_per_s": spread([one.events_per_s for one in ours])["median"],
        "events_per_s_of_each_round": spread([one.events_per_s for one in ours]),
        "events_per_s_one_a_batch": spread([one.events_per_s for one in one_by_one]),
        "cpu_us_an_event": _cpu(ours),
        "cpu_us_an_event_one_a_batch": _cpu(one_by_one),
        "events_per_s_postgresql": spread([one.events_per_s for one in grown]) if grown else None,
        "bare_events_per_s": spread([one.events_per_s for one in bare]),
        "lost": sum(one.lost for one in everything),
        "doubled": sum(one.doubled for one in everything),
    }
    return Result(
        "ingest",
        "a bare MQTT client that inserts what comes, unread, into one SQLite table",
        metrics,
        {"of_bare": spread([one.events_per_s / two.events_per_s for one, two in both])},
        (
            f"devices, broker and cloud share the {os.cpu_count()} cores of this machine, over loopback",
            f"{EVENTS} events a batch, as after a short outage; one a batch is how events come singly",
            "no pictures; every event is a thing of its own",
            f"load of the machine (mean of a minute) {load:.1f} at the start",
            f"load of the machine at the end {os.getloadavg()[0]:.1f}",
        ),
    )


def _cpu(rounds: Sequence[_Round]) -> dict[str, Metric]:
    """Return who takes how much: the cloud, the broker, the crowd of devices."""
    return {who: spread([one.cpu_us[who] for one in rounds]) for who in rounds[0].cpu_us}


def _measure(kind: str, count: int, batches: int, events: int) -> list[_Round]:
    """Return one round; none where the database is not installed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        url = stack.enter_context(postgresql()) if kind == "postgresql" else None
        if kind == "postgresql" and url is None:
            return []
        broker = stack.enter_context(mosquitto(folder))
        settings = Settings(home=folder / "home", database=url)
        _enrol(settings, names_of(count))
        place = [str(settings.home), str(broker.port), *([] if url is None else [url])]
        command = [sys.executable, "-m", "bench.ingesting.cloud_side", kind, *place]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            if child.stdout is not None:
                child.stdout.readline()
            watched = {"cloud": child.pid, "broker": broker.process_id}
            played, spent_s = _play(broker.port, (count, batches, events), watched)
            child.communicate()
        rows, distinct = _stored(kind, settings)
    sent = count * batches * events
    cpu_us = {who: 1e6 * cpu_s / sent for who, cpu_s in spent_s.items()}
    return [_Round(sent / played.took_s, cpu_us, sent - distinct, rows - distinct)]


def _play(port: int, shape: tuple[int, int, int], watched: dict[str, int]) -> tuple[Played, dict[str, float]]:
    """Let a crowd of a shape (devices, batches, events) play; return also who spent how many seconds."""
    command = [sys.executable, "-m", "bench.ingesting.crowd", str(port), *map(str, shape), str(_LIMIT_S)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
        if crowd.stdout is not None:
            crowd.stdout.readline()
        before = {who: _spent_s(pid) for who, pid in watched.items()}
        said, _ = crowd.communicate("go\n")
        spent_s = {who: _spent_s(pid) - before[who] for who, pid in watched.items()}
    played = Played(**json.loads(said))
    return played, {**spent_s, "devices": played.cpu_s}


def _spent_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _enrol(settings: Settings, names: list[str]) -> None:
    make_folder(settings.home)
    database = open_database_url(settings.database_url)
    with database.write() as session:
        for name in names:
            row = Device(
                name=name,
                public_key_pem=f"key of {name}",
                profile="x86-64",
                arch="x86_64",
                agent_version="simulated",
                enrolled=0.0,
            )
            devices.enrol(session, row)
    database.close()


def _stored(kind: str, settings: Settings) -> tuple[int, int]:
    """Return how many documents are stored, and of how many events."""
    url, table, key = settings.database_url, "events", "device || event_id"
    if kind == "bare":
        url, table, key = f"sqlite:///{settings.home / 'bare.sqlite'}", "e", "device || seq"
    query = f"SELECT COUNT(*), COUNT(DISTINCT {key}) FROM {table}"  # noqa: S608 - our own words
    engine = create_engine(url)
    with engine.connect() as connection:
        rows, distinct = connection.execute(text(query)).one()
    engine.dispose()
    return int(rows), int(distinct)
