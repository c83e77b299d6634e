"""Carries roll-outs on while the server runs; each step is one transaction, so a restart loses nothing."""

from __future__ import annotations

import asyncio
import logging

from cloud.actions.belonging import owner_of_device
from cloud.actions.rollouts import carry_on
from cloud.api.services import Services
from cloud.store import devices, rollouts
from edge_agent.errors import ElfowlError

_LOG = logging.getLogger(__name__)
_STEP_S = 5.0


def take_step(services: Services) -> int:
    """Take the next step of every roll-out and hint the devices that it asks; return how many those are.

    Raises:
        StorageError: The disk is full; nothing was changed.
        ConfigError: A signing key is missing, and an older version has to be signed again.
    """
    write_sightings(services)
    for device in tuple(services.leaving):
        services.take_account(device)
    with services.database.read() as session:
        if not rollouts.followed(session):
            return 0
    with services.database.write(durable=True) as session:
        told = carry_on(session, publish_again=services.publish_again, now_s=services.clock.now_s())
    for desired in told:
        services.tell(desired)
    for workspace in {owner_of_device(services.database, one.device) for one in told}:
        services.live.publish({"type": "rollout", "workspace": workspace})
    return len(told)


def write_sightings(services: Services) -> None:
    """Store when devices were seen since the last call.

    Raises:
        StorageError: The disk is full.
    """
    seen = services.sightings.take()
    if seen:
        with services.database.write() as session:
            devices.note_all_seen(session, seen)


async def keep_rolling(services: Services) -> None:
    """Take a step every few seconds; what goes wrong is logged and tried again."""
    while True:
        try:
            await asyncio.to_thread(take_step, services)
        except ElfowlError as error:
            _LOG.error("roll-outs wait: %s", error)
        except Exception:  # noqa: BLE001 - the next step may succeed, and nothing else depends on it
            _LOG.exception("roll-outs wait")
        await asyncio.sleep(_STEP_S)
