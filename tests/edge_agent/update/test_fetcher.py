"""Downloads over a line that breaks, and servers that know no ranges."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)

from edge_agent.clock import SystemClock
from edge_agent.update.fetcher import FetchLimits, ResumableFetcher, open_client
from tests.edge_agent.update.faulty_cloud import Fault, FaultyCloud
from tests.edge_agent.update.publisher import BASE_URL
from tests.fakes.clock import FakeClock

DATA = bytes(range(256)) * 40
URL = f"{BASE_URL}/file"


class Line:
    """A file on a server, and a fetcher on the other end of the line."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        (folder / "www").mkdir()
        (folder / "www" / "file").write_bytes(DATA)
        self.cloud = FaultyCloud(folder / "www", self.clock)
        self.fetcher = ResumableFetcher(self.cloud.client(), folder / "parts", self.clock)

    def fetch(self) -> bytes:
        return self.fetcher.fetch_file(URL, len(DATA)).read_bytes()

    def fetch_with(self, **fault: object) -> bytes:
        self.cloud.faults = [Fault("file", **fault)]  # type: ignore[arg-type]
        return self.fetch()

    def break_after(self, cut_after_bytes: int) -> None:
        with pytest.raises(DownloadError, match="connection reset"):
            self.fetch_with(times=1, cut_after_bytes=cut_after_bytes)
        self.cloud.faults = []


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_whole_file_comes_in_one_request(line: Line) -> None:
    assert line.fetch() == DATA
    assert [request.range_header for request in line.cloud.requests] == [None]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_cut_download_goes_on_where_it_was(line: Line, share: float) -> None:
    line.break_after(int(len(DATA) * share))
    assert line.fetch() == DATA
    assert line.cloud.downloaded_bytes("file") == len(DATA)


def test_download_that_is_cut_again_and_again_ends(line: Line) -> None:
    for _ in range(10):
        line.break_after(len(DATA) // 11)
    assert line.fetch() == DATA
    assert line.cloud.downloaded_bytes("file") == len(DATA)


def test_part_that_is_whole_needs_no_request(line: Line) -> None:
    line.fetch()
    line.cloud.requests.clear()
    assert line.fetch() == DATA
    assert line.cloud.requests == []


@pytest.mark.parametrize("fault", ["ignores_range", "refuses_range", "wrong_range"])
def test_server_that_cannot_go_on_sends_the_file_again(line: Line, fault: str) -> None:
    line.break_after(3000)
    assert line.fetch_with(**{fault: True}, knows_address=False) == DATA
    assert line.cloud.downloaded_bytes("file") == 3000 + len(DATA)


@pytest.mark.parametrize(
    "server",
    [
        {"knows_address": False},
        {"ignores_range": True},
        {"refuses_range": True},
        {"ranges_of_parts": True},
    ],
)
@pytest.mark.parametrize("cut_after_bytes", [3000, 9000])
def test_server_that_knows_ranges_or_addresses_sends_nothing_twice(
    line: Line, server: dict[str, bool], cut_after_bytes: int
) -> None:
    line.break_after(cut_after_bytes)
    assert line.fetch_with(**server) == DATA
    assert line.cloud.downloaded_bytes("file") == len(DATA)


@pytest.mark.parametrize(
    "server",
    [
        {"refuses_address": True},
        {"loses_header": True, "ignores_range": True},
        {"wrong_range": True, "ranges_of_parts": True, "loses_header": True},
    ],
)
def test_part_that_does_not_say_where_it_begins_is_not_believed(line: Line, server: dict[str, bool]) -> None:
    line.break_after(3000)
    assert line.fetch_with(**server) == DATA


def test_part_that_is_too_long_is_thrown_away(line: Line) -> None:
    part = line.fetcher.part_of(URL)
    part.parent.mkdir()
    part.write_bytes(DATA + b"x")
    assert line.fetch() == DATA


def test_parts_of_other_downloads_are_removed(line: Line) -> None:
    other = line.fetcher.part_of(URL + "2")
    other.parent.mkdir()
    other.write_bytes(b"x")
    line.fetch()
    assert not other.exists()


def test_short_body_is_kept_as_a_part(line: Line) -> None:
    with pytest.raises(DownloadError, match=f"cut off after {len(DATA) - 7} of {len(DATA)} bytes"):
        line.fetch_with(times=1, tamper=lambda data: data[:-7])
    assert line.fetcher.part_of(URL).stat().st_size == len(DATA) - 7


def test_long_body_is_stopped_and_nothing_is_kept(line: Line) -> None:
    with pytest.raises(DownloadLengthMismatchError, match="longer than its signed length"):
        line.fetch_with(endless=True)
    assert not line.fetcher.part_of(URL).exists()


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_refusal_carries_its_status(line: Line, status: int) -> None:
    with pytest.raises(DownloadHTTPError) as refused:
        line.fetch_with(status=status)
    assert refused.value.status_code == status


def test_drip_is_stopped_and_what_came_is_kept(line: Line) -> None:
    with pytest.raises(SlowRetrievalError, match="too slow"):
        line.fetch_with(seconds_per_byte=1.0)
    assert 0 < line.fetcher.part_of(URL).stat().st_size < 100


def test_slow_but_steady_line_is_given_time(line: Line) -> None:
    assert line.fetch_with(seconds_per_byte=1 / 2500) == DATA


def test_metadata_over_its_limit_is_refused(line: Line) -> None:
    with pytest.raises(DownloadLengthMismatchError, match="longer than the 100 bytes"):
        line.fetcher.download_bytes(URL, 100)
    assert line.fetcher.download_bytes(URL, len(DATA)) == DATA


class _CuttingHandler(http.server.BaseHTTPRequestHandler):
    """Hangs up in the middle of every second body; knows ranges."""

    asked: list[int]

    def do_GET(self) -> None:
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.asked.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(DATA) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        self.end_headers()
        body = DATA[start:]
        self.wfile.write(body[: len(body) // 2] if len(self.asked) < 4 else body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[int]]]:
    asked: list[int] = []
    handler = type("Handler", (_CuttingHandler,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}/file", asked
        found.shutdown()
        thread.join()


def test_real_sockets_that_hang_up_are_gone_on_with(tmp_path: Path, server: tuple[str, list[int]]) -> None:
    url, asked = server
    with open_client() as client:
        fetcher = ResumableFetcher(client, tmp_path / "parts", SystemClock(), FetchLimits(grace_s=5.0))
        for _ in range(3):
            with pytest.raises(DownloadError):
                fetcher.fetch_file(url, len(DATA))
        assert fetcher.fetch_file(url, len(DATA)).read_bytes() == DATA
    assert asked == sorted(asked)
    assert asked[-1] == len(DATA) * 7 // 8


def test_nobody_listening_is_a_download_error(tmp_path: Path) -> None:
    with open_client() as client:
        fetcher = ResumableFetcher(client, tmp_path / "parts", SystemClock())
        with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9"):
            fetcher.fetch_file("http://127.0.0.1:9/file", 10)
