"""What `evaluate` measures on test frames is what a receipt measures: the same frames, the same figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.actions.held_out import open_test_files
from cloud.actions.open_home import Home
from cloud.training.evaluate import SCORE_FLOOR
from cloud.worker.evaluate import evaluate, evaluate_on_test
from cloud.worker.loader import load_version
from compress.accuracy import average_precision
from tests.cloud.test_cli_full_disk import write_pictures


@pytest.mark.slow  # trains a real detector
def test_frames_measured_on_are_kept_once_and_give_the_receipts_figure(taught: Home, tmp_path: Path) -> None:
    home = taught
    labels = write_pictures(tmp_path / "test", 6)
    files = open_test_files(labels, labels.parent, None)
    assert evaluate(home, "persons", files, keep=False)["kept"] == 0
    measured = evaluate(home, "persons", files)
    assert (measured["kept"], measured["images"]) == (6, 6)
    assert measured["warnings"][0].startswith("4 of 6 frames were taught")
    assert evaluate(home, "persons", files)["kept"] == 0
    detector = load_version(home, "persons")
    pictures = detector.held_out_pictures()
    # Four of the pictures were taught: they are no test frames.
    assert [len(one.truth) for one in pictures] == [1] * 2
    found = detector.detect_many([one.rgb() for one in pictures], score_floor=SCORE_FLOOR)
    figures = average_precision([one.truth for one in pictures], found, detector.labels)
    assert figures is not None
    on_test = evaluate_on_test(home, "persons")
    assert on_test["images"] == 2
    assert figures[0] == pytest.approx(on_test["ap50"], abs=0.01)
