"""Routes: streams that the cloud watches, and when it did not."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from cloud.api.paging import Paged
from cloud.api.services import Services, Used
from cloud.streams.desk import GapView, StreamBody, StreamChange, StreamDesk, StreamView

router = APIRouter(prefix="/streams", tags=["streams"])


@router.get("")
def list_streams(services: Used, page: Paged) -> list[StreamView]:
    """List the streams that the cloud watches, by name."""
    return list(page.of(_desk(services).every()))


@router.post("", status_code=201)
def add_stream(services: Used, body: StreamBody) -> StreamView:
    """Watch a stream from now on; whether pictures come is seen some seconds later in its `state`."""
    return _desk(services).add(body)


@router.get("/{stream}")
def show_stream(services: Used, stream: str) -> StreamView:
    """Show one stream by its name or id."""
    return _desk(services).show(stream)


@router.patch("/{stream}")
def change_stream(services: Used, stream: str, body: StreamChange) -> StreamView:
    """Watch a stream otherwise; rules, thresholds and detectors change without a gap."""
    return _desk(services).change(stream, body)


@router.delete("/{stream}", status_code=204)
def remove_stream(services: Used, stream: str) -> None:
    """Watch a stream no longer and forget it; its events stay."""
    _desk(services).remove(stream)


@router.get("/{stream}/gaps")
def list_gaps(
    services: Used,
    stream: str,
    since: Annotated[float, Query(ge=0.0, description="UTC seconds since 1970")] = 0.0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[GapView]:
    """List when a stream was not watched, and why, newest first."""
    return _desk(services).gaps(stream, since=since, limit=limit)


@router.post("/{stream}/pause")
def pause_stream(services: Used, stream: str) -> StreamView:
    """Watch a stream no longer, until it is resumed."""
    return _desk(services).pause(stream, paused=True)


@router.post("/{stream}/resume")
def resume_stream(services: Used, stream: str) -> StreamView:
    """Watch a paused stream again."""
    return _desk(services).pause(stream, paused=False)


def _desk(services: Services) -> StreamDesk:
    return StreamDesk(services.database, services.clock, services.settings)
