"""`elfowl-agent try`, with a detector that finds bright squares."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import av
import httpx
import numpy as np
import pytest

from edge_agent.agent.local_detector import OpenedBundle
from edge_agent.agent.parts import AgentParts, real_parts
from edge_agent.agent.tryout import TryOptions, run_tryout
from edge_agent.agent.tryout_home import parse_broker
from edge_agent.errors import CameraError, ConfigError
from edge_agent.pipeline.detector import LabelRule
from edge_agent.report.link import Broker, Link, LinkEvents, Message
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.manifest import AnchorFreeDecoder, AnchorFreeLevel, Head, InputSpec, LabelSpec, Manifest
from tests.fakes.frame_source import until

SQUARES = DetectorRef(id="det_square", name="squares", version=1)
MANIFEST = Manifest(
    name="squares",
    profile="generic-x86",
    runtime="onnx",
    precision="int8",
    model_file="model.onnx",
    files={"model.onnx": "0" * 64},
    input=InputSpec(name="input", width_px=64, height_px=64, dtype="int8"),
    heads=(
        Head(
            detector=SQUARES,
            labels=(LabelSpec(name="Square", slug="square", threshold=0.5),),
            decoder=AnchorFreeDecoder(
                levels=(AnchorFreeLevel(stride_px=8, scores_output="s", boxes_output="b"),)
            ),
        ),
    ),
    created=1_800_000_000.0,
)


class SquareDetector:
    """Sees one box around everything bright."""

    inference_ms = 2.0

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        assert min_score is not None
        ys, xs = np.nonzero(rgb[..., 0] > 180)
        if xs.size < 20:
            return []
        height, width = rgb.shape[:2]
        box = (xs.min() / width, ys.min() / height, (xs.max() + 1) / width, (ys.max() + 1) / height)
        return [Detection(label="square", score=0.9, box=box)]

    def close(self) -> None:
        pass


def open_squares(_path: Path, _threads: int) -> OpenedBundle:
    rule = LabelRule("square", "Square", 0.5, SQUARES)
    return OpenedBundle(SquareDetector(), MANIFEST, {"square": rule})


class RecordingLink:
    """A broker connection that takes everything."""

    reason = "not connected yet"

    def __init__(self) -> None:
        self.connected = False
        self.published: list[Message] = []

    def publish(self, message: Message, on_ack: Callable[[bool], None] | None = None) -> bool:
        self.published.append(message)
        if on_ack is not None:
            on_ack(True)
        return True

    def start(self, events: LinkEvents) -> None:
        self.connected = True
        events.up()

    def stop(self, farewell: Sequence[Message] = ()) -> None:
        self.published += farewell


def parts(link: RecordingLink | None = None) -> AgentParts:
    def connect(_broker: Broker, _will: Message, _subscriptions: Sequence[str]) -> Link:
        assert link is not None
        return link

    return replace(real_parts(), open_bundle=open_squares, connect=connect, rng=random.Random(0))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 4 s of a bright square that walks through and is gone for the last second."""
    path = tmp_path_factory.mktemp("clips") / "walk.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for index in range(90):
            rgb = np.full((120, 160, 3), 60, dtype=np.uint8)
            if index < 30:
                rgb[40:80, 4 * index : 4 * index + 30] = 240
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def options(source: Path | str, **changes: object) -> TryOptions:
    return replace(TryOptions(str(source), bundle=Path("squares.zip"), preview_port=0), **changes)  # type: ignore[arg-type]


