"""The files of the pages: at an address with a digest of all of them, so that browsers keep them for good.

There is no build step: modules import each other by relative addresses, and so stay below the same digest.
The files are read once, when the server starts, and are sent compressed.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

PREFIX: Final = "/static/"
_DIGEST_CHARS: Final = 12
_KINDS: Final = {
    ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
    ".json": "application/json", ".txt": "text/plain",
}  # fmt: skip
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_IMPORT: Final = re.compile(r'(?:^|;)\s*(?:import|export)\b[^"\';]*?from\s*["\']([^"\']+)["\']', re.MULTILINE)


@dataclass(frozen=True)
class _File:
    """One file, as it is sent."""

    body: bytes
    kind: str

    @cached_property
    def tag(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:32]

    @cached_property
    def packed(self) -> bytes:
        return gzip.compress(self.body, mtime=0)


class Assets:
    """ASGI application: answers with the files of a folder, and knows their addresses."""

    def __init__(self, folder: Path, names: dict[str, str]) -> None:
        """Read the files.

        Args:
            folder: With the files, in folders or not.
            names: What modules import by name, and the file of each.
        """
        self._files = {path.relative_to(folder).as_posix(): _read(path) for path in _paths(folder)}
        self._names = names
        whole = "".join(f"{name} {file.tag}\n" for name, file in self._files.items())
        self.digest: Final = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST_CHARS]

    def address(self, name: str) -> str:
        """Return where browsers find a file and keep it for good."""
        return f"{PREFIX}{self.digest}/{name}"

    def modules_of(self, *names: str) -> list[str]:
        """Return modules and all that they import, near ones first: what a page needs to show anything."""
        found = list(names)
        for name in found:
            found += [one for one in self._imported_by(name) if one not in found]
        return found

    def _imported_by(self, name: str) -> list[str]:
        folder = name.rpartition("/")[0]
        wanted = dict.fromkeys(_IMPORT.findall(self._files[name].body.decode()))
        return [self._names.get(one) or _joined(folder, one) for one in wanted]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file."""
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        name = str(scope["path"]).removeprefix(PREFIX)
        below = name.removeprefix(f"{self.digest}/")
        file = self._files.get(below)
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("files can only be read", status_code=405)
        if file is None:
            return PlainTextResponse("there is no such file", status_code=404)
        asked = Headers(scope=scope)
        is_packed = "gzip" in asked.get("accept-encoding", "")
        headers = {
            "Cache-Control": "no-cache" if below == name else _FOR_GOOD,
            "ETag": f'"{file.tag}{"-gzip" if is_packed else ""}"',
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if headers["ETag"] in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        return Response(file.packed if is_packed else file.body, headers=headers, media_type=file.kind)


def _paths(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _read(path: Path) -> _File:
    return _File(path.read_bytes(), _KINDS.get(path.suffix, "application/octet-stream"))


def _joined(folder: str, relative: str) -> str:
    """Return the file that a module of a folder means by `./other.js`; nothing here imports `../`."""
    name = relative.removeprefix("./")
    return f"{folder}/{name}" if folder else name
