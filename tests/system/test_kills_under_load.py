"""kill -9 of each worker, the web process and the database, while streams, cameras and a job keep them busy.

Streams are back, with their gaps told; no question of a camera with time left fails; the job is done; no
event is missing or doubled. How long each took is printed; it depends on the machine, so nothing asserts it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text

from cloud.actions.open_home import open_home
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from edge_agent.wire.event import Event
from tests.cloud.api.conftest import Camera
from tests.cloud.scan.squares import write_squares
from tests.fakes.rtsp_server import RtspServer
from tests.system.drawn_lesson import add_drawn_lesson
from tests.system.loop import wait_until
from tests.system.portal_server import PortalServer, jpeg_of
from tests.system.postgres import Postgres, postgres_server
from tests.system.streaming import add_seeing_detector

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]

CLOCK = SystemClock()
_PATIENCE_S = 300.0
_DEADLINE_MS = 60_000
_AWAY_S = 10.0
_LEASE_S = 4.0
_ASKERS = 3
_STREAMS = ("yard", "door", "film")
_LABELS = ("cat", "dog")


@dataclass
class Load:
    """Cameras that ask as fast as they are answered, and ask again when nobody answered in time."""

    server: PortalServer
    detector_id: str
    answered: int = 0
    late: list[str] = field(default_factory=list)
    _going: bool = True
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for number in range(_ASKERS):
            client = httpx.Client(base_url=self.server.url, timeout=_DEADLINE_MS / 1e3)
            reached = _Reached(client)
            camera = Camera(reached, f"camera-{number}")  # type: ignore[arg-type]
            token = self.server.http.post("/enrolment-tokens").json()["token"]
            assert camera.enrol(token) == httpx.codes.OK
            self._threads.append(threading.Thread(target=self._ask, args=(client, camera), daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._going = False
        for thread in self._threads:
            thread.join(2 * _DEADLINE_MS / 1e3)

    def _ask(self, client: httpx.Client, camera: Camera) -> None:
        while self._going:
            until_s = CLOCK.monotonic_s() + _DEADLINE_MS / 1e3
            said = "nothing"
            while said != "answered" and CLOCK.monotonic_s() < until_s:
                said = self._said(client, camera)
            if said == "answered":
                self.answered += 1
            elif self._going:
                self.late.append(said)

    def _said(self, client: httpx.Client, camera: Camera) -> str:
        request = {
            "request_id": secrets.token_hex(8), "device": camera.name, "camera": "front",
            "detector_id": self.detector_id, "reason": "unsure", "deadline_ms": _DEADLINE_MS,
            "frame_time": 1.0,
        }  # fmt: skip
        parts: dict[str, Any] = {
            "request": (None, json.dumps(request), "application/json"),
            "image": ("frame.jpg", jpeg_of(1), "image/jpeg"),
        }
        try:
            answer = client.post("/api/v1/offload", files=parts, headers=camera.headers())
        except httpx.TransportError as error:
            CLOCK.sleep(0.2)
            return type(error).__name__
        if answer.status_code == httpx.codes.OK:
            return "answered"
        CLOCK.sleep(0.2)
        return answer.text


@dataclass(frozen=True)
class _Reached:
    """What `Camera` needs of a cloud."""

    client: httpx.Client
    clock: SystemClock = CLOCK


@dataclass
class Nodes:
    """The server, a second machine that watches beside it, their database, and what keeps them busy."""

    server: PortalServer
    other: subprocess.Popen[bytes]
    database: Postgres
    load: Load
    took_s: dict[str, float] = field(default_factory=dict)

    def children(self, mark: str, of: int | None = None) -> list[int]:
        """Return the processes of a node, the server by default, that a word in their command line names."""
        found = []
        for child in psutil.Process(of or self.server.pid).children(recursive=True):
            try:
                found += [child.pid] if any(mark in word for word in child.cmdline()) else []
            except psutil.Error:
                continue
        return found

    def kill_other(self) -> None:
        """End the second machine and all that runs on it, as a power cut would."""
        for one in (*psutil.Process(self.other.pid).children(recursive=True), self.other):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.other.wait()

    def kill_server_and_its_own(self) -> None:
        """End the first machine and all that runs on it, workers of the server before this one too."""
        children = psutil.Process(self.server.pid).children(recursive=True)
        found = [psutil.Process(process_id) for process_id in self.holders().values()]
        self.server.kill()
        for one in {*children, *found}:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()

    def streams(self) -> dict[str, dict[str, Any]]:
        answer = self.server.http.get("/streams")
        return {one["name"]: one for one in answer.json()} if answer.is_success else {}

    def holders(self) -> dict[str, int]:
        """Return which process watches each stream."""
        held = {name: one["worker"] for name, one in self.streams().items()}
        return {name: int(worker.rpartition(".")[2]) for name, worker in held.items() if worker}

    def every_gap(self) -> list[dict[str, Any]]:
        return [gap for name in _STREAMS for gap in self.server.get(f"/streams/{name}/gaps")]

    def are_watched_since(self, moment_s: float) -> bool:
        """Say whether all streams are watched, and pictures after a moment were looked at."""
        found = self.streams()
        return set(found) == set(_STREAMS) and all(
            one["state"] == "watched" and one["watched"] > moment_s for one in found.values()
        )

    def until(self, holds: Callable[[], bool]) -> None:
        def is_so() -> bool:
            try:
                return holds()
            except httpx.HTTPError:
                return False

        wait_until(is_so, _PATIENCE_S, lambda: (self.took_s, self.load.answered, self.server.last_words()))

    def kinds_since(self, moment_s: float) -> set[str]:
        """Return of which kinds the gaps are that began since."""
        return {gap["kind"] for gap in self.every_gap() if gap["began"] > moment_s}

    def recover(self, what: str, *more: Callable[[], bool]) -> None:
        """Wait until everything goes on, and note how long that took."""
        began_s, answered = CLOCK.now_s(), self.load.answered
        self.until(lambda: self.are_watched_since(began_s) and all(one() for one in more))
        self.took_s[what] = CLOCK.now_s() - began_s
        self.until(lambda: self.load.answered >= answered + _ASKERS)


_NODE = """
import threading
from cloud.accounts.workspaces import within
from cloud.actions.open_home import open_home
from cloud.settings import settings_from
from cloud.streams.pool import StreamPool
home = open_home(settings_from())
with within(None):
    StreamPool(home.settings, home.database, home.clock).start()
