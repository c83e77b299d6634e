"""What takes events in, by itself: `python -m bench.ingesting.cloud_side KIND HOME PORT [DATABASE]`.

`elfowl` is the cloud's own subscriber and handler, with SQLite or the named database; `bare` a client that
puts each message of a batch into a table as it is, and reads nothing of it but its numbers. Both acknowledge
after a commit that is on the disk.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import sys
import threading
from pathlib import Path

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from cloud.ingest.broker import BrokerAddress
from cloud.ingest.handler import Handler
from cloud.ingest.live import LiveFeed
from cloud.ingest.subscriber import Subscriber
from cloud.settings import Settings
from cloud.store.database import open_database_url
from edge_agent.clock import SystemClock
from edge_agent.wire.correction import Correction
from edge_agent.wire.sync import Ack
from edge_agent.wire.topics import DEFAULT_PREFIX, Topics

_READY = "ready"


def elfowl(home: Path, port: int, url: str | None = None) -> None:
    """Take events in as the cloud does, until standard input closes."""
    clock, database = SystemClock(), open_database_url(Settings(home=home, database=url).database_url)

    def record(correction: Correction) -> object:
        return correction

    handler = Handler(database, clock, LiveFeed(), record, DEFAULT_PREFIX)
    subscriber = Subscriber(
        BrokerAddress(host="127.0.0.1", port=port), handler, clock, client_id="bench-cloud"
    )
    subscriber.start()
    subscriber.wait_connected(60.0)
    _wait()
    subscriber.stop()
    database.close()


def bare(home: Path, port: int) -> None:
    """Take events in with as little as possible, until standard input closes."""
    waiting: queue.SimpleQueue[MQTTMessage | None] = queue.SimpleQueue()
    client = Client(CallbackAPIVersion.VERSION2, client_id="bench-bare")
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _client, _data, message: waiting.put(message)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(f"{DEFAULT_PREFIX}/+/up/events", 1)
    writer = threading.Thread(target=_insert, args=(home / "bare.sqlite", client, waiting))
    writer.start()
    subscribed.wait(60.0)
    _wait()
    waiting.put(None)
    writer.join()
    client.loop_stop()


def _insert(path: Path, client: Client, waiting: queue.SimpleQueue[MQTTMessage | None]) -> None:
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE e (device, epoch, seq, body, PRIMARY KEY (device, epoch, seq))")
        while (message := waiting.get()) is not None:
            group = [message]
            while not waiting.empty() and len(group) < 200 and (more := waiting.get()) is not None:
                group.append(more)
            batches = [json.loads(one.payload) for one in group]
            rows = [
                (batch["device"], batch["epoch"], item["seq"], json.dumps(item["event"]))
                for batch in batches
                for item in batch["items"]
            ]
            database.execute("BEGIN")
            database.executemany("INSERT OR IGNORE INTO e VALUES (?, ?, ?, ?)", rows)
            database.execute("COMMIT")
            for batch in batches:
                ack = Ack(epoch=batch["epoch"], seq=batch["items"][-1]["seq"])
                client.publish(Topics(batch["device"]).down_ack, ack.to_json(), qos=1)


def _wait() -> None:
    sys.stdout.write(f"{_READY}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    kind, folder, broker_port, *named = sys.argv[1:]
    if kind == "bare":
        bare(Path(folder), int(broker_port))
    else:
        elfowl(Path(folder), int(broker_port), *named)
