"""A job that is run elsewhere, without a cluster: what its machine does, and what is made of what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ray = pytest.importorskip("ray", reason="needs elfowl[cluster]")

from cloud.engine.ray_job import follow, marked, run  # noqa: E402 - loads Ray
from cloud.jobs.progress import AWAY_CODE  # noqa: E402


def lost(*said: str | int) -> Iterator[str | int]:
    yield from said
    raise ray.exceptions.WorkerCrashedError


def test_job_is_run_only_where_the_home_folder_of_its_cloud_is_seen(tmp_path: Path) -> None:
    with marked(tmp_path / "home") as mark:
        elsewhere = tmp_path / "elsewhere" / mark.name
        assert follow(run(["nothing"], {}, elsewhere)) is None
        assert follow(run(["nothing"], {}, mark)) == 1, "there is no such job, but it was begun"
    assert not mark.exists()


def test_mark_of_a_job_that_was_broken_off_is_swept_away(tmp_path: Path) -> None:
    with marked(tmp_path) as mark:
        pass
    mark.touch()
    with marked(tmp_path) as newer:
        assert list(newer.parent.iterdir()) == [newer]


def test_what_a_job_elsewhere_says_is_said_and_its_end_is_how_it_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert follow(iter(["one\n", "two\n", -9])) == -9
    assert capsys.readouterr().out == "one\ntwo\n"


def test_job_whose_machine_is_lost_is_one_that_begins_again() -> None:
    assert follow(lost("one\n")) == AWAY_CODE
