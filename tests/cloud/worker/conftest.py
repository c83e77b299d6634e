"""A home with a trained detector: trained once, copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cloud.actions.labels import import_labelled
from cloud.actions.open_home import Home
from cloud.datasets.coco import read_coco
from cloud.worker.train import train
from tests.cloud.homes import add_detector, make_home
from tests.cloud.test_cli_full_disk import write_pictures


@pytest.fixture(scope="session")
def taught_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a home with a detector that learned for a second from four pictures."""
    folder = tmp_path_factory.mktemp("taught")
    home = make_home(folder / "home")
    detector_id = add_detector(home)
    labels = write_pictures(folder / "teach")
    import_labelled(home, detector_id=detector_id, images=labels.parent, video=None, coco=read_coco(labels))
    train(home, "persons", budget_s=1.0)
    return folder / "home"


@pytest.fixture
def taught(taught_folder: Path, tmp_path: Path) -> Home:
    """Return a home of the test's own with the trained detector `persons`."""
    return make_home(Path(shutil.copytree(taught_folder, tmp_path / "home")))
