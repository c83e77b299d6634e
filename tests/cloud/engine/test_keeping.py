"""Workers elsewhere, each behind a socket; the actors are in this process, the sockets are real."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from cloud.engine import keeping
from cloud.engine.keeping import ActorEndedError, ActorLostError, Post, Posts, wanted_in
from cloud.errors import NotFoundError
from cloud.offload.bringing import Bringer
from cloud.offload.link import WorkerLink
from cloud.offload.pool import WorkerPool
from cloud.offload.protocol import Answer, Ask, Inferred
from edge_agent.clock import SystemClock
from edge_agent.wire.detection import DetectorRef

CLOCK = SystemClock()
FOLDER = Path("d1") / "v1"
SEEN = Inferred(
    detector=DetectorRef(id="d1", name="persons", version=1), detections=(), inference_ms=1.0, waited_ms=0.0
)


class FakeActor:
    """Answers at once; tells `lost` to whoever asks while it has died, and hangs when told to."""

    def __init__(self) -> None:
        self.lost: ActorLostError | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked: list[Ask] = []
        self.ready: list[Path] = []
        self.hangs = self.ended = False
        self.greeted = 0
        self.gone = asyncio.Event()

    async def greet(self, folders: Sequence[Path]) -> None:
        self._check()
        if self.hangs:
            await asyncio.Event().wait()
        self.greeted += 1
        self.ready += folders

    async def answer(self, ask: Ask, _payload: bytes) -> Answer:
        self.asked.append(ask)
        await self.may_answer.wait()
        self._check()
        if self.hangs:
            await asyncio.Event().wait()
        return Answer(number=ask.number, inferred=SEEN)

    async def until_lost(self) -> None:
        await self.gone.wait()

    def end(self) -> None:
        self.ended = True

    def _check(self) -> None:
        if self.lost is not None:
            raise self.lost


class Shelf:
    """Detectors that are found, but for those of `gone`."""

    def __init__(self) -> None:
        self.brought: list[Path] = []

    def is_ready(self, folder: Path) -> bool:
        return folder in self.brought

    def bring(self, folder: Path) -> None:
        if folder.parent.name == "gone":
            message = "this cloud has no trained detector"
            raise NotFoundError(message)
        self.brought.append(folder)


class Kept:
    """A pool, and the actors that were hired for it."""

    def __init__(self, folder: Path, count: int) -> None:
        self.actors: list[FakeActor] = []
        self.shelf = Shelf()
        self.wanted = count
        sockets = [folder / f"s{number}" for number in range(count)]
        bringer = Bringer(self.shelf)
        self.posts = [Post(socket, self._hire, bringer, lambda: [FOLDER], CLOCK) for socket in sockets]
        self.pool = WorkerPool([WorkerLink(socket, CLOCK) for socket in sockets], CLOCK)

    def _hire(self) -> FakeActor:
        self.actors.append(FakeActor())
        return self.actors[-1]

    async def ask(self, folder: Path = FOLDER) -> Inferred:
        return await self.pool.ask(folder, b"", CLOCK.monotonic_s() + 60.0)


def play(folder: Path, scene: Callable[[Kept], Awaitable[None]], count: int = 1) -> None:
    async def run() -> None:
        kept = Kept(folder, count)
        holding = asyncio.create_task(Posts(kept.posts, lambda: kept.wanted).hold())
        kept.pool.start()
        await until(lambda: kept.pool.up == count)
        await scene(kept)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        await kept.pool.stop()
        assert all(actor.ended for actor in kept.actors), "none is left in the cluster"

    asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60.0):
        while not holds():  # noqa: ASYNC110 - nothing rings a bell
            await asyncio.sleep(0.005)


def test_question_is_answered_by_an_actor_that_has_the_newest_detectors_ready(tmp_path: Path) -> None:
    async def scene(kept: Kept) -> None:
        assert await kept.ask() == SEEN
        assert (kept.actors[0].ready, kept.shelf.brought) == ([FOLDER], [FOLDER])

    play(tmp_path, scene)


def test_detector_that_cannot_be_brought_to_workers_is_an_error_and_asks_nobody(tmp_path: Path) -> None:
    async def scene(kept: Kept) -> None:
        with pytest.raises(NotFoundError):
            await kept.ask(Path("gone") / "v1")
        assert kept.actors[0].asked == []

    play(tmp_path, scene)


def test_question_of_an_actor_that_dies_is_asked_of_another_one(tmp_path: Path) -> None:
    async def scene(kept: Kept) -> None:
        for actor in kept.actors:
            actor.may_answer.clear()
        waiting = asyncio.create_task(kept.ask())
        await until(lambda: any(actor.asked for actor in kept.actors))
        first, second = sorted(kept.actors, key=lambda actor: len(actor.asked), reverse=True)
        first.lost = ActorLostError()
        for actor in kept.actors:
            actor.may_answer.set()
        assert await waiting == SEEN
        assert [ask.alone for ask in second.asked] == [True], "it may be the picture that kills"
        assert kept.pool.up == 1
        first.lost = None
        await until(lambda: kept.pool.up == 2)
        assert len(kept.actors) == 2, "the same actor came back"

    play(tmp_path, scene, count=2)


def test_actor_that_dies_while_nobody_asks_is_asked_no_more_until_it_is_back(tmp_path: Path) -> None:
    async def scene(kept: Kept) -> None:
        (actor,) = kept.actors
        actor.lost = ActorLostError()
        actor.gone.set()
        await until(lambda: kept.pool.up == 0)
        actor.lost = None
        actor.gone = asyncio.Event()
        assert await kept.ask() == SEEN
        assert kept.pool.retried == 0

    play(tmp_path, scene)


def test_actor_that_does_not_come_back_is_replaced(tmp_path: Path) -> None:
    async def scene(kept: Kept) -> None:
        kept.actors[0].lost = ActorEndedError()
        kept.actors[0].gone.set()
        assert await kept.ask() == SEEN
        assert len(kept.actors) == 2

    play(tmp_path, scene)


def test_actor_that_hangs_is_replaced_and_its_question_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_SILENT_S", 0.0)
    monkeypatch.setattr(keeping, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(keeping, "_HUNG_S", 0.05)

    async def scene(kept: Kept) -> None:
        kept.actors[0].hangs = True
        assert await kept.ask() == SEEN
        assert len(kept.actors) == 2

    play(tmp_path, scene)


def test_workers_come_and_go_as_they_are_wanted_and_no_question_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_LOOK_EVERY_S", 0.01)

    async def scene(kept: Kept) -> None:
        for actor in kept.actors:
            actor.may_answer.clear()
        waiting = [asyncio.create_task(kept.ask()) for _ in range(3)]
        await until(lambda: all(actor.asked for actor in kept.actors))
        kept.wanted = 0
        await until(lambda: [actor.ended for actor in kept.actors] == [False, True, True])
        kept.actors[0].may_answer.set()
        assert await asyncio.gather(*waiting) == [SEEN] * 3
        assert kept.pool.up == 1, "one stays for whoever asks next"
        kept.wanted = 99
        await until(lambda: kept.pool.up == 3)

    play(tmp_path, scene, count=3)


def test_pool_says_how_many_workers_there_shall_be(tmp_path: Path) -> None:
    folders: list[Path] = []

    def command(sockets: Sequence[Path]) -> list[str]:
        folders.append(sockets[0].parent)
        return []

    pool = WorkerPool.kept(5, command, CLOCK)
    assert wanted_in(folders[0], 2) == 2
    pool.want(4)
    assert wanted_in(folders[0], 2) == 4
    asyncio.run(pool.stop())
    assert wanted_in(tmp_path, 3) == 3


def test_actor_that_only_has_much_to_do_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_SILENT_S", 0.0)
    monkeypatch.setattr(keeping, "_LOOK_EVERY_S", 0.01)

    async def scene(kept: Kept) -> None:
        (actor,) = kept.actors
        actor.may_answer.clear()
        waiting = asyncio.create_task(kept.ask())
        await until(lambda: actor.greeted > 3)
        actor.may_answer.set()
        assert await waiting == SEEN
        assert kept.actors == [actor]

    play(tmp_path, scene)
