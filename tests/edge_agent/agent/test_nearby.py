"""Cameras around a device: looked for when asked, added with a sealed password, if they were found."""

from __future__ import annotations

import base64
import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge_agent.agent.added_cameras import added_cameras, with_added
from edge_agent.agent.nearby import Introduced, Nearby
from edge_agent.agent.nearby_ask import Found, Question
from edge_agent.agent.sealed_login import Seal
from edge_agent.config import AgentConfig
from edge_agent.errors import CameraError, ProtocolError
from edge_agent.wire.nearby import NearbyAddition, NearbyCamera, NearbyCameras, NearbyWanted, SealedLogin

SERVICE = "http://192.168.1.20/onvif/device_service"
CAMERA = NearbyCamera(host="192.168.1.20", service=SERVICE, name="Front", wants_login=True)
SOURCE = "rtsp://adm:p%40ss@192.168.1.20/sub"


def close_for(public: str, service: str, user: str = "adm", password: str = "p@ss") -> SealedLogin:
    """Close a login as a browser does."""
    own = ec.generate_private_key(ec.SECP256R1())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), base64.b64decode(public))
    shared = own.exchange(ec.ECDH(), theirs)
    key = HKDF(SHA256(), 32, salt=None, info=b"elfowl camera login").derive(shared)
    nonce, text = os.urandom(12), json.dumps({"user": user, "password": password}).encode()
    point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    closed = AESGCM(key).encrypt(nonce, text, service.encode())
    parts = (base64.b64encode(part).decode() for part in (point, nonce, closed))
    return SealedLogin(**dict(zip(("key", "nonce", "text"), parts, strict=True)))


@dataclass
class FakeAsker:
    """Finds what it is told to, and notes what it is asked."""

    found: Found = field(default_factory=lambda: Found(cameras=(CAMERA,)))
    opened: Found = field(default_factory=lambda: Found(source=SOURCE))
    error: Exception | None = None
    asked: list[Question] = field(default_factory=list)

    def ask(self, question: Question) -> Found:
        self.asked.append(question)
        if self.error is not None:
            raise self.error
        return self.found if question.service is None else self.opened

    def stop(self) -> None:
        """Nothing is under way."""


class Bench:
    def __init__(self, folder: Path, **config: object) -> None:
        self.config = AgentConfig.model_validate(
            {
                "device": "porch", "profile": "x86-64", "state_dir": folder, "bundle": "starter",
                "cloud": {"url": "http://cloud"}, **config,
            }
        )  # fmt: skip
        self.asker = FakeAsker()
        self.known = Introduced()
        self.told = threading.Event()
        self.nearby = self.new_session()

    def new_session(self) -> Nearby:
        return Nearby(self.config, self.asker, self.told.set, self.known)

    def want(self, request_id: str, **wanted: object) -> NearbyCameras:
        self.told.clear()
        self.nearby.want(NearbyWanted.model_validate({"request_id": request_id, **wanted}))
        assert self.told.wait(30.0)
        answer = self.nearby.answer()
        assert answer is not None
        assert answer.request_id == request_id
        return answer

    def add(self, request_id: str, name: str = "yard", **login: str) -> NearbyCameras:
        sealed = close_for(self.known.seal.public, SERVICE, **login)
        return self.want(request_id, add=NearbyAddition(name=name, service=SERVICE, login=sealed))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_search_tells_what_was_found_once_and_how_to_close_a_password(bench: Bench) -> None:
    answer = bench.want("one")
    assert (answer.cameras, answer.seal_key, answer.error) == ((CAMERA,), bench.known.seal.public, None)
    bench.nearby.want(NearbyWanted(request_id="one"))
    bench.nearby.was_answered(answer)
    assert (bench.nearby.answer(), len(bench.asker.asked), bench.nearby.has_changed) == (None, 1, False)


