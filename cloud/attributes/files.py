"""Attributes as files of their detector's folder, one each; changed by one process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from cloud.attributes.document import Attribute
from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.store.files import write_file


def attributes_in(folder: Path) -> list[Attribute]:
    """Return the attributes kept in a folder, by slug.

    Raises:
        InputError: A file is damaged.
    """
    read = [_read(path) for path in sorted(folder.glob("*.json"))]
    return [attribute for attribute in read if attribute is not None]


def find_attribute(folder: Path, name: str) -> Attribute:
    """Return an attribute by its name or slug.

    Raises:
        NotFoundError: There is none.
    """
    kept = attributes_in(folder)
    for attribute in kept:
        if name in {attribute.name, attribute.slug}:
            return attribute
    known = ", ".join(attribute.name for attribute in kept) or "none yet"
    message = f"there is no attribute {name!r}; there are: {known}"
    raise NotFoundError(message)


def keep_new(folder: Path, attribute: Attribute) -> None:
    """Keep an attribute that is not there yet.

    Raises:
        ConflictError: There is one of that name.
        StorageError: The disk is full.
    """
    with _alone(folder):
        _refuse_taken(folder, attribute)
        _write(folder, attribute)


def change(folder: Path, name: str, how: Callable[[Attribute], Attribute]) -> Attribute:
    """Change an attribute; changes of others wait, none is lost.

    Args:
        folder: Where it is kept.
        name: Its name or slug.
        how: Returns it changed; what this raises is passed on, and nothing changes.

    Raises:
        NotFoundError: There is no such attribute.
        ConflictError: Its new name is taken.
        StorageError: The disk is full.
    """
    with _alone(folder):
        before = find_attribute(folder, name)
        after = how(before)
        if after.slug != before.slug:
            _refuse_taken(folder, after)
        _write(folder, after)
        if after.slug != before.slug:
            _path(folder, before).unlink()
    return after


def remove(folder: Path, name: str) -> None:
    """Forget an attribute with its examples.

    Raises:
        NotFoundError: There is none.
    """
    with _alone(folder):
        _path(folder, find_attribute(folder, name)).unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder, so that nobody else changes it: neither another thread nor another process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _path(folder: Path, attribute: Attribute) -> Path:
    return folder / f"{attribute.slug}.json"


def _refuse_taken(folder: Path, attribute: Attribute) -> None:
    if _path(folder, attribute).exists():
        message = f"there is an attribute {attribute.name!r} already"
        raise ConflictError(message)


def _write(folder: Path, attribute: Attribute) -> None:
    write_file(_path(folder, attribute), attribute.model_dump_json(indent=2).encode())


def _read(path: Path) -> Attribute | None:
    """Return an attribute; none when it was removed just now."""
    try:
        return Attribute.from_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        message = f"{path} is damaged: {error.errors()[0]['msg']}"
        raise InputError(message) from error
