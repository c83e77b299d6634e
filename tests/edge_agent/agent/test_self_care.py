"""The agent's care for itself: pace, watchdog, restart budget, health, log lines."""

from __future__ import annotations

import json
import logging
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.device import MemoryGauge, pss_bytes, rss_bytes, temperature_c
from edge_agent.agent.logs import FloodGate, JsonFormatter
from edge_agent.agent.metrics import MetricsServer, render_metrics
from edge_agent.agent.notify import Notifier
from edge_agent.agent.progress import LATE_S, STUCK_S
from edge_agent.agent.self_care import SelfCare, Sensors
from edge_agent.agent.start_guard import StartGuard
from edge_agent.agent.throttle import Pace, Throttle
from edge_agent.errors import BackendError, ConfigError
from edge_agent.wire.status import CameraStats, Stats
from tests.fakes.clock import FakeClock

RAM_BYTES = 100_000_000


class Systemd:
    """Hears what it is told."""

    def __init__(self, address: str) -> None:
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.bind(address)
        self._ear.settimeout(0.0)

    def heard(self) -> list[str]:
        words = []
        while True:
            try:
                words.append(self._ear.recv(4096).decode())
            except BlockingIOError:
                return words

    def close(self) -> None:
        self._ear.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    systemd = Systemd(str(tmp_path / "notify"))
    yield systemd
    systemd.close()


def care_of(tmp_path: Path, clock: FakeClock, sensors: Sensors | None = None) -> SelfCare:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000000"})
    cool = Sensors(lambda: 50_000_000, lambda: 40.0)
    return SelfCare(sensors or cool, notifier, clock, ram_bytes=RAM_BYTES)


@pytest.mark.parametrize(
    ("readings", "paces"),
    [
        ([(0.5, 40.0)], [Pace()]),
        ([(0.86, None)], [Pace(0.5, ("memory",))]),
        # It gives back late.
        ([(0.86, None), (0.82, None), (0.79, None)], [Pace(0.5, ("memory",))] * 2 + [Pace()]),
        ([(0.98, None), (0.93, None), (0.91, None)], [Pace(5.0, ("memory",))] * 2 + [Pace(2.0, ("memory",))]),
        ([(None, 86.0), (None, None)], [Pace(2.0, ("temperature",)), Pace()]),
        ([(0.93, 79.0)], [Pace(2.0, ("memory", "temperature"))]),
    ],
)
def test_throttle_readings_set_the_pace(
    readings: list[tuple[float | None, float | None]], paces: list[Pace]
) -> None:
    throttle = Throttle()
    assert [throttle.update(*reading) for reading in readings] == paces


@given(st.lists(st.floats(0.0, 2.0), min_size=1, max_size=20))
def test_throttle_scarce_memory_never_looks_more_often_than_ample(shares: list[float]) -> None:
    throttle, worse = Throttle(), Throttle()
    for share in shares:
        assert worse.update(share + 0.1, None).interval_s >= throttle.update(share, None).interval_s


def test_self_care_all_threads_alive_feeds_the_watchdog(tmp_path: Path, systemd: Systemd) -> None:
    clock = FakeClock()
    care = care_of(tmp_path, clock)
    beat = care.progress.watch("camera front")
    for _ in range(20):
        clock.advance(1.0)
        beat()
        care.tick("operation: local")
    care.stopping()
    heard = systemd.heard()
    assert heard[0] == "READY=1"
    assert heard.count("READY=1") == 1
    assert heard[-1] == "STOPPING=1"
    # Four times in 20 s, as systemd wants one at least.
    assert heard.count("WATCHDOG=1") == 4
    assert "STATUS=operation: local" in heard


def test_self_care_still_thread_starves_the_watchdog_then_ends_the_agent(
    tmp_path: Path, systemd: Systemd
) -> None:
    clock = FakeClock()
    care = care_of(tmp_path, clock)
    care.progress.watch("camera front")
    beat = care.progress.watch("camera back")
    care.tick("")
    assert "WATCHDOG=1" in systemd.heard()
    for _ in range(3):
        clock.advance(LATE_S + 1.0)
        beat()
        care.tick("")
    assert systemd.heard() == []
    clock.advance(STUCK_S)
    beat()
    with pytest.raises(BackendError, match="camera front stood still"):
        care.tick("")


def test_self_care_scarce_memory_slows_cameras_and_recovers(tmp_path: Path) -> None:
    clock, used = FakeClock(), [99_000_000]
    care = care_of(tmp_path, clock, Sensors(lambda: used[0], lambda: None))
    care.tick("")
    assert care.pace == Pace(5.0, ("memory",))
    used[0] = 50_000_000
    clock.advance(10.0)
    care.tick("")
    assert care.pace == Pace()


@pytest.mark.parametrize(("ram_bytes", "step_bytes"), [(1_000_000_000, 1_000_000), (100_000_000, 250_000)])
def test_self_care_grown_memory_is_read_again_once_it_was_handed_back(
    ram_bytes: int, step_bytes: int
) -> None:
    steps = [50, 53, 55, 30, 51, 54]
    clock, readings = FakeClock(), [step_bytes * step for step in steps]
    sensors = Sensors(lambda: readings.pop(0), lambda: None)
    care = SelfCare(sensors, Notifier({}), clock, ram_bytes=ram_bytes)
    seen = []
    for _ in range(5):
        care.tick("")
        seen.append(care.memory_bytes)
        clock.advance(10.0)
    # From the third on the memory is read twice once, and what comes back by itself is no growth.
    assert seen == [step_bytes * step for step in [50, 53, 30, 51, 54]]


