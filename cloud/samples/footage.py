"""Obtains the clips of the sample tasks: from the cache, this machine, or the Debian package `opencv-doc`.

The clips may not be copied into elfowl, so they come from the package that carries them. Nothing here needs
root and nothing is installed: apt-get, with folders of its own, downloads the package to the cache folder,
where it is unpacked. A clip has its final name only when it is whole and its sha256 is right.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from cloud.samples.catalog import SAMPLE_TASKS, SampleTask
from edge_agent.errors import ElfowlError

PACKAGE: Final = "opencv-doc"
_CHUNK_BYTES: Final = 1 << 20
_UPDATE_LIMIT_S: Final = 300.0
_DOWNLOAD_LIMIT_S: Final = 1200.0
_UNPACK_LIMIT_S: Final = 300.0
_OWN_FILE_HINT: Final = "give a video of your own instead: --footage FILE"

Report = Callable[[str], None]


class FootageError(ElfowlError):
    """A sample clip cannot be obtained; the text says why, and what to give instead."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; {_OWN_FILE_HINT}")


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """How a command ended.

    Attributes:
        exit_status: 0 when it succeeded.
        last_line: the last line that it wrote to its error output, or an empty string.
    """

    exit_status: int
    last_line: str


class CommandRunner(Protocol):
    """Runs programs of the operating system."""

    def finds(self, program: str) -> bool:
        """Say whether the program is installed."""
        ...

    def run(self, argv: Sequence[str], *, cwd: Path, limit_s: float) -> CommandOutcome:
        """Run a command to its end, or stop it after `limit_s` seconds: the status is then not 0."""
        ...


class SystemCommandRunner:
    """Runs programs as child processes; an interrupt stops the child as well."""

    def finds(self, program: str) -> bool:
        """Say whether the program is on the search path."""
        return shutil.which(program) is not None

    def run(self, argv: Sequence[str], *, cwd: Path, limit_s: float) -> CommandOutcome:
        """Run a command without a shell and without input; its messages are read in English."""
        try:
            done = subprocess.run(  # noqa: S603 - fixed programs, arguments built here
                list(argv),
                cwd=cwd,
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired:
            return CommandOutcome(exit_status=-1, last_line=f"stopped after {limit_s:.0f} s")
        except OSError as error:
            return CommandOutcome(exit_status=-1, last_line=str(error))
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return CommandOutcome(exit_status=done.returncode, last_line=lines[-1] if lines else "")


def obtain_clip(
    task: SampleTask,
    *,
    cache_dir: Path,
    runner: CommandRunner,
    report: Report,
    system_root: Path = Path("/"),
) -> Path:
    """Return the path of a sample clip in the cache folder, obtaining it first where need be.

    An interrupted download goes on where it stopped when this is called again.

    Args:
        task: the sample task whose clip is wanted.
        cache_dir: folder that keeps the clip; made if missing.
        runner: runs apt-get and dpkg.
        report: called with one line for a person before each thing that is done.
        system_root: where the files of installed packages lie.

    Raises:
        FootageError: no way led to the clip; the text says what was tried and what to give instead.
    """
    target = cache_dir / task.clip_file_name
    try:
        if target.is_file():
            if _sha256_of(target) == task.clip_sha256:
                return target
            report(f"Removing {target}: it is damaged, or another clip.")
            target.unlink()
        cache_dir.mkdir(parents=True, exist_ok=True)
        if not _take_from(system_root, task, target, report):
            _fetch_package(task, cache_dir, runner, report)
    except OSError as error:
        message = f"{task.clip_file_name} cannot be put into {cache_dir} ({error})"
        raise FootageError(message) from error
    if not target.is_file():
        message = f"this {PACKAGE} does not carry the {task.clip_file_name} that the boxes were made on"
        raise FootageError(message)
    return target


def _take_from(root: Path, task: SampleTask, target: Path, report: Report) -> bool:
    """Copy a clip from unpacked files of the package, unless it is not there or is another one."""
    source = root / task.clip_member_path_in_package
    if not source.is_file():
        return False
    if _publish(source, target, task.clip_sha256):
        report(f"Took {task.clip_file_name} from {source}.")
        return True
    report(f"Left {source} alone: it is not the clip that the boxes were made on.")
    return False


def _fetch_package(task: SampleTask, cache_dir: Path, runner: CommandRunner, report: Report) -> None:
    """Download and unpack the package below the cache folder, and take this and the other clips out of it."""
    for program in ("apt-get", "dpkg"):
        if not runner.finds(program):
            message = f"the sample clips come in the Debian package {PACKAGE}, but there is no {program} here"
            raise FootageError(message)
    work = cache_dir.resolve() / f"{PACKAGE}.download"
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    apt = ("apt-get", "-q", f"-oDir::State::Lists={work / 'lists'}", f"-oDir::Cache={work / 'cache'}")
    report(f"Reading the lists of your distribution's packages (kept in {work}; nothing is installed).")
    _run_or_raise(runner, (*apt, "update"), cwd=work, limit_s=_UPDATE_LIMIT_S)
    report(f"Downloading the package {PACKAGE} (about 95 MB) to {work}.")
    _run_or_raise(runner, (*apt, "download", PACKAGE), cwd=work, limit_s=_DOWNLOAD_LIMIT_S)
    _unpack(work, runner, report)
    for each in (task, *(other for other in SAMPLE_TASKS if other.name != task.name)):
        _take_from(work / "unpacked", each, cache_dir / each.clip_file_name, report)
    # Kept until here: after an interrupt, apt-get finds its lists and its half-loaded package again.
    shutil.rmtree(work, ignore_errors=True)


def _unpack(work: Path, runner: CommandRunner, report: Report) -> None:
    packages = sorted(work.glob(f"{PACKAGE}_*.deb"), key=lambda path: path.stat().st_mtime_ns)
    if not packages:
        message = f"apt-get said that it downloaded {PACKAGE}, but there is no such file in {work}"
        raise FootageError(message)
    report(f"Unpacking {packages[-1].name}.")
    _run_or_raise(runner, ("dpkg", "-x", str(packages[-1]), "unpacked"), cwd=work, limit_s=_UNPACK_LIMIT_S)


def _run_or_raise(runner: CommandRunner, argv: Sequence[str], *, cwd: Path, limit_s: float) -> None:
    outcome = runner.run(argv, cwd=cwd, limit_s=limit_s)
    if outcome.exit_status != 0:
        why = outcome.last_line or f"exit status {outcome.exit_status}"
        message = f"{argv[0]} could not get the sample clips ({why})"
        raise FootageError(message)


def _publish(source: Path, target: Path, sha256: str) -> bool:
    """Copy, unpacking a `.gz`, to the final name at once; False if the digest is another one."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as sink, _open_plain(source) as stream:
            shutil.copyfileobj(stream, sink, _CHUNK_BYTES)
            sink.flush()
            os.fsync(sink.fileno())
        if _sha256_of(temporary) != sha256:
            return False
        temporary.replace(target)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _open_plain(source: Path) -> gzip.GzipFile | BinaryIO:
    return gzip.open(source, "rb") if source.suffix == ".gz" else source.open("rb")


def _sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
