"""What went wrong, as HTTP says it."""

from __future__ import annotations

import pytest

from cloud.api.problems import problem_of
from cloud.errors import AwayError, BusyError
from edge_agent.errors import ElfowlError, StorageError


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (StorageError("the disk is full"), 507, None),
        (AwayError("the database does not answer"), 503, "5"),
        (BusyError("no room now", retry_after_s=0.2), 503, "1"),
    ],
)
def test_failure_says_whether_it_passes_by_itself(
    error: ElfowlError, status: int, retry_after: str | None
) -> None:
    answer = problem_of(error)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry_after)
