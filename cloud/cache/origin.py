"""The bottom of the cache: the object store, whose every answer is checked against its digest."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cloud.cache.figures import TierFigures
from cloud.cache.key import ModelRef
from cloud.store.objects import Objects
from edge_agent.errors import ArtifactError, ElfowlError

MOST_MODEL_BYTES = 64_000_000


class DamagedModelError(ArtifactError):
    """Bytes are not those that their digest names."""


def check(ref: ModelRef, data: bytes, where: str) -> None:
    """Compare bytes with their digest.

    Raises:
        DamagedModelError: They differ.
    """
    if hashlib.sha256(data).hexdigest() != ref.sha256:
        what = "is empty" if not data else f"({len(data)} bytes) is damaged, or another model's"
        message = f"{where}: {ref.place} {what}; restore it, or train the detector again"
        raise DamagedModelError(message)


class Origin:
    """Models in the object store."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._lock = threading.Lock()
        self._loads = self._failures = self._verified = self._corrupt = 0

    @contextmanager
    def use(self, ref: ModelRef) -> Iterator[bytes]:
        """Give the bytes of a model, checked.

        Raises:
            NotFoundError: The scope has no such object.
            DamagedModelError: It is not what its digest names.
            LinkError: The store cannot be reached.
        """
        yield self._get(ref)

    def figures(self) -> TierFigures:
        """Return what happened since the start."""
        with self._lock:
            return TierFigures(
                tier="store",
                hits=self._loads,
                misses=self._failures + self._corrupt,
                failures=self._failures,
                verified=self._verified,
                corrupt=self._corrupt,
            )

    def _get(self, ref: ModelRef) -> bytes:
        try:
            data = self._objects.get(ref.object_path, MOST_MODEL_BYTES)
        except ElfowlError:
            with self._lock:
                self._failures += 1
            raise
        try:
            check(ref, data, "the object store")
        except DamagedModelError:
            with self._lock:
                self._corrupt += 1
            raise
        with self._lock:
            self._loads += 1
            self._verified += 1
        return data
