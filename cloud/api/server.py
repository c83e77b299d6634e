"""Routes: health, live news, login, the update repository's files."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, RedirectResponse, StreamingResponse

from cloud.api.door import ACCESS_COOKIE, caller_of, cookie_value
from cloud.api.services import Used
from cloud.api.together import until_first_ends
from cloud.errors import DeniedError, NotFoundError
from edge_agent.wire.target import PART_HEADER, PART_QUERY

router = APIRouter(tags=["server"])
pages = APIRouter(include_in_schema=False)

_COOKIE_AGE_S = 30 * 86_400
_CHUNK_BYTES = 1 << 16


@router.get("/health")
def health(services: Used) -> dict[str, Any]:
    """Tell that the server works, and with what."""
    return services.health()


@router.websocket("/live")
async def live(socket: WebSocket, services: Used) -> None:
    """Tell what just happened in this workspace.

    `type` is event, device, stats, correction, key_frame, job, teaching or rollout.
    """
    await socket.accept()
    with services.live.listen(caller_of(socket).workspace) as news:
        await until_first_ends(lambda: _until_gone(socket), lambda: _tell(socket, news))


async def _tell(socket: WebSocket, news: asyncio.Queue[dict[str, Any]]) -> None:
    try:
        while True:
            await socket.send_json(await news.get())
    except (WebSocketDisconnect, RuntimeError):
        return


async def _until_gone(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, RuntimeError):
        return


@pages.post("/login")
def login(services: Used, token: Annotated[str, Form(max_length=1000)]) -> Response:
    """Set the cookie of the access token: the way in as long as nobody has an account."""
    expected = services.settings.access_token
    if expected is None or not hmac.compare_digest(token.strip().encode(), expected.encode()):
        message = "that is not the access token"
        raise DeniedError(message)
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        ACCESS_COOKIE, cookie_value(expected), max_age=_COOKIE_AGE_S, httponly=True, samesite="strict"
    )
    return answer


@pages.get("/tuf/{kind}/{path:path}")
def signed_file(
    services: Used,
    kind: str,
    path: str,
    start_bytes: Annotated[int | None, Query(alias=PART_QUERY, ge=0)] = None,
) -> Response:
    """Serve signed metadata and bundles; answers Range requests, and parts by their address."""
    folder = (services.settings.tuf_path / kind).resolve()
    file = (folder / path).resolve()
    if kind not in {"metadata", "targets"} or not file.is_relative_to(folder) or not file.is_file():
        message = f"there is no signed file {kind}/{path}"
        raise NotFoundError(message)
    if start_bytes is not None:
        return _rest_of(file, start_bytes)
    headers = {"Cache-Control": "no-cache"} if path == "timestamp.json" else {}
    return FileResponse(file, headers=headers)


def _rest_of(file: Path, start_bytes: int) -> Response:
    """Return a file from a byte on, as a document of its own: a Range header has no say in it."""
    length_bytes = file.stat().st_size
    if start_bytes > length_bytes:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{length_bytes}"})
    headers = {
        PART_HEADER: str(start_bytes),
        "Content-Length": str(length_bytes - start_bytes),
        # No cache may take it for the whole file, whatever it thinks of queries.
        "Cache-Control": "no-store",
    }
    return StreamingResponse(
        _read_from(file, start_bytes), headers=headers, media_type="application/octet-stream"
    )


def _read_from(file: Path, start_bytes: int) -> Iterator[bytes]:
    with file.open("rb") as source:
        source.seek(start_bytes)
        while chunk := source.read(_CHUNK_BYTES):
            yield chunk
