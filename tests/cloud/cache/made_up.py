"""Models that are made up, and a bottom of a cache that can fail."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cloud.cache.key import HOME_SCOPE, ModelRef
from cloud.errors import NotFoundError
from edge_agent.errors import LinkError


def body(name: object, size_bytes: int = 100) -> bytes:
    """Return the bytes of a model: each name's are its own."""
    return (hashlib.sha256(str(name).encode()).digest() * (size_bytes // 32 + 1))[:size_bytes]


def ref_to(data: bytes, scope: str = HOME_SCOPE, place: str | None = None) -> ModelRef:
    """Return what asks for some bytes."""
    sha256 = hashlib.sha256(data).hexdigest()
    return ModelRef(scope, sha256, place or f"d{sha256[:8]}/v1/detector.safetensors")


class Shelf:
    """Gives what was put on it; fails while `broken`; waits while it may not be looked at."""

    def __init__(self) -> None:
        self.broken = False
        self.loads: list[ModelRef] = []
        self.open = threading.Event()
        self.open.set()
        self.asked = threading.Event()
        self._bodies: dict[tuple[str, str], bytes] = {}

    def put(self, data: bytes, scope: str = HOME_SCOPE) -> ModelRef:
        """Put bytes on it."""
        ref = ref_to(data, scope)
        self._bodies[scope, ref.sha256] = data
        return ref

    @contextmanager
    def use(self, ref: ModelRef) -> Iterator[bytes]:
        """Give the bytes of a model."""
        self.loads.append(ref)
        self.asked.set()
        self.open.wait(60.0)
        if self.broken:
            message = "the shelf cannot be reached"
            raise LinkError(message)
        if (ref.scope, ref.sha256) not in self._bodies:
            message = "not on the shelf"
            raise NotFoundError(message)
        yield self._bodies[ref.scope, ref.sha256]
