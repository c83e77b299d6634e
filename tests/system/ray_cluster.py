"""A real cluster of Ray on this machine: a head without room for workers, and nodes that can be lost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.system.loop import wait_until

_STORE_BYTES = 80_000_000
_PATIENCE_S = 240.0


class RayCluster:
    """Nodes that are processes of this machine, each with two cores, as Ray counts them."""

    def __init__(self, cluster: Any) -> None:  # noqa: ANN401 - the library's own
        self._cluster = cluster

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add_node(self) -> Any:  # noqa: ANN401 - the library's own
        """Start a node."""
        # The library would wait for 30 s only.
        node = self._cluster.add_node(wait=False, num_cpus=2, object_store_memory=_STORE_BYTES)
        nodes = len(self._cluster.list_all_nodes())
        wait_until(lambda: len(self._alive()) == nodes, _PATIENCE_S, self._alive)
        return node

    def kill_node(self, node: Any) -> None:  # noqa: ANN401 - the library's own
        """End a node and all that runs on it as a power cut would."""
        self._cluster.remove_node(node, allow_graceful=False)

    def _alive(self) -> list[Any]:
        return list(self._cluster.global_state._live_node_ids())


@contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """Run a cluster; nothing of it is left afterwards."""
    pytest.importorskip("ray", reason="needs elfowl[cluster]")
    from ray.cluster_utils import Cluster

    # Not in pytest's own folder: sockets need short paths.
    with (
        tempfile.TemporaryDirectory(prefix="elfowl-ray-") as folder,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.setenv("RAY_gcs_server_port_wait_time_s", "240")
        head = {
            "num_cpus": 0, "include_dashboard": False, "temp_dir": folder,
            "object_store_memory": _STORE_BYTES,
        }  # fmt: skip
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            yield RayCluster(cluster)
        finally:
            cluster.shutdown()
