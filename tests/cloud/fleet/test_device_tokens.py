"""Who is calling: tokens that devices sign."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.errors import DeniedError
from cloud.fleet.device_tokens import ReplayCache, verify_device_token
from edge_agent.update.identity import Enrolment, Identity, load_or_make_key, public_key_pem
from edge_agent.wire.sync import MqttAccess
from tests.fakes.clock import FakeClock

KEY = Ed25519PrivateKey.generate()
KEYS = {"cam1": public_key_pem(KEY)}
CLOCK = FakeClock()
NOW_S = int(CLOCK.now_s())
CLAIMS: dict[str, Any] = {
    "iss": "cam1",
    "aud": "elfowl-cloud",
    "iat": NOW_S,
    "exp": NOW_S + 60,
    "jti": "1",
}


def signed(key: Ed25519PrivateKey = KEY, **changes: object) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode(claims, key, algorithm="EdDSA")


def verify(token: str, replays: ReplayCache | None = None) -> str:
    return verify_device_token(token, find_key=KEYS.get, clock=CLOCK, replays=replays)


def test_token_of_a_real_device_is_accepted(tmp_path: Path) -> None:
    enrolment = Enrolment(
        device="cam7",
        cloud_url="http://c/",
        mqtt=MqttAccess(host="c", port=1883),
        tuf_root="{}",
        tuf_metadata_url="http://c/m/",
        tuf_targets_url="http://c/t/",
    )
    identity = Identity(enrolment, load_or_make_key(tmp_path))
    keys = {"cam7": public_key_pem(identity.key)}
    assert verify_device_token(identity.bearer_token(CLOCK), find_key=keys.get, clock=CLOCK) == "cam7"


@pytest.mark.parametrize("skew_s", [-59, 0, 59])
def test_clock_that_is_a_minute_off_is_tolerated(skew_s: int) -> None:
    assert verify(signed(iat=NOW_S + skew_s, exp=NOW_S + skew_s + 60)) == "cam1"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "malformed"),
        ("a.b.c", "malformed"),
        ("e30", "malformed"),
        ("e30.W10.c", "malformed"),
        ("e30." + base64.urlsafe_b64encode(b"[" * 1400).decode() + ".c", "malformed"),
        ("x" * 5000, "malformed"),
        (signed(iss=None), "malformed"),
        (signed(iss="cam2"), "'cam2' is not enrolled here, or was revoked"),
        (signed(Ed25519PrivateKey.generate()), "not signed by the key that it enrolled with"),
        (jwt.encode(CLAIMS, "", algorithm="none"), "not signed by the key"),
        (signed(aud="another-cloud"), "is for another service"),
        (signed(aud=None), "lacks the claim aud"),
        (signed(exp=None), "lacks the claim exp"),
        (signed(jti=None), "lacks the claim jti"),
        (signed(exp=NOW_S + 3600), "lives too long"),
        (signed(exp=NOW_S - 10), "lives too long"),
        (signed(iat="now"), "times that are no numbers|not signed"),
        (signed(iat=NOW_S - 300, exp=NOW_S - 240), "was made 300 s ago by its clock; set the device's clock"),
        (signed(iat=NOW_S + 300, exp=NOW_S + 360), "set the device's clock"),
        (signed(iat=0, exp=60), "set the device's clock"),
    ],
)
def test_token_that_is_not_in_order_is_denied_in_one_line(token: str, reason: str) -> None:
    with pytest.raises(DeniedError, match=reason) as denied:
        verify(token)
    assert "\n" not in str(denied.value)


def test_public_key_cannot_be_used_as_a_shared_secret() -> None:
    """An old trick: sign with HS256 and the public key, in the hope that it is taken for a secret."""
    header = jwt.utils.base64url_encode(b'{"alg":"HS256","typ":"JWT"}')
    body = signed().split(".")[1].encode()
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = jwt.utils.base64url_encode(mac.sign(header + b"." + body, KEYS["cam1"].encode()))
    with pytest.raises(DeniedError, match="not signed by the key"):
        verify(b".".join((header, body, signature)).decode())


def test_token_that_came_before_is_denied() -> None:
    replays = ReplayCache()
    token = signed()
    assert verify(token, replays) == "cam1"
    with pytest.raises(DeniedError, match="was used before"):
        verify(token, replays)
    assert verify(signed(jti="2"), replays) == "cam1"


def test_replay_cache_forgets_what_has_expired() -> None:
    cache = ReplayCache(limit=10)
    assert cache.add("cam1", "a", expires_s=10.0, now_s=0.0)
    assert not cache.add("cam1", "a", expires_s=10.0, now_s=9.0)
    assert cache.add("cam1", "a", expires_s=30.0, now_s=11.0)
    for number in range(100):
        cache.add("cam1", str(number), expires_s=99.0, now_s=12.0)
    assert len(cache._seen) <= 10
