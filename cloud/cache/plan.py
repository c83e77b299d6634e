"""What a process that uses models is told about its cache."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from cloud.cache.ladder import Budgets
from cloud.settings import Settings
from cloud.store.objects import Objects, open_objects


class CachePlan(BaseModel):
    """Where models come from, and how much one process keeps of them; holds no secret.

    Attributes:
        home: The folder that detectors are trained into.
        object_store: The object store; none = the home folder.
        ram_bytes: In memory.
        disk_bytes: On disk, where the object store is elsewhere.
        gpu_bytes: On the graphics processor, where there is one.
    """

    model_config = ConfigDict(frozen=True)

    home: Path
    object_store: str | None
    ram_bytes: int
    disk_bytes: int
    gpu_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        return cls(
            home=settings.home,
            object_store=settings.object_store,
            ram_bytes=settings.model_ram_bytes,
            disk_bytes=settings.model_disk_bytes,
            gpu_bytes=settings.model_gpu_bytes,
        )

    @property
    def detectors_path(self) -> Path:
        """Return the folder of trained detectors: `<id>/v<version>/`."""
        return self.home / "detectors"

    def objects(self) -> Objects:
        """Return the object store."""
        return open_objects(self.object_store, self.home)

    def budgets(self, disk_folder: Path | None) -> Budgets:
        """Return what each tier may hold; `disk_folder` is this process's own, or none."""
        return Budgets(self.ram_bytes, disk_folder, self.disk_bytes, self.gpu_bytes)
