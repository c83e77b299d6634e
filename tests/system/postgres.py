"""A real PostgreSQL that tests start, in a folder of its own, reached by a socket in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PORT = 54_330


class Postgres:
    """A server that can be stopped as by a power cut, and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._data = programs, folder / "data"
        self._data.mkdir()
        self._as_user: list[str] = []
        if os.getuid() == 0:
            # It refuses to run as root, and its user has to reach its folder.
            self._as_user = ["runuser", "-u", "postgres", "--"]
            shutil.chown(self._data, "postgres", "postgres")
            folder.chmod(0o711)
        self._run(programs / "initdb", "-D", self._data, "-A", "trust", "-U", "elfowl", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://elfowl@/postgres?host={self._data}&port={_PORT}"

    def start(self) -> None:
        options = f"-p {_PORT} -k {self._data} -c listen_addresses='' -c fsync=off -c full_page_writes=off"
        self._run(*self._control, "-o", options, "start")

    def stop(self) -> None:
        self._run(*self._control, "-m", "immediate", "stop")

    @property
    def _control(self) -> tuple[str | Path, ...]:
        log = self._data / "log"
        return (self._programs / "pg_ctl", "-D", self._data, "-w", "-t", "120", "-l", log)

    def _run(self, *command: str | Path) -> None:
        subprocess.run([*self._as_user, *map(str, command)], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run it and yield it; it may be stopped and started meanwhile."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("postgresql is not installed")
    # Not in pytest's own folder: each start of pytest closes that to others, and sockets need short paths.
    with tempfile.TemporaryDirectory(prefix="elfowl-pg-") as name:
        server = Postgres(programs[-1].parent, Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres() -> Iterator[str]:
    """Run it and yield its URL."""
    with postgres_server() as server:
        yield server.url
