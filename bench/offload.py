"""`offload`: cameras ask the cloud about pictures; baseline: an endpoint of ten lines, one inference each.

The cloud is the whole of it, in its own processes: tokens, quotas, admission, workers. Eight taught detectors
of the default form answer pictures of 320 px in turn. Every number of clients is measured on all endpoints
before the next round begins. Overhead is processor time of web and worker processes with detectors that take
no time, so that it is not the small difference of two large numbers; decoding the JPEG is in it.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import psutil

from bench.creating.lessons import read_lessons, tell
from bench.creating.teach import teach
from bench.offloading.crowd import HTTP_OK, Crowd, answered_per_s
from bench.offloading.fleet import BenchDevice, make_home, small_jpegs
from bench.result import Metric, Result, spread
from cloud.datasets.pictures import read_pictures
from cloud.processes import ONE_THREAD, start_child, stop_child
from cloud.training.config import TrainConfig
from edge_agent.clock import Clock, SystemClock

CLIENTS = (1, 8, 32, 64)
CROWD = 32
PLAIN = ("plain", "plain_one_by_one", "plain_int8", "plain_torch")
FULLY = ("elfowl", "plain")
"""Endpoints that are measured with every number of clients; the others with a crowd only."""

OVERLOAD = 10
OVERLOAD_DEADLINE_MS = 400
"""So short that the pictures of all clients at once cannot be answered in time."""

_PICTURES = 16
Overhead = dict[str, dict[str, dict[str, Metric]]]
"""Processor milliseconds a request by number of clients, then by process; median and spread."""

_WARM_S = 400.0
_BUSY = (429, 503)


@dataclass(frozen=True)
class Plan:
    """How long a look is taken."""

    seconds: float = 5.0
    rounds: int = 3
    overhead_requests: int = 600
    clients: Sequence[int] = CLIENTS


@dataclass(frozen=True)
class Endpoint:
    """A running endpoint."""

    port: int
    process: psutil.Process

    def processes(self) -> list[psutil.Process]:
        """Return the web process and its offload workers; broker and others do not count."""
        children = self.process.children(recursive=True)
        return [self.process, *(one for one in children if "worker" in " ".join(one.cmdline()))]

    def cpu_s(self) -> float:
        """Return the processor seconds of them all."""
        return sum(sum(one.cpu_times()[:2]) for one in self.processes())

    def pss_bytes(self) -> int:
        """Return their memory, what is shared by several divided among them."""
        return sum(one.memory_full_info().pss for one in self.processes())


def run(*, quick: bool = False) -> Result:
    """Teach, then measure overhead, throughput and overload; `quick` is one short round of few clients."""
    plan = Plan(3.0, 1, 200, (1, CROWD)) if quick else Plan()
    load = os.getloadavg()[0]
    clock = SystemClock()
    lessons = read_lessons("persons")
    tell("teaching")
    detector, _, _ = teach(lessons.sets[0], lessons.classes, TrainConfig())
    sources = [frame.source for frame in lessons.test[:: max(1, len(lessons.test) // _PICTURES)]]
    jpegs = small_jpegs([rgb for _, rgb in read_pictures(sources[:_PICTURES])])
    with TemporaryDirectory(prefix="elfowl-bench-") as folder:
        devices = make_home(Path(folder), detector, max(plan.clients), clock)
        crowd = partial(Crowd, devices=devices, jpegs=jpegs, clock=clock)
        with _serving("instant", folder, devices[:1], jpegs, clock) as endpoint:
            tell("measuring overhead")
            overhead = _overhead(endpoint, crowd, plan)
        with ExitStack() as running:
            endpoints = {
                name: running.enter_context(_serving(name, folder, devices, jpegs, clock))
                for name in ("elfowl", *PLAIN)
            }
            tell("measuring throughput")
            looks = [
                _look(endpoint, crowd, name, clients, plan)
                for _ in range(plan.rounds)
                for clients in plan.clients
                for name, endpoint in endpoints.items()
                if name in FULLY or clients == CROWD
            ]
            tell("measuring overload")
            rates = (one.per_s for one in looks if (one.name, one.clients) == ("elfowl", CROWD))
            capacity = max(1.0, median(rates))
            flood = _overload(endpoints["elfowl"], crowd, capacity, plan)
            memory = {name: endpoint.pss_bytes() for name, endpoint in endpoints.items()}
    return _result(overhead, looks, flood, memory, load)


@dataclass(frozen=True)
class Look:
    """What one number of clients got from one endpoint in one round."""

    name: str
    clients: int
    per_s: float
    cpu_ms: float
    took_ms: tuple[float, float]
    waited_ms: tuple[float, ...]
    failed: int


def _look(endpoint: Endpoint, crowd: partial[Crowd], name: str, clients: int, plan: Plan) -> Look:
    some = crowd(port=endpoint.port, devices=crowd.keywords["devices"][:clients])
    before_s = endpoint.cpu_s()
    asked, everything = some.ask(plan.seconds), some.everything
    cpu_ms = (endpoint.cpu_s() - before_s) * 1000 / max(1, everything)
    took = [one.took_s * 1000 for one in asked if one.status == HTTP_OK]
    waited = tuple(one.waited_ms for one in asked if one.waited_ms is not None)
    failed = sum(one.status != HTTP_OK for one in asked)
    per_s = answered_per_s(asked, plan.seconds)
    return Look(name, clients, per_s, cpu_ms, _quantiles(took), waited, failed)


def _overhead(endpoint: Endpoint, crowd: partial[Crowd], plan: Plan) -> Overhead:
    """Return processor milliseconds a request by number of clients and process, over all rounds."""
    counts = (1, 8)
    rounds = [{n: _overhead_ms(endpoint, crowd, n, plan) for n in counts} for _ in range(plan.rounds)]
    return {str(n): {part: spread([one[n][part] for one in rounds]) for part in rounds[0][n]} for n in counts}


def _overhead_ms(endpoint: Endpoint, crowd: partial[Crowd], clients: int, plan: Plan) -> dict[str, float]:
    """Return processor milliseconds a request, by process, of detectors that take no time."""
    some = crowd(port=endpoint.port, devices=crowd.keywords["devices"][:clients])
    some.ask(60.0, most=20)
    web, *workers = endpoint.processes()
    before = sum(web.cpu_times()[:2]), sum(sum(one.cpu_times()[:2]) for one in workers)
    asked = some.ask(120.0, most=plan.overhead_requests // clients)
    after = sum(web.cpu_times()[:2]), sum(sum(one.cpu_times()[:2]) for one in workers)
    if any(one.status != HTTP_OK for one in asked):
        message = f"statuses {sorted({one.status for one in asked})}"
        raise RuntimeError(message)
    web_ms, worker_ms = ((b - a) * 1000 / len(asked) for a, b in zip(before, after, strict=True))
    return {"all": web_ms + worker_ms, "web": web_ms, "workers": worker_ms}


def _overload(ours: Endpoint, crowd: partial[Crowd], capacity: float, plan: Plan) -> dict[str, Metric]:
    """Ask ten times what can be answered, each question with a deadline; say what became of them."""
    devices: Sequence[BenchDevice] = crowd.keywords["devices"]
    every_s = len(devices) / (OVERLOAD * capacity)
    asked = crowd(port=ours.port).ask(plan.seconds, deadline_ms=OVERLOAD_DEADLINE_MS, every_s=every_s)
    refused = [one.took_s * 1000 for one in asked if one.status in _BUSY]
    answered = [one.took_s * 1000 for one in asked if one.status == HTTP_OK]
    return {
        "offered_per_s": len(asked) / plan.seconds,
        "answered_per_s": len(answered) / plan.seconds,
        "of_capacity": len(answered) / plan.seconds / capacity,
        "answered_ms": _as_metric(answered),
        "refused_ms": _as_metric(refused),
        "late": sum(one > OVERLOAD_DEADLINE_MS for one in answered),
        "other_statuses": sum(one.status not in {HTTP_OK, *_BUSY} for one in asked),
    }


@contextmanager
def _serving(
    kind: str, home: str, devices: Sequence[BenchDevice], jpegs: Sequence[bytes], clock: Clock
) -> Iterator[Endpoint]:
    """Start an endpoint and ask every detector once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = "bench.offloading.plain" if kind in PLAIN else "bench.offloading.server"
    command = [sys.executable, "-m", program, kind, home, str(port)]
    child = start_child(command, environment={} if kind == "plain_torch" else ONE_THREAD)
    try:
        _warm(Crowd(port, devices[:8], jpegs, clock), clock, kind)
        yield Endpoint(port, psutil.Process(child.pid))
    finally:
        stop_child(child)


