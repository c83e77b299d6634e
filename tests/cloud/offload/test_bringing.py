"""Detectors are brought up beside the looking: nobody waits for another's, and many wait for one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloud.offload.protocol import version_folder
from cloud.offload.service import OffloadService
from edge_agent.errors import BackendError
from tests.cloud.homes import jpeg
from tests.cloud.offload.seers import Workers, question, serving, train, until

BRIGHT = jpeg(grey=180)


def play(home: Path, scene: object) -> None:
    async def run() -> None:
        async with serving(home) as (service, workers):
            await scene(service, workers)  # type: ignore[operator]

    asyncio.run(run())


def test_picture_does_not_wait_for_the_detector_of_another(tmp_path: Path) -> None:
    train(tmp_path, "d1", 1)
    train(tmp_path, "d2", 1)

    async def scene(service: OffloadService, workers: Workers) -> None:
        seer = workers.seers[0]
        await service.answer(question(), BRIGHT)
        seer.may_bring.clear()
        slow = asyncio.create_task(service.answer(question(60_000, detector_id="d2"), BRIGHT))
        await asyncio.sleep(0)
        assert (await service.answer(question(60_000), BRIGHT)).detector.id == "d1"
        assert not slow.done()
        seer.may_bring.set()
        assert (await slow).detector.id == "d2"

    play(tmp_path, scene)


def test_detector_that_many_wait_for_is_brought_once(tmp_path: Path) -> None:
    train(tmp_path, "d1", 1)

    async def scene(service: OffloadService, workers: Workers) -> None:
        seer = workers.seers[0]
        seer.may_bring.clear()
        asked = [
            asyncio.create_task(service.answer(question(60_000, device=f"door{number}"), BRIGHT))
            for number in range(40)
        ]
        await until(lambda: service.figures()["waiting"] == len(asked))
        seer.may_bring.set()
        assert len(await asyncio.gather(*asked)) == len(asked)
        assert seer.brought == [version_folder(tmp_path / "detectors", "d1", 1)]
        assert [[tier.loads for tier in tiers] for tiers in await service.cache_figures()] == [[1]]

    play(tmp_path, scene)


def test_detector_that_cannot_be_brought_fails_all_that_wait_and_is_tried_again(tmp_path: Path) -> None:
    train(tmp_path, "d1", 1)
    damaged = tmp_path / "detectors" / "d1" / "v1" / "damaged"
    damaged.touch()

    async def scene(service: OffloadService, workers: Workers) -> None:
        asked = [service.answer(question(60_000, device=f"door{number}"), BRIGHT) for number in range(5)]
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(outcome, BackendError)
            assert "damaged" in str(outcome)
        damaged.unlink()
        assert (await service.answer(question(60_000), BRIGHT)).detections
        assert workers.seers[0].batches == [1]

    play(tmp_path, scene)


@pytest.mark.parametrize("version", [1, 2])
def test_newest_version_is_brought_and_run_before_anybody_asks(tmp_path: Path, version: int) -> None:
    train(tmp_path, "d1", *range(1, version + 1))

    async def scene(service: OffloadService, workers: Workers) -> None:
        await service.get_ready("d1")
        seer, folder = workers.seers[0], version_folder(tmp_path / "detectors", "d1", version)
        await until(lambda: seer.readied == [folder])
        assert seer.brought == [folder]

    play(tmp_path, scene)


def test_detector_that_many_cameras_are_given_is_brought_once_before_they_ask(tmp_path: Path) -> None:
    train(tmp_path, "d1", 1, 2)

    async def scene(service: OffloadService, workers: Workers) -> None:
        for _ in range(5):
            await service.get_ready("d1", 1)
            await service.get_ready("gone", 7)
        seer, folder = workers.seers[0], version_folder(tmp_path / "detectors", "d1", 1)
        await until(lambda: bool(seer.readied))
        await service.answer(question(60_000), BRIGHT)
        assert seer.readied == [folder]
        assert seer.brought[0] == folder

    play(tmp_path, scene)