def test_notifier_outside_of_systemd_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({})
    notifier.ready()
    assert notifier.alive_every_s is None
    assert caplog.records == []


def test_notifier_abstract_address_is_reached() -> None:
    systemd = Systemd("\0elfowl-test-notify")
    Notifier({"NOTIFY_SOCKET": "@elfowl-test-notify"}).ready()
    assert systemd.heard() == ["READY=1"]
    systemd.close()


def test_device_memory_of_this_process_is_plausible() -> None:
    gauge = MemoryGauge()
    before = gauge()
    held = bytearray(b"x") * 40_000_000
    assert 1_000_000 < pss_bytes() < 10 * rss_bytes()
    assert gauge() > before + len(held) // 2


def test_device_temperature_is_the_hottest_sound_sensor(tmp_path: Path) -> None:
    assert temperature_c(tmp_path) is None
    for zone, text in enumerate(("51500", "-273000", "nonsense", "48000")):
        (tmp_path / "thermal" / f"thermal_zone{zone}").mkdir(parents=True)
        (tmp_path / "thermal" / f"thermal_zone{zone}" / "temp").write_text(text)
    assert temperature_c(tmp_path) == 51.5


def die(file: Path, *, alive_s: float, looked: bool) -> bool:
    """Start, run so long, die; return whether the start was a safe one."""
    clock = FakeClock()
    guard = StartGuard(file, clock)
    safe = guard.begin()
    clock.advance(alive_s)
    guard.tick(looked=looked)
    return safe


@pytest.mark.parametrize(
    ("alive_s", "looked", "deaths_before_safe"),
    [(5.0, False, 3), (600.0, False, 3), (5.0, True, 6), (61.0, True, None)],
)
def test_start_guard_early_deaths_lead_to_safe_operation(
    tmp_path: Path, alive_s: float, looked: bool, deaths_before_safe: int | None
) -> None:
    starts = [die(tmp_path / "starts", alive_s=alive_s, looked=looked) for _ in range(8)]
    first_safe = starts.index(True) if True in starts else None
    assert first_safe == deaths_before_safe


def test_start_guard_clean_stop_is_no_death(tmp_path: Path) -> None:
    for _ in range(5):
        guard = StartGuard(tmp_path / "starts", FakeClock())
        assert guard.begin() is False
        guard.survived()


def test_start_guard_file_of_an_older_agent_counts_on(tmp_path: Path) -> None:
    (tmp_path / "starts").write_text("3")
    assert StartGuard(tmp_path / "starts", FakeClock()).begin() is True


def test_start_guard_without_a_disk_is_no_loop(tmp_path: Path) -> None:
    guard = StartGuard(tmp_path / "none" / "starts", FakeClock())
    assert [guard.begin() for _ in range(9)] == [False] * 9
    guard.survived()


STATS = Stats(
    device="porch",
    agent_version="1",
    uptime_s=61.0,
    cameras={
        "door": CameraStats(
            fps_captured=5.0, fps_inferred=2.5, frames_skipped=7, frames_dropped=0, gate_ratio=0.5
        )
    },
    operation="local",
    spool_depth=3,
    alarms=("the disk is full",),
)


def test_metrics_tell_every_number_once_under_its_type() -> None:
    lines = render_metrics(STATS).splitlines()
    assert 'elfowl_operation{state="local"} 1' in lines
    assert "elfowl_spool_depth 3" in lines
    assert 'elfowl_frames_skipped_total{camera="door"} 7' in lines
    assert 'elfowl_camera_fps_inferred{camera="door"} 2.5' in lines
    assert "# TYPE elfowl_frames_skipped_total counter" in lines
    families = [line for line in lines if line.startswith("#")]
    assert len(families) == len(set(families))
    assert not [line for line in lines if "None" in line or "elfowl_alarms" in line]


def test_metrics_server_answers_on_loopback_only_and_only_that_path() -> None:
    told: list[Stats] = []
    server = MetricsServer(0, lambda: told[-1] if told else None)
    server.start()
    url = f"http://127.0.0.1:{server.port}"
    try:
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{url}/metrics")
        told.append(STATS)
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            assert answer.read().decode() == render_metrics(STATS)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/")
        with pytest.raises(ConfigError, match="choose a free port"):
            MetricsServer(server.port, lambda: None)
    finally:
        server.stop()


def line(number: int, lineno: int = 7) -> logging.LogRecord:
    return logging.LogRecord("x", logging.WARNING, "f.py", lineno, "frame %d lost", (number,), None)


def test_flood_gate_holds_a_flood_back_and_says_how_much() -> None:
    clock = FakeClock()
    gate = FloodGate(clock)
    assert sum(gate.filter(line(number)) for number in range(100)) == 20
    assert gate.filter(line(0, lineno=8))
    clock.advance(60.0)
    late = line(101)
    assert gate.filter(late)
    assert late.getMessage() == "frame 101 lost (80 more like this were left out)"


def test_json_log_line_is_one_document() -> None:
    record = line(3)
    document = json.loads(JsonFormatter().format(record))
    assert document["message"] == "frame 3 lost"
    assert document["level"] == "warning"
