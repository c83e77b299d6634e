"""kill -9 of agent, broker or cloud: the others go on, it comes back, no event is missing or doubled.

Nor is an alert of one: the receiver of alerts is here.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cloud.demo.stack import CameraPlan
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from cloud.settings import Settings
from edge_agent.wire.event import Event
from edge_agent.wire.topics import Topics
from tests.cloud.notify.receiver import Receiver, receiving
from tests.system.loop import (
    CLOCK,
    Ear,
    StarterStack,
    forgotten_seqs,
    programs_below,
    read_spool,
    stored_documents,
    wait_until,
)
from tests.system.mosquitto import free_port

pytestmark = [pytest.mark.system, pytest.mark.slow]

_DEVICE = "porch"
_CAMERA = "yard"
_START_S = 90.0
_BACK_S = 120.0
_LEASE_S = 150.0
"""A message whose sender was killed is sent by the next one when its lease of a minute ends."""


@dataclass(frozen=True)
class Loop:
    """Broker, cloud and a camera at work, and somebody who listens at home."""

    home: Path
    stack: StarterStack
    ear: Ear
    receiver: Receiver

    def pids(self) -> dict[str, int]:
        return programs_below(self.home)

    def both_have_newer_than(self, moment_s: float) -> bool:
        """Say whether a document of a picture after `moment_s` was heard at home and stored in the cloud."""
        heard = {key(event) for event in self.ear.events() if event.frame_time > moment_s}
        return bool(heard & {key(document.event) for document in stored_documents(self.home)})

    def is_cloud_well(self) -> bool:
        try:
            return bool(
                httpx.get(f"{self.stack.url}/api/v1/health", timeout=5.0).json()["broker"]["connected"]
            )
        except (httpx.HTTPError, ValueError):
            return False

    def last_words(self) -> dict[str, object]:
        """Return what helps to understand a failure."""
        logs = {name: self.stack.log_of(name).read_text()[-1500:] for name in ("agent", "cloud")}
        return {"pids": self.pids(), "heard": len(self.ear.events()), **logs}


def key(event: Event) -> tuple[str, str, float]:
    return event.id, event.event_type, event.frame_time


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    home = tmp_path / "home"
    settings = Settings(home=home, port=free_port(), broker_port=free_port())
    clip = obtain_clip(
        find_sample_task("persons"),
        cache_dir=settings.cache_path / "footage",
        runner=SystemCommandRunner(),
        report=lambda _line: None,
    )
    stack = StarterStack(settings, CLOCK)
    ear = Ear(settings.broker_port)
    try:
        with receiving() as receiver:
            stack.start_server_side()
            for name, cooldown_s in (("every", 0), ("seldom", 7 * 86_400)):
                rule = {"name": name, "channels": [receiver.address], "cooldown_s": cooldown_s}
                httpx.post(f"{stack.url}/api/v1/alerts", json=rule, timeout=30.0).raise_for_status()
            token = httpx.post(f"{stack.url}/api/v1/enrolment-tokens", timeout=30.0).json()["token"]
            (tmp_path / "token").write_text(token)
            stack.start_camera(CameraPlan(_DEVICE, "x86-64", clip, tmp_path / "token"))
            loop = Loop(home, stack, ear, receiver)
            wait_until(lambda: loop.both_have_newer_than(0.0), _START_S, loop.last_words)
            yield loop
    finally:
        ear.close()
        stack.stop()
        assert programs_below(home) == {}


def kill_and_wait(loop: Loop, name: str) -> float:
    """Kill one program; it comes back by itself, the others stay, and events flow from end to end again.

    Returns:
        When it was killed, in UTC seconds since 1970.
    """
    before = loop.pids()
    assert set(before) == {"agent", "broker", "cloud"}
    killed_s = CLOCK.now_s()
    os.kill(before[name], signal.SIGKILL)
    wait_until(lambda: loop.pids().get(name) not in {None, before[name]}, _BACK_S, loop.last_words)
    wait_until(loop.is_cloud_well, _BACK_S, loop.last_words)
    wait_until(lambda: loop.both_have_newer_than(killed_s), _BACK_S, loop.last_words)
    after = loop.pids()
    others = set(before) - {name}
    assert {other: after.get(other) for other in others} == {other: before[other] for other in others}
    return killed_s


def heard_keys(loop: Loop) -> set[tuple[str, str, float]]:
    return {key(event) for event in loop.ear.events()}


def stored_keys(home: Path) -> set[tuple[str, str, float]]:
    return {key(document.event) for document in stored_documents(home)}


def told_of(loop: Loop, events: set[tuple[str, str]]) -> dict[str, list[set[str]]]:
    """Hear alerts until there is one of every event (id and label); return the messages of each subject."""
    texts: list[tuple[str, str]] = []

    def is_every_told() -> bool:
        while not loop.receiver.came.empty():
            message = loop.receiver.take()
            texts.append((message["title"], message["message"]))
        return all(any(event in text for title, text in texts if "every" in title) for event, _ in events)

    wait_until(is_every_told, _LEASE_S, lambda: {**loop.last_words(), "texts": texts})

    def messages(rule: str, subject: str) -> set[str]:
        return {
            re.findall(r"msg_\w+", text)[-1] for title, text in texts if rule in title and subject in text
        }

    return {
        "every": [messages("every", event) for event, _ in sorted(events)],
        "seldom": [messages("seldom", f": {label}") for label in sorted({label for _, label in events})],
    }


def drain_and_stop(loop: Loop) -> Path:
    """End detection, so that nothing new comes; let the spool drain; stop the agent; return its spool."""
    spool = loop.home / "demo" / _DEVICE / "state" / "spool.sqlite"
    loop.ear.client.publish(Topics(_DEVICE).switch(_CAMERA, "detect", "set"), "OFF", 1)
    state = Topics(_DEVICE).switch(_CAMERA, "detect", "state")
    wait_until(lambda: loop.ear.last(state) == b"OFF", _BACK_S, loop.last_words)
    wait_until(lambda: heard_keys(loop) <= stored_keys(loop.home), _BACK_S, loop.last_words)
    agent = loop.stack._agent
    assert agent is not None
    assert agent._process is not None
    loop.stack.stop_camera()
    assert agent._process.poll() == 0, loop.last_words()
    wait_until(lambda: loop.ear.last(Topics(_DEVICE).available) == b"offline", _BACK_S, loop.last_words)
    return spool


def test_no_event_is_missing_or_doubled_after_each_part_was_killed(loop: Loop) -> None:
    for name in ("agent", "broker", "cloud", "broker", "agent"):
        agent_born_s = kill_and_wait(loop, name)
    kill_and_wait(loop, "cloud")
    spool = read_spool(drain_and_stop(loop))
    stored = stored_documents(loop.home)

    assert spool.waiting == 0
    assert len(loop.ear.events()) >= 6, "something was heard after each kill"
    assert {document.epoch for document in stored} == {spool.epoch}, "the spool outlived kill -9"
    seqs = [document.seq for document in stored]
    assert sorted({*seqs, *forgotten_seqs(loop.home, spool.epoch)}) == list(range(1, spool.last_seq + 1))
    assert len(set(seqs)) == len(seqs)
    assert [body for body, times in Counter(document.body for document in stored).items() if times > 1] == []
    events = [document.event for document in stored]
    begun_and_ended = Counter(
        (event.id, event.event_type) for event in events if event.event_type != "update"
    )
    assert [once for once, times in begun_and_ended.items() if times > 1] == []
    of_this_agent = [event for event in events if event.start_time > agent_born_s]
    assert {event.id for event in of_this_agent} == {e.id for e in of_this_agent if e.event_type == "end"}
    assert heard_keys(loop) <= {key(event) for event in events}
    told = told_of(loop, {(event.id, event.label) for event in events})
    assert {len(messages) for messages in told["every"]} == {1}, "each event by one message"
    assert {len(messages) for messages in told["seldom"]} == {1}, "one message within its cooldown"
