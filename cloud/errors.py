"""Errors of the cloud, split by who must act on them; all are `ElfowlError`s with one line for a person.

ElfowlError
├── InputError         the caller: a file, name or value is wrong (HTTP 422)
├── NotFoundError      the caller: there is no such thing (HTTP 404)
├── ConflictError      the caller: it was changed meanwhile, or exists already (HTTP 409)
├── DeniedError        the caller: not allowed (HTTP 403)
├── TooLargeError      the caller: larger than what is taken, or than there is room for (HTTP 413)
├── BusyError          the caller: try again later (HTTP 503 with Retry-After)
│   └── QuotaError     the caller: it alone asked too much (HTTP 429 with Retry-After)
├── TrainingError      the maker: these examples do not give a detector
└── StorageError       whoever runs the cloud: the disk is full, or the database damaged (HTTP 507)
    └── AwayError      whoever runs the database: it is out of reach; what waits can go on once it is back
                       (HTTP 503 with Retry-After)
"""

from __future__ import annotations

from edge_agent.errors import ElfowlError, StorageError


class InputError(ElfowlError):
    """A file, name or value from outside is wrong; the text says what, where and what to do."""


class NotFoundError(ElfowlError):
    """There is no such thing."""


class ConflictError(ElfowlError):
    """It was changed meanwhile, or exists already."""


class DeniedError(ElfowlError):
    """The caller may not do this."""


class TooLargeError(ElfowlError):
    """It is larger than what is taken, or than the room that is left to its sender."""


class BusyError(ElfowlError):
    """No room for this request now."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaError(BusyError):
    """This caller asked more than its share; the others are still answered."""


class TrainingError(ElfowlError):
    """These examples do not give a detector; the text says what is missing."""


class AwayError(StorageError):
    """The database cannot be reached now; what was stored before is kept."""
