"""Routes of the live wall: many cameras over one WebSocket, and one camera as MJPEG for other pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.door import caller_of
from cloud.api.services import Services, Used
from cloud.api.together import until_first_ends
from cloud.ingest.wall import ASK_EVERY_S, Shown, Tile, Viewer, Wall
from cloud.store import devices, sources
from edge_agent.wire.base import Name

router = APIRouter(tags=["cameras"])

_BOUNDARY = "elfowl-frame"
_HEADER_BYTES = 4
_MESSAGE_TILES = 256


class _Tile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    device: Name
    camera: Name


class _Said(BaseModel):
    """What a page says: `watch` = what is on its screen now, `shown` = the last picture of one is drawn."""

    model_config = ConfigDict(extra="forbid")
    watch: list[_Tile] | None = Field(None, max_length=_MESSAGE_TILES)
    shown: _Tile | None = None


@router.websocket("/wall")
async def wall(socket: WebSocket, services: Used) -> None:
    """Show cameras: a text message says which; each binary one is a length, a JSON header and a JPEG."""
    await socket.accept()
    with services.wall.viewer(may_see_clear=_may_see_clear(socket)) as viewer:
        await until_first_ends(
            lambda: _hear(socket, services, viewer),
            lambda: _send(socket, viewer),
            lambda: _keep_asking(services.wall, viewer),
        )


@router.get("/devices/{name}/cameras/{camera}/live.mjpeg", response_class=StreamingResponse)
async def mjpeg(request: Request, services: Used, name: Name, camera: Name) -> StreamingResponse:
    """Stream one camera as MJPEG, for other pages and players; blurred unless its owner chose clear."""
    with services.database.read() as session:
        devices.find(session, name)
    parts = _mjpeg_parts(services.wall, name, camera, may_see_clear=_may_see_clear(request))
    return StreamingResponse(
        parts,
        media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}",
        headers={"Cache-Control": "no-store"},
    )


def as_message(shown: Shown) -> bytes:
    """Return a picture as a page gets it: 4 bytes of length (big-endian), JSON of that length, JPEG."""
    head: dict[str, Any] = shown.picture.model_dump(mode="json", exclude={"jpeg_base64"}, by_alias=True)
    header = json.dumps({"device": shown.device, **head}).encode()
    return len(header).to_bytes(_HEADER_BYTES, "big") + header + shown.jpeg


def _may_see_clear(connection: Request | WebSocket) -> bool:
    return caller_of(connection).role != "viewer"


async def _hear(socket: WebSocket, services: Services, viewer: Viewer) -> None:
    try:
        while True:
            said = _Said.model_validate_json(await socket.receive_text())
            if said.watch is not None:
                viewer.watch(await run_in_threadpool(_own, services, said.watch))
                services.wall.ask_for(viewer)
            if said.shown is not None:
                viewer.has_shown((said.shown.device, said.shown.camera))
    except (WebSocketDisconnect, RuntimeError):
        return
    except ValueError:
        await socket.close(1003, "only {watch: [{device, camera}]} and {shown: {device, camera}}")


def _own(services: Services, tiles: list[_Tile]) -> frozenset[Tile]:
    """Return those of some cameras that are of the workspace of whoever asks."""
    with services.database.read() as session:
        places = sources.places_of(session)
    named = ((one.device, one.camera) for one in tiles)
    return frozenset(tile for tile in named if places is None or places.holds(*tile))


async def _send(socket: WebSocket, viewer: Viewer) -> None:
    try:
        while True:
            await socket.send_bytes(as_message(await viewer.next()))
    except (WebSocketDisconnect, RuntimeError):
        return


async def _keep_asking(wall: Wall, viewer: Viewer) -> None:
    while True:
        await asyncio.sleep(ASK_EVERY_S)
        wall.ask_for(viewer)


async def _mjpeg_parts(wall: Wall, device: str, camera: str, *, may_see_clear: bool) -> AsyncIterator[bytes]:
    with wall.viewer(may_see_clear=may_see_clear) as viewer:
        viewer.watch(frozenset({(device, camera)}))
        wall.ask_for(viewer)
        asking = asyncio.ensure_future(_keep_asking(wall, viewer))
        try:
            while True:
                shown = await viewer.next()
                head = (
                    f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(shown.jpeg)}\r\n\r\n"
                )
                yield head.encode() + shown.jpeg + b"\r\n"
                viewer.has_shown(shown.tile)
        finally:
            asking.cancel()
