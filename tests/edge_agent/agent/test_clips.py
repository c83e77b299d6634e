"""Clips of events: kept by a whole agent, encrypted, and handed out to who sits at the device."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest

from edge_agent.agent.clips import run_clips
from edge_agent.agent.main_streams import FOLDER, KEY_FILE, KIND, MainStreams
from edge_agent.config import AgentConfig, CameraConfig, MainStreamConfig, MqttConfig
from edge_agent.errors import ConfigError, StorageError
from edge_agent.report.keyframes import KeyFrames, list_kept
from tests.edge_agent.agent.test_runner import World
from tests.fakes.clock import FakeClock
from tests.fakes.frame_source import until
from tests.fakes.rtsp_server import RtspServer


def config_at(folder: Path, main_stream: MainStreamConfig | None = None) -> AgentConfig:
    return AgentConfig(
        device="porch",
        profile="x86-64",
        bundle="starter",
        state_dir=folder,
        mqtt=MqttConfig(host="home"),
        cameras=(CameraConfig(name="front", source="x", main_stream=main_stream),),
    )


def keep(folder: Path, event_id: str, time_s: float, clip: bytes) -> None:
    ring = KeyFrames(
        folder / FOLDER, folder / KEY_FILE, max_bytes=10**6, daily_bytes=10**8, clock=FakeClock(), kind=KIND
    )
    assert ring.add("front", time_s, clip, event_id=event_id)


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.slow
def test_agent_with_a_main_stream_keeps_a_clip_of_an_event_that_plays(tmp_path: Path) -> None:
    world = World(tmp_path)
    with RtspServer() as server:
        fine = MainStreamConfig(source=server.url, before_s=1.0, after_s=1.0)
        config = world.config(cameras=(CameraConfig(name="front", source="x", main_stream=fine),))
        world.start(config)
        try:
            assert until(lambda: bool(list_kept(tmp_path / FOLDER, KIND)))
        finally:
            world.stop()
    kept = list_kept(tmp_path / FOLDER, KIND)[0]
    out = tmp_path / "clip.mp4"
    assert run_clips(config, kept.event, out) == 0
    with av.open(io.BytesIO(out.read_bytes()), "r") as film:
        assert next(film.decode(video=0)).width == 160
    assert b"ftyp" not in kept.path.read_bytes()


def test_clips_are_listed_and_handed_out_by_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path, "e2", 1_800_000_060.0, b"second")
    keep(tmp_path, "e1", 1_800_000_000.0, b"first")
    assert run_clips(config_at(tmp_path), None, None) == 0
    assert [line.split()[:3] for line in capsys.readouterr().out.splitlines()] == [
        ["2027-01-15T08:00:00Z", "front", "e1"],
        ["2027-01-15T08:01:00Z", "front", "e2"],
    ]
    out = tmp_path / "clip.mp4"
    assert run_clips(config_at(tmp_path), "e1", out) == 0
    assert (out.read_bytes(), out.stat().st_mode & 0o777) == (b"first", 0o600)
    with pytest.raises(ConfigError, match="is there already"):
        run_clips(config_at(tmp_path), "e1", out)


def test_clips_that_cannot_be_given_say_why(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    with pytest.raises(ConfigError, match="no clip of event e1"):
        run_clips(config, "e1", tmp_path / "clip.mp4")
    with pytest.raises(ConfigError, match="belong together"):
        run_clips(config, "e1", None)
    keep(tmp_path, "e1", 1_800_000_000.0, b"first")
    (tmp_path / KEY_FILE).write_bytes(b"other")
    with pytest.raises(StorageError, match="cannot be opened with"):
        run_clips(config, "e1", tmp_path / "clip.mp4")
    assert not (tmp_path / "clip.mp4").exists()


def test_main_streams_without_one_in_the_config_open_nothing(tmp_path: Path) -> None:
    config = config_at(tmp_path)
    assert MainStreams(config, FakeClock()).of(config.cameras[0]) is None
    assert list(tmp_path.iterdir()) == []


def test_main_stream_of_the_config_must_be_a_stream() -> None:
    with pytest.raises(
        ValueError, match="'source' of 'main_stream' is no stream; write it as rtsp://HOST/PATH"
    ):
        MainStreamConfig(source="/etc/passwd")
