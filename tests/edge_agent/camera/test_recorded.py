"""Recorded cases: nothing of a picture or its moment is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera.frame import Frame
from edge_agent.camera.recorded import CASE_FILE, CaseRecorder, CaseSource
from edge_agent.errors import CameraError, ConfigError, StorageError


def frames(count: int = 3) -> list[Frame]:
    rng = np.random.default_rng(1)
    return [
        Frame(rng.integers(0, 256, (30, 41, 3), np.uint8), 2 * n, 1_800_000_000.1 + n / 3, 0.1 * n)
        for n in range(count)
    ]


def record(folder: Path, given: list[Frame]) -> Path:
    recorder = CaseRecorder(folder)
    for frame in given:
        recorder.add(frame)
    return folder


def test_case_gives_back_every_bit_and_moment(tmp_path: Path) -> None:
    given = frames()
    back = list(CaseSource(record(tmp_path / "case", given)))
    assert [(f.index, f.time_s, f.monotonic_s) for f in back] == [
        (f.index, f.time_s, f.monotonic_s) for f in given
    ]
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(given, back, strict=True))


@given(cut=st.integers(min_value=1, max_value=120))
def test_case_cut_off_while_it_was_written_is_good_up_to_there(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = record(tmp_path_factory.mktemp("cut") / "case", frames())
    text = (folder / CASE_FILE).read_bytes()
    (folder / CASE_FILE).write_bytes(text[:-cut])
    whole = text[:-cut].count(b'"monotonic_s"')
    assert len(list(CaseSource(folder))) in {whole, whole - 1}


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (lambda case: (case / CASE_FILE).unlink(), ConfigError, "elfowl-agent record"),
        (lambda case: (case / CASE_FILE).write_text('{"schema": 9}\n'), ConfigError, "newer version"),
        (lambda case: (case / "000001.png").write_bytes(b"x"), CameraError, "000001.png"),
        (
            lambda case: (case / CASE_FILE).write_text('{"schema": 1}\n{"file": "../../secret.png"}\n'),
            ConfigError,
            "damaged",
        ),
    ],
)
def test_case_that_is_spoilt_says_what_is_wrong(
    tmp_path: Path, spoil: object, error: type[Exception], says: str
) -> None:
    case = record(tmp_path / "case", frames())
    assert callable(spoil)
    spoil(case)
    with pytest.raises(error, match=says):
        list(CaseSource(case))


def test_case_recorder_refuses_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    with pytest.raises(StorageError, match="not empty"):
        CaseRecorder(tmp_path)
