"""A process that answers offloaded pictures: `python -m cloud.offload.worker SOCKET DETECTORS`.

It listens only once it is warm, so whoever can connect is answered at full speed.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from pathlib import Path

from cloud.cache.plan import CachePlan
from cloud.offload.desk import Desk, Eyes
from cloud.offload.listening import listen
from cloud.offload.protocol import newest_folders
from cloud.processes import exit_with_parent, run_loop
from edge_agent.clock import Clock, SystemClock

_WARMED = 8
_MOST_AT_ONCE = 4


async def serve(socket_path: Path, eyes: Eyes, clock: Clock, *, most: int = _MOST_AT_ONCE) -> None:
    """Answer on a socket until cancelled.

    Args:
        socket_path: Where to listen.
        eyes: Look at pictures together, in a thread of their own.
        clock: Where the time comes from.
        most: Pictures in one batch.
    """
    with contextlib.closing(Desk(eyes, clock, most=most)) as desk:
        await listen(socket_path, desk)


def main(socket_path: str, plan_json: str) -> None:
    """Serve on a socket until the parent ends."""
    exit_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    from cloud.offload.eyes import DetectorEyes  # noqa: PLC0415 - torch, seconds: not for who only wants to serve

    plan = CachePlan.model_validate_json(plan_json)
    eyes = DetectorEyes.of_this_machine(plan)
    for folder in newest_folders(plan.detectors_path, _WARMED):
        eyes.get_ready(folder)
    run_loop(serve(Path(socket_path), eyes, SystemClock(), most=eyes.most_at_once))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
