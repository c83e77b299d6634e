"""A crowd at the door: who would wait too long is refused at once, and nobody's place is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from cloud.api.guard import Guard
from cloud.api.room import MOST_WAITING, SLOW, SLOW_S, Room
from cloud.errors import BusyError
from cloud.settings import Settings
from tests.fakes.clock import FakeClock

_API = "http://127.0.0.1/api/v1"


class SlowApp:
    """Answers once it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.asked = 0

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.asked += 1
        if not str(scope["path"]).endswith("/health"):
            await self.may_answer.wait()
        if str(scope["path"]).endswith("/broken"):
            raise RuntimeError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def test_crowd_beyond_the_room_is_refused_at_once_and_the_others_are_answered(tmp_path: Path) -> None:
    async def scene() -> None:
        app = SlowApp()
        guard = Guard(app, Settings(home=tmp_path, accounts="off"))
        transport = httpx.ASGITransport(guard, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, timeout=120.0) as client:
            first = [asyncio.create_task(client.get(f"{_API}/broken")) for _ in range(MOST_WAITING)]
            while app.asked < MOST_WAITING:  # noqa: ASYNC110 - the app rings no bell
                await asyncio.sleep(0)
            crowd = [await client.get(f"{_API}/events") for _ in range(10)]
            assert {one.status_code for one in crowd} == {503}
            assert {one.headers["Retry-After"] for one in crowd} == {"2"}
            assert app.asked == MOST_WAITING, "nothing of a refused request reached the routes"
            assert (await client.get(f"{_API}/health")).status_code == 200
            camera = asyncio.create_task(client.get(f"{_API}/device/desired"))
            app.may_answer.set()
            assert {one.status_code for one in await asyncio.gather(*first)} == {500}
            assert (await camera).status_code in {200, 401}
            assert (await client.get(f"{_API}/events")).status_code == 200, "their places are free again"

    asyncio.run(scene())


def test_place_is_left_once_when_the_answer_begins() -> None:
    async def scene() -> None:
        room = Room(FakeClock(), 1)
        with room.place() as place:
            with pytest.raises(BusyError):
                room.place()

            async def send(_message: object) -> None:
                assert room.waiting == 0

            await place.noting(send)({"type": "http.response.start", "status": 200, "headers": []})
            assert room.waiting == 0
            with room.place():
                assert room.waiting == 1
        assert room.waiting == 0

    asyncio.run(scene())


def test_room_takes_fewer_while_many_wait_for_long_and_more_again_once_they_are_answered() -> None:
    clock = FakeClock()
    room = Room(clock)
    places = [room.place() for _ in range(SLOW)]
    room.place()
    clock.advance(2 * SLOW_S)
    with pytest.raises(BusyError, match="17 requests wait"):
        room.place()
    for place in places[:2]:
        place.leave()
    room.place()
