"""Far more pictures than can be answered: the others are refused at once, and memory stays bounded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from cloud.offload.service import OffloadService
from tests.cloud.api.conftest import Camera, Cloud, make_cloud
from tests.cloud.homes import add_device, jpeg
from tests.cloud.offload.seers import Workers, question, serving, train

_DEVICES = 6
_QUESTIONS = 12
_MOST_BYTES, _MOST_OF_ONE = 64_000_000, 8
_PATIENCE_S = 60.0
PICTURE = jpeg(grey=180) + bytes(2_000_000)
"""What follows the end of a JPEG is not looked at, but has to be kept."""


def enrolled(cloud: Cloud, name: str) -> Camera:
    camera = Camera(cloud, name)
    add_device(cloud.home, name, public_key_pem=camera.public_key_pem)
    return camera


def asked_by(camera: Camera) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a question, as the camera's own library makes them."""
    form = {"request": question(60_000, device=camera.name).to_json()}
    sent = httpx.Request("POST", "http://127.0.0.1/", data=form, files={"image": ("frame.jpg", PICTURE)})
    kept = {name: sent.headers[name] for name in ("content-type", "content-length")}
    return {**camera.headers(), **kept}, sent.read()


class Flood:
    """Questions of many cameras, all at once."""

    def __init__(self, cloud: Cloud, service: OffloadService) -> None:
        self._cloud, self._service = cloud, service
        cloud.app.state.services.offload = service
        self.statuses: Counter[int] = Counter()
        self.refused_without_a_word: int = 0
        self.read_of_refused = 0
        self.most_waiting = 0.0

    @property
    def waiting(self) -> float:
        """Return how many wait, and remember the most."""
        now = self._service.figures()["waiting"]
        self.most_waiting = max(self.most_waiting, now)
        return now

    async def ask(self, client: httpx.AsyncClient, camera: Camera) -> None:
        headers, body = asked_by(camera)
        pieces_read = 0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal pieces_read
            pieces_read += 1
            yield body

        answer = await client.post("/api/v1/offload", headers=headers, content=pieces())
        self.statuses[answer.status_code] += 1
        if answer.status_code in {429, 503}:
            self.read_of_refused += pieces_read
            self.refused_without_a_word += int(answer.headers.get("retry-after", 0)) < 1


def test_flood_is_refused_at_once_and_those_who_were_let_in_are_answered(tmp_path: Path) -> None:
    cloud = make_cloud(tmp_path)
    train(tmp_path, "d1", 1)
    cameras = [enrolled(cloud, f"camera-{number}") for number in range(_DEVICES)]

    async def scene(service: OffloadService, workers: Workers) -> Flood:
        flood, seer = Flood(cloud, service), workers.seers[0]
        seer.may_look.clear()
        transport = httpx.ASGITransport(cloud.app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420") as client:
            asked = [
                asyncio.create_task(flood.ask(client, camera))
                for camera in cameras
                for _ in range(_QUESTIONS)
            ]
            # Nobody looks at anything meanwhile: refusals wait for no worker.
            async with asyncio.timeout(_PATIENCE_S):
                while flood.statuses.total() + flood.waiting < len(asked):  # noqa: ASYNC110 - rings no bell
                    await asyncio.sleep(0.02)
            assert flood.statuses[429] + flood.statuses[503] >= len(asked) - _DEVICES * _MOST_OF_ONE
            seer.may_look.set()
            await asyncio.gather(*asked)
        return flood

    async def run() -> Flood:
        async with serving(tmp_path) as (service, workers):
            return await scene(service, workers)

    flood = asyncio.run(run())
    assert flood.statuses.keys() == {200, 429, 503}
    assert flood.statuses.total() == _DEVICES * _QUESTIONS
    assert 0 < flood.most_waiting <= flood.statuses[200]
    assert flood.most_waiting * len(PICTURE) <= _MOST_BYTES
    assert flood.refused_without_a_word == 0
    assert flood.read_of_refused == 0
