"""Parts of one connection that run together: to hear, to tell, to keep something up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

Part = Callable[[], Awaitable[None]]


async def until_first_ends(*parts: Part) -> None:
    """Run all parts, and end the others as soon as one of them has ended.

    A scope of anyio, as the server's own parts use: whoever cancels the connection from outside is told
    apart from the end of a part.

    Raises:
        ExceptionGroup: One or more parts failed.
    """
    async with anyio.create_task_group() as group:

        async def run(part: Part) -> None:
            await part()
            group.cancel_scope.cancel()

        for part in parts:
            group.start_soon(run, part)