def _warm(crowd: Crowd, clock: Clock, kind: str) -> None:
    until_s = clock.monotonic_s() + _WARM_S
    while clock.monotonic_s() < until_s:
        try:
            httpx.get(f"http://127.0.0.1:{crowd.port}/")
        except httpx.TransportError:
            clock.sleep(0.2)
            continue
        # Both workers, and every detector of each.
        if all(one.status == HTTP_OK for one in crowd.ask(30.0, most=4)):
            return
    message = f"the endpoint {kind} does not answer within {_WARM_S:.0f} s"
    raise RuntimeError(message)


def _result(
    overhead: Overhead,
    looks: Sequence[Look],
    flood: dict[str, Metric],
    memory: dict[str, int],
    load: float,
) -> Result:
    lone = [ms for one in looks if (one.name, one.clients) == ("elfowl", 1) for ms in one.waited_ms]
    metrics: dict[str, Metric] = {
        "overhead_cpu_ms": overhead["1"]["all"]["median"],
        "lone_wait_ms": median(lone),
        "lone_wait_ms_p99": _quantiles(lone)[1],
        "overhead_by_clients": {clients: dict(parts) for clients, parts in overhead.items()},
        "throughput": {name: _by_clients(looks, name) for name in ("elfowl", *PLAIN)},
        "overload": flood,
        "pss_bytes": dict(memory),
        "load_before": load,
    }
    ratios: dict[str, Metric] = {"of_plain_at_32": _ratio(looks, PLAIN[0], CROWD)["median"]}
    for name in PLAIN:
        counts = sorted({one.clients for one in looks if one.name == name})
        ratios[f"of_{name}"] = {str(count): _ratio(looks, name, count) for count in counts}
        ratios[f"answers_a_cpu_second_of_{name}"] = {
            str(count): _ratio(looks, name, count, by_cpu=True) for count in counts
        }
    notes = (
        "`plain` runs the subnet in ONNX Runtime, with float numbers, in FastAPI's pool of threads",
        "`plain_one_by_one`: the same, in the event loop; `plain_torch`: as one torch network",
        "`plain_int8`: `plain` with int8 numbers as elfowl has them where the processor multiplies bytes",
        "answers a processor second: where others use the machine too, threads of `plain` get most of it",
        f"clients, endpoints and broker share the machine's {os.cpu_count()} cores",
    )
    return Result("offload", "a plain endpoint, one inference a request", metrics, ratios, notes)


