"""The whole cache: object store, disk where there is one, memory, graphics processor where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from cloud.cache.book import Book
from cloud.cache.disk import Disk
from cloud.cache.figures import TierFigures
from cloud.cache.key import ModelRef
from cloud.cache.origin import Origin
from cloud.cache.tier import Rise, Source, Tier
from cloud.errors import DeniedError
from cloud.store.objects import Objects

V = TypeVar("V")

_USUAL_BYTES = 20_000
_FEWEST_KEYS, _MOST_KEYS = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Budgets:
    """How much each tier holds.

    Attributes:
        ram_bytes: In memory.
        disk_folder: Of the disk, ours alone; none = the object store is on this disk already.
        disk_bytes: On the disk.
        gpu_bytes: On the graphics processor, where there is one.
    """

    ram_bytes: int
    disk_folder: Path | None = None
    disk_bytes: int = 0
    gpu_bytes: int = 0


class _Counted(Protocol):
    def figures(self) -> TierFigures: ...


class ModelCache(Generic[V]):
    """Gives models, from as near as they are; for many threads at once."""

    def __init__(
        self, objects: Objects, budgets: Budgets, to_ram: Rise[bytes, V], to_gpu: Rise[V, V] | None = None
    ) -> None:
        """Put the tiers upon each other.

        Args:
            objects: The object store.
            budgets: What each tier holds.
            to_ram: Builds a model of its bytes.
            to_gpu: Brings a built one to the graphics processor; none = memory is the top.
        """
        origin = Origin(objects)
        self._tiers: list[_Counted] = [origin]
        below: Source[bytes] = origin
        if budgets.disk_folder is not None:
            disk = Disk(budgets.disk_folder, _book("disk", budgets.disk_bytes), origin)
            self._tiers.insert(0, disk)
            below = disk
        ram = Tier("ram", _book("ram", budgets.ram_bytes), below, to_ram)
        self._tiers.insert(0, ram)
        self._top: Tier[bytes, V] | Tier[V, V] = ram
        if to_gpu is not None:
            gpu = Tier("gpu", _book("gpu", budgets.gpu_bytes), ram, to_gpu)
            self._tiers.insert(0, gpu)
            self._top = gpu

    @contextmanager
    def use(self, ref: ModelRef, scope: str) -> Iterator[V]:
        """Give a model; it stays where it is while the block runs.

        Args:
            ref: Which one.
            scope: Of whoever asks.

        Raises:
            DeniedError: It is another scope's.
            NotFoundError: The scope has no such model.
            BusyError: There is no room beside what is in use.
            ArtifactError: The object store's own copy is damaged.
            LinkError: The object store cannot be reached.
        """
        _check_scope(ref, scope)
        with self._top.use(ref) as model:
            yield model

    def holds(self, ref: ModelRef, scope: str) -> bool:
        """Tell whether a model would be given at once.

        Raises:
            DeniedError: It is another scope's.
        """
        _check_scope(ref, scope)
        return self._top.holds(ref)

    def prefetch(self, ref: ModelRef, scope: str) -> None:
        """Bring a model up before somebody asks for it; returns when it is there.

        Raises:
            ElfowlError: As `use` does.
        """
        with self.use(ref, scope):
            pass

    def pin(self, ref: ModelRef, scope: str) -> None:
        """Bring a model up and let it stay until it is unpinned.

        Raises:
            ElfowlError: As `use` does, or half of the tier is pinned already.
        """
        with self.use(ref, scope):
            self._top.pin(ref)

    def unpin(self, ref: ModelRef, scope: str) -> None:
        """Let a model go again when its turn comes.

        Raises:
            DeniedError: It is another scope's.
        """
        _check_scope(ref, scope)
        self._top.unpin(ref)

    def figures(self) -> list[TierFigures]:
        """Return what happened since the start, the nearest tier first."""
        return [tier.figures() for tier in self._tiers]


def _check_scope(ref: ModelRef, scope: str) -> None:
    if ref.scope != scope:
        message = f"the model {ref.place} is not of the workspace {scope!r}"
        raise DeniedError(message)


def _book(name: str, budget_bytes: int) -> Book:
    keys = min(_MOST_KEYS, max(_FEWEST_KEYS, budget_bytes // _USUAL_BYTES))
    return Book(name, budget_bytes, keys=keys)
