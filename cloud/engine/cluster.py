"""What processes of ours that load Ray have in common; only they import this."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cloud.engine.spreading import emptiest, is_crowded
from cloud.settings import Settings, settings_from
from edge_agent.clock import Clock

_LOG = logging.getLogger(__name__)
_KNOCK_S = 1.0


def join(address: str | None, clock: Clock) -> None:
    """Join the cluster; waits until there is one."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    while True:
        try:
            ray.init(
                address=address or "auto",
                namespace="elfowl",
                configure_logging=False,
                log_to_driver=False,
            )
        except (ConnectionError, RuntimeError) as error:
            _LOG.warning("no cluster of Ray at %s: %s", address or "this machine", error)
            clock.sleep(_KNOCK_S)
        else:
            return


def settings_here(settings: Settings) -> Settings:
    """Return the cloud's settings as this machine carries them out: with its own home folder.

    Without an object store the cloud's home is where detectors are: all machines see it under one name.
    """
    if settings.object_store is None:
        return settings
    return settings.model_copy(update={"home": settings_from().home})


class Places:
    """On which machines of the cluster actors of one kind are, and where the next one is to be."""

    def __init__(self, needs: dict[str, float]) -> None:
        """Prepare; `needs` is what one takes of a machine, as Ray counts it."""
        self._needs = needs
        self._of: dict[str, str] = {}
        self.machines: frozenset[str] = frozenset()

    async def look(self) -> None:
        """Look which machines there are; waits for the cluster's head.

        Seldom, please: Ray ends a process whose question the head answers with an error.
        """
        self.machines = frozenset(await asyncio.to_thread(self._machines))

    def note(self, name: str, machine: str) -> None:
        """Note where one is."""
        self._of[name] = machine

    def forget(self, name: str) -> None:
        """Note that one is nowhere any more."""
        self._of.pop(name, None)

    def choose(self, name: str) -> Any:  # noqa: ANN401 - Ray's
        """Return what places one: where the fewest are, there again when it died, elsewhere without room."""
        self.forget(name)
        machine = emptiest(self._of, self.machines)
        if machine is None:
            return "SPREAD"
        self._of[name] = machine
        return NodeAffinitySchedulingStrategy(machine, soft=True, _spill_on_unavailable=True)

    @property
    def may_be_crowded(self) -> bool:
        """Return whether all are on one machine; whether there is another one, only `look` tells."""
        return len(self._of) > 1 and len(set(self._of.values())) == 1

    def way_out(self, full: frozenset[str]) -> str | None:
        """Return where one should go when all are on one machine, if not all others are `full`."""
        machines = self.machines - full
        return emptiest(self._of, machines) if is_crowded(self._of, machines) else None

    def has_any_on(self, machine: str) -> bool:
        """Return whether one is on a machine."""
        return machine in self._of.values()

    def _machines(self) -> list[str]:
        return [
            str(node["NodeID"])
            for node in ray.nodes()
            if node["Alive"]
            and all(node["Resources"].get(what, 0.0) >= most for what, most in self._needs.items())
        ]
