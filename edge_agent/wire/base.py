"""What all documents have in common."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

_MAX_DOCUMENT_BYTES = 4_000_000


def _check_corners(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    if not (0.0 <= x1 <= x2 <= 1.0 and 0.0 <= y1 <= y2 <= 1.0):
        message = f"box {box} is not normalised xyxy: 0 <= x1 <= x2 <= 1 and 0 <= y1 <= y2 <= 1"
        raise ValueError(message)
    return box


XyxyNorm = Annotated[tuple[float, float, float, float], AfterValidator(_check_corners)]
"""A box as fractions of the frame: left, top, right, bottom, each in 0..1."""

WHOLE: Final[XyxyNorm] = (0.0, 0.0, 1.0, 1.0)
"""The whole frame."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
"""A device or camera name, safe as one MQTT topic segment."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
"""The machine name of a label, made from its display name."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest in lower-case hexadecimal."""

RelativePath = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-zA-Z0-9_-][a-zA-Z0-9._-]*(/[a-zA-Z0-9_-][a-zA-Z0-9._-]*)*$", max_length=200
    ),
]
"""A file inside a bundle: relative, forward slashes, no segment that starts with a dot, so no way out."""


class Document(BaseModel):
    """Base of every document on the wire; frozen, keeps fields that it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=True,
        ser_json_inf_nan="constants",
        allow_inf_nan=False,
    )

    def to_json(self) -> str:
        """Return the document as compact JSON."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse a document that came from outside.

        Args:
            text: JSON, at most 4 MB.

        Raises:
            ValueError: It is too large, not JSON, or does not match the model.
        """
        if len(text) > _MAX_DOCUMENT_BYTES:
            message = f"{cls.__name__} of {len(text)} bytes is over the limit of {_MAX_DOCUMENT_BYTES}"
            raise ValueError(message)
        return cls.model_validate_json(text)
