"""Parts of one connection: the first that ends, and a connection that is cancelled from outside."""

from __future__ import annotations

import asyncio
import contextlib

import anyio
import anyio.lowlevel
import pytest

from cloud.api.together import until_first_ends


async def stay(told: list[str], name: str) -> None:
    """Wait for ever, and need a moment to end."""
    try:
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
        told.append(name)


async def fail() -> None:
    message = "numbat"
    raise ValueError(message)


def test_parts_when_one_ends_all_have_ended() -> None:
    told: list[str] = []

    async def end() -> None:
        await anyio.lowlevel.checkpoint()
        told.append("end")

    async def run() -> None:
        await until_first_ends(lambda: stay(told, "one"), end, lambda: stay(told, "two"))

    anyio.run(run)
    assert told[0] == "end"
    assert sorted(told[1:]) == ["one", "two"]


async def end_slowly() -> None:
    """Wait for ever, and need some turns of the loop to end, whoever asks again meanwhile."""
    try:
        await anyio.sleep_forever()
    finally:
        for _ in range(5):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(8))
def test_parts_when_cancelled_from_outside_while_they_end_leave_nothing_of_it_to_the_caller(
    turns: int,
) -> None:
    told: list[str] = []

    async def run() -> None:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(until_first_ends, anyio.lowlevel.checkpoint, end_slowly)
                for _ in range(turns):
                    await anyio.lowlevel.cancel_shielded_checkpoint()
                scope.cancel()
        told.append("after")

    anyio.run(run)
    assert told == ["after"]


def test_parts_when_one_fails_raise_what_it_raised_and_end_the_others() -> None:
    told: list[str] = []

    async def run() -> None:
        await until_first_ends(fail, lambda: stay(told, "one"))

    with pytest.raises(ExceptionGroup) as raised:
        anyio.run(run)
    assert raised.group_contains(ValueError, match="numbat")
    assert told == ["one"]
