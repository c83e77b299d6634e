"""What processes of ours that load Ray have in common; only they import this."""

from __future__ import annotations

import logging
import os

import ray

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
