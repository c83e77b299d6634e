"""`ingest`: a thousand simulated devices send through a real broker; baseline: bare client, bare insert.

Each device has a connection of its own and sends its next batch once the last one is acknowledged, which is
after a commit that is on the disk. Afterwards the rows are counted: all must be there, once.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.ingesting.broker import mosquitto
from bench.ingesting.crowd import play
from bench.result import Metric, Result, spread
from cloud.settings import Settings
from cloud.store import devices
from cloud.store.database import open_database
from cloud.store.tables import Device

DEVICES, QUICK_DEVICES = 1_000, 40
BATCHES, QUICK_BATCHES = 5, 3
EVENTS = 10
ROUNDS, QUICK_ROUNDS = 5, 1
_LIMIT_S = 300.0


@dataclass(frozen=True)
class _Round:
    """One run of one kind: events a second, and what the database says."""

    events_per_s: float
    lost: int
    doubled: int


def run(*, quick: bool = False) -> Result:
    """Measure both in turns; `quick` takes few devices, once."""
    count, batches = (QUICK_DEVICES, QUICK_BATCHES) if quick else (DEVICES, BATCHES)
    names = [f"sim-{number:05d}" for number in range(count)]
    load = os.getloadavg()[0]
    rounds: dict[str, list[_Round]] = {"elfowl": [], "bare": []}
    one_by_one: list[_Round] = []
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        for kind, found in rounds.items():
            found.append(_measure(kind, names, batches, EVENTS))
        one_by_one.append(_measure("elfowl", names, batches, 1))
    ours, bare = rounds["elfowl"], rounds["bare"]
    both = list(zip(ours, bare, strict=True))
    everything = (*ours, *one_by_one)
    metrics: dict[str, Metric] = {
        "devices": count,
        "events_a_round": count * batches * EVENTS,
        "events_per_s": spread([one.events_per_s for one in ours])["median"],
        "events_per_s_of_each_round": spread([one.events_per_s for one in ours]),
        "events_per_s_one_a_batch": spread([one.events_per_s for one in one_by_one]),
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


def _measure(kind: str, names: list[str], batches: int, events: int) -> _Round:
    with TemporaryDirectory() as folder, mosquitto(Path(folder)) as port:
        home = Path(folder) / "home"
        _enrol(home, names)
        command = [sys.executable, "-m", "bench.ingesting.cloud_side", kind, str(home), str(port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            if child.stdout is not None:
                child.stdout.readline()
            took_s = play(port, names, batches, events, limit_s=_LIMIT_S)
            child.communicate()
        rows, distinct = _stored(kind, home)
    sent = len(names) * batches * events
    return _Round(sent / took_s, sent - distinct, rows - distinct)


def _enrol(home: Path, names: list[str]) -> None:
    database = open_database(Settings(home=home).database_path)
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


def _stored(kind: str, home: Path) -> tuple[int, int]:
    """Return how many documents are stored, and of how many events."""
    path, table, key = Settings(home=home).database_path, "events", "device || event_id"
    if kind == "bare":
        path, table, key = home / "bare.sqlite", "e", "device || seq"
    query = f"SELECT COUNT(*), COUNT(DISTINCT {key}) FROM {table}"  # noqa: S608 - our own words
    with sqlite3.connect(path) as database:
        rows, distinct = database.execute(query).fetchone()
    return int(rows), int(distinct)
