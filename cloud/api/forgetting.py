"""Routes: delete events for good; and the task that deletes those that are too old."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from cloud.actions.ageing import delete_aged, move_old
from cloud.actions.forgetting import Doomed, count_doomed, delete_events
from cloud.actions.open_home import Home
from cloud.api.rollouts import who_asks
from cloud.api.services import Services, Used
from edge_agent.errors import ElfowlError

router = APIRouter(tags=["events"])

_LOG = logging.getLogger(__name__)
_LOOK_S = 3600.0
_DAY_S = 86_400.0


class DeletedView(BaseModel):
    """What was deleted; with `dry_run` only `events` is told, and nothing is deleted."""

    events: int
    documents: int = 0
    pictures: int = 0
    corrections: int = 0


@router.delete("/events")
def delete(
    request: Request,
    services: Used,
    before: Annotated[float | None, Query(description="last seen before, UTC seconds since 1970")] = None,
    camera: str | None = None,
    device: str | None = None,
    *,
    keep_corrections: bool = False,
    dry_run: bool = False,
) -> DeletedView:
    """Delete events with their pictures, and what people said of them with its key frames, for good."""
    doomed = Doomed(before, camera, device)
    if dry_run:
        with services.database.read() as session:
            there = count_doomed(session, doomed)
        return DeletedView(events=there + delete_aged(_home(services), doomed, dry_run=True))
    aged = delete_aged(_home(services), doomed, keep_corrections=keep_corrections)
    done = delete_events(
        services.database,
        services.settings,
        services.clock,
        doomed,
        keep_corrections=keep_corrections,
        who=who_asks(request),
    )
    return DeletedView(**{**vars(done), "events": done.events + aged})


def forget_old(services: Services) -> None:
    """Delete events that came longer ago than they are kept; what people said of them stays.

    What came longer ago than it stays in the database is moved into files.
    """
    days, now_s = services.settings.keep_events_days, services.clock.now_s()
    if days is not None:
        doomed = Doomed(received_before_s=now_s - days * _DAY_S)
        delete_events(services.database, services.settings, services.clock, doomed, keep_corrections=True)
        delete_aged(_home(services), doomed, keep_corrections=True)
    if services.settings.move_events_days is not None:
        move_old(_home(services), now_s - services.settings.move_events_days * _DAY_S)


def _home(services: Services) -> Home:
    return Home(services.settings, services.database, services.clock)


async def keep_forgetting(services: Services) -> None:
    """Look every hour whether there is something too old; what goes wrong is logged and tried again."""
    while True:
        try:
            await asyncio.to_thread(forget_old, services)
        except ElfowlError as error:
            _LOG.error("old events stay for now: %s", error)
        await asyncio.sleep(_LOOK_S)
