"""Pictures for those who may see them blurred only: whatever a route answers, nothing clear leaves."""

from __future__ import annotations

import io

from fastapi.concurrency import run_in_threadpool
from PIL import Image
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

from cloud.api.problems import problem
from cloud.notify.picture import LONGEST_PX, alert_picture

# Parts of a picture, or "you have it already", would speak of the clear one.
_DROPPED = frozenset({b"range", b"if-range", b"if-none-match", b"if-modified-since"})
_CLEARS = ("etag", "last-modified", "accept-ranges", "content-range", "content-encoding")
_OK = 200


def asking_for_whole(scope: Scope) -> Scope:
    """Return a request without what asks for less than the whole picture."""
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _DROPPED]
    return {**scope, "headers": headers, "extensions": {}}


class Blurring:
    """Takes the place of `send`: lets errors through, blurs pictures, and refuses all else."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        """Take one message of an answer."""
        if message["type"] == "http.response.start" and message["status"] == _OK:
            self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        self._parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            await self._finish(self._start, b"".join(self._parts))

    async def _finish(self, start: Message, body: bytes) -> None:
        is_picture = Headers(raw=start["headers"]).get("content-type", "").startswith("image/jpeg")
        jpeg = await run_in_threadpool(blurred, body) if is_picture and body else None
        if jpeg is None:
            answer = problem(403, "viewers see this blurred only, and it cannot be blurred")
            await self._send({"type": "http.response.start", "status": 403, "headers": answer.raw_headers})
            await self._send({"type": "http.response.body", "body": bytes(answer.body)})
            return
        headers = MutableHeaders(raw=list(start["headers"]))
        for name in _CLEARS:
            del headers[name]
        headers["content-length"] = str(len(jpeg))
        headers["cache-control"] = "private, no-store"
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": jpeg})


def blurred(jpeg: bytes) -> bytes | None:
    """Return a small picture of which only rough colours are left; none when it cannot be read."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as opened:
            opened.draft("RGB", (LONGEST_PX, LONGEST_PX))
            small = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    small.thumbnail((LONGEST_PX, LONGEST_PX))
    stream = io.BytesIO()
    small.save(stream, "JPEG")
    return alert_picture(stream.getvalue(), clear=False)
