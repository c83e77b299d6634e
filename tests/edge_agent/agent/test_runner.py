"""The whole agent in one process: real pipeline, spool, threads; simulated camera, network, broker, cloud."""

from __future__ import annotations

import base64
import json
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import httpx
import pytest

from edge_agent.agent.parts import AgentParts
from edge_agent.agent.runner import Agent
from edge_agent.agent.self_care import Sensors
from edge_agent.clock import SystemClock
from edge_agent.config import AgentConfig, CameraConfig, CloudConfig, MqttConfig
from edge_agent.errors import ConfigError, ElfowlError
from edge_agent.report.link import Broker, Message
from edge_agent.update.identity import Enrolment, load_or_make_key, save_enrolment
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.event import Event
from edge_agent.wire.live import LivePicture, LookWanted
from edge_agent.wire.nearby import NearbyWanted
from edge_agent.wire.offload import OffloadReply, OffloadRequest
from edge_agent.wire.rules import CameraRules, ZoneRule
from edge_agent.wire.sync import (
    Ack,
    BundleTarget,
    CameraSettings,
    Desired,
    EventBatch,
    FrameWanted,
    MqttAccess,
)
from edge_agent.wire.topics import match_topic
from tests.edge_agent.offload.test_client import parts_of
from tests.fakes.cloud_http import FakeCloud
from tests.fakes.frame_source import until
from tests.fakes.link import FakeLink
from tests.fakes.squares import SquareCamera, open_square_bundle

REF = DetectorRef(id="squares", name="squares", version=1)
TARGET = BundleTarget(
    path="squares-1.zip",
    sha256="1" * 64,
    length_bytes=10,
    release=1,
    detector_id="squares",
    detector_name="squares",
    detector_version=1,
)


class ServingCloud(FakeCloud):
    """Answers questions about pictures too."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_for: list[OffloadRequest] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/api/v1/offload" or self.down:
            return super().handle(request)
        asked = OffloadRequest.from_json(parts_of(request)["request"])
        self.asked_for.append(asked)
        seen = Detection(label="red_square", score=0.95, box=(0.1, 0.3, 0.3, 0.7))
        reply = OffloadReply(request_id=asked.request_id, detector=REF, detections=(seen,), inference_ms=5.0)
        return httpx.Response(200, text=reply.to_json())


class World:
    """Everything around one agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = ServingCloud()
        self.links: list[FakeLink] = []
        self.wills: list[Message] = []
        clock = SystemClock()
        # Away for longer than the tracker waits for a thing to come back.
        self.camera = SquareCamera(clock, fps=20.0, seen_s=1.0, period_s=5.0)
        self.parts = AgentParts(
            clock,
            random.Random(1),
            self.cloud.client(),
            self._connect,
            lambda _config: self.camera,
            open_square_bundle,
            lambda _config, _clock: Path("squares.zip"),
            farewell_s=0.1,
            # The process that runs the tests has memory of other tests, for which no camera shall look less.
            sensors=Sensors(memory_bytes=lambda: 50_000_000, temperature_c=lambda: 40.0),
        )
        self.stopping = threading.Event()
        self.error: list[ElfowlError] = []
        self._thread: threading.Thread | None = None

    def _connect(self, _broker: Broker, will: Message, _subscriptions: Sequence[str]) -> FakeLink:
        link = FakeLink()
        self.links.append(link)
        self.wills.append(will)
        return link

    def config(self, **changes: object) -> AgentConfig:
        base: dict[str, object] = {
            "device": "porch",
            "state_dir": self.folder,
            "profile": "x86-64",
            "bundle": "starter",
            "mqtt": MqttConfig(host="home"),
            "cameras": (CameraConfig(name="front", source="x"),),
        }
        return AgentConfig.model_validate(base | changes)

    def enrol(self) -> None:
        load_or_make_key(self.folder)
        enrolment = Enrolment(
            device="porch",
            cloud_url="http://cloud/",
            mqtt=MqttAccess(host="cloud", port=1883),
            tuf_root="{}",
            tuf_metadata_url="http://cloud/tuf/metadata/",
            tuf_targets_url="http://cloud/tuf/targets/",
        )
        save_enrolment(self.folder, enrolment)

    def start(self, config: AgentConfig) -> None:
        def run() -> None:
            try:
                Agent(config, self.parts).run(self.stopping)
            except ElfowlError as error:
                self.error.append(error)

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        if self._thread is not None:
            self._thread.join(20)
            assert not self._thread.is_alive()

    def said(self, topic: str, link: int = 0) -> list[bytes]:
        sent = self.links[link].sent if len(self.links) > link else []
        return [message.payload for message in list(sent) if message.topic == topic]

    def events(self) -> list[Event]:
        return [Event.from_json(payload) for payload in self.said("elfowl/porch/cam/front/event")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.stop()


CLOUD = CloudConfig(url="http://cloud", poll_s=1.0)
EVERYWHERE = CameraRules(
    zones=(ZoneRule(name="everywhere", corners=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))),)
)


