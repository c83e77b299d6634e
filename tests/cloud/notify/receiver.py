"""An HTTP server on loopback that alerts are sent to as `json://`."""

from __future__ import annotations

import base64
import http.server
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Receiver:
    """Keeps what came; `status` is what it answers."""

    def __init__(self) -> None:
        self.came: queue.Queue[dict[str, Any]] = queue.Queue()
        self.status = 200
        self.port = 0

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/secret-topic"

    def take(self, timeout_s: float = 10.0) -> dict[str, Any]:
        """Return the next message; its `message` is the text."""
        return self.came.get(timeout=timeout_s)


def picture_of(message: dict[str, Any]) -> bytes:
    """Return the bytes of the only picture that was sent."""
    (attachment,) = message["attachments"]
    return base64.b64decode(attachment["base64"])


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve until the block ends."""
    receiver = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.status == 200:
                receiver.came.put(json.loads(body))
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
