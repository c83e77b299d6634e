"""Loads what workers need beforehand, for commands that run for long and start many."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cloud.nursery import Nursery
from cloud.processes import ONE_THREAD, nursery_for_workers

_WORKERS = frozenset({"cloud.streams.worker", "cloud.offload.worker", "cloud.worker", "cloud.worker.teach"})
_LOADED = (
    "cloud.actions.open_home",
    "cloud.offload.desk",
    "cloud.offload.eyes",
    "cloud.offload.listening",
    "cloud.streams.eyes",
    "cloud.streams.keeper",
    "cloud.streams.watcher",
    "cloud.worker.live_session",
    "cloud.worker.teacher",
    "cloud.worker.train",
    "cv2",
)
"""By their names: the server itself never loads them. Not ONNX Runtime, which begins a thread at once."""


@contextmanager
def nursing() -> Iterator[None]:
    """Let workers be started at once while the block runs; elsewhere than on Linux, as usual.

    Only there may a process fork that has loaded such libraries.
    """
    if sys.platform != "linux":
        yield
        return
    with nursery_for_workers(Nursery(_WORKERS, _LOADED, ONE_THREAD)):
        yield
