"""A real PostgreSQL that tests start, in a folder of its own, reached by a socket in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PORT = 54_330


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run it and yield its URL."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("postgresql is not installed")
    bin_path, data = programs[-1].parent, folder / "data"
    data.mkdir()
    as_user: list[str] = []
    if os.getuid() == 0:
        # It refuses to run as root, and its user has to reach its folder.
        as_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(data, "postgres", "postgres")
        for parent in [folder, *folder.parents][:-2]:
            parent.chmod(parent.stat().st_mode | 0o011)

    def run(*command: str | Path) -> None:
        subprocess.run([*as_user, *map(str, command)], check=True, stdout=subprocess.DEVNULL)

    run(bin_path / "initdb", "-D", data, "-A", "trust", "-U", "elfowl", "--no-sync")
    options = f"-p {_PORT} -k {data} -c listen_addresses='' -c fsync=off"
    control = (bin_path / "pg_ctl", "-D", data, "-w", "-t", "120", "-l", data / "log")
    run(*control, "-o", options, "start")
    try:
        yield f"postgresql+psycopg://elfowl@/postgres?host={data}&port={_PORT}"
    finally:
        run(*control, "-m", "immediate", "stop")
