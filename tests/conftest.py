"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

_ROOM_BYTES = 4 * 2**30

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many test processes as cores: more threads in each of them would only wait for each other.
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")

# Modules and tests are made once and stay: to look through all of them for garbage again and again takes
# longer than many a test, see `pytest_collection_finish`.
gc.disable()

# A busy machine is no fault of the code under test.
settings.register_profile("quick", deadline=None, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=400)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def _memory_disk() -> Path | None:
    """Return a folder in memory, if there is one with room for all tests that lets programs be started."""
    folder = Path("/dev/shm")
    if not folder.is_dir() or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return None
    return folder if shutil.disk_usage(folder).free >= _ROOM_BYTES else None


def pytest_configure(config: pytest.Config) -> None:
    """Let thousands of tests not wait for the disk dozens of times each, which proves nothing.

    Tests of the whole system stay on the disk: what they write is large, and how they write is part of it.
    """
    if "not system" in config.option.markexpr and (memory_disk := _memory_disk()) is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory_disk))


def pytest_collection_finish() -> None:
    """Look for garbage from here on, among what the tests make."""
    gc.freeze()
    gc.enable()


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
