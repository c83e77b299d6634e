"""A real cluster of Ray on this machine: a head without room for workers, and nodes that can be lost."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system.loop import kill_all, wait_until

_STORE_BYTES = 80_000_000
_PATIENCE_S = 240.0
_TRIES = 5


class RayCluster:
    """Nodes that are processes of this machine, each with some cores, as Ray counts them."""

    def __init__(self, cluster: Any, folder: Path, home: Path, cores: int) -> None:  # noqa: ANN401 - the library's own
        self._cluster, self._folder, self._home, self._cores = cluster, folder, home, cores
        self._nodes: list[Any] = []
        self._next_head: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add_node(self) -> None:
        """Start a node."""
        before = self._alive()  # maybe with one that is dead, which was not noticed yet
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("ELFOWL_HOME", str(self._home))
            options = {"wait": False, "num_cpus": self._cores, "object_store_memory": _STORE_BYTES}
            self._nodes.append(_in_time(lambda: self._cluster.add_node(**options)))
        wait_until(lambda: bool(self._alive() - before), _PATIENCE_S, self._alive)

    def kill_head(self) -> None:
        """End what keeps the cluster together, as a power cut would; nodes and what runs there stay."""
        self._cluster.head_node.kill_gcs_server(check_alive=False)

    def start_head(self) -> None:
        """Start it again, where it was; it reads who is there from its disk."""
        _in_time(self._cluster.head_node.start_gcs_server)

    def kill_head_machine(self) -> None:
        """End the head and its own node, by which programs of this machine reach the cluster."""
        self._end_next_head()
        self._cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)

    def start_head_machine(self) -> None:
        """Start both again, at the same address and with the same disk, as a person does."""
        options = {
            "port": self.address.rpartition(":")[2], "num-cpus": 0, "include-dashboard": "false",
            "temp-dir": self._folder, "object-store-memory": _STORE_BYTES,
        }  # fmt: skip
        program = str(Path(sys.executable).with_name("ray"))
        command = [
            program,
            "start",
            "--head",
            "--block",
            *(f"--{name}={one}" for name, one in options.items()),
        ]
        self._next_head = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        # Not by `_alive`: Ray ends a process whom a head answers with an error. Its node comes last.
        head = self._next_head.pid
        wait_until(lambda: "raylet" in _names_below(head), _PATIENCE_S, lambda: _names_below(head))

    def shutdown(self) -> None:
        """End all of it."""
        self._end_next_head()
        self._cluster.shutdown()

    def _end_next_head(self) -> None:
        if self._next_head is not None:
            kill_all([*_below(self._next_head.pid), psutil.Process(self._next_head.pid)])
            self._next_head.wait()
            self._next_head = None

    def kill_node(self) -> None:
        """End the oldest node and all that runs on it as a power cut would."""
        self._kill(self._nodes[0])

    def kill_node_of(self, process_id: int) -> None:
        """End the node on which a process runs, as a power cut would."""
        raylet = psutil.Process(process_id).ppid()
        (node,) = [one for one in self._nodes if raylet in _process_ids(one)]
        self._kill(node)

    def _kill(self, node: Any) -> None:  # noqa: ANN401 - the library's own
        # By themselves workers notice after a while that their node is gone.
        on_it = [child for one in _process_ids(node) for child in _below(one)]
        self._nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)
        kill_all(on_it)

    def is_on_a_node(self, process_id: int) -> bool:
        """Say whether a process was started by a node that takes work."""
        above = {one.pid for one in psutil.Process(process_id).parents()}
        return any(above & _process_ids(node) for node in self._nodes)

    def _alive(self) -> set[Any]:
        return set(self._cluster.global_state._live_node_ids())


def _process_ids(node: Any) -> set[int]:  # noqa: ANN401 - the library's own
    return {info.process.pid for infos in node.all_processes.values() for info in infos}


def _below(process_id: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(process_id).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _names_below(process_id: int) -> set[str]:
    found = set()
    for one in _below(process_id):
        with suppress(psutil.Error):
            found.add(one.name())
    return found


def _in_time(start: Callable[[], Any]) -> Any:  # noqa: ANN401 - the library's own
    """Start something of Ray; it gives up after 30 s by itself, which a busy machine may need."""
    for _ in range(_TRIES):
        try:
            return start()
        except Exception as error:  # the library raises nothing finer
            if "timed out" not in str(error).lower():
                raise
    return pytest.skip("the machine is too busy to start Ray")


@contextmanager
def ray_cluster(home: Path, cores: int = 2) -> Iterator[RayCluster]:
    """Run a cluster whose nodes have a home folder of their own; nothing runs any more afterwards."""
    pytest.importorskip("ray", reason="needs elfowl[cluster]")
    from ray.cluster_utils import Cluster

    # Not in pytest's own folder: sockets need short paths.
    with (
        tempfile.TemporaryDirectory(prefix="elfowl-ray-", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # A head that is started again would ask for a token that lies in the home of whoever runs this.
        environment.setenv("RAY_AUTH_MODE", "disabled")
        # There it writes where the newest cluster is, in a folder that it does not make.
        environment.setenv("RAY_TMPDIR", folder)
        Path(folder, "ray").mkdir()
        environment.setenv("RAY_gcs_server_port_wait_time_s", "240")
        environment.setenv("RAY_worker_register_timeout_seconds", "600")
        # Here workers share their cores with all the rest, which would leave them little.
        environment.setenv("RAY_worker_niceness", "0")
        # As docs/growing.md says; a busy machine may still take its time to answer.
        environment.setenv("RAY_health_check_initial_delay_ms", "1000")
        environment.setenv("RAY_health_check_period_ms", "1000")
        environment.setenv("RAY_health_check_timeout_ms", "10000")
        environment.setenv("RAY_health_check_failure_threshold", "3")
        # As there, too: the head finds its cluster again, and nodes wait for it.
        environment.setenv("RAY_gcs_storage", "rocksdb")
        environment.setenv("RAY_gcs_storage_path", f"{folder}/head")
        environment.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "600")
        head = {
            "num_cpus": 0, "include_dashboard": False, "temp_dir": folder,
            "object_store_memory": _STORE_BYTES,
        }  # fmt: skip
        cluster = _in_time(lambda: Cluster(initialize_head=True, head_node_args=head))
        nodes = RayCluster(cluster, Path(folder), home, cores)
        try:
            yield nodes
        finally:
            nodes.shutdown()