def wait_up(world: World, links: int = 1) -> None:
    assert until(lambda: len(world.links) >= links and all(hasattr(link, "events") for link in world.links))
    for link in world.links:
        link.events.up()


@pytest.mark.slow
def test_agent_without_cloud_sees_reports_and_says_goodbye(world: World) -> None:
    world.start(world.config())
    wait_up(world)
    assert until(lambda: {"new", "end"} <= {event.event_type for event in world.events()})
    world.stop()
    assert world.error == []
    assert world.said("elfowl/porch/available")[-1] == b"offline"
    assert world.wills[0].payload == b"offline"
    # A state may be said twice: when it is known, and when the connection comes up.
    counts = [count for count, _ in groupby(world.said("elfowl/porch/cam/front/label/red_square"))]
    assert counts[:2] == [b"0", b"1"]
    for message in world.links[0].sent:
        assert match_topic(message.topic) is not None, message.topic
    assert world.cloud.requests == []


def test_agent_switch_turns_detection_off_over_restarts(world: World) -> None:
    world.start(world.config())
    wait_up(world)
    assert until(lambda: len(world.events()) > 0)
    topic = "elfowl/porch/cam/front/switch/detect"
    world.links[0].events.message(f"{topic}/set", b"OFF", False)
    assert until(lambda: world.said(f"{topic}/state")[-1:] == [b"OFF"])
    assert until(lambda: world.events()[-1].event_type == "end")
    world.stop()
    again = World(world.folder)
    again.start(again.config())
    wait_up(again)
    assert until(lambda: set(again.said(f"{topic}/state")) == {b"OFF"})
    again.stop()
    before = {event.id for event in world.events()}
    assert {event.id for event in again.events()} == before, (
        "what no broker acknowledged is said again, and no more"
    )


@pytest.mark.slow
def test_agent_two_brokers_get_states_and_batches(world: World) -> None:
    world.enrol()
    world.start(world.config(cloud=CLOUD))
    wait_up(world, links=2)
    assert until(lambda: world.said("elfowl/porch/up/events", link=1) != [])
    assert until(lambda: len(world.events()) > 0)
    batch = EventBatch.from_json(world.said("elfowl/porch/up/events", link=1)[0])
    assert batch.items[0].event.camera == "front"
    assert batch.items[0].thumbnail_jpeg_base64 is not None
    ack = Ack(epoch=batch.epoch, seq=batch.items[-1].seq)
    world.links[1].events.message("elfowl/porch/down/ack", ack.to_json().encode(), False)
    assert until(lambda: len(world.said("elfowl/porch/up/events", link=1)) > 1)
    second = EventBatch.from_json(world.said("elfowl/porch/up/events", link=1)[1])
    assert second.items[0].seq == ack.seq + 1
    assert world.said("elfowl/porch/available", link=1) == [b"online"]
    feedback = b'{"verdict": "wrong", "event_id": "event-0001"}'
    world.links[0].events.message("elfowl/porch/feedback/set", feedback, False)
    assert until(lambda: world.said("elfowl/porch/feedback/set", link=1) != [])
    assert until(lambda: world.cloud.reports != [])
    assert world.cloud.reports[0].cameras["front"].detect is True


