"""A case run again gives the same events, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.agent.local_detector import LocalDetector
from edge_agent.agent.parts import real_parts
from edge_agent.agent.replay import ReplayOptions, record_case, replay, run_replay
from edge_agent.camera.frame import Frame
from edge_agent.camera.recorded import CaseRecorder
from edge_agent.config import AgentConfig, CameraConfig, MqttConfig
from edge_agent.errors import ConfigError
from edge_agent.wire.event import Event
from edge_agent.wire.sync import CameraSettings
from tests.fakes.clock import FakeClock
from tests.fakes.frame_source import Give, ScriptedCamera, Wait
from tests.fakes.squares import open_square_bundle, square_picture


def visit(start_s: float = 1_800_000_000.25) -> list[Frame]:
    """Return five seconds of pictures, in which a square moves for three."""
    return [
        Frame(square_picture(2 * n if 10 <= n < 40 else None), n, start_s + n / 10, 7.5 + n / 10)
        for n in range(80)
    ]


def config(folder: Path, *names: str) -> AgentConfig:
    return AgentConfig(
        device="porch",
        profile="x86-64",
        state_dir=folder / "state",
        bundle="starter",
        mqtt=MqttConfig(host="127.0.0.1"),
        cameras=tuple(CameraConfig(name=name, source="x") for name in names or ("front",)),
    )


def run(config: AgentConfig, options: ReplayOptions) -> list[str]:
    parts = replace(
        real_parts(), open_bundle=open_square_bundle, base_bundle=lambda _config, _clock: Path("squares.zip")
    )
    lines: list[str] = []
    assert run_replay(config, options, say=lines.append, parts=parts) == 0
    return lines


@pytest.fixture
def case(tmp_path: Path) -> Path:
    recorder = CaseRecorder(tmp_path / "case")
    for frame in visit():
        recorder.add(frame)
    return tmp_path / "case"


def test_replay_of_a_case_gives_the_same_bytes_as_its_pictures_did(tmp_path: Path, case: Path) -> None:
    detector = LocalDetector(open_square_bundle)
    detector.load(Path("squares.zip"))
    camera = CameraConfig(name="front", source="x")
    live = replay(visit(), camera, CameraSettings(), detector, device="porch", seed=5)
    first = run(config(tmp_path), ReplayOptions(case, seed=5))
    assert first == [event.to_json() + "\n" for event in live]
    assert first == run(config(tmp_path), ReplayOptions(case, seed=5))
    events = [Event.from_json(line) for line in first]
    assert {"new", "end"} <= {event.event_type for event in events}
    assert len({event.id for event in events}) == 1
    assert events[0].start_time == pytest.approx(1_800_000_001.25, abs=0.2)


def test_replay_with_another_seed_differs_in_ids_only(tmp_path: Path, case: Path) -> None:
    one, other = (
        [Event.from_json(line) for line in run(config(tmp_path), ReplayOptions(case, seed=seed))]
        for seed in (1, 2)
    )
    assert [event.id for event in one] != [event.id for event in other]
    assert [e.model_copy(update={"id": ""}) for e in one] == [e.model_copy(update={"id": ""}) for e in other]


@pytest.mark.parametrize(
    ("names", "camera", "says"),
    [(("front", "back"), None, "front, back"), (("front",), "back", "no camera 'back'")],
)
def test_replay_without_a_clear_camera_says_which_there_are(
    tmp_path: Path, case: Path, names: tuple[str, ...], camera: str | None, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        run(config(tmp_path, *names), ReplayOptions(case, camera))


def test_record_keeps_pictures_until_its_time_is_over(tmp_path: Path) -> None:
    clock = FakeClock()
    source = ScriptedCamera([Give(5), Wait(0.0), Give(1)])()
    assert record_case(source, tmp_path / "case", seconds=1.0, clock=clock) == 6
    assert len(list((tmp_path / "case").glob("*.png"))) == 6