def test_tryout_video_with_out_file_reads_it_once_and_draws_boxes(clip: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    out = tmp_path / "annotated.mp4"
    assert run_tryout(options(clip, out=out), say=lines.append, parts=parts()) == 0
    assert lines[0] == f"Opening {clip} …"
    assert f"Writing {out}" in lines
    assert [line[10:] for line in lines if line[2:3] == ":"] == ["Square seen (90%)", "Square gone after 3 s"]
    assert lines[-1] == f"Wrote {out}"
    assert "1 seen in 90 pictures" in lines[-2]
    with av.open(str(out)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(9.0, abs=0.2)
    assert len(pictures) == 90
    colours = [int(np.ptp(p.astype(int), axis=2).max()) for p in pictures]
    assert colours[15] > 60, "a coloured box on a grey picture"
    assert colours[-1] < 30, "no box where nothing is"


def test_tryout_picture_with_out_file_draws_what_one_look_shows(tmp_path: Path) -> None:
    import cv2

    photo, out, lines = tmp_path / "photo.png", tmp_path / "seen.jpg", list[str]()
    rgb = np.full((120, 160, 3), 60, dtype=np.uint8)
    rgb[40:80, 50:90] = 240
    cv2.imwrite(str(photo), rgb)
    run_tryout(options(photo, out=out), say=lines.append, parts=parts())
    assert "1 seen in the picture, 2 ms a look" in lines
    drawn = cv2.imread(str(out))
    assert drawn is not None
    assert int(np.ptp(drawn.astype(int), axis=2).max()) > 60


def test_tryout_preview_shows_pictures_and_counts_until_stopped(clip: Path) -> None:
    lines: list[str] = []
    stop = threading.Event()
    run = threading.Thread(
        target=run_tryout, args=(options(clip),), kwargs={"say": lines.append, "stop": stop, "parts": parts()}
    )
    run.start()
    try:
        assert until(lambda: any(line.startswith("Preview: ") for line in lines))
        url = next(line for line in lines if line.startswith("Preview: ")).removeprefix("Preview: ")
        assert until(lambda: httpx.get(url + "state.json").json()["counts"] == {"Square": 1})
        assert httpx.get(url + "picture.jpg").content.startswith(b"\xff\xd8")
        assert "Stop with Ctrl-C" in lines
    finally:
        stop.set()
        run.join(10)
    assert not run.is_alive()
    assert "seen in" in lines[-1]


def test_tryout_seconds_ends_a_looped_video(clip: Path) -> None:
    lines: list[str] = []
    assert run_tryout(options(clip, seconds=0.3), say=lines.append, parts=parts()) == 0


def test_tryout_mqtt_shows_up_and_leaves_nothing_behind(clip: Path, tmp_path: Path) -> None:
    link, lines = RecordingLink(), list[str]()
    run_tryout(
        options(clip, out=tmp_path / "a.jpg", mqtt="me:hidden@broker.local:1999"),
        say=lines.append,
        parts=parts(link),
    )
    assert "Home Assistant: device 'elfowl-try' by MQTT at broker.local:1999" in lines
    assert not any("hidden" in line for line in lines)
    events = [json.loads(m.payload) for m in link.published if m.topic == "elfowl/elfowl-try/cam/try/event"]
    assert [e["event_type"] for e in events][:1] == ["new"]
    assert [e["event_type"] for e in events][-1:] == ["end"]
    counts = [m.payload for m in link.published if m.topic == "elfowl/elfowl-try/cam/try/label/square"]
    assert b"1" in counts
    last = {m.topic: m.payload for m in link.published if m.retain}
    kinds = ("homeassistant/", "/status", "/detail", "detector/state", "/switch/", "/label/", "/available")
    assert all(any(kind in topic for topic in last) for kind in kinds)
    assert {topic: payload for topic, payload in last.items() if payload} == {}
    said = [m.payload for m in link.published if m.topic == "elfowl/elfowl-try/available"]
    assert said[-2:] == [b"offline", b""], "who listens hears that it is gone"


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"source": "/no/such/clip.mp4"}, CameraError, "no such file"),
        ({"source": ""}, ConfigError, "empty"),
        # Opened only when a picture is taken: tried again for ever once there was one, not before.
        ({"source": "http://127.0.0.1:1/x.jpg", "first_picture_s": 0.5}, CameraError, "no picture came"),
        ({"out": Path("result.txt")}, ConfigError, r"\.mp4"),
        ({"out": Path("/no/such/folder/result.mp4")}, ConfigError, "does not exist"),
        ({"mqtt": "http://broker"}, ConfigError, "HOST"),
        ({"threshold": 50.0}, ConfigError, "between 0 and 1"),
        ({"seconds": -1.0}, ConfigError, "positive"),
        ({"labels": ("giraffe",)}, ConfigError, "it knows: Square"),
    ],
)
def test_tryout_wrong_option_is_one_clear_line(
    clip: Path, changes: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        run_tryout(replace(options(clip), **changes), say=lambda _line: None, parts=parts())  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "host", "port", "username", "tls"),
    [
        ("broker", "broker", 1883, None, False),
        ("192.0.2.7:1999", "192.0.2.7", 1999, None, False),
        ("mqtt://broker", "broker", 1883, None, False),
        ("mqtts://broker", "broker", 8883, None, True),
        ("me:p%40ss@broker", "broker", 1883, "me", False),
    ],
)
def test_parse_broker_reads_what_people_type(
    text: str, host: str, port: int, username: str | None, tls: bool
) -> None:
    broker = parse_broker(text)
    assert (broker.host, broker.port, broker.username, broker.tls) == (host, port, username, tls)
    if username:
        assert broker.read_password() == "p@ss"


@pytest.mark.parametrize("text", ["", "broker:many", "http://broker", "me:secret@:1883"])
def test_parse_broker_refuses_without_repeating_a_password(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_broker(text)
    assert "secret" not in str(caught.value)
