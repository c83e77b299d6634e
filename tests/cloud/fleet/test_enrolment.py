"""Tokens that work once, keys that cannot be taken over, and a limit on guessing."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from cloud.errors import BusyError, ConflictError, DeniedError, InputError
from cloud.fleet.enrolment import (
    DeviceRecord,
    GuessLimit,
    IssuedToken,
    KnownDevice,
    TokenRecord,
    canonical_public_key,
    enrol,
    enrol_reply,
    issue_token,
)
from edge_agent.wire.sync import EnrolRequest, MqttAccess
from tests.fakes.clock import FakeClock


@dataclass
class FakeStore:
    """Implements `EnrolmentStore` in memory; `spend_token` is as atomic as one statement of a database."""

    tokens: dict[str, TokenRecord] = field(default_factory=dict)
    devices: dict[str, DeviceRecord] = field(default_factory=dict)
    spoken: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find_token(self, digest: str) -> TokenRecord | None:
        return self.tokens.get(digest)

    def spend_token(self, digest: str, device: str, now_s: float) -> bool:
        with self.lock:
            token = self.tokens[digest]
            if token.used_by is not None or token.expires_s <= now_s:
                return False
            self.tokens[digest] = replace(token, used_by=device)
            return True

    def find_device(self, name: str) -> KnownDevice | None:
        device = self.devices.get(name)
        if device is None:
            return None
        return KnownDevice(device.public_key_pem, device.state, name in self.spoken)

    def save_device(self, device: DeviceRecord) -> None:
        self.devices[device.name] = device


class Door:
    """Where devices join."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeStore()
        self.limit = GuessLimit(self.clock)

    def issue(self, *, accepts: bool = True) -> IssuedToken:
        token = issue_token(self.clock)
        self.store.tokens[token.digest] = TokenRecord(token.digest, token.expires_s, accepts=accepts)
        return token

    def enrol(self, token: str, name: str = "cam1", pem: str = "", peer: str = "10.0.0.9") -> DeviceRecord:
        request = EnrolRequest(
            token=token,
            name=name,
            public_key_pem=pem or new_key(),
            profile="pi-4",
            arch="aarch64",
            agent_version="0.1.0",
        )
        return enrol(request, store=self.store, clock=self.clock, limit=self.limit, peer=peer)


