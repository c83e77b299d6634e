"""The same tests on one machine, on several, and on a cluster of Ray: a cloud at work, and each part killed.

Server, workers, nodes, PostgreSQL and cameras are real processes, S3 is moto's. First what a cloud is for;
then kill -9 of each part, while streams, cameras and a job keep all of them busy: streams are back, with
their gaps told; no question of a camera with time left fails; no job is lost; no event is missing or doubled.
How long each took, from its end, is printed; it depends on the machine, so nothing asserts it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_agent.clock import SystemClock
from tests.fakes.rtsp_server import RtspServer
from tests.system.asking import ASKERS, Load, asked
from tests.system.drawn_lesson import add_drawn_lesson
from tests.system.loop import wait_until
from tests.system.sites import AWAY_S, Site, cluster, holders, machine_beside, one_machine, processes
from tests.system.told import begun_only, check_told, told

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]

CLOCK = SystemClock()
SITES = (one_machine, machine_beside, cluster)
STREAMS = ("yard", "door", "lane")
_PATIENCE_S = 600.0
_BROKEN_OFF = frozenset({"lost", "stopped", "starting"})


@pytest.fixture(scope="module", params=SITES, ids=lambda one: one.__name__)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with request.param(tmp_path_factory.mktemp("site")) as site:  # short: sockets lie in it
        yield site


@dataclass
class Busy:
    """A cloud that watches streams and answers cameras as fast as these ask, and teaches beside."""

    site: Site
    load: Load
    lesson: str
    jobs: list[str] = field(default_factory=list)
    took: dict[str, str] = field(default_factory=dict)

    def streams(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.site.server.get("/streams")}

    def gaps(self) -> list[dict[str, Any]]:
        return [gap for name in STREAMS for gap in self.site.server.get(f"/streams/{name}/gaps")]

    def gaps_since(self, moment_s: float) -> list[dict[str, Any]]:
        """Return the gaps that lasted at a moment or began later; they begin with the last picture before."""
        return [gap for gap in self.gaps() if gap["ended"] is None or gap["ended"] > moment_s]

    def kinds_since(self, moment_s: float) -> set[str]:
        return {gap["kind"] for gap in self.gaps_since(moment_s)}

    def are_watched_since(self, moment_s: float) -> bool:
        """Say whether all streams are watched, and pictures after a moment were looked at."""
        found = self.streams()
        return set(found) == set(STREAMS) and all(
            one["state"] == "watched" and one["watched"] > moment_s for one in found.values()
        )

    def until(self, holds: Callable[[], bool]) -> None:
        def is_so() -> bool:
            try:
                return holds()
            except httpx.HTTPError:
                return False

        server = self.site.server
        wait_until(is_so, _PATIENCE_S, lambda: (self.took, self.load.answered, server.last_words()))

    def recover(self, what: str, since_s: float, *more: Callable[[], bool]) -> None:
        """Wait until everything goes on, and note how long that took since a moment, and the longest gap."""
        began_s, answered = CLOCK.now_s(), self.load.answered
        self.until(lambda: self.are_watched_since(began_s) and all(one() for one in more))
        now_s = CLOCK.now_s()
        gaps_s = [(gap["ended"] or now_s) - gap["began"] for gap in self.gaps_since(since_s)]
        self.took[what] = f"{now_s - since_s:.1f} s, longest gap {max(gaps_s, default=0.0):.1f} s"
        self.until(lambda: self.load.answered >= answered + ASKERS)
        assert self.load.late == []

    def teach(self) -> set[int]:
        """Have a job under way; return the processes that teach."""
        if not self.jobs or self.job(self.jobs[-1])["state"] == "done":
            self.jobs.append(begun(self.site, f"/detectors/{self.lesson}/train", {}))
        self.until(lambda: bool(running("train")))
        return running("train")

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.site.server.get(f"/jobs/{job_id}")
        return found


@pytest.fixture(scope="module")
def busy(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    with RtspServer() as camera:
        lesson = add_drawn_lesson(site.server, tmp_path_factory.mktemp("lesson"), "bricks")
        busy = Busy(site, Load(site.server, site.seeing_id), lesson)
        for name in STREAMS:
            body = {"name": name, "address": camera.url, "detectors": ["pets"]}
            site.server.http.post("/streams", json=body).raise_for_status()
        busy.load.start()
        try:
            busy.until(lambda: busy.are_watched_since(0.0) and busy.load.answered > ASKERS)
            busy.load.again.clear()
            yield busy
        finally:
            busy.load.stop()
            sys.stdout.write(f"back after {busy.took}; {busy.load.answered} answers\n")


def begun(site: Site, path: str, body: dict[str, object]) -> str:
    """Begin a job; return its id."""
    return str(site.server.http.post(path, json=body).raise_for_status().json()["id"])


def running(kind: str) -> set[int]:
    """Return the processes of jobs of a kind."""
    return processes("cloud.worker") & processes(kind)


def done(site: Site, kind: str, job_id: str) -> dict[str, Any]:
    """Let a job run to its end, where jobs are to run; return its result."""
    seen: dict[int, bool] = {}

    def ended() -> bool:
        seen.update((one, site.is_where_jobs_run(one)) for one in running(kind) - set(seen))
        return site.server.get(f"/jobs/{job_id}")["state"] not in {"queued", "running"}

    wait_until(ended, _PATIENCE_S, lambda: (site.server.get(f"/jobs/{job_id}"), site.server.last_words()))
    found = site.server.get(f"/jobs/{job_id}")
    assert found["state"] == "done", (found, site.server.last_words())
    assert any(seen.values()), "it was seen where jobs run"
    result: dict[str, Any] = found["result"]
    return result


def test_detector_that_was_taught_here_is_compressed_and_answers_a_camera(site: Site, tmp_path: Path) -> None:
    server = site.server
    detector_id = add_drawn_lesson(server, tmp_path)
    done(site, "train", begun(site, f"/detectors/{detector_id}/train", {}))
    shrinking = begun(site, f"/detectors/{detector_id}/compress", {"profile": "x86-64"})
    bundle = done(site, "compress", shrinking)["bundle"]
    assert server.http.post(f"/detectors/{detector_id}/publish", json={"bundle": bundle}).is_success

    reply = asked(server, detector_id)
    assert (reply["detector"]["id"], reply["detector"]["version"]) == (detector_id, 1)
    site.check_kept(detector_id)


def test_streams_are_watched_and_what_they_tell_is_found(busy: Busy) -> None:
    server = busy.site.server

    def found() -> set[str]:
        moments = server.http.get("/search", params={"q": "cat"}).raise_for_status().json()["moments"]
        return {event["camera"] for moment in moments for event in moment["events"]}

    busy.until(lambda: found() == set(STREAMS))
    for name in STREAMS:
        (newest,) = server.get(f"/events?camera={name}&limit=1")
        assert newest["event"]["detector"]["id"] == busy.site.seeing_id


def test_workers_that_are_killed_at_once_are_replaced_and_their_gap_is_told(busy: Busy) -> None:
    # One that watches, one that answers cameras, one that teaches.
    killed = {*busy.teach(), holders(busy.site.server)["yard"], min(busy.site.answerers())}
    killed_s, again = CLOCK.now_s(), len(busy.load.again)
    for process_id in killed:
        os.kill(process_id, signal.SIGKILL)
    busy.recover("workers", killed_s, lambda: not killed & set(holders(busy.site.server).values()))
    assert "lost" in busy.kinds_since(killed_s)
    assert busy.load.again[again:] == [], "the other one answered what the dead one had"


def test_streams_are_watched_on_while_what_all_lean_on_is_away(busy: Busy) -> None:
    for part in busy.site.parts:
        busy.teach()
        before, away_s = holders(busy.site.server), CLOCK.now_s()
        with part.away():
            CLOCK.sleep(AWAY_S)
        busy.recover(part.name, away_s + AWAY_S)
        assert holders(busy.site.server) == before, part.name
        assert not _BROKEN_OFF & busy.kinds_since(away_s), part.name


def test_streams_are_watched_on_while_the_server_is_killed_and_started_again(busy: Busy) -> None:
    busy.teach()
    before, killed_s = holders(busy.site.server), CLOCK.now_s()
    busy.site.server.kill()
    busy.site.server.start()
    busy.recover("the server", killed_s)
    assert holders(busy.site.server) == before
    assert not _BROKEN_OFF & busy.kinds_since(killed_s)


def test_everything_goes_on_after_each_machine_was_killed(busy: Busy) -> None:
    for machine in busy.site.machines:
        busy.teach()
        before, killed_s = holders(busy.site.server), CLOCK.now_s()
        machine.kill()
        if not machine.has_stand_in:
            machine.start()
        busy.recover(machine.name, killed_s)
        if machine.has_stand_in:
            machine.start()
        has_moved = holders(busy.site.server) != before
        kinds = busy.kinds_since(killed_s)
        assert has_moved == ("lost" in kinds), machine.name
        assert machine.watches or not _BROKEN_OFF & kinds, machine.name


def test_nothing_was_lost_or_told_twice_in_all_that(busy: Busy) -> None:
    busy.load.stop()
    assert busy.load.late == []
    busy.until(lambda: all(busy.job(one)["state"] in {"done", "failed", "cancelled"} for one in busy.jobs))
    assert {busy.job(one)["state"] for one in busy.jobs} == {"done"}
    for name in STREAMS:
        busy.site.server.http.post(f"/streams/{name}/pause").raise_for_status()
    url = busy.site.database_url
    busy.until(lambda: not holders(busy.site.server) and not begun_only(told(url)))
    check_told(told(url))
