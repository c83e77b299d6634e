"""Offload's web side: what is admitted, what is refused, and what happens when workers die."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cloud.errors import BusyError, InputError, NotFoundError, QuotaError
from cloud.offload.pool import _sockets
from cloud.offload.protocol import any_trained, newest_folders, version_folder
from cloud.offload.service import OffloadService
from edge_agent.errors import BackendError
from edge_agent.wire.offload import OffloadReply
from tests.cloud.homes import jpeg
from tests.cloud.offload.seers import PERSON, Workers, question, serving, train, until

Scene = Callable[[OffloadService, Workers], Awaitable[object]]
BRIGHT = jpeg(grey=180)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    train(tmp_path, "d1", 1, 2)
    return tmp_path


def play(home: Path, scene: Scene, count: int = 1, **settings: float) -> object:
    async def run() -> object:
        async with serving(home, count, **settings) as (service, workers):
            return await scene(service, workers)

    return asyncio.run(run())


def ask(home: Path, picture: bytes, **fields: object) -> OffloadReply:
    reply = play(home, lambda service, _: service.answer(question(**fields), picture))  # type: ignore[arg-type]
    assert isinstance(reply, OffloadReply)
    return reply


def test_answer_names_the_newest_version_and_what_it_saw(home: Path) -> None:
    reply = ask(home, BRIGHT)
    assert (reply.request_id, reply.detector.version, reply.detections) == ("request-1", 2, (PERSON,))


def test_answer_of_an_older_version_is_its_own(home: Path) -> None:
    assert ask(home, BRIGHT, detector_version=1).detector.version == 1


def test_picture_without_objects_is_answered_with_an_empty_list(home: Path) -> None:
    assert ask(home, jpeg(grey=20)).detections == ()


def test_detector_that_fails_is_an_error_and_not_an_empty_list(home: Path) -> None:
    with pytest.raises(BackendError, match="not finite"):
        ask(home, jpeg(grey=60))


@pytest.mark.parametrize(
    "fields", [{"detector_id": "d9"}, {"detector_version": 3}, {"detector_id": "../d1"}, {"detector_id": ""}]
)
def test_detector_that_this_cloud_lacks_is_not_found(home: Path, fields: dict[str, object]) -> None:
    with pytest.raises(NotFoundError, match="no trained detector"):
        ask(home, BRIGHT, **fields)


def test_question_that_cannot_be_answered_in_time_is_refused_at_once(home: Path) -> None:
    with pytest.raises(BusyError) as refused:
        ask(home, BRIGHT, deadline_ms=10)
    assert refused.value.retry_after_s >= 1.0


def test_damaged_picture_is_an_input_error(home: Path) -> None:
    picture = jpeg(640, 480)
    with pytest.raises(InputError, match="damaged"):
        ask(home, picture[: len(picture) // 2])


def test_crowd_shares_batches_and_every_one_of_it_is_answered(home: Path) -> None:
    async def scene(service: OffloadService, workers: Workers) -> None:
        seer = workers.seers[0]
        seer.may_look.clear()
        asked = [asyncio.create_task(service.answer(question(device=f"c{n}"), BRIGHT)) for n in range(12)]
        await until(lambda: bool(seer.batches) and service.figures()["waiting"] == 12)
        await asyncio.sleep(0.05)
        seer.may_look.set()
        assert [one.detections for one in await asyncio.gather(*asked)] == [(PERSON,)] * 12
        assert sum(seer.batches) == 12
        assert len(seer.batches) <= 5, "what came while the first ran was looked at together"

    play(home, scene)


def test_one_device_has_its_share_of_the_room_and_the_others_are_answered(home: Path) -> None:
    async def scene(service: OffloadService, workers: Workers) -> None:
        workers.seers[0].may_look.clear()
        greedy = [asyncio.create_task(service.answer(question(), BRIGHT)) for _ in range(10)]
        await until(lambda: sum(task.done() for task in greedy) == 2)
        with pytest.raises(QuotaError), service.keep_room("porch", 1):
            pass
        other = asyncio.create_task(service.answer(question(device="barn"), BRIGHT))
        workers.seers[0].may_look.set()
        kinds = [type(one) for one in await asyncio.gather(*greedy, return_exceptions=True)]
        assert (kinds.count(QuotaError), kinds.count(OffloadReply)) == (2, 8)
        assert (await other).detections == (PERSON,)
        assert service.figures()["refused_quota"] == 3

    play(home, scene)


def test_device_that_sends_rubbish_uses_up_its_quota(home: Path) -> None:
    async def scene(service: OffloadService, _: Workers) -> list[type]:
        kinds = []
        for picture in (b"GIF89a", b"GIF89a", BRIGHT):
            with pytest.raises((InputError, QuotaError)) as refused:
                await service.answer(question(), picture)
            kinds.append(refused.type)
        return kinds

    kinds = play(home, scene, offload_requests_per_minute=2)
    assert kinds == [InputError, InputError, QuotaError]


def test_worker_that_is_not_there_is_busy_and_not_empty(home: Path) -> None:
    async def scene(service: OffloadService, workers: Workers) -> None:
        await workers.end(0)
        await until(lambda: service.figures()["workers"] == 0)
        with pytest.raises(BusyError, match="starting"):
            await service.answer(question(deadline_ms=200), BRIGHT)

    play(home, scene)


def test_pictures_of_a_worker_that_dies_are_answered_by_the_other(home: Path) -> None:
    async def scene(service: OffloadService, workers: Workers) -> None:
        for seer in workers.seers:
            seer.may_look.clear()
        asked = [asyncio.create_task(service.answer(question(device=f"c{n}"), BRIGHT)) for n in range(6)]
        await until(lambda: all(seer.batches for seer in workers.seers))
        workers.seers[1].may_look.set()
        dying = asyncio.create_task(workers.end(0))
        assert [one.detections for one in await asyncio.gather(*asked)] == [(PERSON,)] * 6
        assert service.figures()["retried"] == 3
        workers.seers[0].may_look.set()
        await dying

    play(home, scene, count=2)


def test_picture_waits_for_a_worker_that_comes_back_in_time(home: Path) -> None:
    async def scene(service: OffloadService, workers: Workers) -> None:
        await workers.end(0)
        await until(lambda: service.figures()["workers"] == 0)
        asked = asyncio.create_task(service.answer(question(), BRIGHT))
        await asyncio.sleep(0.05)
        await workers.start(0)
        assert (await asked).detections == (PERSON,)

    play(home, scene)


def test_picture_that_workers_die_of_is_given_up(home: Path) -> None:
    async def scene(service: OffloadService, workers: Workers) -> None:
        workers.seers[0].may_look.clear()
        asked = asyncio.create_task(service.answer(question(), BRIGHT))
        for death in range(1, 4):
            await until(lambda: len(workers.seers[0].batches) == death)  # noqa: B023 - awaited at once
            dying = asyncio.create_task(workers.end(0))
            await until(lambda: service.figures()["retried"] == death)  # noqa: B023
            workers.seers[0].may_look.set()
            await dying
            workers.seers[0].may_look.clear()
            await workers.start(0)
        with pytest.raises(BackendError, match="3 workers ended"):
            await asked

    play(home, scene)


def test_detector_told_to_get_ready_is_loaded_by_all_workers(home: Path) -> None:
    async def scene(service: OffloadService, workers: Workers) -> None:
        await service.get_ready("d1")
        await until(lambda: all(seer.readied for seer in workers.seers))
        assert [seer.readied for seer in workers.seers] == [[home / "detectors" / "d1" / "v2"]] * 2

    play(home, scene, count=2)


def test_newest_folders_are_of_the_detectors_trained_last(tmp_path: Path) -> None:
    for name, when in (("old", 1), ("new", 2)):
        train(tmp_path, name, 1, 2)
        os.utime(tmp_path / "detectors" / name / "v2", (when, when))
    (tmp_path / "detectors" / "untrained").mkdir()
    found = newest_folders(tmp_path / "detectors", 2)
    assert [str(path.relative_to(tmp_path / "detectors")) for path in found] == ["new/v2", "old/v2"]
    assert newest_folders(tmp_path / "nowhere", 2) == []


def test_version_folder_ignores_what_is_not_complete(tmp_path: Path) -> None:
    train(tmp_path, "d", 1)
    (tmp_path / "detectors" / "d" / "v2").mkdir()
    assert version_folder(tmp_path / "detectors", "d", None).name == "v1"
    assert any_trained(tmp_path / "detectors")
    assert not any_trained(tmp_path / "nowhere")


def test_sockets_of_workers_have_short_paths_wherever_uploads_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("deep" * 30)))
    folder, sockets = _sockets(2)
    with folder:
        assert max(len(str(one)) for one in sockets) < 108
