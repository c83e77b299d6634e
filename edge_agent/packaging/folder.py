"""Writes a package's files into a folder, and nothing else: files of somebody else's are never touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from edge_agent.errors import ConfigError, StorageError

RECORD_FILE = ".elfowl-package.json"
"""Digests of what the command wrote, so that it knows its own files again."""

_MODES = {"agent.yaml": 0o600, "install.sh": 0o755}


def write_package(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write a package.

    Args:
        folder: Made when it is not there.
        files: Contents by name.

    Returns:
        The files, sorted; those that an earlier run left and that are no longer part of it are removed.

    Raises:
        ConfigError: A file that would be replaced was not written by this command, or was changed since.
        StorageError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ours = _read_record(folder)
        _refuse_foreign(folder, files, ours)
        for name in sorted(set(ours) - set(files)):
            (folder / name).unlink(missing_ok=True)
        for name, content in files.items():
            _write(folder / name, content)
        record = {name: _digest(content) for name, content in sorted(files.items())}
        _write(folder / RECORD_FILE, (json.dumps(record, indent=2) + "\n").encode())
    except FileExistsError as error:
        message = f"--out {folder} is a file; give a folder, it is made when it is not there"
        raise ConfigError(message) from error
    except OSError as error:
        message = f"{folder} cannot be written: {error.strerror or error}"
        raise StorageError(message) from error
    return tuple(folder / name for name in sorted(files))


def _read_record(folder: Path) -> dict[str, str]:
    path = folder / RECORD_FILE
    if not path.exists():
        return {}
    try:
        record = json.loads(path.read_text("utf-8"))
        return {Path(name).name: str(digest) for name, digest in record.items()}
    except (ValueError, AttributeError) as error:
        message = f"{path} is damaged; give an empty folder"
        raise ConfigError(message) from error


def _refuse_foreign(folder: Path, files: Mapping[str, bytes], ours: Mapping[str, str]) -> None:
    """Refuse files that are not ours. One that holds what it shall is ours: a run may have been cut off."""
    for name in sorted({*files, *ours}):
        path = folder / name
        known = {ours.get(name), _digest(files[name]) if name in files else None}
        if path.is_symlink() or (path.exists() and (not path.is_file() or _digest_of(path) not in known)):
            message = f"{path} was not written by this command, or was changed since; give another folder"
            raise ConfigError(message)


def _digest_of(path: Path) -> str:
    return _digest(path.read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all; secrets are never readable for others."""
    temporary = path.with_name(path.name + ".part")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_bytes(content)
    temporary.chmod(_MODES.get(path.name, 0o644))
    temporary.replace(path)
