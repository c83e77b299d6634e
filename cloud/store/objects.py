"""The object store: a folder, or S3 and what speaks like it, by obstore. An object never changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from cloud.errors import InputError, NotFoundError
from edge_agent.errors import LinkError

_LOG = logging.getLogger(__name__)
_CONNECT_S, _REQUEST_S, _RETRY_S = 2, 6, 3
_RETRIES = 2
"""Together below the 10 s after which an offload worker that says nothing is taken for hung and ended."""


class Objects(Protocol):
    """Bytes by path."""

    def get(self, path: str, limit_bytes: int) -> bytes:
        """Return an object.

        Raises:
            NotFoundError: There is none.
            InputError: It is larger than the limit.
            LinkError: The store cannot be reached, or refuses.
        """
        ...

    def put_new(self, path: str, data: bytes) -> bool:
        """Put an object where there is none; tell whether there was none.

        Raises:
            LinkError: The store cannot be reached, or refuses.
        """
        ...


class ObstoreObjects:
    """Objects in any store that obstore knows."""

    def __init__(self, store: LocalStore | S3Store | MemoryStore, name: str) -> None:
        """Use a store; `name` is how messages call it."""
        self._store, self._name = store, name

    def get(self, path: str, limit_bytes: int) -> bytes:
        """Return an object."""
        with self._asking(path):
            result = self._store.get(path)
            size_bytes = result.meta["size"]
            if size_bytes > limit_bytes:
                message = f"{self._name}: {path} has {size_bytes} bytes, more than the limit of {limit_bytes}"
                raise InputError(message)
            return bytes(result.bytes())

    def put_new(self, path: str, data: bytes) -> bool:
        """Put an object where there is none; tell whether there was none."""
        with self._asking(path):
            try:
                self._store.put(path, data, mode="create")
            except AlreadyExistsError:
                return False
            return True

    @contextmanager
    def _asking(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            message = f"{self._name} has no {path}"
            raise NotFoundError(message) from error
        except (BaseError, OSError) as error:
            first_line = str(error).partition("\n")[0][:300]
            message = f"{self._name} does not give or take {path}: {first_line}"
            raise LinkError(message) from error


class Mirrored:
    """Objects that are made in a folder here; what the store lacks is brought there once it is asked for."""

    def __init__(self, store: Objects, folder: Objects) -> None:
        self._store, self._folder = store, folder

    def get(self, path: str, limit_bytes: int) -> bytes:
        """Return an object, from the folder where the store has none or cannot be reached."""
        try:
            return self._store.get(path, limit_bytes)
        except (NotFoundError, LinkError) as error:
            try:
                data = self._folder.get(path, limit_bytes)
            except NotFoundError:
                raise error from None
            if isinstance(error, NotFoundError):
                self._bring(path, data)
            return data

    def put_new(self, path: str, data: bytes) -> bool:
        """Put an object into the store where there is none; tell whether there was none."""
        return self._store.put_new(path, data)

    def _bring(self, path: str, data: bytes) -> None:
        try:
            self._store.put_new(path, data)
        except LinkError as error:
            _LOG.warning("%s is not yet in the object store: %s", path, error)


def open_objects(address: str | None, folder: Path) -> Objects:
    """Return the object store at an address; none = the folder itself.

    Args:
        address: `s3://bucket/prefix`; key, region and endpoint come from the usual `AWS_*` variables.
        folder: Where objects are made.
    """
    here = ObstoreObjects(LocalStore(prefix=folder, mkdir=True), str(folder))
    if address is None:
        return here
    store = S3Store.from_url(
        address,
        client_options={
            # Only where the operator names an endpoint that speaks it, in AWS_ENDPOINT; S3 itself is HTTPS.
            "allow_http": True,
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "timeout": timedelta(seconds=_REQUEST_S),
        },
        retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)},
    )
    return Mirrored(ObstoreObjects(store, address), here)
