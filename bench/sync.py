"""`sync`: ten thousand simulated devices keep in step with one cloud on one machine.

The cloud is the real server in a process of its own; the devices are the agent's own parts, each with its
own key, in this process. They poll for a while; then the server is stopped and started again, so that all of
them come back; then everybody looks at the very same moment. The comparison is one device alone.
"""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.result import Metric, Result, spread
from cloud.actions.bundles import open_repository
from cloud.actions.open_home import open_home
from cloud.settings import Settings
from cloud.store import devices as device_store
from cloud.store.tables import Device
from edge_agent.agent.simulated_device import Behaviour, SimulatedDevice
from edge_agent.agent.simulation import FleetOrder, Simulation, Tally, TimedTransport, make_devices
from edge_agent.clock import Clock, SystemClock
from edge_agent.update.identity import Enrolment, Identity, public_key_pem
from edge_agent.wire.sync import MqttAccess

DEVICES, QUICK_DEVICES = 10_000, 200
POLL_S = 300.0
STEADY_S, DOWN_S, BACK_S, HERD_S = 180.0, 20.0, 90.0, 90.0
WINDOWS = 3
_PORT, _BROKER_PORT = 18_421, 18_884
_THREADS = 16
_FIRST_ROUNDS = 12


def run(*, quick: bool = False) -> Result:
    """Measure; `quick` takes few devices for a short time."""
    count, scale = (QUICK_DEVICES, 0.15) if quick else (DEVICES, 1.0)
    clock, load = SystemClock(), os.getloadavg()[0]
    logging.getLogger("edge_agent").setLevel(logging.ERROR)  # that nobody answers is expected for a while
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        identities = _enrol(home, count, clock)
        alone = _phase(home, identities[:1], clock, 20.0 * scale, poll_s=0.2)
        phases = _play(home, identities, clock, scale)
    return _result(count, alone, phases, (load, os.getloadavg()[0]))


@dataclass(frozen=True)
class _Phase:
    """What one phase gave."""

    tally: Tally
    rss_bytes: int = 0
    in_step: int = 0
    cpu_s: float = 0.0

    def metrics(self) -> dict[str, Metric]:
        by_second = self.tally.looks_by_second
        return {
            "looks": len(self.tally.seconds),
            "unanswered": self.tally.unreachable,
            "errors": sum(n for status, n in self.tally.statuses.items() if status not in {200, 304}),
            "p50_s": self.tally.quantile_s(0.5),
            "p99_s": self.tally.quantile_s(0.99),
            "longest_s": self.tally.quantile_s(1.0),
            "server_cpu_ms_per_look": 1e3 * self.cpu_s / max(1, len(self.tally.seconds)),
            "most_looks_in_one_second": max(by_second.values(), default=0),
            "seconds_of_nine_in_ten": _span_s(by_second, 0.9),
        }


def _span_s(by_second: Counter[int], share: float) -> int:
    """Return how many seconds it took until that share of all looks was answered."""
    left = share * sum(by_second.values())
    for second in sorted(by_second):
        left -= by_second[second]
        if left <= 0:
            return second - min(by_second) + 1
    return 0


def _enrol(home: Path, count: int, clock: Clock) -> list[Identity]:
    """Note devices in the database as enrolment does, in one transaction: joining is not what is measured."""
    settings = Settings(home=home)
    opened = open_home(settings, clock)
    root_json = open_repository(settings, clock).root_json()
    url = f"http://127.0.0.1:{_PORT}/"
    found = []
    with opened.database.write() as session:
        for number in range(count):
            key, name = Ed25519PrivateKey.generate(), f"sim-{number:05d}"
            row = Device(
                name=name,
                public_key_pem=public_key_pem(key),
                profile="x86-64",
                arch="x86_64",
                agent_version="simulated",
                enrolled=clock.now_s(),
            )
            device_store.enrol(session, row)
            enrolment = Enrolment(
                device=name,
                cloud_url=url,
                mqtt=MqttAccess(host="127.0.0.1", port=_BROKER_PORT),
                tuf_root=root_json,
                tuf_metadata_url=f"{url}tuf/metadata/",
                tuf_targets_url=f"{url}tuf/targets/",
            )
            found.append(Identity(enrolment, key))
    opened.database.close()
    return found


