"""A home folder with detectors and enrolled devices, and what these send."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jwt
import simplejpeg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud.actions.open_home import open_home
from cloud.detector.files import save_detector
from cloud.detector.full import FullDetector
from cloud.settings import Settings
from cloud.store import devices
from cloud.store.tables import Device
from edge_agent.clock import Clock
from edge_agent.vision.arrays import Rgb

SENT_PX = (320, 240)
JPEG_QUALITY = 80
DETECTORS = 8
_BOUNDARY = "elfowl-bench"
CONTENT_TYPE = f"multipart/form-data; boundary={_BOUNDARY}"


@dataclass(frozen=True)
class BenchDevice:
    """An enrolled device, and which detector it asks."""

    name: str
    key: Ed25519PrivateKey
    detector_id: str

    def token(self, clock: Clock) -> str:
        """Return a fresh token for one request, as the camera makes it."""
        now_s = int(clock.now_s())
        claims = {
            "iss": self.name,
            "aud": "elfowl-cloud",
            "iat": now_s,
            "exp": now_s + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims, self.key, algorithm="EdDSA")

    def body(self, jpeg: bytes, deadline_ms: int) -> bytes:
        """Return the form that asks about a picture."""
        request = {
            "request_id": secrets.token_hex(16),
            "device": self.name,
            "camera": "door",
            "detector_id": self.detector_id,
            "reason": "unsure",
            "deadline_ms": deadline_ms,
            "frame_time": 1.0,
        }
        form = (
            _part('name="request"', "application/json", json.dumps(request).encode()),
            _part('name="image"; filename="frame.jpg"', "image/jpeg", jpeg),
            f"--{_BOUNDARY}--\r\n".encode(),
        )
        return b"".join(form)


def _part(what: str, kind: str, content: bytes) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {what}\r\nContent-Type: {kind}\r\n\r\n"
    return head.encode() + content + b"\r\n"


def make_home(home: Path, detector: FullDetector, count: int, clock: Clock) -> list[BenchDevice]:
    """Put down detectors of the same form under several ids, and `count` devices that ask them in turn."""
    ids = [f"bench{number}" for number in range(DETECTORS)]
    for name in ids:
        ref = detector.ref.model_copy(update={"id": name, "version": 1})
        spec = detector.spec.model_copy(update={"detector": ref})
        save_detector(FullDetector(spec, detector.taught_head), home / "detectors" / name / "v1")
    opened = open_home(Settings(home=home), clock)
    found = [
        BenchDevice(f"camera-{number}", Ed25519PrivateKey.generate(), ids[number % DETECTORS])
        for number in range(count)
    ]
    with opened.database.write() as session:
        for device in found:
            devices.enrol(session, _row(device, clock))
    opened.database.close()
    return found


def small_jpegs(pictures: Sequence[Rgb]) -> list[bytes]:
    """Return pictures as cameras send them."""
    import cv2

    return [
        simplejpeg.encode_jpeg(cv2.resize(rgb, SENT_PX, interpolation=cv2.INTER_AREA), JPEG_QUALITY, "RGB")
        for rgb in pictures
    ]


def _row(device: BenchDevice, clock: Clock) -> Device:
    public = device.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Device(
        name=device.name,
        public_key_pem=public.decode(),
        profile="pi-4",
        arch="aarch64",
        agent_version="0.1.0",
        state="enrolled",
        enrolled=clock.now_s(),
        online=False,
    )
