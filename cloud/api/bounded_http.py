"""HTTP by httptools, with a bound on what comes before a body: that parser itself knows none.

Whoever sends headers without an end, or one of any length, would be given memory for all of it, and has
not said yet who it is. The parser in plain Python that the server takes otherwise ends at the same 64 KiB.
"""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES: Final = 65_536
"""Of the first line and the headers, or of trailers, beside what the last read brought."""


class BoundedHttp(HttpToolsProtocol):
    """One connection; ends with 400 once headers are too long."""

    _idle_bytes = 0
    _moved_on = False

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._moved_on = False
        super().data_received(data)
        self._idle_bytes = 0 if self._moved_on else self._idle_bytes + len(data)
        if self._idle_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The headers have more than {MOST_HEAD_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        """Begin with a request."""
        self._moved_on = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of its body."""
        self._moved_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End its body."""
        self._moved_on = True
        super().on_message_complete()
