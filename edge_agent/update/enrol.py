"""Joining a cloud: a one-time token goes there with the public half of the device's own key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx
from pydantic import ValidationError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from edge_agent.errors import ConfigError, LinkError, ProtocolError
from edge_agent.update.identity import (
    Enrolment,
    Identity,
    load_or_make_key,
    public_key_pem,
    save_enrolment,
)
from edge_agent.wire.sync import EnrolReply, EnrolRequest

_PATH: Final = "api/v1/enrol"
_REFUSED: Final = {400, 401, 403, 404, 409, 410, 422}
_BUSY: Final = {408, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class DeviceFacts:
    """What a device tells about itself when it joins."""

    name: str
    profile: str
    arch: str
    agent_version: str


def enrol(
    cloud_url: str,
    token: str,
    facts: DeviceFacts,
    state_dir: Path,
    *,
    client: httpx.Client,
    root_sha256: str | None = None,
) -> Identity:
    """Join a cloud and remember it; a device that joined before changes over to this cloud.

    Args:
        cloud_url: For example `http://192.168.1.2:8420`.
        token: The one-time token from the portal.
        facts: The device's name, profile, architecture and agent version.
        state_dir: Where the agent keeps its state.
        client: Speaks HTTP; see `edge_agent.update.fetcher.open_client`.
        root_sha256: Of the root of trust that a ticket promised; none: whatever the cloud sends is trusted.

    Raises:
        ConfigError: The URL, token or name is wrong, or the cloud refused them; the text is the cloud's.
        LinkError: The cloud cannot be reached, is busy, or somebody has to accept this device first.
        ProtocolError: What answered is no elfowl cloud, or not the one of the ticket.
        StorageError: The disk is full or read-only.
    """
    base_url = _checked_url(cloud_url)
    key = load_or_make_key(state_dir)
    request = _request(token, facts, public_key_pem(key))
    reply = _ask(client, base_url, request)
    _check_root(reply.tuf_root, root_sha256)
    enrolment = Enrolment(
        device=reply.device,
        cloud_url=base_url,
        mqtt=reply.mqtt,
        tuf_root=reply.tuf_root,
        tuf_metadata_url=urljoin(base_url, reply.tuf_metadata_url),
        tuf_targets_url=urljoin(base_url, reply.tuf_targets_url),
    )
    save_enrolment(state_dir, enrolment)
    return Identity(enrolment, key)


def _checked_url(cloud_url: str) -> str:
    parts = urlsplit(cloud_url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        message = f"cloud url {cloud_url!r} is not like http://192.168.1.2:8420"
        raise ConfigError(message)
    return cloud_url.strip().rstrip("/") + "/"


def _request(token: str, facts: DeviceFacts, pem: str) -> EnrolRequest:
    try:
        return EnrolRequest(
            token=token.strip(),
            name=facts.name,
            public_key_pem=pem,
            profile=facts.profile,
            arch=facts.arch,
            agent_version=facts.agent_version,
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        # The value is left out: it may be the token.
        message = f"cannot enrol: {field}: {first['msg']}"
        raise ConfigError(message) from None


def _ask(client: httpx.Client, base_url: str, request: EnrolRequest) -> EnrolReply:
    url = urljoin(base_url, _PATH)
    try:
        response = client.post(url, content=request.to_json(), headers={"Content-Type": "application/json"})
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        message = f"cannot reach the cloud at {base_url}: {error or type(error).__name__}"
        raise LinkError(message) from error
    if response.status_code in _REFUSED:
        message = f"the cloud refused to enrol {request.name!r}: {_detail(response)}"
        raise ConfigError(message)
    if response.status_code == httpx.codes.ACCEPTED:
        message = f"the cloud knows {request.name!r} now, but lets it in later: {_detail(response)}"
        raise LinkError(message)
    if response.status_code in _BUSY:
        message = f"the cloud cannot enrol now: {_detail(response)}"
        raise LinkError(message)
    try:
        response.raise_for_status()
        return EnrolReply.from_json(response.content)
    except (httpx.HTTPStatusError, ValueError) as error:
        message = f"{url} does not answer like an elfowl cloud (HTTP {response.status_code}); check the URL"
        raise ProtocolError(message) from error


def _detail(response: httpx.Response) -> str:
    """Return what a problem document (RFC 9457) says, on one line."""
    try:
        problem: Any = response.json()
    except ValueError:
        problem = None
    detail = problem.get("detail") or problem.get("title") if isinstance(problem, dict) else None
    text = detail if isinstance(detail, str) else f"HTTP {response.status_code}"
    return " ".join(text.split())[:300]


def _check_root(root_json: str, promised_sha256: str | None) -> None:
    if promised_sha256 not in {None, hashlib.sha256(root_json.encode()).hexdigest()}:
        message = (
            "the cloud sent another root of trust than the ticket promised; make a new one in the portal"
        )
        raise ProtocolError(message)
    try:
        root = Metadata[Root].from_bytes(root_json.encode())
        root.signed.verify_delegate(Root.type, root.signed_bytes, root.signatures)
    except (RepositoryError, ValueError, AttributeError) as error:
        message = f"the cloud sent a root of trust that is not sound ({error}); ask whoever runs the cloud"
        raise ProtocolError(message) from error
