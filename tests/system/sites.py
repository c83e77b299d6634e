"""Clouds that the same tests run on: one machine, several machines, and a cluster of Ray.

What a test does to a cloud it does through `Site`; where the parts of one run, and how they are killed and
put back, only this module knows.
"""

from __future__ import annotations

import contextlib
import secrets
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from cloud.actions.open_home import open_home
from cloud.settings import Settings
from tests.system.loop import kill_all, wait_until
from tests.system.object_store import BUCKET, Bucket, object_store
from tests.system.portal_server import PortalServer
from tests.system.postgres import Postgres, postgres_server
from tests.system.ray_cluster import RayCluster, ray_cluster
from tests.system.streaming import add_seeing_detector

AWAY_S = 10.0
_CORES = 4
_WORKER_S = 120.0


class Machine(Protocol):
    """One of those that a cloud runs on."""

    name: str
    has_stand_in: bool
    """Whether others do meanwhile what it did."""

    watches: bool
    """Whether streams are watched on it."""

    def kill(self) -> None:
        """End all that runs on it, as a power cut would."""
        ...

    def start(self) -> None:
        """Let it work again, or another one in its place."""
        ...


@dataclass(frozen=True)
class Part:
    """What a cloud leans on without being it; `away` is without it while its block runs."""

    name: str
    away: Callable[[], AbstractContextManager[None]]


class Site(Protocol):
    """A cloud at work: what its parts are, and how each of them is killed and put back."""

    server: PortalServer
    seeing_id: str
    """A detector that sees something everywhere."""

    @property
    def database_url(self) -> str:
        """Return where its tables are."""
        ...

    @property
    def machines(self) -> Sequence[Machine]:
        """Return what it runs on; that of the server comes last."""
        ...

    @property
    def parts(self) -> Sequence[Part]:
        """Return what it can be without for a while."""
        ...

    def answerers(self) -> set[int]:
        """Return the processes that answer cameras."""
        ...

    def is_where_jobs_run(self, process_id: int) -> bool:
        """Say whether a process runs where those of jobs are to run."""
        ...

    def check_kept(self, detector_id: str) -> None:
        """Check that a detector that answered a camera is where this cloud keeps detectors."""
        ...


def processes(mark: str) -> set[int]:
    """Return the processes below this one that a word of their name or command line names."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            is_named = mark in child.name() or any(mark in word for word in child.cmdline())
            found |= {child.pid} if is_named and child.status() != psutil.STATUS_ZOMBIE else set()
    return found


def is_below(process_id: int, above: int) -> bool:
    """Say whether a process was started by another one, or by whom that started."""
    try:
        return any(one.pid == above for one in psutil.Process(process_id).parents())
    except psutil.Error:
        return False


def holders(server: PortalServer) -> dict[str, int]:
    """Return which process watches each stream, by the stream's name."""
    held = {one["name"]: one["worker"] for one in server.get("/streams")}
    return {name: int(worker.rpartition(".")[2]) for name, worker in held.items() if worker}


def _on_home(home: Path) -> list[psutil.Process]:
    """Return the processes whose command line names a home folder, whoever started them."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found += [one] if any(f"{home}/" in word for word in one.cmdline()) else []
    return found


class ServerMachine:
    """The machine of the server, with all that the server, or one before it, started there."""

    name = "the server's machine"
    has_stand_in = False

    def __init__(self, server: PortalServer, *, watches: bool = True) -> None:
        self._server, self.watches = server, watches

    def kill(self) -> None:
        children = psutil.Process(self._server.pid).children(recursive=True)
        self._server.kill()
        kill_all([*children, *_on_home(self._server.home)])

    def start(self) -> None:
        self._server.start()


class WatchingMachine:
    """A machine that only watches: `elfowl-cloud worker`, with a home folder of its own."""

    name = "a machine that watches"
    has_stand_in = True
    watches = True

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = str(Path(sys.executable).with_name("elfowl-cloud"))
        command = [program, "worker", "--processes", "1", "--home", str(self._home)]
        self._process = subprocess.Popen(command)

    def kill(self) -> None:
        assert self._process is not None
        children = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait()
        kill_all(children)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(_WORKER_S) == 0


class NodeMachine:
    """The node of the cluster on which a stream is watched."""

    name = "a node"
    has_stand_in = True
    watches = True

    def __init__(self, holder: Callable[[], int], cluster: RayCluster) -> None:
        """Prepare; `holder` says which process watches one."""
        self._holder, self._cluster = holder, cluster

    def kill(self) -> None:
        self._cluster.kill_node_of(self._holder())

    def start(self) -> None:
        self._cluster.add_node()


class _Served:
    """What all of them have: a server that is a process, with a detector that sees something everywhere."""

    def __init__(self, folder: Path) -> None:
        self.server = PortalServer(folder)
        settings = Settings(home=self.server.home, database=self._database)
        home = open_home(settings)
        self.seeing_id = add_seeing_detector(home, "pets", ("cat", "dog"))
        home.database.close()
        self.server.start()

    @property
    def _database(self) -> str | None:
        return None

    def answerers(self) -> set[int]:
        return processes("cloud.offload.worker")

    def is_where_jobs_run(self, process_id: int) -> bool:
        return is_below(process_id, self.server.pid)

    def check_kept(self, detector_id: str) -> None:
        assert (self.server.home / "detectors" / detector_id).is_dir()


class OneMachine(_Served):
    """Tables in SQLite, detectors on the disk, workers as processes of the server."""

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.server.home / 'elfowl.sqlite'}"

    @property
    def machines(self) -> Sequence[Machine]:
        return (ServerMachine(self.server),)

    @property
    def parts(self) -> Sequence[Part]:
        return (Part("the database", self._locked),)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the tables and that of the jobs: a file is away when others may not write it."""
        with ExitStack() as stack:
            for name in ("elfowl.sqlite", "jobs.sqlite"):
                connection = sqlite3.connect(self.server.home / name, timeout=_WORKER_S, isolation_level=None)
                stack.callback(connection.close)
                connection.execute("BEGIN EXCLUSIVE")
            yield


