"""Which addresses the cloud opens: what somebody types may not lead it to its own or its host's secrets.

Cameras stand in private networks, so those are open. What is not: anything but RTSP and HTTP, files outside
of the folder of recordings, link-local addresses (where clouds tell machines their passwords), and, by HTTP,
this very machine. `ELFOWL_STREAM_HOSTS` names exceptions. A name is looked up before each opening, for it may
lead elsewhere by then; where a stream's own server sends a reader on to is out of our hands.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cloud.accounts.workspaces import HOME
from cloud.errors import InputError
from cloud.settings import Settings
from edge_agent.camera.uri import SourceAddress, parse_source
from edge_agent.errors import ConfigError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], Sequence[str]]
"""Returns the IP addresses of a host; raises OSError when it has none."""

_STRANGE = re.compile(r"[\x00-\x1f\x7f\\]")
_END_OF_HOST = re.compile(r"[/?#]")
_SCHEMES = frozenset({"rtsp", "rtsps", "http", "https"})
_LONGEST = 2_000
# Metadata services that are not at a link-local address.
_SECRETS = frozenset({"fd00:ec2::254", "100.100.100.200", "192.0.0.192"})
_EMBEDDING = ipaddress.IPv6Network("64:ff9b::/96")


def recordings_of(settings: Settings, workspace_id: str) -> Path:
    """Return the folder whose recordings people of a workspace may have scanned and watched."""
    if workspace_id == HOME:
        return settings.recordings_path
    return settings.home / "workspaces" / workspace_id / "recordings"


def addresses_of(host: str) -> list[str]:
    """Return the IP addresses of a host, as the system looks them up.

    Raises:
        OSError: It has none.
    """
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None)})
    except UnicodeError as error:
        message = f"{host!r} is no host name"
        raise OSError(message) from error


@dataclass(frozen=True)
class AddressRules:
    """What may be opened.

    Attributes:
        recordings: The one folder whose files may be watched.
        hosts: Names and IP addresses that are allowed whatever they are.
        resolve: Looks names up.
    """

    recordings: Path
    hosts: Collection[str] = ()
    resolve: Resolve = addresses_of

    def check(self, text: str) -> SourceAddress:
        """Return an address that may be watched; a name that cannot be looked up now passes.

        Raises:
            InputError: It may not; the text says why, and never the password.
        """
        if len(text) > _LONGEST or not text.strip() or _STRANGE.search(text):
            message = "the address of the stream is empty, too long, or holds signs that no address has"
            raise InputError(message)
        try:
            parsed = parse_source(text)
        except ConfigError as error:
            raise InputError(str(error)) from error
        if parsed.kind in {"video", "image"}:
            return self._file(parsed)
        scheme = text.partition(":")[0].lower()
        if parsed.kind == "webcam" or scheme not in _SCHEMES:
            message = (
                f"{parsed.shown}: the cloud watches rtsp://, rtsps://, http:// and https:// "
                f"(HLS, MJPEG, JPEG), and files in {self.recordings}"
            )
            raise InputError(message)
        self._check_host(parsed, scheme)
        return parsed

    def _file(self, parsed: SourceAddress) -> SourceAddress:
        top = self.recordings.resolve()
        path = (top / parsed.location).resolve()
        if not path.is_relative_to(top):
            message = f"{parsed.location!r} does not lie in the folder of recordings; give a name below {top}"
            raise InputError(message)
        if not path.is_file():
            message = f"there is no recording {parsed.location!r}; put it into {top}"
            raise InputError(message)
        return SourceAddress(parsed.kind, str(path), str(path.relative_to(top)))

    def _check_host(self, parsed: SourceAddress, scheme: str) -> None:
        host = host_of(parsed)
        if host.lower() in {one.lower() for one in self.hosts}:
            return
        try:
            found = self.resolve(host)
        except OSError:
            return
        for one in found:
            address = ipaddress.ip_address(one.partition("%")[0])
            if why := forbidden(address, is_http=scheme.startswith("http")):
                message = (
                    f"{parsed.shown}: leads to {address}, {why}; the operator can allow it by "
                    f"ELFOWL_STREAM_HOSTS={host}"
                )
                raise InputError(message)


def host_of(parsed: SourceAddress) -> str:
    """Return the host in a network address.

    Raises:
        InputError: There is none.
    """
    # As FFmpeg does: it ends at the first of these signs, and what stands before its last @ is a password.
    authority = _END_OF_HOST.split(parsed.location.partition("://")[2], maxsplit=1)[0]
    try:
        host = urlsplit("//" + authority.rpartition("@")[2]).hostname
    except ValueError:
        host = None
    if not host:
        message = f"{parsed.shown}: names no host; write it as rtsp://HOST:PORT/PATH"
        raise InputError(message)
    return host


def forbidden(address: IpAddress, *, is_http: bool) -> str | None:
    """Return why an IP address may not be opened; none when it may."""
    address = _inner(address)
    if str(address) in _SECRETS or address.is_link_local:
        return "where clouds keep the secrets of machines"
    if address.is_unspecified or address.is_multicast or (address.is_reserved and not address.is_loopback):
        return "which is no camera's address"
    if address.is_loopback and is_http:
        return "which is this machine itself"
    return None


def _inner(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _EMBEDDING:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
