"""Hours of agent, broker and Home Assistant at 50 times the speed, with restarts and kills by chance.

After each: Home Assistant's states are the agent's truth. At the end: a consumer that tells messages apart by
id and type missed only what a killed broker can have lost, or what came after an event's first word in the
moment in which the agent was killed (see `edge_agent.report.outbox`), and the broker keeps what it kept at
first. What happened, and how much of it, is left in `figures.json` in the test's folder.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.agents import SQUARES, Ear, retained
from tests.system.home_assistant import HomeAssistant
from tests.system.mosquitto import Mosquitto

SPEED = 50.0
# Mosquitto writes what it keeps at each change; what it took shortly before a kill may not be written yet.
LOST_BEFORE_S, LOST_AFTER_S = 2.0, 5.0
# What a killed agent had handed over may still have been on its way, and in its memory only.
UNDER_WAY_S = 0.5
PERSISTENCE = (
    "persistence true",
    "autosave_on_changes true",
    "autosave_interval 1",
    "max_queued_messages 100000",
)
OCCUPANCY = "binary_sensor.porch_front_red_square_occupancy"
COUNT = "sensor.porch_front_red_square_count"
DETECT = "switch.porch_front_detect"
REASON = "sensor.porch_front_reason"


class World:
    """Everything that runs, and what can happen to it."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder = folder
        self.rng = rng
        self.kills_s: list[float] = []
        self.agent_kills_s: list[float] = []
        self.happened: Counter[str] = Counter()
        self.broker = Mosquitto(folder, *PERSISTENCE, f"persistence_location {folder}/")
        self.broker.start()
        self.ear = Ear(self.broker.port)
        self.home = HomeAssistant(folder / "home")
        self.home.start()
        self.home.welcome(self.broker.port)
        (folder / "agent.yaml").write_text(SQUARES.format(port=self.broker.port))
        self.agent = self._start_agent()

    def _start_agent(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.soak.fast_agent", str(self.folder / "agent.yaml"), str(SPEED)]
        with (self.folder / "agent.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def end_agent(self) -> None:
        self.agent.terminate()
        assert self.agent.wait(30) == 0

    def restart_agent(self) -> None:
        self.end_agent()
        self.agent = self._start_agent()

    def kill_agent(self) -> None:
        self.agent_kills_s.append(time.monotonic())
        self.agent.send_signal(signal.SIGKILL)
        self.agent.wait()
        self.agent = self._start_agent()

    def restart_broker(self) -> None:
        self.broker.stop()
        time.sleep(self.rng.uniform(0.0, 3.0))
        self.broker.start()

    def kill_broker(self) -> None:
        self.kills_s.append(time.monotonic())
        self.broker.kill()
        time.sleep(self.rng.uniform(0.0, 3.0))
        self.broker.start()

    def restart_home(self) -> None:
        self.home.stop()
        self.home.start()

    def hold(self, *, with_square: bool) -> None:
        (self.folder / "hold").write_text("1" if with_square else "0")

    def go_on(self) -> None:
        (self.folder / "hold").unlink()

    def check(self) -> None:
        """Let the world stand still and compare what Home Assistant shows with what there is."""
        self.happened["check"] += 1
        with_square = self.rng.random() < 0.5
        self.hold(with_square=with_square)
        truth = {
            OCCUPANCY: "on" if with_square else "off",
            COUNT: "1" if with_square else "0",
            DETECT: "on",
            REASON: "pictures are coming",
        }
        self.home.wait(lambda: {name: self.home.value(name) for name in truth} == truth, 90.0)
        topic = "elfowl/porch/cam/front/label/red_square"
        assert retained(self.broker.port)[topic].decode() == truth[COUNT]
        self.go_on()

    def missed(self) -> list[str]:
        """Return events that were sent, that no kill can have lost, and that nobody heard."""
        return [
            f"{event_id} {kind}"
            for (event_id, kind), moment_s in self._unheard().items()
            if not self._may_be_lost(kind, moment_s)
        ]

    def _may_be_lost(self, kind: str, moment_s: float) -> bool:
        with_broker = any(-LOST_BEFORE_S < moment_s - kill_s < LOST_AFTER_S for kill_s in self.kills_s)
        with_agent = any(-UNDER_WAY_S < moment_s - kill_s <= 0.0 for kill_s in self.agent_kills_s)
        return with_broker or (with_agent and kind != "new")

    def write_figures(self) -> None:
        """Leave what happened beside the logs, for people."""
        events = self.ear.events()
        told = Counter((event.id, event.event_type, event.frame_time) for event in events)
        figures = dict(self.happened) | {
            "documents_sent": len(self._sent()),
            "lost_by_a_kill": len(self._unheard()) - len(self.missed()),
            "missed": len(self.missed()),
            "told_again": sum(told.values()) - len(told),
            "visits": len({event.id for event in events}),
            "whole_visits": len({event.id for event in events if event.event_type == "end"}),
        }
        (self.folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")

    def _sent(self) -> dict[tuple[str, str], float]:
        """Return when each document was last handed to the broker, by id and type."""
        rows = [line.split() for line in (self.folder / "sent.log").read_text().splitlines()]
        return {(event_id, kind): float(moment) for moment, event_id, kind in rows}

    def _unheard(self) -> dict[tuple[str, str], float]:
        heard = {(event.id, event.event_type) for event in self.ear.events()}
        return {key: moment_s for key, moment_s in self._sent().items() if key not in heard}

    def close(self) -> None:
        self.agent.kill()
        self.agent.wait()
        self.home.kill()
        self.ear.close()
        self.broker.stop()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, random.Random(6))
    yield world
    world.close()


def live(world: World, simulated_s: float) -> None:
    world.home.wait(lambda: world.home.value(OCCUPANCY) == "on", 60.0)
    snapshot = "elfowl/porch/cam/front/label/red_square/snapshot"
    world.home.wait(lambda: snapshot in retained(world.broker.port))
    world.check()
    kept = retained(world.broker.port).keys()
    happenings = [
        world.restart_agent,
        world.kill_agent,
        world.restart_broker,
        world.kill_broker,
        world.restart_home,
    ]
    until_s = time.monotonic() + simulated_s / SPEED
    turns = 0
    while time.monotonic() < until_s or turns < len(happenings):
        # Each once first, by chance after that.
        happening = happenings[turns] if turns < len(happenings) else world.rng.choice(happenings)
        turns += 1
        time.sleep(world.rng.uniform(1.0, 6.0))
        happening()
        world.happened[happening.__name__] += 1
        world.check()
    world.hold(with_square=False)
    time.sleep(5.0)
    assert retained(world.broker.port).keys() == kept
    world.end_agent()
    world.ear.wait(lambda: world.ear.last("elfowl/porch/available") == b"offline")
    world.write_figures()
    events = world.ear.events()
    # At least one visit of three was whole, through all restarts.
    assert len({event.id for event in events if event.event_type == "end"}) > simulated_s / 30.0 / 3.0
    assert world.missed() == []
    assert world.home.complaints() == []


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_home_tells_the_truth_for_two_minutes_of_restarts(world: World) -> None:
    live(world, simulated_s=60.0 * SPEED)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_home_tells_the_truth_for_a_simulated_day_of_restarts(world: World) -> None:
    live(world, simulated_s=86_400.0)