class SeveralMachines(_Served):
    """Tables in PostgreSQL, detectors in S3, and a machine that watches beside that of the server."""

    def __init__(self, folder: Path, database: Postgres, bucket: Bucket, beside: Machine) -> None:
        self._postgres, self._bucket, self._beside = database, bucket, beside
        super().__init__(folder)

    @property
    def database_url(self) -> str:
        return self._postgres.url

    @property
    def _database(self) -> str | None:
        return self._postgres.url

    @property
    def machines(self) -> Sequence[Machine]:
        return (self._beside, ServerMachine(self.server))

    @property
    def parts(self) -> Sequence[Part]:
        return (
            Part("the database", lambda: _away(self._postgres.stop, self._postgres.start)),
            Part("the object store", lambda: _away(self._bucket.stop, self._bucket.start)),
        )

    def check_kept(self, detector_id: str) -> None:
        assert any(detector_id in key for key in self._bucket.stored()), "its answer came out of the bucket"
        assert not list(self.server.home.glob("*.sqlite")), "nothing is in a file of its own"


@contextmanager
def _away(stop: Callable[[], None], start: Callable[[], None]) -> Iterator[None]:
    stop()
    try:
        yield
    finally:
        start()


class Cluster(SeveralMachines):
    """With a cluster of Ray, in which cameras are answered, streams watched, and jobs run."""

    def __init__(
        self, folder: Path, database: Postgres, bucket: Bucket, cluster: RayCluster, nodes_home: Path
    ) -> None:
        self._cluster, self._nodes_home = cluster, nodes_home
        super().__init__(folder, database, bucket, NodeMachine(self._holder, cluster))

    @property
    def machines(self) -> Sequence[Machine]:
        return (self._beside, ServerMachine(self.server, watches=False))

    @property
    def parts(self) -> Sequence[Part]:
        head = Part("the head", lambda: _away(self._cluster.kill_head, self._cluster.start_head))
        # By its node the server's own processes reach the cluster.
        nodes = self._cluster
        machine = Part("the head's machine", lambda: _away(nodes.kill_head_machine, nodes.start_head_machine))
        return (*super().parts, head, machine)

    def _holder(self) -> int:
        return next(iter(holders(self.server).values()))

    def answerers(self) -> set[int]:
        return processes("Looker")

    def is_where_jobs_run(self, process_id: int) -> bool:
        return self._cluster.is_on_a_node(process_id)

    def check_kept(self, detector_id: str) -> None:
        super().check_kept(detector_id)
        assert not (self._nodes_home / "detectors").exists()
        assert list((self._nodes_home / "cache" / "models").rglob("*.*")), "to machines that have no other"


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        yield


_ALWAYS = {
    "ELFOWL_STREAM_HOSTS": "127.0.0.1",
    "ELFOWL_OFFLOAD_REQUESTS_PER_MINUTE": "1e6",
    "ELFOWL_OFFLOAD_BYTES_PER_DAY": "1e12",
    "ELFOWL_STREAM_WORKERS": "2",
    "ELFOWL_OFFLOAD_WORKERS": "2",
}


@contextmanager
def one_machine(folder: Path) -> Iterator[Site]:
    """Run a cloud as a person starts it first."""
    with _environment(_ALWAYS):
        site = OneMachine(folder)
        with _ended(site):
            yield site


@contextmanager
def _ended(site: Site) -> Iterator[None]:
    """Stop a server at the end, and see that those who answer cameras end with it."""
    try:
        yield
    finally:
        site.server.stop()
    wait_until(lambda: not site.answerers(), _WORKER_S, site.answerers)


@contextmanager
def machine_beside(folder: Path) -> Iterator[Site]:
    """Run a cloud with a machine that watches beside it; each machine has one worker."""
    with postgres_server() as database, object_store() as bucket:
        shared = {**_ALWAYS, **_shared(database, bucket), "ELFOWL_STREAM_WORKERS": "1"}
        with _environment(shared):
            beside = WatchingMachine(folder / "beside")
            site = SeveralMachines(folder, database, bucket, beside)
            beside.start()
            with _ended(site):
                try:
                    yield site
                finally:
                    beside.stop()


@contextmanager
def cluster(folder: Path) -> Iterator[Site]:
    """Run a cloud with a cluster of two nodes."""
    with postgres_server() as database, object_store() as bucket:
        nodes_home = folder / "nodes"
        with _environment({**_ALWAYS, **_shared(database, bucket)}), ray_cluster(nodes_home, _CORES) as nodes:
            for _ in range(2):
                nodes.add_node()
            ray = {
                "ELFOWL_ENGINE": "ray",
                "ELFOWL_JOBS_ENGINE": "ray",
                "ELFOWL_RAY_ADDRESS": nodes.address,
            }
            with _environment(ray):
                site = Cluster(folder, database, bucket, nodes, nodes_home)
                with _ended(site):
                    yield site


def _shared(database: Postgres, bucket: Bucket) -> dict[str, str]:
    store = f"s3://{BUCKET}/{secrets.token_hex(4)}"
    return {**bucket.environment, "ELFOWL_DATABASE": database.url, "ELFOWL_OBJECT_STORE": store}
