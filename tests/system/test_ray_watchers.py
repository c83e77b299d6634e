"""Workers that watch in a real cluster of Ray, and whoever keeps them there: killed, changed, and stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psutil
import pytest

from cloud.actions.open_home import Home, open_home
from cloud.engine.ray_engine import watchers_command
from cloud.processes import ONE_THREAD, Process, Supervisor, start_child, stop_child
from cloud.settings import Settings
from cloud.store import streams
from cloud.streams.seats import SeatRow
from edge_agent.clock import SystemClock
from tests.system.loop import wait_until
from tests.system.postgres import postgres_server
from tests.system.ray_cluster import RayCluster, ray_cluster
from tests.system.sites import processes

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

WORKERS = 2
_PATIENCE_S = 240.0
_STEADY_S = 8.0
_GRACE_S = 30.0


def _process_of(worker: str) -> int:
    return int(worker.rpartition(".")[2])


class Kept:
    """A cloud's workers in a cluster, without the cloud."""

    def __init__(self, home: Home, cluster: RayCluster) -> None:
        self._home, self.cluster = home, cluster
        self._seat = SeatRow.claim(home.settings.home / "watchers").seats(1)[0]
        self._environment = {
            **ONE_THREAD,
            **home.settings.for_children,
            "ELFOWL_RAY_ADDRESS": cluster.address,
            "ELFOWL_STREAM_WORKERS": str(WORKERS),
        }

    @contextmanager
    def keeper(self, **terms: str) -> Iterator[int]:
        """Let a process keep them; it is told to end at the end."""
        with self._seat.listening():
            keeper = self._start(terms)
            try:
                yield keeper.pid
            finally:
                stop_child(keeper, _GRACE_S)

    @contextmanager
    def keepers(self) -> Iterator[None]:
        """Let a process keep them, and another one when it ends, as a server does."""
        with self._seat.listening():
            supervisor = Supervisor("keeper", lambda: self._start({}), SystemClock(), grace_s=_GRACE_S)
            supervisor.start()
            try:
                yield
            finally:
                supervisor.stop()

    def _start(self, terms: Mapping[str, str]) -> Process:
        self._seat.prepare("")
        environment = {**self._environment, **terms}
        return start_child(watchers_command(self._seat.path), environment=environment)

    def at_work(self) -> set[str]:
        """Return who watches."""
        with self._home.database.read() as session:
            return {row.id for row in streams.workers(session)}

    def machines(self) -> set[int]:
        """Return the nodes, by their own processes, on which somebody watches."""
        found = set()
        for worker in self.at_work():
            with suppress(psutil.NoSuchProcess):
                found.add(psutil.Process(_process_of(worker)).ppid())
        return found

    def until_others_are_at_work(self, before: set[str]) -> set[str]:
        """Wait until there are as many as there shall be, and none of those before."""
        wait_until(
            lambda: len(found := self.at_work()) == WORKERS and not found & before, _PATIENCE_S, self.at_work
        )
        return self.at_work()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("kept")
    with postgres_server() as database, ray_cluster(folder / "nodes") as cluster:
        home = open_home(Settings(home=folder / "home", database=database.url))
        cluster.add_node()
        try:
            yield Kept(home, cluster)
        finally:
            home.database.close()


def test_workers_outlive_who_keeps_them_and_end_with_one_that_is_told_to(kept: Kept) -> None:
    with kept.keeper() as keeper:
        before = kept.until_others_are_at_work(set())
        os.kill(keeper, 9)
    SystemClock().sleep(_STEADY_S)
    assert kept.at_work() == before, "without a keeper"
    with kept.keeper():
        SystemClock().sleep(_STEADY_S)
        assert kept.at_work() == before, "with the next one"
    assert kept.at_work() == set(), "they said goodbye before the keeper ended"
    wait_until(lambda: not processes("Watcher"), _GRACE_S, lambda: processes("Watcher"))


def test_workers_that_were_left_behind_on_other_terms_are_replaced(kept: Kept) -> None:
    with kept.keeper() as keeper:
        before = kept.until_others_are_at_work(set())
        os.kill(keeper, 9)
    with kept.keeper(ELFOWL_STREAM_HOSTS="camera.example"):
        others = kept.until_others_are_at_work(before)
        assert len(others) == WORKERS
        assert not others & before
    wait_until(lambda: not any(psutil.pid_exists(_process_of(one)) for one in before), _GRACE_S, kept.at_work)


def test_worker_that_hangs_is_ended_and_another_one_sits_in_its_place(kept: Kept) -> None:
    with kept.keeper():
        first, second = kept.until_others_are_at_work(set())
        SystemClock().sleep(_STEADY_S)
        hung = psutil.Process(_process_of(first))
        hung.suspend()
        wait_until(
            lambda: len(found := kept.at_work() - {first}) == WORKERS and second in found,
            _PATIENCE_S,
            kept.at_work,
        )
        assert not hung.is_running()


def test_workers_stay_on_machines_of_their_own_also_after_one_was_killed_or_its_machine(kept: Kept) -> None:
    kept.cluster.add_node()
    # The node that is killed may be the one by which the keeper reaches the cluster.
    with kept.keepers():
        first, second = kept.until_others_are_at_work(set())
        machines = kept.machines()
        assert len(machines) == WORKERS
        os.kill(_process_of(first), 9)
        wait_until(
            lambda: len(found := kept.at_work() - {first}) == WORKERS and second in found,
            _PATIENCE_S,
            kept.at_work,
        )
        assert kept.machines() == machines, "it came back where it was"
        kept.cluster.kill_node_of(_process_of(second))
        wait_until(
            lambda: len(kept.at_work()) == WORKERS and second not in kept.at_work(), _PATIENCE_S, kept.at_work
        )
        assert len(kept.machines()) == 1
        kept.cluster.add_node()
        wait_until(lambda: len(kept.at_work()) == len(kept.machines()) == WORKERS, _PATIENCE_S, kept.machines)
