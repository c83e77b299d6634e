"""A line of real sockets in front of a web server: counts what comes over it, cuts it, changes questions."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Final, Self

_END_OF_HEAD: Final = b"\r\n\r\n"
_TIMEOUT_S: Final = 60.0


class CountedLine:
    """One request a connection; closes it in the middle of a body when `cut_after_bytes` is set.

    Attributes:
        came_bytes: All that was sent to the client, heads of answers too.
        cut_after_bytes: Of the body of the next answer; none: it comes whole.
    """

    def __init__(self, server_port: int, *, keeps_range: bool, keeps_query: bool) -> None:
        self._server_port = server_port
        self._keeps_range, self._keeps_query = keeps_range, keeps_query
        self._door = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.came_bytes = 0
        self.cut_after_bytes: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._door.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._door.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port), _TIMEOUT_S)
            with client, server:
                client.settimeout(_TIMEOUT_S)
                self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        asked, _ = _head_of(client)
        if not asked:
            return
        server.sendall(self._changed(asked))
        head, body = _head_of(server)
        left, self.cut_after_bytes = self.cut_after_bytes, None
        try:
            self._send(client, head)
            while body := body or server.recv(65_536):
                self._send(client, body if left is None else body[:left])
                left = None if left is None else left - len(body)
                if left is not None and left <= 0:
                    return
                body = b""
        except (BrokenPipeError, ConnectionResetError):
            return  # the client wants no more of it

    def _send(self, client: socket.socket, data: bytes) -> None:
        client.sendall(data)
        self.came_bytes += len(data)

    def _changed(self, head: bytes) -> bytes:
        first, *headers = head.removesuffix(_END_OF_HEAD).split(b"\r\n")
        dropped = (b"connection:", *(() if self._keeps_range else (b"range:",)))
        kept = [line for line in headers if not line.lower().startswith(dropped)]
        if not self._keeps_query:
            method, target, version = first.split(b" ")
            first = b" ".join((method, target.partition(b"?")[0], version))
        return b"\r\n".join((first, *kept, b"Connection: close")) + _END_OF_HEAD


def _head_of(source: socket.socket) -> tuple[bytes, bytes]:
    """Return the head of a message, and what already came of its body."""
    data = b""
    while _END_OF_HEAD not in data:
        more = source.recv(65_536)
        if not more:
            return b"", b""
        data += more
    end = data.index(_END_OF_HEAD) + len(_END_OF_HEAD)
    return data[:end], data[end:]
