"""What names a model: whose it is, the digest of its bytes, and where the object store has it."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from cloud.errors import InputError

HOME_SCOPE = "home"
"""The scope of everything, as long as there is but one workspace."""

_SCOPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLACE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,7}")


@dataclass(frozen=True, slots=True)
class ModelKey:
    """Names what a tier holds. The same bytes in two scopes are two models: no scope learns of another's.

    `place` is empty where only the bytes count; what is built of them differs with the spec beside them.
    """

    scope: str
    sha256: str
    place: str = ""

    @property
    def number(self) -> int:
        """Return 64 bits that are as good as random."""
        return int(self.sha256[:16], 16) ^ zlib.crc32(f"{self.scope}/{self.place}".encode())


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model that can be asked for.

    Attributes:
        scope: Whose it is.
        sha256: Of its bytes, which never change.
        place: Of the object inside its scope, such as `d1/v3/detector.safetensors`.
    """

    scope: str
    sha256: str
    place: str

    def __post_init__(self) -> None:
        """Refuse what could name something else than it seems to.

        Raises:
            InputError: A part is not of its form.
        """
        for pattern, value, what in (
            (_SCOPE, self.scope, "scope"),
            (_SHA256, self.sha256, "SHA-256 digest"),
            (_PLACE, self.place, "place of an object"),
        ):
            if not pattern.fullmatch(value):
                message = f"{value[:80]!r} is no {what} of a model; train the detector again"
                raise InputError(message)

    @property
    def key(self) -> ModelKey:
        """Return what names its bytes."""
        return ModelKey(self.scope, self.sha256)

    @property
    def built_key(self) -> ModelKey:
        """Return what names that which is built of its bytes and of the spec beside them."""
        return ModelKey(self.scope, self.sha256, self.place)

    @property
    def object_path(self) -> str:
        """Return where the object store has it: never outside of its scope."""
        return object_path(self.scope, self.place)


def object_path(scope: str, place: str) -> str:
    """Return the path of something that belongs to a scope."""
    return f"detectors/{place}" if scope == HOME_SCOPE else f"workspaces/{scope}/detectors/{place}"