def test_agent_takes_settings_and_sends_wanted_frame(world: World) -> None:
    world.enrol()
    world.start(world.config(cloud=CLOUD))
    wait_up(world, links=2)
    assert until(lambda: len(world.events()) > 0)
    world.cloud.desired = Desired(
        device="porch",
        version=2,
        cameras={"front": CameraSettings(threshold=0.7, rules=EVERYWHERE)},
        frames_wanted=(FrameWanted(request_id="r1", event_id=world.events()[0].id),),
    )
    world.links[1].events.message("elfowl/porch/down/desired", b'{"version": 2}', False)
    assert until(lambda: "r1" in world.cloud.frames)
    assert world.cloud.frames["r1"].startswith(b"\xff\xd8")
    assert until(lambda: world.said("elfowl/porch/cam/front/switch/threshold/state")[-1:] == [b"0.7"])
    assert until(lambda: any(r.desired_version == 2 for r in world.cloud.reports))
    assert until(lambda: world.events()[-1].zones.current == ("everywhere",))
    assert world.cloud.reports[-1].cameras["front"].rules == EVERYWHERE


@pytest.mark.slow
def test_agent_camera_that_goes_offline_ends_its_events_and_says_why(world: World) -> None:
    world.start(world.config())
    wait_up(world)
    assert until(lambda: len(world.events()) > 0)
    world.camera.offline = "no route to the camera"
    assert until(lambda: world.said("elfowl/porch/cam/front/status")[-1:] == [b"offline"])
    assert until(lambda: world.events()[-1].event_type == "end")
    detail = json.loads(world.said("elfowl/porch/cam/front/detail")[-1])
    assert detail["reason"] == "no route to the camera"
    world.camera.offline = None
    assert until(lambda: world.said("elfowl/porch/cam/front/status")[-1:] == [b"online"])
    count = len(world.events())
    assert until(lambda: len(world.events()) > count)


def test_agent_whose_network_fails_lets_the_cloud_look(world: World) -> None:
    world.parts = replace(world.parts, base_bundle=lambda _config, _clock: Path("broken.zip"))
    world.enrol()
    world.start(world.config(cloud=CLOUD))
    wait_up(world, links=2)
    assert until(lambda: any(event.answered_by == "cloud" for event in world.events()), timeout_s=120)
    assert world.events()[0].detector.id == "squares"


def test_agent_that_never_sends_pictures_sends_none(world: World) -> None:
    world.enrol()
    private = CLOUD.model_copy(update={"never_send_pictures": True})
    world.start(world.config(cloud=private))
    wait_up(world, links=2)
    assert until(lambda: world.said("elfowl/porch/up/events", link=1) != [])
    wanted = (FrameWanted(request_id="r1", event_id=world.events()[0].id),)
    world.cloud.desired = Desired(device="porch", version=2, frames_wanted=wanted)
    assert until(lambda: any(r.desired_version == 2 for r in world.cloud.reports))
    batch = EventBatch.from_json(world.said("elfowl/porch/up/events", link=1)[0])
    assert all(item.thumbnail_jpeg_base64 is None for item in batch.items)
    assert world.cloud.frames == {}
    assert world.cloud.asked_for == []
    look(world)
    events = len(world.events())
    assert until(lambda: len(world.events()) > events)
    assert world.said("elfowl/porch/up/look", link=1) == []


def look(world: World, camera: str = "front") -> None:
    wanted = LookWanted(camera=camera, for_s=2.0, fps=10.0)
    world.links[1].events.message("elfowl/porch/down/look", wanted.to_json().encode(), False)


def test_agent_shows_its_camera_blurred_when_somebody_looks(world: World) -> None:
    world.enrol()
    world.start(world.config(cloud=CLOUD))
    wait_up(world, links=2)
    assert until(lambda: len(world.events()) > 0)
    topic = "elfowl/porch/up/look"
    assert world.said(topic, link=1) == []

    def has_come_while_looking() -> bool:
        look(world, "bedroom")
        look(world)
        return len(world.said(topic, link=1)) > 3

    assert until(has_come_while_looking)
    shown = [LivePicture.from_json(one) for one in world.said(topic, link=1)]
    assert {(one.camera, one.blurred) for one in shown} == {("front", True)}
    assert base64.b64decode(shown[0].jpeg_base64)[:2] == b"\xff\xd8"