def test_camera_that_was_found_is_added_with_its_password_and_kept_in_a_file_of_its_owner(
    bench: Bench,
) -> None:
    bench.want("one")
    answer = bench.add("two", user="adm", password="p@ss")
    assert (answer.added, answer.error) == ("yard", None)
    login = bench.asker.asked[-1].login
    assert login is not None
    assert (login.user, login.password.get_secret_value()) == ("adm", "p@ss")
    assert "p@ss" not in answer.to_json() + repr(bench.asker.asked)
    (file,) = bench.config.state_dir.glob("cameras.yaml")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [(one.name, one.source) for one in with_added(bench.config).cameras] == [("yard", SOURCE)]
    assert not bench.nearby.has_changed, "the cloud does not know yet: a new session would ask again"
    bench.nearby.was_answered(answer)
    assert bench.nearby.has_changed


def test_next_session_adds_another_camera_of_the_same_search(bench: Bench) -> None:
    bench.want("one")
    bench.add("two", "yard")
    bench.nearby = bench.new_session()
    assert bench.add("three", "door").added == "door"
    assert [one.name for one in added_cameras(bench.config)] == ["yard", "door"]


def test_camera_that_was_not_found_is_never_asked(bench: Bench) -> None:
    bench.want("one")
    answer = bench.want("two", add=NearbyAddition(name="yard", service="http://10.0.0.1/admin"))
    assert answer.error == "the device has not found this camera since it started; look for cameras again"
    assert [question.service for question in bench.asker.asked] == [None]


def test_password_for_another_key_or_camera_opens_nothing(bench: Bench) -> None:
    seal = Seal()
    closed = close_for(seal.public, SERVICE)
    assert seal.open(closed, SERVICE) == ("adm", "p@ss")
    for other, service in ((Seal(), SERVICE), (seal, "http://192.168.1.21/onvif/device_service")):
        with pytest.raises(ProtocolError, match="look for cameras again"):
            other.open(closed, service)
    bench.want("one")
    answer = bench.want("two", add=NearbyAddition(name="yard", service=SERVICE, login=closed))
    assert answer.error is not None
    assert added_cameras(bench.config) == ()


@pytest.mark.parametrize("text", ["", "AA==", base64.b64encode(b"x" * 100).decode()])
def test_login_of_garbage_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        Seal().open(SealedLogin(key=text, nonce=text, text=text), SERVICE)


def test_camera_that_gives_no_picture_is_not_added_and_says_why(bench: Bench) -> None:
    bench.want("one")
    bench.asker.opened = Found(error="192.168.1.20: does not accept this user and password")
    assert bench.add("two").error == "192.168.1.20: does not accept this user and password"
    assert added_cameras(bench.config) == ()


def test_name_that_is_taken_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    bench = Bench(tmp_path, cameras=[{"name": "yard", "source": "0"}])
    bench.want("one")
    assert "already" in str(bench.add("two", "yard").error)
    assert len(bench.asker.asked) == 1


def test_added_camera_is_taken_out_and_one_of_the_config_file_is_not(tmp_path: Path) -> None:
    bench = Bench(tmp_path, cameras=[{"name": "door", "source": "0"}])
    bench.want("one")
    bench.add("two", "yard")
    assert "config file" in str(bench.want("three", remove="door").error)
    assert bench.want("four", remove="yard").removed == "yard"
    assert [one.name for one in with_added(bench.config).cameras] == ["door"]


def test_owner_who_forbids_it_is_obeyed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, nearby={"enabled": False})
    assert "the owner of this device does not allow it" in str(bench.want("one").error)
    assert bench.asker.asked == []


@pytest.mark.parametrize("error", [CameraError("no network"), RuntimeError("a fault of ours")])
def test_search_that_fails_is_answered(bench: Bench, error: Exception) -> None:
    bench.asker.error = error
    assert bench.want("one").error in {"no network", "it failed; the device's log says why"}
    bench.asker.error = None
    assert bench.want("two").error is None


def test_damaged_file_of_added_cameras_is_left_out(bench: Bench) -> None:
    (bench.config.state_dir / "cameras.yaml").write_text("cameras: [{name: 'x")
    assert with_added(bench.config).cameras == ()


def test_what_somebody_wrote_into_the_file_stays(bench: Bench) -> None:
    file = bench.config.state_dir / "cameras.yaml"
    file.write_text("cameras:\n  - {name: gate, source: '0', fps: 2}\n")
    bench.want("one")
    bench.add("two", "yard")
    assert [(one.name, one.fps) for one in added_cameras(bench.config)] == [("gate", 2.0), ("yard", 5.0)]
