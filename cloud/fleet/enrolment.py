"""Joining the fleet: one-time tokens that expire, and devices that bring the public half of their own key.

Tables are the business of whoever calls: `EnrolmentStore` says what is needed. All calls of one `enrol`
must run in one transaction, which an error rolls back; so a token is used up exactly when a device has
joined by it.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from cloud.errors import BusyError, ConflictError, DeniedError, InputError
from edge_agent.clock import Clock
from edge_agent.wire.sync import EnrolReply, EnrolRequest, MqttAccess

DeviceState = Literal["pending", "enrolled", "revoked"]
TOKEN_LIFETIME_S: Final = 3600.0
_PEERS_REMEMBERED: Final = 10_000


@dataclass(frozen=True)
class IssuedToken:
    """A fresh token; its text is shown once and kept nowhere."""

    text: str
    digest: str
    expires_s: float

    def __repr__(self) -> str:
        return f"IssuedToken(digest={self.digest[:8]}..., expires_s={self.expires_s})"


@dataclass(frozen=True)
class TokenRecord:
    """What is stored of a token: never its text."""

    digest: str
    expires_s: float
    used_by: str | None = None
    accepts: bool = True
    group: str | None = None


@dataclass(frozen=True)
class KnownDevice:
    """What is known of a device that asks; `has_spoken`: it used its own key since it joined."""

    public_key_pem: str
    state: DeviceState = "enrolled"
    has_spoken: bool = False


@dataclass(frozen=True)
class DeviceRecord:
    """A device that joined, or waits to be accepted; `public_key_pem` is in canonical form."""

    name: str
    public_key_pem: str
    profile: str
    arch: str
    agent_version: str
    enrolled_s: float
    state: DeviceState = "enrolled"
    group: str | None = None


class EnrolmentStore(Protocol):
    """What enrolment needs of the database."""

    def find_token(self, digest: str) -> TokenRecord | None:
        """Return a token by its SHA-256 in hexadecimal."""
        ...

    def spend_token(self, digest: str, device: str, now_s: float) -> bool:
        """Mark an unused token as used, in one atomic statement; return whether this call did it."""
        ...

    def find_device(self, name: str) -> KnownDevice | None:
        """Return what is known of a device; none when no device has this name."""
        ...

    def save_device(self, device: DeviceRecord) -> None:
        """Insert a device, or update one that has the same key; another key must never be replaced."""
        ...


class GuessLimit:
    """Refuses a peer that got tokens wrong too often; a sliding window in memory."""

    def __init__(self, clock: Clock, *, attempts: int = 10, window_s: float = 60.0) -> None:
        self._clock = clock
        self._attempts = attempts
        self._window_s = window_s
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, peer: str) -> None:
        """Let a peer try.

        Raises:
            BusyError: It failed too often; says when it may try again.
        """
        with self._lock:
            recent = self._recent(peer)
            if len(recent) < self._attempts:
                return
            wait_s = recent[0] + self._window_s - self._clock.monotonic_s()
        message = f"too many wrong enrolment tokens from {peer}; try again in {wait_s:.0f} s"
        raise BusyError(message, retry_after_s=wait_s)

    def note_failure(self, peer: str) -> None:
        """Count a wrong token."""
        with self._lock:
            self._recent(peer).append(self._clock.monotonic_s())

    def _recent(self, peer: str) -> deque[float]:
        failures = self._failures.setdefault(peer, deque(maxlen=self._attempts))
        self._failures.move_to_end(peer)
        while len(self._failures) > _PEERS_REMEMBERED:
            self._failures.popitem(last=False)
        oldest = self._clock.monotonic_s() - self._window_s
        while failures and failures[0] <= oldest:
            failures.popleft()
        return failures


def issue_token(clock: Clock, *, lifetime_s: float = TOKEN_LIFETIME_S) -> IssuedToken:
    """Make a one-time token of 192 random bits; store its `digest` and `expires_s`, show its `text` once."""
    text = secrets.token_urlsafe(24)
    return IssuedToken(text, token_digest(text), clock.now_s() + lifetime_s)


def token_digest(text: str) -> str:
    """Return under which digest a token is stored; 192 random bits need no salt."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


def enrol(
    request: EnrolRequest, *, store: EnrolmentStore, clock: Clock, limit: GuessLimit, peer: str
) -> DeviceRecord:
    """Let a device join.

    A device whose reply was lost, or that waits to be accepted, may ask again with the same token, name and
    key. One that was wiped, and so has another key, gets its old name only after somebody removed the old
    entry; one that was revoked needs a new token.

    Args:
        request: What the device sent.
        store: The database, within one transaction.
        clock: Where the time comes from.
        limit: Counts wrong tokens.
        peer: Who asks: an address.

    Raises:
        InputError: The public key is not an Ed25519 key.
        DeniedError: The token is unknown, expired or used.
        ConflictError: Another device has this name.
        BusyError: Too many wrong tokens came from this peer.
    """
    limit.check(peer)
    public_key_pem = canonical_public_key(request.public_key_pem)
    try:
        token, known = _admit(request, public_key_pem, store, clock.now_s())
    except DeniedError:
        limit.note_failure(peer)
        raise
    if known is not None and known.public_key_pem != public_key_pem:
        message = f"another device is enrolled as {request.name!r}; take another name, or remove that device"
        raise ConflictError(message)
    device = DeviceRecord(
        name=request.name,
        public_key_pem=public_key_pem,
        profile=request.profile,
        arch=request.arch,
        agent_version=request.agent_version,
        enrolled_s=clock.now_s(),
        state="enrolled" if token.accepts or _is_accepted(known) else "pending",
        group=token.group,
    )
    store.save_device(device)
    return device


def enrol_reply(
    device: DeviceRecord, *, mqtt: MqttAccess, root_json: str, tuf_base_url: str = "/tuf"
) -> EnrolReply:
    """Return what a device gets once it joined; relative URLs are relative to the cloud that it asked."""
    return EnrolReply(
        device=device.name,
        mqtt=mqtt,
        tuf_root=root_json,
        tuf_metadata_url=f"{tuf_base_url.rstrip('/')}/metadata/",
        tuf_targets_url=f"{tuf_base_url.rstrip('/')}/targets/",
    )


def canonical_public_key(pem: str) -> str:
    """Return an Ed25519 public key in the one form in which keys are compared.

    Raises:
        InputError: It is no PEM, or not Ed25519.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        message = "public_key_pem is not an Ed25519 public key in PEM form"
        raise InputError(message)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _admit(
    request: EnrolRequest, public_key_pem: str, store: EnrolmentStore, now_s: float
) -> tuple[TokenRecord, KnownDevice | None]:
    digest = token_digest(request.token)
    token = store.find_token(digest)
    if token is None:
        message = "this enrolment token is unknown; copy it again, or make a new one in the portal"
        raise DeniedError(message)
    known = store.find_device(request.name)
    may_ask_again = known is not None and known.public_key_pem == public_key_pem and known.state != "revoked"
    if token.used_by == request.name and may_ask_again and not (known and known.has_spoken):
        # Its own token, which nobody else can use: it may have waited for days until somebody accepted it.
        return token, known
    if token.expires_s <= now_s:
        message = "this enrolment token has expired; make a new one in the portal"
        raise DeniedError(message)
    if token.used_by is None and store.spend_token(digest, request.name, now_s):
        return token, known
    message = "this enrolment token was used already; make a new one in the portal"
    raise DeniedError(message)


def _is_accepted(known: KnownDevice | None) -> bool:
    return known is not None and known.state == "enrolled"
