"""The cloud as it ships, quotas out of the way: `python -m bench.offloading.server KIND HOME PORT`.

`instant` gives it workers whose detectors take no time: all of its processor time is overhead.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from cloud.api.bounded_http import BoundedHttp
from cloud.app import create_app
from cloud.cache.figures import TierFigures
from cloud.offload.batcher import Seen, Waiting
from cloud.offload.pictures import decoded
from cloud.offload.pool import WorkerPool
from cloud.offload.service import OffloadService
from cloud.offload.worker import serve
from cloud.processes import exit_with_parent, run_loop
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from edge_agent.errors import ElfowlError
from edge_agent.wire.detection import Detection, DetectorRef

_PERSON = Detection(label="person", score=0.9, box=(0.1, 0.1, 0.5, 0.5))
_REF = DetectorRef(id="bench0", name="bench", version=1)
_INSTANT_WORKER = "instant_worker"
_LOOK_S = 0.1


class Server(uvicorn.Server):
    """Serves the cloud; with `instant` its offload service is exchanged once it runs."""

    def __init__(self, app: FastAPI, settings: Settings, *, instant: bool) -> None:
        super().__init__(uvicorn.Config(app, port=settings.port, http=BoundedHttp, log_level="error"))
        self._app, self._settings, self._instant = app, settings, instant

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        if self._instant and self.started:
            clock = SystemClock()
            services = self._app.state.services
            await services.offload.stop()
            pool = WorkerPool.supervised(self._settings.offload_workers, _instant_command, clock)
            pool.start()
            # All of them, before anybody asks: what a worker needs to start is no part of a request.
            while pool.up < self._settings.offload_workers:  # noqa: ASYNC110 - a pool tells nobody else
                await asyncio.sleep(_LOOK_S)
            services.offload = OffloadService(self._settings, clock, pool=pool)


def _instant_command(path: Path) -> list[str]:
    return [sys.executable, "-m", "bench.offloading.server", _INSTANT_WORKER, str(path), "0"]


class InstantEyes:
    """Decode pictures and look at nothing."""

    def see(self, batch: Sequence[Waiting]) -> list[Seen | ElfowlError]:
        """See four persons in each picture."""
        for one in batch:
            decoded(one.jpeg)
        return [Seen(_REF, [_PERSON] * 4) for _ in batch]

    def get_ready(self, folder: Path) -> None:
        """Do nothing."""

    def is_ready(self, _folder: Path) -> bool:
        """Tell that nothing is to be loaded."""
        return True

    def bring(self, folder: Path) -> None:
        """Do nothing."""

    def figures(self) -> list[TierFigures]:
        """Return nothing."""
        return []


def main(kind: str, home: Path, port: int) -> None:
    """Serve until the parent ends."""
    exit_with_parent()
    if kind == _INSTANT_WORKER:
        run_loop(serve(home, InstantEyes(), SystemClock()))
        return
    settings = Settings(
        home=home, port=port, broker_port=0, offload_requests_per_minute=1e9, offload_bytes_per_day=1e15
    )
    Server(create_app(settings), settings, instant=kind == "instant").run()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
