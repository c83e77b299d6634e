"""From examples in media to a detector with a second stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cloud.actions.attributes import (
    add_attribute,
    attributes_of,
    change_attribute,
    forget_attribute,
    show_example,
)
from cloud.actions.media import import_file
from cloud.actions.open_home import Home
from cloud.attributes.document import Example
from cloud.errors import ConflictError, DeniedError, InputError, TrainingError
from cloud.store import detectors
from cloud.training.config import CancelledError
from cloud.worker.attributes import attribute_job, teach_attribute
from cloud.worker.progress import Progress, never, to_nobody
from tests.cloud.homes import make_home

BOX = (0.25, 0.25, 0.75, 0.75)


def write_can(path: Path, seed: int, *, striped: bool) -> Path:
    """Write a picture of a striped or dotted square on noise."""
    random = np.random.default_rng(seed)
    rgb = random.integers(90, 130, (160, 160, 3), dtype=np.uint8)
    rgb[40:120, 40:120] = random.integers(180, 220, 3)
    if striped:
        for left in range(40, 120, 16):
            rgb[40:120, left : left + 8] = (160, 30, 30)
    else:
        rows, columns = np.mgrid[:80, :80] % 22 - 11
        rgb[40:120, 40:120][rows**2 + columns**2 < 50] = (160, 30, 30)
    Image.fromarray(rgb).save(path)
    return path


def home_with_cans(folder: Path, each: int) -> tuple[Home, dict[str, list[str]]]:
    """Return a home with a detector of cans, and its pictures' ids by value."""
    home = make_home(folder / "home")
    ids: dict[str, list[str]] = {"striped": [], "dotted": []}
    with home.database.write() as session:
        found = detectors.create(session, name="cans", labels=["can", "person"], now_s=0.0)
        for value, media_ids in ids.items():
            for seed in range(each):
                picture = write_can(folder / f"{value}{seed}.png", seed, striped=value == "striped")
                row = import_file(session, home.settings, detector_id=found.id, source=picture, now_s=0.0)
                media_ids.append(row.id)
    return home, ids


def show_all(home: Home, ids: dict[str, list[str]]) -> None:
    for value, media_ids in ids.items():
        for media_id in media_ids:
            show_example(home, "cans", "pattern", value, Example(media_id=media_id, frame_index=0, box=BOX))


@pytest.mark.slow
def test_attribute_taught_from_examples_tells_them_apart(tmp_path: Path) -> None:
    home, ids = home_with_cans(tmp_path, 4)
    add_attribute(home, "cans", "pattern", ("can",), ("striped", "dotted"))
    show_all(home, ids)
    taught = teach_attribute(home, "cans", "pattern").taught
    assert taught is not None
    assert taught.quality.right == 1.0
    assert taught.quality.answered >= 0.75
    assert taught.rule.labels == ("can",)
    assert attributes_of(home, "cans")[0].taught == taught


def test_attribute_with_too_few_examples_says_of_what(tmp_path: Path) -> None:
    home, ids = home_with_cans(tmp_path, 3)
    add_attribute(home, "cans", "pattern", ("can",), ("striped", "dotted"))
    show_all(home, {"striped": ids["striped"], "dotted": ids["dotted"][:1]})
    with pytest.raises(TrainingError, match=r"too few: dotted \(1\)"):
        teach_attribute(home, "cans", "pattern")


def test_attribute_of_people_needs_a_name_that_allows_it(tmp_path: Path) -> None:
    home, _ = home_with_cans(tmp_path, 1)
    with pytest.raises(DeniedError, match="telling people apart is off"):
        add_attribute(home, "cans", "who", ("person",), ("Ann", "Bob"))
    made = add_attribute(home, "cans", "who", ("person",), ("Ann", "Bob"), allowed_by="Ann")
    assert made.consent is not None
    assert made.consent.by == "Ann"
    forget_attribute(home, "cans", "who")
    assert attributes_of(home, "cans") == []


def test_attribute_of_an_unknown_label_is_refused(tmp_path: Path) -> None:
    home, _ = home_with_cans(tmp_path, 1)
    with pytest.raises(InputError, match="has no label 'dog'; it has can, person"):
        add_attribute(home, "cans", "pattern", ("dog",), ("striped", "dotted"))


def test_example_of_a_frame_that_is_not_there_is_refused(tmp_path: Path) -> None:
    home, ids = home_with_cans(tmp_path, 1)
    add_attribute(home, "cans", "pattern", ("can",), ("striped", "dotted"))
    example = Example(media_id=ids["striped"][0], frame_index=5, box=BOX)
    with pytest.raises(InputError, match="has no frame 5"):
        show_example(home, "cans", "pattern", "striped", example)


@pytest.mark.slow
def test_job_tells_how_far_it_is_and_keeps_what_is_shown_meanwhile(tmp_path: Path) -> None:
    home, ids = home_with_cans(tmp_path, 4)
    add_attribute(home, "cans", "pattern", ("can",), ("striped", "dotted"))
    last = ids["dotted"].pop()
    show_all(home, ids)
    told: list[Progress] = []

    def listen(progress: Progress) -> None:
        if progress.stage == "learning":
            late = Example(media_id=last, frame_index=0, box=BOX)
            show_example(home, "cans", "pattern", "dotted", late)
        told.append(progress)

    job = {"detector_id": "cans", "attribute": "pattern"}
    result = attribute_job(home, job, listen, never)
    (after,) = attributes_of(home, "cans")
    fractions = [one.fraction for one in told]
    assert fractions == sorted(fractions)
    assert told[2].message == "looking at example 3 of 7"
    assert result["quality"]["examples"] == 7
    assert (len(after.values["dotted"]), after.is_current) == (4, False)


@pytest.mark.slow
def test_value_taken_away_while_it_is_learned_is_a_conflict(tmp_path: Path) -> None:
    home, ids = home_with_cans(tmp_path, 3)
    add_attribute(home, "cans", "pattern", ("can",), ("striped", "dotted"))
    show_all(home, ids)

    def listen(progress: Progress) -> None:
        if progress.stage == "learning":
            change_attribute(home, "cans", "pattern", values=("striped", "plain"))

    with pytest.raises(ConflictError, match="changed while it was learned"):
        teach_attribute(home, "cans", "pattern", progress=listen)
    assert attributes_of(home, "cans")[0].taught is None


@pytest.mark.slow
def test_cancelled_job_leaves_the_attribute_as_it_was(tmp_path: Path) -> None:
    home, ids = home_with_cans(tmp_path, 3)
    add_attribute(home, "cans", "pattern", ("can",), ("striped", "dotted"))
    show_all(home, ids)
    with pytest.raises(CancelledError):
        attribute_job(home, {"detector_id": "cans", "attribute": "pattern"}, to_nobody, lambda: True)
    assert attributes_of(home, "cans")[0].taught is None
