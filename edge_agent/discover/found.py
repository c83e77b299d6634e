"""What devices say about themselves, made harmless: they are strangers until somebody knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from edge_agent.errors import CameraError

_MAX_TEXT = 60
_MAX_URL = 1_000
_SERVICE_PATH = "/onvif/device_service"
_RTSP = frozenset({"rtsp", "rtsps"})
_HTTP = frozenset({"http", "https"})


class LoginWantedError(CameraError):
    """A device tells its streams only to those whom it knows, and we came as nobody."""


@dataclass(frozen=True)
class Login:
    """Who we are to a camera."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Device:
    """One that answered.

    Attributes:
        host: Where it answered from; it is never asked at another place.
        service_url: Its ONVIF device service, at that host.
        name: How it calls itself; may be empty.
    """

    host: str
    service_url: str
    name: str = ""


@dataclass(frozen=True)
class Stream:
    """One profile of a camera's media service.

    Attributes:
        name: The profile's.
        channel: Which of the device's picture sources it shows, as the device names it.
        url: RTSP, at the device's own host, without user and password.
        codec: As ONVIF says it: `H264`, `H265`, `JPEG`, `MPEG4`; may be empty.
        width_px: None: not told; so for the others.
        height_px: See there.
        fps: Pictures a second that it may have at most.
    """

    name: str
    channel: str
    url: str
    codec: str = ""
    width_px: int | None = None
    height_px: int | None = None
    fps: float | None = None


def harmless(text: str, limit: int = _MAX_TEXT) -> str:
    """Return a stranger's words for a terminal: one short line, nothing that steers it."""
    words = " ".join(text[: limit * 8].split())
    seen = "".join(sign if sign.isprintable() else "?" for sign in words)
    return seen if len(seen) <= limit else seen[: limit - 1] + "…"


def scope_words(text: str) -> str:
    """Return a name as it stands in an ONVIF scope, where signs are percent-encoded."""
    return harmless(unquote(text[:_MAX_URL], errors="replace"))


def service_at(host: str, told: list[str]) -> str:
    """Return the address of a device's service, at the host that it answered from whatever it says.

    Args:
        host: Its address.
        told: What the device gave as its addresses.
    """
    parts = [split for text in told if (split := _split(text, _HTTP)) is not None]
    own = next((split for split in parts if split.hostname == host), None)
    best = own or next(iter(parts), None)
    if best is None:
        return f"http://{host}{_SERVICE_PATH}"
    return urlunsplit((best.scheme, _place(host, best), best.path or _SERVICE_PATH, best.query, ""))


def device_at(address: str) -> Device | None:
    """Return the device at an HTTP address that a person gave; none if it is none, or holds a login."""
    split = _split(address, _HTTP)
    if split is None or split.hostname is None or split.username is not None:
        return None
    return Device(split.hostname, service_at(split.hostname, [address]))


def stream_at(host: str, told: str) -> str | None:
    """Return a stream's address at the device's own host, without a login; none if it is no RTSP address."""
    split = _split(told, _RTSP)
    if split is None:
        return None
    return urlunsplit((split.scheme, _place(host, split), split.path, split.query, ""))


def _place(host: str, split: SplitResult) -> str:
    named = f"[{host}]" if ":" in host else host
    return f"{named}:{split.port}" if split.port else named


def _split(text: str, schemes: frozenset[str]) -> SplitResult | None:
    if len(text) > _MAX_URL or not text.isprintable() or " " in text:
        return None
    try:
        split = urlsplit(text)
        known = split.scheme in schemes and bool(split.hostname) and split.port != 0
    except ValueError:
        return None
    return split if known else None