def test_agent_without_own_detector_lets_the_cloud_look(world: World) -> None:
    world.parts = replace(world.parts, base_bundle=lambda _config, _clock: None)
    world.enrol()
    world.cloud.desired = Desired(device="porch", version=1, bundle=TARGET)
    world.start(world.config(cloud=CLOUD, bundle=None, mqtt=None))
    wait_up(world)
    assert until(lambda: any(event.answered_by == "cloud" for event in world.events()), timeout_s=120)
    event = next(event for event in world.events() if event.answered_by == "cloud")
    assert event.offload_reason == "no_local_model"
    assert event.detector.id == "squares"
    assert world.cloud.asked_for[0].detector_id == "squares"
    assert len(world.links) == 1, "one connection serves home and cloud"
    assert until(lambda: world.said("elfowl/porch/up/events") != [])


def test_agent_just_enrolled_waits_for_its_first_detector_without_alarm(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.enrol()
    world.parts = replace(world.parts, base_bundle=lambda _config, _clock: None)
    with caplog.at_level("INFO", logger="edge_agent.agent.session"):
        world.start(world.config(cloud=CloudConfig(url="http://cloud"), bundle=None))
        assert until(lambda: bool(world.said("elfowl/porch/cam/front/detail")))
        assert until(lambda: "waiting for the first detector" in caplog.messages)
        world.stop()
    detail = world.said("elfowl/porch/cam/front/detail")[-1]
    assert json.loads(detail)["reason"] == "no detector yet"
    of_session = [r for r in caplog.records if r.name == "edge_agent.agent.session"]
    assert [r.message for r in of_session if r.levelname == "ERROR"] == []


def test_agent_whose_only_bundle_is_damaged_is_loudly_blind(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.parts = replace(world.parts, base_bundle=lambda _config, _clock: Path("damaged.zip"))
    world.start(world.config())
    assert until(lambda: any("boot → blind" in message for message in caplog.messages))
    world.stop()
    (record,) = [r for r in caplog.records if "boot → blind" in r.message]
    assert record.levelname == "ERROR"


def test_agent_detects_while_the_cloud_it_has_not_joined_is_away(world: World) -> None:
    world.cloud.down = True
    token = CloudConfig.model_validate({"url": "http://cloud", "poll_s": 1.0, "enrol_token": "token-1234"})
    world.start(world.config(cloud=token))
    wait_up(world)
    assert until(lambda: len(world.events()) > 0)


@pytest.mark.parametrize("what", ["no token", "broken bundle", "locked"])
def test_agent_that_cannot_run_says_why(world: World, what: str) -> None:
    config = world.config()
    if what == "no token":
        world.parts = replace(world.parts, base_bundle=lambda _config, _clock: None)
        config = world.config(cloud=CLOUD, bundle=None)
    elif what == "broken bundle":
        world.parts = replace(world.parts, base_bundle=_refuse)
    else:
        first = World(world.folder)
        first.start(config)
        wait_up(first)
    world.start(config)
    assert until(lambda: world.error != [])
    assert len(str(world.error[0]).splitlines()) == 1
    if what == "locked":
        assert "another agent runs" in str(world.error[0])
        first.stop()


def _refuse(_config: object, _clock: object) -> Path:
    message = "kit squares.zip is damaged"
    raise ConfigError(message)


def test_agent_state_files_are_json(world: World) -> None:
    world.start(world.config())
    wait_up(world)
    world.links[0].events.message("elfowl/porch/cam/front/switch/threshold/set", b"0.4", False)
    settings = world.folder / "settings.json"
    assert until(settings.exists)
    assert until(lambda: json.loads(settings.read_text())["cameras"]["front"]["threshold"] == 0.4)


def test_agent_opens_its_cameras_anew_when_one_was_taken_out_in_the_portal(world: World) -> None:
    world.enrol()
    (world.folder / "cameras.yaml").write_text("cameras: [{name: yard, source: x}]\n")
    world.start(world.config(cloud=CLOUD, mqtt=None))
    assert until(lambda: [set(report.cameras) for report in world.cloud.reports] == [{"front", "yard"}])
    wanted = NearbyWanted(request_id="nby_1", remove="yard")
    world.cloud.desired = Desired(device="porch", version=2, nearby_wanted=wanted)
    assert until(lambda: bool(world.cloud.reports) and set(world.cloud.reports[-1].cameras) == {"front"})
    assert world.cloud.nearby[0].removed == "yard"
    assert world.error == []
