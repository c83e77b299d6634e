"""Finding sample tasks."""

from __future__ import annotations

import pytest

from cloud.errors import NotFoundError
from cloud.samples.catalog import SAMPLE_TASKS, SampleTask, find_sample_task


@pytest.mark.parametrize("task", SAMPLE_TASKS, ids=lambda task: task.name)
def test_find_sample_task_by_its_name_gives_it(task: SampleTask) -> None:
    assert find_sample_task(task.name) is task


def test_find_sample_task_unknown_name_lists_those_that_there_are() -> None:
    with pytest.raises(NotFoundError, match="persons, biscuit-box, flask"):
        find_sample_task("cats")


def test_sample_tasks_have_names_and_clips_of_their_own() -> None:
    assert len({task.name for task in SAMPLE_TASKS}) == len(SAMPLE_TASKS)
    assert len({task.clip_file_name for task in SAMPLE_TASKS}) == len(SAMPLE_TASKS)
