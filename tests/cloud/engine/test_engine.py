"""Which engine runs workers."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Literal

import pytest

from cloud.actions.open_home import open_home
from cloud.engine.engine import choose_engine
from cloud.engine.local import LocalEngine
from cloud.engine.ray_engine import RayEngine
from cloud.jobs.command import worker_command
from cloud.settings import Settings, settings_from
from cloud.store.tables import Job
from edge_agent.errors import ConfigError


def test_engine_is_this_machine_unless_told_otherwise(tmp_path: Path) -> None:
    assert isinstance(choose_engine(Settings(home=tmp_path)), LocalEngine)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs elfowl[cluster]")
def test_engine_of_a_cluster_is_chosen_without_loading_its_library() -> None:
    settings = settings_from({"HOME": "/", "ELFOWL_ENGINE": "ray", "ELFOWL_RAY_ADDRESS": "head:6379"})
    loaded_before = "ray" in sys.modules
    assert isinstance(choose_engine(settings), RayEngine)
    assert ("ray" in sys.modules) == loaded_before


WITH_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs elfowl[cluster]")
JOB = Job(id="job_1", kind="train", detector_id="det_1", params={"seed": 3})


@pytest.mark.parametrize("jobs_engine", ["local", pytest.param("ray", marks=WITH_RAY)])
def test_job_runs_in_the_cluster_only_where_its_machines_have_the_home_folder(
    tmp_path: Path, jobs_engine: Literal["local", "ray"]
) -> None:
    settings = Settings(home=tmp_path, engine=jobs_engine, jobs_engine=jobs_engine)
    command, local = choose_engine(settings).job_command(JOB), worker_command(JOB)
    module = "cloud.worker" if jobs_engine == "local" else "cloud.engine.ray_job"
    assert command == [sys.executable, "-m", module, *local[3:]]
    brief = Job(id="job_2", kind="prepare", detector_id="det_1", params={"media_id": "med_1"})
    assert choose_engine(settings).job_command(brief) == worker_command(brief)


@WITH_RAY
@pytest.mark.parametrize(
    ("database", "where"),
    [(None, ("cloud.streams.worker", 2)), ("postgresql://db/owls", ("cloud.engine.ray_watchers", 1))],
)
def test_streams_are_watched_in_the_cluster_once_its_machines_reach_the_tables(
    tmp_path: Path, database: str | None, where: tuple[str, int]
) -> None:
    settings = Settings(home=tmp_path, engine="ray", database=database)
    home = open_home(Settings(home=tmp_path))
    pool = choose_engine(settings).stream_pool(home.database, home.clock)
    assert (pool.command(tmp_path)[2], pool.size) == where
    home.database.close()


@pytest.mark.parametrize(
    ("engine", "most", "count"), [("ray", None, 2), ("ray", 8, 8), ("ray", 1, 2), ("local", 8, 2)]
)
def test_only_a_cluster_has_room_for_more_workers_than_usual(
    tmp_path: Path, engine: Literal["local", "ray"], most: int | None, count: int
) -> None:
    settings = Settings(home=tmp_path, engine=engine, offload_workers=2, offload_workers_most=most)
    assert settings.most_offload_workers == count


def test_engine_that_is_not_installed_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'elfowl\[cluster\]'"):
        choose_engine(Settings(home=tmp_path, engine="ray"))