threading.Event().wait()
"""


@pytest.fixture
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with postgres_server() as database, pytest.MonkeyPatch.context() as environment, RtspServer() as camera:
        for name, value in {
            "ELFOWL_DATABASE": database.url,
            "ELFOWL_STREAM_WORKERS": "1",
            "ELFOWL_STREAM_HOSTS": "127.0.0.1",
            "ELFOWL_OFFLOAD_REQUESTS_PER_MINUTE": "1e6",
            "ELFOWL_OFFLOAD_BYTES_PER_DAY": "1e12",
        }.items():
            environment.setenv(name, value)
        server = PortalServer(tmp_path_factory.mktemp("nodes"))  # short: sockets lie in it
        home = open_home(Settings(home=server.home, database=database.url))
        home.settings.recordings_path.mkdir(parents=True)
        write_squares(home.settings.recordings_path / "film.mp4")
        seeing = add_seeing_detector(home, "pets", _LABELS)
        home.database.close()
        server.start()
        environment.setenv("ELFOWL_HOME", str(server.home))
        other = subprocess.Popen([sys.executable, "-c", _NODE])
        nodes = Nodes(server, other, database, Load(server, seeing))
        try:
            for name in _STREAMS:
                address = "film.mp4" if name == "film" else camera.url
                body = {"name": name, "address": address, "detectors": ["pets"]}
                server.http.post("/streams", json=body).raise_for_status()
            nodes.load.start()
            nodes.until(lambda: nodes.are_watched_since(0.0) and nodes.load.answered > _ASKERS)
            yield nodes
        finally:
            if other.poll() is None:
                nodes.kill_other()
            server.stop()


def begin_job(server: PortalServer, folder: Path) -> str:
    """Begin to teach a detector by four drawn scenes; return the job's id."""
    made = add_drawn_lesson(server, folder)
    return str(server.http.post(f"/detectors/{made}/train", json={}).raise_for_status().json()["id"])


