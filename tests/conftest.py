"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many test processes as cores: more threads in each of them would only wait for each other.
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")

# A busy machine is no fault of the code under test.
settings.register_profile("quick", deadline=None, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=400)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skipped system test fail in CI: there, what it needs is to be installed, not missed."""
    report = yield
    if report.skipped and os.environ.get("CI") and item.get_closest_marker("system"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI ({call.when}): {report.longrepr}"
    return report
