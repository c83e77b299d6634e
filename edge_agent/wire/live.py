"""Pictures that a camera sends while somebody looks, and only then."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.wire.base import Document, Name
from edge_agent.wire.detection import Detection

LONGEST_LOOK_S = 60.0
_MAX_JPEG_BASE64 = 400_000


class LookWanted(Document):
    """Somebody looks at a camera: `<p>/<device>/down/look`; said again for as long as it lasts."""

    schema_version: Literal[1] = Field(1, alias="schema")
    camera: Name
    for_s: float = Field(gt=0.0, le=LONGEST_LOOK_S, description="the camera stops by itself after so long")
    fps: float = Field(5.0, gt=0.0, le=15.0, description="pictures a second, at most")
    max_px: int = Field(480, ge=64, le=960, description="longest side")


class LivePicture(Document):
    """One picture with what is in view on it: `<p>/<device>/up/look`; lost ones are not sent again."""

    schema_version: Literal[1] = Field(1, alias="schema")
    camera: Name
    frame_time: float = Field(description="UTC seconds since 1970 of the capture")
    blurred: bool = Field(description="nobody can be recognised; clear only by the owner's choice")
    detections: tuple[Detection, ...] = ()
    jpeg_base64: str = Field(max_length=_MAX_JPEG_BASE64)
