"""The cloud's own routes on a real socket of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from cloud.api.bounded_http import BoundedHttp
from tests.cloud.api.conftest import Cloud
from tests.fakes.frame_source import until

_PATIENCE_S = 60.0


@contextmanager
def served(cloud: Cloud) -> Iterator[int]:
    """Serve a cloud; gives the port."""
    config = uvicorn.Config(cloud.app, port=0, http=BoundedHttp, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    door = server.config.bind_socket()
    thread = threading.Thread(target=server.run, args=([door],))
    thread.start()
    assert until(lambda: server.started, _PATIENCE_S)
    yield int(door.getsockname()[1])
    server.should_exit = True
    thread.join()
    door.close()
