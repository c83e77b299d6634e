"""What `evaluate` measures is what a receipt measures: the same frames, the same figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.actions.held_out import open_test_files
from cloud.actions.labels import import_labelled
from cloud.actions.open_home import Home
from cloud.datasets.coco import read_coco
from cloud.training.evaluate import SCORE_FLOOR
from cloud.worker.evaluate import evaluate
from cloud.worker.loader import load_version
from cloud.worker.train import train
from compress.accuracy import average_precision
from tests.cloud.homes import add_detector, make_home
from tests.cloud.test_cli_full_disk import write_pictures


def taught_home(folder: Path) -> Home:
    """Return a home with a detector that learned for a second from four pictures."""
    home = make_home(folder / "home")
    detector_id = add_detector(home)
    labels = write_pictures(folder / "teach")
    import_labelled(home, detector_id=detector_id, images=labels.parent, video=None, coco=read_coco(labels))
    train(home, "persons", budget_s=1.0)
    return home


@pytest.mark.slow  # trains a real detector
def test_frames_measured_on_are_kept_once_and_give_the_receipts_figure(tmp_path: Path) -> None:
    home = taught_home(tmp_path)
    labels = write_pictures(tmp_path / "test", 6)
    files = open_test_files(labels, labels.parent, None)
    assert evaluate(home, "persons", files, keep=False)["kept"] == 0
    measured = evaluate(home, "persons", files)
    assert (measured["kept"], measured["images"]) == (6, 6)
    assert measured["warnings"][0].startswith("4 of 6 frames were taught")
    assert evaluate(home, "persons", files)["kept"] == 0
    detector = load_version(home, "persons")
    pictures = detector.held_out_pictures()
    assert [len(one.truth) for one in pictures] == [1] * 6
    found = detector.detect_many([one.rgb() for one in pictures], score_floor=SCORE_FLOOR)
    figures = average_precision([one.truth for one in pictures], found, detector.labels)
    assert figures is not None
    assert figures[0] == pytest.approx(measured["ap50"], abs=0.01)
