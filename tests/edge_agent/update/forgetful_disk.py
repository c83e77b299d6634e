"""A disk that, when the power goes, keeps of what was not synced only what it happens to keep.

It learns what is safe from the syncs alone. Whatever else was written in its folder, by whomever, is at risk:
so a write that goes past `edge_agent.update.disk` is found out by its own damage.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final, Literal

from edge_agent.update.disk import RealDisk

World = Literal["forgotten", "kept", "empty", "torn", "zeros", "garbage"]
WORLDS: Final[tuple[World, ...]] = ("forgotten", "kept", "empty", "torn", "zeros", "garbage")


def damaged(data: bytes, safe_bytes: int, world: World, rng: random.Random) -> bytes:
    """Return what is left of a file of which only the first `safe_bytes` were synced."""
    safe, rest = data[:safe_bytes], data[safe_bytes:]
    half = len(rest) // 2
    tails: dict[World, bytes] = {
        "empty": b"",
        "torn": rest[:half],
        "zeros": rest[:half] + bytes(len(rest) - half),
        "garbage": rest[:half] + rng.randbytes(len(rest) - half),
    }
    return safe + tails.get(world, rest)


class ForgetfulDisk:
    """Implements `edge_agent.update.disk.Disk`; everything that is there at first is safe."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self._folder = folder
        self._disk = RealDisk()
        self._rng = random.Random(seed)
        self._names = self._files()
        self._contents = dict(self._names)
        """What of each file's bytes was synced, under its present name; `_names` is what a name led to."""

    def write(self, path: Path, data: bytes) -> None:
        self._disk.write(path, data)
        self._contents[path] = data

    def replace(self, source: Path, target: Path) -> None:
        self._disk.replace(source, target)
        self._contents[target] = self._contents.pop(source, b"")

    def sync(self, path: Path) -> None:
        self._disk.sync(path)
        if path.is_file():
            self._contents[path] = path.read_bytes()
            return
        kept = {name: data for name, data in self._names.items() if name.parent != path}
        here = (name for name in self._files() if name.parent == path)
        self._names = kept | {name: self._contents.get(name, b"") for name in here}

    def remove(self, path: Path) -> None:
        self._disk.remove(path)

    def lose_power(self, world: World | None = None) -> None:
        """Leave what was not synced in some state; none: each file in one by chance."""
        now = self._files()
        for path in sorted({*now, *self._names}):
            chosen = self._rng.choice(WORLDS) if world is None else world
            self._lose(path, now.get(path), chosen)

    def _lose(self, path: Path, now: bytes | None, world: World) -> None:
        before = self._names.get(path)
        synced = self._contents.get(path, b"")
        if now == before == synced:
            return
        if now is None or world == "forgotten":
            # An unsynced name, or its removal, is as if it had never been; or it holds.
            left = before if world == "forgotten" else now
        else:
            safe_bytes = len(synced) if now.startswith(synced) else 0
            left = damaged(now, safe_bytes, world, self._rng)
        if left is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(left)

    def _files(self) -> dict[Path, bytes]:
        files = self._folder.rglob("*")
        return {path: path.read_bytes() for path in files if path.is_file() and not path.is_symlink()}
