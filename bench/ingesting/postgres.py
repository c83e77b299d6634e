"""A real PostgreSQL in a folder of its own, reached by a socket in it; commits reach the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PORT = 54_339


@contextmanager
def postgresql() -> Iterator[str | None]:
    """Run a server and yield its URL; none where PostgreSQL is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        yield None
        return
    # The paths of sockets are short, and the server's own user has to reach its folder.
    with tempfile.TemporaryDirectory(prefix="elfowl-pg-") as name:
        data = Path(name) / "data"
        data.mkdir()
        control = [*_as_user(data), str(programs[-1].with_name("pg_ctl")), "-D", str(data), "-w"]
        _run([*_as_user(data), str(programs[-1]), "-D", str(data), "-A", "trust", "-U", "elfowl"])
        options = f"-p {_PORT} -k {data} -c listen_addresses=''"
        _run([*control, "-l", str(data / "log"), "-o", options, "start"])
        try:
            yield f"postgresql+psycopg://elfowl@/postgres?host={data}&port={_PORT}"
        finally:
            _run([*control, "-m", "immediate", "stop"])


def _as_user(data: Path) -> list[str]:
    if os.getuid() != 0:
        return []
    shutil.chown(data, "postgres", "postgres")
    data.parent.chmod(0o711)
    return ["runuser", "-u", "postgres", "--"]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
