"""What a diagnosis says of each part, well and broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path

import httpx
import numpy as np
import pytest

from edge_agent.agent.diagnose import DiagnosisPorts, check_main_stream, diagnose
from edge_agent.agent.findings import Finding, exit_code, to_json
from edge_agent.agent.parts import AgentParts, real_parts
from edge_agent.camera.frame import Frame
from edge_agent.config import AgentConfig, CameraConfig, CloudConfig, MainStreamConfig, MqttConfig
from edge_agent.errors import CameraError
from edge_agent.update.identity import Enrolment, load_or_make_key, save_enrolment
from edge_agent.wire.sync import MqttAccess
from tests.fakes.clock import FakeClock
from tests.fakes.link import FakeLink
from tests.fakes.squares import open_square_bundle, square_picture


@dataclass
class Stream:
    """Some pictures, 10 a second."""

    frames: int = 20
    level: int | None = None
    error: str = ""

    def __iter__(self) -> Iterator[Frame]:
        rgb = square_picture(3) if self.level is None else np.full((90, 160, 3), self.level, np.uint8)
        for n in range(self.frames):
            yield Frame(rgb, n, n / 10, n / 10)
        if self.error:
            raise CameraError(self.error)

    def close(self) -> None:
        pass


@dataclass
class World:
    """Everything around a healthy device; each test breaks one thing."""

    folder: Path
    stream: Stream = field(default_factory=Stream)
    link: FakeLink = field(default_factory=FakeLink)
    clock: FakeClock = field(default_factory=FakeClock)
    bundle: str = "squares.zip"
    cpu_s: float = 0.001
    free_bytes: int = 10**12
    health: int = 200
    desired: int = 200
    refuses: bool = False
    off_s: float = 0.0
    enrolled: bool = True

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.refuses:
            message = "refused"
            raise httpx.ConnectError(message)
        headers = {"Date": formatdate(self.clock.now_s() + self.off_s)}
        is_health = request.url.path.endswith("/health")
        return httpx.Response(self.health if is_health else self.desired, headers=headers)

    def config(self) -> AgentConfig:
        return AgentConfig(
            device="porch",
            profile="x86-64",
            state_dir=self.folder / "state",
            bundle="starter",
            mqtt=MqttConfig(host="home"),
            cloud=CloudConfig(url="https://cloud.example"),
            cameras=(CameraConfig(name="front", source="rtsp://camera/live"),),
        )

    def ports(self) -> DiagnosisPorts:
        spent = iter(range(10_000))
        return DiagnosisPorts(
            self._parts(),
            lambda: next(spent) * self.cpu_s,
            lambda _camera, _clock: self.stream,
            lambda _folder: self.free_bytes,
        )

    def _parts(self) -> AgentParts:
        return replace(
            real_parts(),
            clock=self.clock,
            http=httpx.Client(transport=httpx.MockTransport(self.answer)),
            connect=lambda _broker, _will, _subscriptions: self.link,
            open_bundle=open_square_bundle,
            base_bundle=lambda _config, _clock: Path(self.bundle),
        )

    def look(self) -> dict[str, Finding]:
        if self.enrolled:
            self._enrol()
        return {finding.part.split()[0]: finding for finding in diagnose(self.config(), self.ports())}

    def _enrol(self) -> None:
        state = self.folder / "state"
        load_or_make_key(state)
        enrolment = Enrolment(
            device="porch",
            cloud_url="https://cloud.example",
            mqtt=MqttAccess(host="broker", port=1883),
            tuf_root="{}",
            tuf_metadata_url="https://cloud.example/m",
            tuf_targets_url="https://cloud.example/t",
        )
        save_enrolment(state, enrolment)


def test_diagnose_healthy_device_finds_everything_well(tmp_path: Path) -> None:
    found = World(tmp_path).look()
    assert set(found) == {"stream", "decoding", "model", "broker", "cloud", "clock", "disk"}
    assert {finding.verdict for finding in found.values()} == {"ok"}, found
    assert found["stream"].says == "160x90, 10.0 pictures/s"
    assert exit_code(list(found.values())) == 0


BREAKAGES: list[tuple[dict[str, object], str, str, str]] = [
    ({"stream": Stream(0, error="front: refused; check it")}, "stream", "failed", "refused; check it"),
    ({"stream": Stream(0)}, "stream", "failed", "gave no picture"),
    ({"stream": Stream(level=0)}, "stream", "weak", "lens cap"),
    ({"cpu_s": 3.0}, "decoding", "weak", "substream"),
    ({"bundle": "damaged.zip"}, "model", "failed", "no bundle that can be run"),
    ({"bundle": "broken.zip"}, "model", "failed", "the network failed"),
    ({"link": FakeLink(connected=False)}, "broker", "failed", "password in 'mqtt'"),
    ({"refuses": True}, "cloud", "failed", "cloud.url"),
    ({"health": 502}, "cloud", "failed", "answers 502"),
    ({"desired": 401}, "cloud", "failed", "does not accept this device"),
    ({"enrolled": False}, "cloud", "weak", "elfowl-agent enrol"),
    ({"off_s": 400 * 86_400.0}, "clock", "failed", "behind the cloud's"),
    ({"clock": FakeClock(now_s=10.0)}, "clock", "failed", "before this program was made"),
    ({"free_bytes": 1_000}, "disk", "failed", "free some space"),
    ({"free_bytes": 30_000_000}, "disk", "weak", "byte limits in 'storage'"),
]


@pytest.mark.parametrize(("broken", "part", "verdict", "says"), BREAKAGES)
def test_diagnose_broken_part_is_named_with_its_cure(
    tmp_path: Path, broken: dict[str, object], part: str, verdict: str, says: str
) -> None:
    found = replace(World(tmp_path), **broken).look()  # type: ignore[arg-type]
    assert found[part].verdict == verdict
    assert says in found[part].line()
    others = {name for name, finding in found.items() if finding.verdict == "failed" and name != part}
    assert others == set()
    assert exit_code(list(found.values())) == (verdict == "failed")


@pytest.mark.parametrize(
    ("stream", "verdict", "says"),
    [
        (Stream(), "ok", "clips of events are kept"),
        (Stream(0), "failed", "check the address in 'main_stream'"),
        (Stream(0, error="rtsp://***@x: refused; check it"), "failed", "refused; check it"),
    ],
)
def test_diagnose_looks_at_the_main_stream_too(
    tmp_path: Path, stream: Stream, verdict: str, says: str
) -> None:
    fine = MainStreamConfig(source="rtsp://camera/main")
    camera = CameraConfig(name="front", source="x", main_stream=fine)
    found = check_main_stream(camera, fine, World(tmp_path, stream=stream).ports())
    assert (found.part, found.verdict) == ("main-stream front", verdict)
    assert says in found.line()


def test_findings_to_json_say_the_same() -> None:
    findings = [Finding("disk", "failed", "full", "free some space")]
    assert json.loads(to_json(findings)) == {
        "ok": False,
        "findings": [{"part": "disk", "verdict": "failed", "says": "full", "cure": "free some space"}],
    }


def test_diagnose_says_nothing_in_the_agents_place(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.look()
    assert world.link.sent == []
