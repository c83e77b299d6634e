"""The connection to one worker: what it makes of workers that are not well."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloud.offload.link import LinkLostError, WorkerLink
from cloud.offload.protocol import GREETING, packed
from tests.cloud.offload.seers import CLOCK, until


@pytest.mark.parametrize("nonsense", [b"\xff" * 8, b"\x00\x00\x00\x02\x00\x00\x00\x00{}", b""])
def test_link_to_a_worker_that_talks_nonsense_loses_the_question_and_connects_again(
    tmp_path: Path, nonsense: bytes
) -> None:
    async def scene() -> None:
        calls = 0

        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal calls
            calls += 1
            writer.write(packed(GREETING))
            await reader.read(1)
            writer.write(nonsense)
            writer.close()

        async with await asyncio.start_unix_server(speak, tmp_path / "s"):
            link = WorkerLink(tmp_path / "s", CLOCK)
            link.start(asyncio.Event())
            await until(lambda: link.is_up)
            with pytest.raises(LinkLostError):
                await link.ask(tmp_path, b"picture", 1000.0, alone=False)
            await until(lambda: link.is_up and calls == 2)
            await link.stop()

    asyncio.run(scene())


def test_worker_that_takes_a_connection_but_does_not_greet_is_not_asked(tmp_path: Path) -> None:
    async def scene() -> None:
        async def be_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read(1)

        async with await asyncio.start_unix_server(be_silent, tmp_path / "s"):
            link = WorkerLink(tmp_path / "s", CLOCK)
            link.start(asyncio.Event())
            await asyncio.sleep(0.05)
            assert not link.is_up
            with pytest.raises(LinkLostError):
                await link.ask(tmp_path, b"picture", 1000.0, alone=False)
            await link.stop()

    asyncio.run(scene())
