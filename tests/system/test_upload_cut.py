"""A large file on its way to a real server, through a line that is cut and a server that is killed."""

from __future__ import annotations

import asyncio
import hashlib
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud.client import CloudClient
from cloud.datasets.playback import make_playback
from tests.cloud.datasets.footage import write_video
from tests.fakes.proxy import Proxies, Proxy
from tests.system.portal_server import PortalServer

pytestmark = [pytest.mark.system, pytest.mark.slow]

_LONG_BOX_BYTES = 16
_CHUNK_BYTES = 65_536
_GROWTH_BYTES = 100_000_000


class BadLine(Proxy):
    """Counts what passes, and does something bad each time that so much has passed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, target_port: int) -> None:
        super().__init__(loop, target_port, None)
        self.passed_bytes = 0
        self.bad: list[tuple[int, Callable[[], None]]] = []

    async def end(self) -> None:
        """Cut all connections and wait until nothing of them is left."""
        if self._server is not None:
            self._server.close()
        self._cut()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            self.passed_bytes += len(data)
            if self.bad and self.passed_bytes >= self.bad[0][0]:
                self.bad.pop(0)[1]()
                return
            writer.write(data)
            await writer.drain()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PortalServer]:
    server = PortalServer(tmp_path)
    server.start()
    yield server
    server.stop()


def large_video(folder: Path, length_bytes: int) -> Path:
    """Return a playable video with a hole behind it: it is as long as it says, and takes no room."""
    path = folder / "long.mp4"
    make_playback(write_video(folder / "a.avi", 12, codec="mpeg4"), path)
    rest_bytes = length_bytes - path.stat().st_size
    with path.open("r+b") as stream:
        stream.seek(0, 2)
        stream.write(struct.pack(">I4sQ", 1, b"free", rest_bytes))
        stream.truncate(length_bytes)
    assert rest_bytes > _LONG_BOX_BYTES
    return path


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "length_bytes",
    [200_000_000, pytest.param(2_000_000_000, marks=pytest.mark.soak)],
    ids=["200 MB", "2 GB"],
)
def test_large_upload_goes_on_after_a_cut_line_and_a_killed_server(
    server: PortalServer, tmp_path: Path, length_bytes: int
) -> None:
    video = large_video(tmp_path, length_bytes)
    detector_id = server.add_detector("persons", ["person"], pictures=1)
    again: list[threading.Thread] = []
    resting_bytes: list[int] = []

    def start_again() -> None:
        server.start()
        resting_bytes.append(server.resident_bytes())

    def kill() -> None:
        server.kill()
        again.append(threading.Thread(target=start_again))
        again[0].start()

    with Proxies() as proxies:
        loop = proxies._loop
        line = BadLine(loop, server.port)
        line.bad += [(length_bytes // 3, line._cut), (length_bytes * 2 // 3, kill)]
        asyncio.run_coroutine_threadsafe(line.listen(), loop).result(10)
        sent = CloudClient(f"http://127.0.0.1:{line.port}").send(detector_id, video)
        again[0].join()
        asyncio.run_coroutine_threadsafe(line.end(), loop).result(10)

    shown = server.get(f"/media/{sent.media_id}")
    assert (shown["state"], shown["frame_count"]) == ("ready", 12)
    stored = server.home / "media" / detector_id / f"{sent.media_id}.mp4"
    assert digest_of(stored) == digest_of(video)
    grown_bytes = server.peak_bytes() - resting_bytes[0]
    again_bytes = line.passed_bytes - length_bytes
    assert again_bytes < 20_000_000
    assert grown_bytes < _GROWTH_BYTES


def digest_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
