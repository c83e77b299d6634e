"""An object store over HTTP with a million detectors and no disk: `-m bench.caching.store FOLDER PORT`.

It speaks as much of S3 as reading needs; keys are not looked at. What it answers is made when it is asked
for. The file PORT gets the number of its port.
"""

from __future__ import annotations

import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.caching.bodies import Bodies
from cloud.detector.files import SPEC_FILE
from cloud.processes import exit_with_parent

_PATH = re.compile(r"/[^/]+/detectors/bench(\d{7})/v1/([a-z.]+)")


def _handler(bodies: Bodies) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            match = _PATH.fullmatch(self.path)
            if match is None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            number = int(match[1])
            data = bodies.spec_of(number) if match[2] == SPEC_FILE else bodies.weights_of(number)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("ETag", f'"{number}"')
            self.send_header("Last-Modified", "Mon, 30 Nov 2026 00:00:00 GMT")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    return Handler


def main(folder: Path, port_file: Path) -> None:
    """Serve until the parent ends."""
    exit_with_parent()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(Bodies.read(folder)))
    port_file.with_suffix(".part").write_text(str(server.server_port))
    port_file.with_suffix(".part").replace(port_file)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
