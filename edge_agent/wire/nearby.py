"""Cameras on a device's own network: asked for in the portal, looked for by the device, which alone can."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edge_agent.wire.base import Document, Name

MOST_CAMERAS = 64
MOST_CHANNELS = 96

Line = Annotated[str, StringConstraints(max_length=300)]
"""Words of a stranger or about one, for people."""

Url = Annotated[str, StringConstraints(max_length=1000)]
Sealed = Annotated[str, StringConstraints(max_length=8000, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
RequestId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class SealedLogin(Document):
    """User and password of a camera, closed in the browser for one device; the cloud cannot open it.

    ECDH on P-256 with the device's key, HKDF-SHA-256 (no salt, info `elfowl camera login`) to 32 bytes, then
    AES-256-GCM over the JSON `{"user": …, "password": …}`; associated data is the camera's service address.
    """

    key: Sealed = Field(description="public key of the sealing side: base64 of the uncompressed point")
    nonce: Sealed = Field(description="12 bytes, base64")
    text: Sealed = Field(description="base64, with the tag at its end")


class NearbyAddition(Document):
    """One of the cameras that the device found shall be looked at from now on."""

    name: Name = Field(description="how it is called from now on")
    service: Url = Field(description="as the device told it; only such a one is asked")
    channel: int = Field(1, ge=1, le=MOST_CHANNELS)
    login: SealedLogin | None = None


class NearbyWanted(Document):
    """The device shall look for cameras around it; or add one of them, or give an added one up."""

    request_id: RequestId
    add: NearbyAddition | None = None
    remove: Name | None = Field(None, description="a camera that was added so")


class NearbyStream(Document):
    """One stream of a camera, without user and password."""

    url: Url
    codec: str | None = Field(None, max_length=20)
    width_px: int | None = Field(None, gt=0)
    height_px: int | None = Field(None, gt=0)
    fps: float | None = Field(None, gt=0.0)


class NearbyChannel(Document):
    """What is proposed for one lens of a camera, or one channel of a recorder."""

    channel: int = Field(ge=1, le=MOST_CHANNELS)
    detect: NearbyStream = Field(description="to look at")
    main: NearbyStream = Field(description="the one with most detail; may be the same")
    note: Line | None = Field(None, description="what is not as it should be")


class NearbyCamera(Document):
    """One that answered."""

    host: Line
    service: Url
    name: Line = ""
    model: Line = ""
    wants_login: bool = Field(default=False, description="tells its streams only to those it knows")
    error: Line | None = Field(None, description="why it could not be asked, and what to do")
    channels: tuple[NearbyChannel, ...] = Field((), max_length=MOST_CHANNELS)


class NearbyCameras(Document):
    """What came of it, as the device tells it; the cloud keeps it in memory only."""

    schema_version: Literal[1] = Field(1, alias="schema")
    device: Name
    request_id: RequestId
    cameras: tuple[NearbyCamera, ...] = Field((), max_length=MOST_CAMERAS)
    seal_key: Sealed | None = Field(None, description="P-256, for `login`: base64 of the uncompressed point")
    added: Name | None = None
    removed: Name | None = None
    error: Line | None = Field(None, description="why it came to nothing, and what to do")
