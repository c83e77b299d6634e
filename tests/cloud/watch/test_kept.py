"""What was seen in a video is kept row by row, and read as far as it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.watch.kept import ROW, Facts, Keeper, Seen, read_kept
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection

FACTS = Facts(labels=("person", "dog"), frame_count=40)
PERSON = Detection(label="person", score=0.8, box=(0.1, 0.2, 0.3, 0.4))
DOG = Detection(label="dog", score=0.4, box=(0.5, 0.5, 1.0, 1.0))


def test_seen_frames_come_back_with_boxes_and_emptiness(tmp_path: Path) -> None:
    with Keeper(tmp_path, FACTS) as keeper:
        keeper.add([Seen(0, (PERSON, DOG)), Seen(3, ())], 16)
        keeper.add([Seen(20, (DOG,))], 40)

    kept = read_kept(tmp_path)

    assert kept is not None
    assert kept.is_whole
    first, empty = kept.between(0, 20)
    assert (first.frame, [one.label for one in first.detections]) == (0, ["person", "dog"])
    assert first.detections[0].score == pytest.approx(0.8, abs=1e-4)
    assert first.detections[0].box == pytest.approx(PERSON.box, abs=1e-4)
    assert empty == Seen(3, ())
    assert [one.frame for one in kept.between(4, 40)] == [20]
    assert kept.between(21, 40) == []


@pytest.mark.parametrize("cut_bytes", [1, ROW.itemsize, ROW.itemsize + 5])
def test_part_that_was_cut_off_is_looked_at_again(tmp_path: Path, cut_bytes: int) -> None:
    with Keeper(tmp_path, FACTS) as keeper:
        keeper.add([Seen(0, (PERSON,))], 16)
        keeper.add([Seen(17, (PERSON, DOG))], 32)
    rows = tmp_path / "rows.bin"
    rows.write_bytes(rows.read_bytes()[:-cut_bytes])

    kept = read_kept(tmp_path)
    assert kept is not None
    assert kept.until == 16
    assert kept.between(16, 40) == []
    with Keeper(tmp_path, FACTS) as keeper:
        assert keeper.until == 16
        keeper.add([Seen(18, (DOG,))], 40)

    whole = read_kept(tmp_path)
    assert whole is not None
    assert [one.frame for one in whole.between(0, 40)] == [0, 18]


def test_rows_of_other_classes_are_given_up(tmp_path: Path) -> None:
    with Keeper(tmp_path, FACTS) as keeper:
        keeper.add([Seen(0, (PERSON,))], 40)

    with Keeper(tmp_path, Facts(labels=("cat",), frame_count=40)) as keeper:
        assert keeper.until == 0


def test_nothing_kept_is_none(tmp_path: Path) -> None:
    assert read_kept(tmp_path / "nowhere") is None
    (tmp_path / "facts.json").write_text("{")
    assert read_kept(tmp_path) is None


_SIDES = st.tuples(*[st.floats(0.0, 1.0, allow_nan=False)] * 4).map(
    lambda one: (min(one[0], one[2]), min(one[1], one[3]), max(one[0], one[2]), max(one[1], one[3]))
)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(FACTS.labels), st.floats(0.0, 1.0), _SIDES), max_size=4))
def test_any_detection_comes_back_nearly_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, given_boxes: list[tuple[str, float, XyxyNorm]]
) -> None:
    folder = tmp_path_factory.mktemp("kept")
    seen = tuple(
        Detection.model_construct(label=label, score=score, box=box) for label, score, box in given_boxes
    )
    with Keeper(folder, FACTS) as keeper:
        keeper.add([Seen(5, seen)], 40)

    kept = read_kept(folder)

    assert kept is not None
    (back,) = kept.between(0, 40)
    assert [one.label for one in back.detections] == [one.label for one in seen]
    for got, told in zip(back.detections, seen, strict=True):
        assert got.score == pytest.approx(told.score, abs=1e-4)
        assert got.box == pytest.approx(told.box, abs=1e-4)