def _play(home: Path, identities: list[Identity], clock: Clock, scale: float) -> dict[str, _Phase]:
    phases: dict[str, _Phase] = {}
    tally = Tally()
    with _client(tally, clock) as http:
        devices = _devices(home, identities, http, clock, POLL_S * scale)
        with _server(home, clock) as server:
            # Each device tells first what it runs; this is not the steady state.
            _tell("first looks")
            first = Simulation(devices, clock, random.Random(0))  # noqa: S311 - spreads polls
            for _ in range(_FIRST_ROUNDS):
                _run(first, POLL_S * scale / 3)
                if first.reachable == len(devices):
                    break
            simulation = Simulation(devices, clock, random.Random(1))  # noqa: S311 - spreads polls
            _fresh(tally)
            for window in range(WINDOWS):
                _tell(f"steady, {window + 1} of {WINDOWS}")
                before_s = _cpu_s(server)
                _run(simulation, STEADY_S / WINDOWS * scale)
                used_s = _cpu_s(server) - before_s
                phases[f"steady_{window + 1}"] = _Phase(
                    _taken(tally), _rss(server), simulation.reachable, used_s
                )
        _tell("down")
        _run(simulation, DOWN_S * scale)
        _fresh(tally)
        with _server(home, clock) as server:
            _tell("back")
            _run(simulation, BACK_S * scale)
            phases["after_a_restart"] = _Phase(_taken(tally), _rss(server), simulation.reachable)
            _tell("all at once")
            _fresh(tally)
            before_s = _cpu_s(server)
            simulation.all_at_once()
            _run(simulation, HERD_S * scale)
            used_s = _cpu_s(server) - before_s
            phases["all_at_once"] = _Phase(_taken(tally), _rss(server), simulation.reachable, used_s)
    return phases


def _phase(home: Path, identities: list[Identity], clock: Clock, seconds: float, poll_s: float) -> _Phase:
    tally = Tally()
    with _server(home, clock), _client(tally, clock) as http:
        _run(Simulation(_devices(home, identities, http, clock, poll_s), clock, random.Random(1)), seconds)  # noqa: S311 - spreads polls
    return _Phase(tally)


def _devices(
    home: Path, identities: list[Identity], http: httpx.Client, clock: Clock, poll_s: float
) -> list[SimulatedDevice]:
    order = FleetOrder("", len(identities), home / "sim", "x86-64", behaviour=Behaviour(poll_s))
    return make_devices(order, identities, http, clock, random.Random(2))  # noqa: S311 - spreads polls


def _run(simulation: Simulation, seconds: float) -> None:
    simulation.run(seconds, threads=_THREADS, stopping=threading.Event())


def _client(tally: Tally, clock: Clock) -> httpx.Client:
    limits = httpx.Limits(max_connections=_THREADS, max_keepalive_connections=_THREADS)
    transport = TimedTransport(httpx.HTTPTransport(limits=limits), tally, clock)
    return httpx.Client(transport=transport, timeout=20.0, trust_env=False)


@contextmanager
def _server(home: Path, clock: Clock) -> Iterator[psutil.Process]:
    command = [str(Path(sys.executable).with_name("elfowl-cloud")), "serve", "--home", str(home)]
    ports = ["--port", str(_PORT), "--broker-port", str(_BROKER_PORT)]
    with subprocess.Popen([*command, *ports], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            while not _answers():
                clock.sleep(0.2)
            yield psutil.Process(child.pid)
        finally:
            child.terminate()
            child.wait()


def _answers() -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{_PORT}/api/v1/health", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _rss(server: psutil.Process) -> int:
    """Return the memory of the server with its children, the broker among them."""
    return sum(one.memory_info().rss for one in (server, *server.children(recursive=True)))


def _cpu_s(server: psutil.Process) -> float:
    """Return the seconds of processor time that the server's own process took so far."""
    times = server.cpu_times()
    return float(times.user + times.system)


def _fresh(tally: Tally) -> None:
    _taken(tally)


def _taken(tally: Tally) -> Tally:
    """Return what was counted, and begin to count anew."""
    taken = Tally(tally.seconds, tally.statuses, tally.unreachable, tally.looks_by_second)
    tally.seconds, tally.statuses, tally.unreachable = [], Counter(), 0
    tally.looks_by_second = Counter()
    return taken


def _result(count: int, alone: _Phase, phases: dict[str, _Phase], loads: tuple[float, float]) -> Result:
    steady = [phase for name, phase in phases.items() if name.startswith("steady")]
    p99s = [phase.tally.quantile_s(0.99) for phase in steady]
    return Result(
        name="sync",
        baseline="one device alone, which looks five times a second",
        metrics={
            "devices": count,
            "poll_s": POLL_S,
            "in_step": steady[-1].in_step,
            "p99_s": median(p99s),
            "p99_s_of_each_window": spread(p99s),
            "rss_bytes": max(phase.rss_bytes for phase in phases.values()),
            **{name: phase.metrics() for name, phase in phases.items()},
            "alone": alone.metrics(),
        },
        ratios={"p99_of_one_alone": median(p99s) / max(alone.tally.quantile_s(0.99), 1e-6)},
        notes=(
            f"devices and cloud share the {os.cpu_count()} cores of this machine, over loopback without TLS",
            f"the devices share {_THREADS} connections",
            f"load of the machine (mean of a minute) {loads[0]:.1f} at the start, {loads[1]:.1f} at the end",
            f"process priority (nice) {os.getpriority(os.PRIO_PROCESS, 0)} of devices and cloud",
            "memory is that of the server and all its children; seconds are of GET /device/desired alone",
            "processor time is that of the server's own process, with all that it does beside",
            "all at once: every device is due at the same moment; 16 connections are what spreads them",
            "no broker traffic: devices look at their desired state and report over HTTP",
        ),
    )


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # stdout is the result's
