"""Questions over the network to a worker, by its token only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cloud.engine.line import Line
from cloud.offload.desk import Reply
from cloud.offload.link import LinkLostError
from cloud.offload.listening import open_port
from cloud.offload.protocol import Answer, Ask
from edge_agent.clock import SystemClock

TOKEN = b"t" * 32


class Echo:
    """Answers everything but pictures that are to wait; keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def take(self, ask: Ask, payload: bytes, reply: Reply) -> None:
        self.given.append(payload)
        if payload != b"wait":
            reply(Answer(number=ask.number))


def play(scene: Callable[[Echo, asyncio.Server, str, int], Awaitable[None]]) -> None:
    async def run() -> None:
        echo = Echo()
        server = await open_port("127.0.0.1", TOKEN, echo)
        await scene(echo, server, *server.sockets[0].getsockname())
        server.close()

    asyncio.run(run())


def test_answers_bear_the_numbers_of_their_questions() -> None:
    async def scene(echo: Echo, _server: asyncio.Server, host: str, port: int) -> None:
        line = Line(TOKEN, SystemClock())
        await line.open(host, port)
        answers = await asyncio.gather(*(line.ask(Ask(number=n), b"%d" % n) for n in (7, 3, 7)))
        assert [one.number for one in answers] == [7, 3, 7]
        assert echo.given == [b"7", b"3", b"7"]
        line.close()

    play(scene)


def test_who_does_not_know_the_token_is_hung_up_on_and_heard_by_nobody() -> None:
    async def scene(echo: Echo, _server: asyncio.Server, host: str, port: int) -> None:
        with pytest.raises(LinkLostError):
            await Line(b"x" * 32, SystemClock()).open(host, port)
        assert echo.given == []

    play(scene)


def test_whoever_waits_when_the_line_ends_is_told_and_later_ones_at_once() -> None:
    async def scene(echo: Echo, _server: asyncio.Server, host: str, port: int) -> None:
        line = Line(TOKEN, SystemClock())
        await line.open(host, port)
        waiting = asyncio.create_task(line.ask(Ask(number=1), b"wait"))
        async with asyncio.timeout(60.0):
            while not echo.given:  # noqa: ASYNC110 - nothing rings a bell
                await asyncio.sleep(0.005)
        line.close()
        with pytest.raises(LinkLostError):
            await waiting
        await line.until_lost()
        assert not line.is_open
        with pytest.raises(LinkLostError):
            await line.ask(Ask(number=2), b"")

    play(scene)
