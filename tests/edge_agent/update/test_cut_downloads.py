"""Downloads from the real cloud over real sockets that are cut off: what comes over the line is counted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tuf.api.exceptions import DownloadError

from edge_agent.clock import SystemClock
from edge_agent.update.fetcher import ResumableFetcher, open_client
from tests.cloud.api.conftest import make_cloud
from tests.cloud.api.served import served
from tests.edge_agent.update.counted_line import CountedLine

DATA = random.Random(7).randbytes(400_000)
MOST_EXTRA = 0.02

PARTS_KNOWN = {
    "nothing on the way": {"keeps_range": True, "keeps_query": True},
    "a proxy strips Range": {"keeps_range": False, "keeps_query": True},
    "a plain web server, which knows no address": {"keeps_range": True, "keeps_query": False},
}
CUTS = (0.1, 0.5, 0.99, 1.0)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return where the cloud's own routes offer a bundle."""
    cloud = make_cloud(tmp_path_factory.mktemp("cloud"))
    bundle = cloud.home.settings.tuf_path / "targets" / "bundles" / "x.zip"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(DATA)
    with served(cloud) as found:
        yield found


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with open_client() as opened:
        opened.timeout = httpx.Timeout(120.0)
        yield opened


def cut_and_go_on(line: CountedLine, client: httpx.Client, folder: Path, share: float) -> None:
    """Let a download be cut off once, and the agent start anew."""
    url = f"{line.url}/tuf/targets/bundles/x.zip"
    line.cut_after_bytes = int(share * len(DATA))
    with suppress(DownloadError):
        ResumableFetcher(client, folder, SystemClock()).fetch_file(url, len(DATA))
    fetcher = ResumableFetcher(client, folder, SystemClock())
    assert fetcher.part_of(url).stat().st_size == int(share * len(DATA))
    assert fetcher.fetch_file(url, len(DATA)).read_bytes() == DATA


@pytest.mark.parametrize("share", CUTS)
@pytest.mark.parametrize("way", PARTS_KNOWN)
def test_download_that_is_cut_brings_hardly_a_byte_twice(
    port: int, client: httpx.Client, tmp_path: Path, way: str, share: float
) -> None:
    with CountedLine(port, **PARTS_KNOWN[way]) as line:
        cut_and_go_on(line, client, tmp_path, share)
    assert len(DATA) < line.came_bytes < (1 + MOST_EXTRA) * len(DATA)


@pytest.mark.parametrize("share", [0.1, 0.99])
def test_download_that_is_cut_begins_anew_where_no_part_can_be_asked_for(
    port: int, client: httpx.Client, tmp_path: Path, share: float
) -> None:
    with CountedLine(port, keeps_range=False, keeps_query=False) as line:
        cut_and_go_on(line, client, tmp_path, share)
    assert (1 + share) * len(DATA) < line.came_bytes < (1 + share + MOST_EXTRA) * len(DATA)


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [("from=399990", 200, DATA[399_990:]), ("from=400000", 200, b""), ("from=400001", 416, b"")],
)
def test_part_is_a_document_of_its_own_whatever_range_is_asked_for(
    port: int, client: httpx.Client, query: str, status: int, body: bytes
) -> None:
    url = f"http://127.0.0.1:{port}/tuf/targets/bundles/x.zip?{query}"
    answer = client.get(url, headers={"Range": "bytes=3-"})
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers.get("X-Elfowl-From") == (query.removeprefix("from=") if status == 200 else None)