def told(url: str) -> dict[str, list[tuple[int, Event]]]:
    """Return all event documents of streams with their numbers, by epoch."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT epoch, seq, body FROM events ORDER BY epoch, seq")).all()
    engine.dispose()
    found: dict[str, list[tuple[int, Event]]] = {}
    for epoch, seq, body in rows:
        found.setdefault(epoch, []).append((seq, Event.from_json(body)))
    return found


def begun_only(found: dict[str, list[tuple[int, Event]]]) -> set[str]:
    """Return the events that did not end."""
    events = [event for some in found.values() for _, event in some]
    return {event.id for event in events} - {event.id for event in events if event.event_type == "end"}


def check_told(found: dict[str, list[tuple[int, Event]]]) -> None:
    """Check that nothing is missing, doubled or told by two at a time."""
    for epoch, some in found.items():
        assert [seq for seq, _ in some] == list(range(1, len(some) + 1)), epoch
    events = [event for some in found.values() for _, event in some]
    times = Counter((event.id, event.event_type) for event in events if event.event_type != "update")
    assert [once for once, count in times.items() if count > 1] == []
    assert events, "something was seen"
    spans: dict[str, list[tuple[int, float, float]]] = {}
    for epoch, some in found.items():
        stream, token, *ends = epoch.split("-")
        seen_s = [event.frame_time for _, event in some]
        if not ends:
            spans.setdefault(stream, []).append((int(token), min(seen_s), max(seen_s)))
    for some_spans in spans.values():
        for before, after in zip(sorted(some_spans), sorted(some_spans)[1:], strict=False):
            assert before[2] <= after[1], "two watched it at once"


def test_everything_goes_on_after_each_part_was_killed_under_load(nodes: Nodes, tmp_path: Path) -> None:
    server = nodes.server
    job = begin_job(server, tmp_path)
    nodes.until(lambda: bool(training(nodes)))

    # Three workers at once: one that watches, one that answers cameras, one that teaches.
    watching = nodes.children("cloud.streams.worker")
    killed = [*watching, nodes.children("cloud.offload.worker")[0], *training(nodes)]
    for process_id in killed:
        os.kill(process_id, signal.SIGKILL)
    nodes.recover("workers", lambda: not set(killed) & set(nodes.holders().values()))

    nodes.database.stop()
    CLOCK.sleep(_AWAY_S)
    away_until_s = CLOCK.now_s()
    nodes.database.start()
    nodes.recover("database")
    since = nodes.kinds_since(away_until_s - _AWAY_S)
    assert not {"lost", "stopped", "starting"} & since, "streams were watched on meanwhile"

    nodes.kill_other()
    nodes.recover(
        "another node", lambda: set(nodes.holders().values()) <= set(nodes.children("cloud.streams.worker"))
    )

    here, killed_s = set(nodes.holders().values()), CLOCK.now_s()
    server.kill()
    server.start()
    nodes.recover("the server")
    assert set(nodes.holders().values()) == here, "who watched outlived the server"
    since = nodes.kinds_since(killed_s - _LEASE_S)
    assert not {"lost", "stopped", "starting"} & since, "streams were watched on meanwhile"

    nodes.kill_server_and_its_own()
    server.start()
    nodes.recover("the server and its workers", lambda: not here & set(nodes.holders().values()))

    nodes.until(lambda: server.get(f"/jobs/{job}")["state"] in {"done", "failed", "cancelled"})
    assert server.get(f"/jobs/{job}")["state"] == "done"
    nodes.load.stop()
    assert nodes.load.late == []
    lost_s = [gap["ended"] - gap["began"] for gap in nodes.every_gap() if gap["kind"] == "lost"]
    assert len(lost_s) >= len(_STREAMS), "each of them lost its worker when the server was killed"
    sys.stdout.write(
        f"back after {nodes.took_s}; gaps of {sorted(lost_s)} s; {nodes.load.answered} answers\n"
    )
    for name in _STREAMS:
        server.http.post(f"/streams/{name}/pause").raise_for_status()
    nodes.until(lambda: not nodes.holders() and not begun_only(told(nodes.database.url)))
    check_told(told(nodes.database.url))


def training(nodes: Nodes) -> list[int]:
    """Return the processes of jobs that teach."""
    return [one for one in nodes.children("train") if one in nodes.children("cloud.worker")]