def _by_clients(looks: Sequence[Look], name: str) -> Metric:
    return {
        str(clients): {
            "per_s": spread([one.per_s for one in mine]),
            "cpu_ms": spread([one.cpu_ms for one in mine]),
            "p50_ms": median(one.took_ms[0] for one in mine),
            "p99_ms": median(one.took_ms[1] for one in mine),
            "failed": sum(one.failed for one in mine),
        }
        for clients in sorted({one.clients for one in looks})
        if (mine := [one for one in looks if (one.name, one.clients) == (name, clients)])
    }


def _ratio(looks: Sequence[Look], name: str, clients: int, *, by_cpu: bool = False) -> dict[str, Metric]:
    """Return answers a second, of the clock or of processors, against an endpoint's, round by round."""
    ours, theirs = (
        [
            1000 / one.cpu_ms if by_cpu else one.per_s
            for one in looks
            if (one.name, one.clients) == (which, clients)
        ]
        for which in ("elfowl", name)
    )
    ratios = [a / b for a, b in zip(ours, theirs, strict=True) if b]
    return spread(ratios) if ratios else {"median": None}


def _quantiles(values: Sequence[float]) -> tuple[float, float]:
    """Return median and 99th percentile."""
    ordered = sorted(values)
    if not ordered:
        return float("nan"), float("nan")
    return median(ordered), ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


def _as_metric(values: Sequence[float]) -> Metric:
    middle, high = _quantiles(values)
    return {"p50": middle, "p99": high} if values else None
