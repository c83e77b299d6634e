"""The detectors of a worker, by their folders, out of the model cache; torch."""

from __future__ import annotations

import copy
import hashlib
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from cloud.cache.disk import claim_folder
from cloud.cache.figures import TierFigures
from cloud.cache.key import HOME_SCOPE, ModelRef, object_path
from cloud.cache.ladder import ModelCache
from cloud.cache.origin import MOST_MODEL_BYTES
from cloud.cache.plan import CachePlan
from cloud.cache.tier import Rise
from cloud.detector.files import SPEC_FILE, WEIGHTS_FILE, detector_of, spec_of
from cloud.detector.full import FullDetector
from cloud.detector.light import MAX_STORED_BYTES
from cloud.detector.spec import DetectorSpec
from cloud.errors import NotFoundError
from cloud.store.objects import Objects

_OVERHEAD_BYTES = 30_000
"""Measured: a light detector of 33.8 kB takes 97 kB of memory, a full one of 468 kB 517 kB."""

_KNOWN = 1 << 16
"""About 1 kB each."""

_MOST_SPEC_BYTES = 1_000_000


class CachedDetectors:
    """Detectors from as near as they are; for many threads at once."""

    def __init__(self, plan: CachePlan, device: torch.device, *, disk_folder: Path | None = None) -> None:
        """Open the cache.

        Args:
            plan: Where models come from, and the budgets.
            device: Where detectors run; what is not the processor is a tier of its own.
            disk_folder: Of the disk tier, ours alone; none = there is none.
        """
        self._objects = plan.objects()
        self._specs = _Specs(self._objects)
        to_gpu = Rise[FullDetector, FullDetector](
            _numbers_bytes, lambda _, one: _moved(one, device), name=lambda ref: ref.built_key
        )
        self._cache: ModelCache[FullDetector] = ModelCache(
            self._objects,
            plan.budgets(disk_folder),
            Rise(_built_bytes, self._build, name=lambda ref: ref.built_key),
            to_gpu if device.type != "cpu" else None,
        )

    @classmethod
    def of_this_process(cls, plan: CachePlan, device: torch.device) -> CachedDetectors:
        """Return the detectors of a worker; it has a folder on the disk where the object store is elsewhere.

        Raises:
            StorageError: The disk is full or read-only.
        """
        folder = None if plan.object_store is None else claim_folder(plan.home / "cache" / "models")
        return cls(plan, device, disk_folder=folder)

    @contextmanager
    def use(self, folder: Path) -> Iterator[FullDetector]:
        """Give the detector of a folder; it stays in memory while the block runs.

        Raises:
            NotFoundError: There is no such detector.
            BusyError: There is no room beside what is in use.
            ElfowlError: It cannot be loaded.
        """
        with self._cache.use(self._specs.ref_of(folder), HOME_SCOPE) as detector:
            yield detector

    def is_ready(self, folder: Path) -> bool:
        """Tell whether a detector would be given at once."""
        ref = self._specs.known(folder)
        return ref is not None and self._cache.holds(ref, HOME_SCOPE)

    def bring(self, folder: Path) -> None:
        """Bring a detector up before it is used.

        Raises:
            ElfowlError: As `use` does.
        """
        with self.use(folder):
            pass

    def figures(self) -> list[TierFigures]:
        """Return what happened since the start, the nearest tier first."""
        return self._cache.figures()

    def _build(self, ref: ModelRef, weights: bytes) -> FullDetector:
        return detector_of(self._specs.spec_at(ref.place), weights, Path(ref.place))


@dataclass(frozen=True)
class _Known:
    """What names a model, and its spec: compressed, for many are known that are not in memory."""

    ref: ModelRef
    spec_zip: bytes


class _Specs:
    """What is written beside models: which bytes they are, and what they mean."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def known(self, folder: Path) -> ModelRef | None:
        """Return what names the model of a folder, if it was asked before."""
        with self._lock:
            known = self._known.get(_place(folder))
        return known.ref if known else None

    def ref_of(self, folder: Path) -> ModelRef:
        """Return what names the model of a folder.

        Raises:
            NotFoundError: There is no such detector.
            InputError: Its spec is damaged.
            LinkError: The object store cannot be reached.
        """
        return self._look(_place(folder)).ref

    def spec_at(self, place: str) -> DetectorSpec:
        """Return the spec beside a model.

        Raises:
            ElfowlError: As `ref_of` does.
        """
        return spec_of(zlib.decompress(self._look(place).spec_zip), Path(place))

    def _look(self, place: str) -> _Known:
        with self._lock:
            known = self._known.get(place)
            if known is not None:
                self._known.move_to_end(place)
                return known
        known = self._read(place)
        with self._lock:
            self._known[place] = known
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return known

    def _read(self, place: str) -> _Known:
        name = place.rpartition("/")[0]
        path = object_path(HOME_SCOPE, f"{name}/{SPEC_FILE}")
        try:
            document = self._objects.get(path, _MOST_SPEC_BYTES)
        except NotFoundError as error:
            message = f"this cloud has no trained detector in {name}"
            raise NotFoundError(message) from error
        sha256 = spec_of(document, Path(path)).weights_sha256 or self._sha256_of(place)
        return _Known(ModelRef(HOME_SCOPE, sha256, place), zlib.compress(document, 1))

    def _sha256_of(self, place: str) -> str:
        """Return the digest of a model whose spec, of an early elfowl, names none."""
        data = self._objects.get(object_path(HOME_SCOPE, place), MOST_MODEL_BYTES)
        return hashlib.sha256(data).hexdigest()


def _place(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}/{WEIGHTS_FILE}"


def _built_bytes(weights: bytes) -> int:
    # Light heads are stored in half precision and work in single.
    return len(weights) + min(len(weights), MAX_STORED_BYTES) + _OVERHEAD_BYTES


def _numbers_bytes(detector: FullDetector) -> int:
    return sum(value.nbytes for value in detector.taught_head.state_dict().values())


def _moved(detector: FullDetector, device: torch.device) -> FullDetector:
    """Return a copy whose numbers are on a device."""
    return replace(detector, taught_head=copy.deepcopy(detector.taught_head).to(device))
