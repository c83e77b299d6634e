"""Alerts of a process that is killed again and again: each event is told, by one message."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.notify.desk import AlertDesk
from cloud.notify.rule import AlertRule
from edge_agent.clock import SystemClock
from tests.cloud.homes import add_device, make_home
from tests.cloud.notify.receiver import Receiver, receiving

pytestmark = pytest.mark.system

CLOCK = SystemClock()
EVENTS = 30
KILLED_AFTER = (3, 9, 16)
_CHILD = """
import sys
from pathlib import Path
from cloud.actions.open_home import open_home
from cloud.ingest.handler import Handler, Incoming
from cloud.ingest.live import LiveFeed
from cloud.notify.channels import AppriseChannel
from cloud.notify.sender import AlertSender, Patience
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from edge_agent.wire.topics import Topics
from tests.cloud.homes import DEVICE, batch, item

clock = SystemClock()
home = open_home(Settings(home=Path(sys.argv[1])), clock)
sender = AlertSender(home.database, clock, AppriseChannel(("json",)), Patience(lease_s=5.0))
sender.start()
handler = Handler(home.database, clock, LiveFeed(), lambda _: None, "elfowl", sender)
for seq in range(1, int(sys.argv[2]) + 1):
    document = batch(item(seq, seq), oldest_seq=1).to_json().encode()
    handler.handle([Incoming(Topics(DEVICE).up_events, document)])
    clock.sleep(0.02)
clock.sleep(600.0)
"""


def begin(home: Path) -> subprocess.Popen[bytes]:
    """Start a process that stores the same events from the first on, as a camera that got no answer."""
    return subprocess.Popen([sys.executable, "-c", _CHILD, str(home), str(EVENTS)])


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def told(receiver: Receiver, known: dict[str, set[str]], enough: int) -> None:
    """Hear messages until `enough` events are known, each with the ids of its messages."""
    deadline_s = CLOCK.monotonic_s() + 120.0
    while len(known) < enough and CLOCK.monotonic_s() < deadline_s:
        try:
            text = receiver.take(1.0)["message"]
        except queue.Empty:
            continue
        event, message = re.findall(r"event-\d+|msg_\w+", text)
        known.setdefault(event, set()).add(message)


def test_alerts_of_a_process_killed_three_times_tell_of_every_event(tmp_path: Path) -> None:
    home = make_home(tmp_path, None)
    add_device(home)
    known: dict[str, set[str]] = {}
    with receiving() as receiver:
        rule = AlertRule(name="all", channels=(receiver.address,), cooldown_s=0.0)
        AlertDesk(home.database, CLOCK, ("json",)).add(rule)
        for enough in (*KILLED_AFTER, EVENTS):
            process = begin(tmp_path)
            try:
                told(receiver, known, enough)
            finally:
                kill(process)
    assert len(known) == EVENTS
    assert [messages for messages in known.values() if len(messages) != 1] == []
    home.database.close()
