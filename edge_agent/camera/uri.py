"""What a source is called in the configuration, taken apart; and how it is shown without its password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from edge_agent.errors import ConfigError

SourceKind = Literal["network", "snapshot", "webcam", "video", "image"]

_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_SNAPSHOT_SUFFIXES = frozenset({".jpg", ".jpeg"})
_NETWORK_SCHEMES = frozenset({"rtsp", "rtsps", "http", "https", "rtmp", "udp", "tcp"})
_FILES_IN_MEMORY = "/dev/shm/"  # noqa: S108 - files lie there as elsewhere
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*):(//)?")
# Greedy up to the very last @: people type passwords with @, / and # in them.
_USER_INFO = re.compile(r"://.*@")
_SECRET_QUERY = re.compile(
    r"([?&](?:pass(?:word)?|pwd|token|key|auth|secret|user(?:name)?|usr)=)[^&#]*", re.IGNORECASE
)


@dataclass(frozen=True)
class SourceAddress:
    """A source taken apart.

    Attributes:
        kind: What opens it.
        location: What that needs: a URL, a path or a device file. May hold a password.
        shown: The same for people and logs, without user name and password.
    """

    kind: SourceKind
    location: str
    shown: str

    def __repr__(self) -> str:
        """Return the address without the password."""
        return f"SourceAddress({self.kind}: {self.shown})"


def redact(uri: str) -> str:
    """Return `uri` without user name, password and tokens."""
    return _SECRET_QUERY.sub(r"\1***", _USER_INFO.sub("://***@", uri))


def parse_source(uri: str) -> SourceAddress:
    """Take a source's name apart.

    Args:
        uri: `rtsp://…`, `http(s)://…` (a stream, or a still picture when the path ends in .jpg), `webcam:0`,
            `/dev/video0`, `file:PATH`, or a path of a video or picture.

    Raises:
        ConfigError: It is empty or of an unknown kind.
    """
    uri = uri.strip()
    if not uri:
        message = "the camera's source is empty: name a file, /dev/video0 or an rtsp:// address"
        raise ConfigError(message)
    scheme = _SCHEME.match(uri)
    name = scheme.group(1).lower() if scheme else ""
    if name in _NETWORK_SCHEMES:
        return SourceAddress(_network_kind(uri, name), uri, redact(uri))
    if name == "webcam":
        return _webcam(uri)
    if uri.isdigit():
        return _webcam(f"webcam:{uri}")
    path = uri.removeprefix("file://").removeprefix("file:") if name == "file" else uri
    if scheme and scheme.group(2) and name != "file":
        message = f"{redact(uri)}: sources of kind '{name}:' are not known; use rtsp, http, webcam or a path"
        raise ConfigError(message)
    return SourceAddress(_path_kind(path), path, path)


def _network_kind(uri: str, scheme: str) -> SourceKind:
    path = PurePosixPath(re.split(r"[?#]", uri, maxsplit=1)[0])
    still = scheme in {"http", "https"} and path.suffix.lower() in _SNAPSHOT_SUFFIXES
    return "snapshot" if still else "network"


def _webcam(uri: str) -> SourceAddress:
    number = uri.partition(":")[2].strip("/") or "0"
    if not number.isdigit():
        message = f"{uri}: a webcam is named by its number, as in webcam:0"
        raise ConfigError(message)
    return SourceAddress("webcam", f"/dev/video{int(number)}", f"/dev/video{int(number)}")


def _path_kind(path: str) -> SourceKind:
    if path.startswith("/dev/") and not path.startswith(_FILES_IN_MEMORY):
        return "webcam"
    return "image" if PurePosixPath(path).suffix.lower() in _IMAGE_SUFFIXES else "video"