def pem_of(key: Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def new_key() -> str:
    return pem_of(Ed25519PrivateKey.generate())


@pytest.fixture
def door() -> Door:
    return Door()


def test_device_joins_with_a_token(door: Door) -> None:
    key = new_key()
    device = door.enrol(door.issue().text, "cam1", key)
    assert (device.name, device.public_key_pem) == ("cam1", canonical_public_key(key))
    assert door.store.devices["cam1"] == device


def test_text_of_a_token_is_kept_nowhere(door: Door) -> None:
    token = door.issue()
    assert token.text not in repr(door.store)
    assert token.text not in repr(token)
    assert len({door.issue().text for _ in range(50)}) == 50


def test_token_works_once(door: Door) -> None:
    token = door.issue().text
    door.enrol(token, "cam1")
    with pytest.raises(DeniedError, match="was used already; make a new one"):
        door.enrol(token, "cam2")
    with pytest.raises(DeniedError, match="was used already"):
        door.enrol(token, "cam1")
    assert set(door.store.devices) == {"cam1"}


def test_device_whose_reply_was_lost_may_ask_again(door: Door) -> None:
    token, key = door.issue().text, new_key()
    first = door.enrol(token, "cam1", key)
    assert door.enrol(token, "cam1", key) == first


def test_device_that_spoke_cannot_use_its_token_again(door: Door) -> None:
    token, key = door.issue().text, new_key()
    door.enrol(token, "cam1", key)
    door.store.spoken.add("cam1")
    with pytest.raises(DeniedError, match="was used already"):
        door.enrol(token, "cam1", key)


def test_token_that_does_not_accept_leaves_the_device_waiting_for_days(door: Door) -> None:
    token, key = door.issue(accepts=False).text, new_key()
    assert door.enrol(token, "cam1", key).state == "pending"
    door.clock.advance(5 * 86_400)
    assert door.enrol(token, "cam1", key).state == "pending"
    with pytest.raises(DeniedError):
        door.enrol(token, "cam1", new_key())
    door.store.devices["cam1"] = replace(door.store.devices["cam1"], state="enrolled")
    assert door.enrol(token, "cam1", key).state == "enrolled"


def test_revoked_device_needs_a_new_token(door: Door) -> None:
    token, key = door.issue().text, new_key()
    door.store.devices["cam1"] = replace(door.enrol(token, "cam1", key), state="revoked")
    with pytest.raises(DeniedError, match="was used already"):
        door.enrol(token, "cam1", key)
    assert door.enrol(door.issue().text, "cam1", key).state == "enrolled"


def test_expired_token_is_refused(door: Door) -> None:
    token = door.issue().text
    door.clock.advance(3600)
    with pytest.raises(DeniedError, match="has expired"):
        door.enrol(token)
    assert door.store.devices == {}


def test_unknown_token_is_refused(door: Door) -> None:
    with pytest.raises(DeniedError, match="is unknown"):
        door.enrol("not-a-token-of-ours")


def test_of_many_who_race_for_a_token_one_wins(door: Door) -> None:
    token = door.issue().text
    door.limit = GuessLimit(door.clock, attempts=1000)
    results: list[str] = []
    start = threading.Barrier(16)

    def race(number: int) -> None:
        key = new_key()
        start.wait()
        try:
            results.append(door.enrol(token, f"cam{number}", key).name)
        except DeniedError:
            results.append("denied")

    threads = [threading.Thread(target=race, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("denied") == 15
    assert len(door.store.devices) == 1


def test_name_of_another_device_cannot_be_taken(door: Door) -> None:
    first = door.enrol(door.issue().text, "cam1")
    with pytest.raises(ConflictError, match="another device is enrolled as 'cam1'; take another name"):
        door.enrol(door.issue().text, "cam1")
    assert door.store.devices["cam1"] == first


def test_device_with_its_key_may_join_again(door: Door) -> None:
    key = new_key()
    door.enrol(door.issue().text, "cam1", key)
    door.clock.advance(100)
    assert door.enrol(door.issue().text, "cam1", key).enrolled_s == door.clock.now_s()


def private_pem() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "junk",
        pem_of(rsa.generate_private_key(65537, 2048)),
        pem_of(ec.generate_private_key(ec.SECP256R1())),
        private_pem(),
    ],
    ids=["empty", "junk", "rsa", "ec", "private"],
)
def test_key_that_is_not_a_public_ed25519_key_is_refused(door: Door, pem: str) -> None:
    token = door.issue()
    request = EnrolRequest(
        token=token.text, name="cam1", public_key_pem=pem, profile="p", arch="a", agent_version="1"
    )
    with pytest.raises(InputError, match="is not an Ed25519 public key"):
        enrol(request, store=door.store, clock=door.clock, limit=door.limit, peer="10.0.0.9")
    assert door.store.tokens[token.digest].used_by is None


@pytest.mark.parametrize("name", ["", "../cam", "cam 1", "cam/1", "cam+", "cam#", "x" * 65, "cam\n"])
def test_name_that_is_no_topic_segment_never_gets_in(door: Door, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        door.enrol(door.issue().text, name)


def test_guessing_is_limited_for_each_peer(door: Door) -> None:
    for _ in range(10):
        with pytest.raises(DeniedError):
            door.enrol("wrong-token")
    token = door.issue().text
    with pytest.raises(BusyError, match="too many wrong enrolment tokens") as refused:
        door.enrol(token)
    assert refused.value.retry_after_s == pytest.approx(60.0)
    assert door.enrol(token, peer="10.0.0.10").name == "cam1"
    door.clock.advance(61)
    assert door.enrol(door.issue().text, "cam2").name == "cam2"


def test_peers_without_number_take_no_memory_without_limit(door: Door) -> None:
    for number in range(10_050):
        door.limit.check(f"peer {number}")
    assert len(door.limit._failures) <= 10_000


def test_reply_carries_the_root_and_relative_urls(door: Door) -> None:
    device = door.enrol(door.issue().text)
    reply = enrol_reply(device, mqtt=MqttAccess(host="h", port=1883), root_json="{}")
    assert (reply.tuf_metadata_url, reply.tuf_targets_url) == ("/tuf/metadata/", "/tuf/targets/")
    assert reply.device == "cam1"
