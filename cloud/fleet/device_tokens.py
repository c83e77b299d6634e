"""Who is calling: checks the short-lived token (JWT, EdDSA) that a device signs with its own key."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm
from jwt.utils import base64url_decode

from cloud.errors import DeniedError
from edge_agent.clock import Clock

AUDIENCE: Final = "elfowl-cloud"
LIFETIME_LIMIT_S: Final = 60.0
LEEWAY_S: Final = 60.0
_ALGORITHM: Final = "EdDSA"
_TOKEN_LIMIT_CHARS: Final = 2000
_KEYS_KEPT: Final = 20_000
_CLAIMS: Final = ("iss", "aud", "exp", "iat", "jti")


class ReplayCache:
    """Remembers token ids until they expire, so that one token opens the door once."""

    def __init__(self, *, limit: int = 100_000) -> None:
        self._limit = limit
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, device: str, token_id: str, expires_s: float, now_s: float) -> bool:
        """Note a token; return whether it is new."""
        with self._lock:
            while self._seen and (next(iter(self._seen.values())) < now_s or len(self._seen) >= self._limit):
                self._seen.popitem(last=False)
            if (device, token_id) in self._seen:
                return False
            self._seen[device, token_id] = expires_s
            return True


def verify_device_token(
    token: str, *, find_key: Callable[[str], str | None], clock: Clock, replays: ReplayCache | None = None
) -> str:
    """Return the name of the device that signed a token.

    Args:
        token: The text after `Bearer `.
        find_key: Returns the public key (PEM) of a device that is enrolled and not revoked, else none.
        clock: Where the time comes from.
        replays: Refuses a token that came before; none: a token can be used until it expires.

    Raises:
        DeniedError: The token is malformed, of an unknown device, signed by another key, for another
            audience, too old, too long-lived, or was used before.
    """
    device = _claimed_device(token)
    key = find_key(device)
    if key is None:
        message = f"device {device!r} is not enrolled here, or was revoked"
        raise DeniedError(message)
    claims = _verified_claims(token, key, device)
    now_s = clock.now_s()
    expires_s = _check_times(claims, now_s, device)
    if replays is not None and not replays.add(device, str(claims["jti"]), expires_s + LEEWAY_S, now_s):
        message = f"this token of device {device!r} was used before; sign a new one for each request"
        raise DeniedError(message)
    return device


def _claimed_device(token: str) -> str:
    if len(token) <= _TOKEN_LIMIT_CHARS:
        # By hand, for the library checks the whole form once more, and that is done with the key anyhow.
        try:
            claims = json.loads(base64url_decode(token.split(".")[1]))
        except (IndexError, ValueError, RecursionError):
            claims = None
        device = claims.get("iss") if isinstance(claims, dict) else None
        if isinstance(device, str):
            return device
    message = "the device token is malformed; send 'Authorization: Bearer <JWT>' signed by the device's key"
    raise DeniedError(message)


@lru_cache(_KEYS_KEPT)
def _parsed(key: str) -> Ed25519PublicKey:
    """Return a public key of PEM text; parsing takes longer than verifying, and devices call all the time."""
    return cast("Ed25519PublicKey", OKPAlgorithm().prepare_key(key))


def _verified_claims(token: str, key: str, device: str) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            _parsed(key),
            algorithms=[_ALGORITHM],
            audience=AUDIENCE,
            issuer=device,
            # Times are checked against our own clock, not the library's.
            options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.InvalidAudienceError:
        message = f"the token of device {device!r} is for another service than {AUDIENCE}"
    except jwt.MissingRequiredClaimError as error:
        message = f"the token of device {device!r} lacks the claim {error.claim}"
    except (jwt.InvalidTokenError, jwt.InvalidKeyError):
        message = f"the token of device {device!r} is not signed by the key that it enrolled with"
    raise DeniedError(message)


def _check_times(claims: dict[str, Any], now_s: float, device: str) -> float:
    issued_s, expires_s = claims["iat"], claims["exp"]
    if not isinstance(issued_s, int | float) or not isinstance(expires_s, int | float):
        message = f"the token of device {device!r} has times that are no numbers"
        raise DeniedError(message)
    if not 0 < expires_s - issued_s <= LIFETIME_LIMIT_S:
        message = f"the token of device {device!r} lives too long; at most {LIFETIME_LIMIT_S:.0f} s"
        raise DeniedError(message)
    if issued_s > now_s + LEEWAY_S or expires_s < now_s - LEEWAY_S:
        message = (
            f"the token of device {device!r} was made {now_s - issued_s:.0f} s ago by its clock; "
            "set the device's clock (NTP)"
        )
        raise DeniedError(message)
    return float(expires_s)
