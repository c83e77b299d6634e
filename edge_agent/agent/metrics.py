"""The agent's health as Prometheus reads it: text, on loopback, and only where the owner asked for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from edge_agent.errors import ConfigError
from edge_agent.wire.status import Stats

_log = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_COUNTERS = {
    "offload_requests", "offload_answers", "offload_bytes", "spool_dropped", "frames_skipped",
    "frames_dropped", "frames_throttled", "suppressed", "suppressed_boxes",
}  # fmt: skip


def render_metrics(stats: Stats) -> str:
    """Return the numbers in `stats` in the text format of Prometheus."""
    families: dict[str, list[str]] = {}
    for name, labels, value in _samples(stats):
        full = f"elfowl_{name}_total" if name in _COUNTERS else f"elfowl_{name}"
        kind = "counter" if name in _COUNTERS else "gauge"
        families.setdefault(f"# TYPE {full} {kind}", []).append(f"{full}{labels} {value!r}")
    return "".join(f"{head}\n" + "".join(f"{line}\n" for line in lines) for head, lines in families.items())


def _samples(stats: Stats) -> Iterator[tuple[str, str, int | float]]:
    yield "up", f'{{device="{stats.device}",version="{stats.agent_version}"}}', 1
    if stats.operation is not None:
        yield "operation", f'{{state="{stats.operation}"}}', 1
    for name, value in _numbers(stats.model_dump(exclude={"cameras", "schema_version", "shadow"})):
        yield name, "", value
    for camera, counters in stats.cameras.items():
        for name, value in _numbers(counters.model_dump()):
            yield f"camera_{name}" if name not in _COUNTERS else name, f'{{camera="{camera}"}}', value


def _numbers(values: dict[str, object]) -> Iterator[tuple[str, int | float]]:
    for name, value in values.items():
        if isinstance(value, int | float):
            yield name, value


class MetricsServer:
    """Answers `GET /metrics` on loopback, in a thread of its own."""

    def __init__(self, port: int, stats: Callable[[], Stats | None]) -> None:
        """Take the port.

        Args:
            port: On 127.0.0.1; 0: any free one.
            stats: Returns the last health that was published; none: none yet.

        Raises:
            ConfigError: The port is taken.
        """
        try:
            self._server = ThreadingHTTPServer((_HOST, port), _handler(stats))
        except OSError as error:
            message = f"metrics_port {port}: {error.strerror or error}; choose a free port, or leave it out"
            raise ConfigError(message) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        _log.info("metrics: http://%s:%d/metrics", _HOST, self.port)

    def stop(self) -> None:
        """Give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def _handler(stats: Callable[[], Stats | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            last = stats()
            if self.path.split("?", maxsplit=1)[0] != "/metrics":
                self.send_error(404, "only /metrics is here")
            elif last is None:
                self.send_error(503, "the agent has just started")
            else:
                body = render_metrics(last).encode()
                self.send_response(200)
                self.send_header("Content-Type", _TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base names it so
            _log.debug(format, *args)

    return Handler
