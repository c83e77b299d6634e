"""The agent from start to stop: sessions one after the other, the first perhaps without the cloud."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edge_agent.agent.added_cameras import with_added
from edge_agent.agent.parts import AgentParts, real_parts
from edge_agent.agent.session import Session
from edge_agent.agent.start_guard import StartGuard
from edge_agent.agent.thrift import give_back_memory
from edge_agent.config import AgentConfig
from edge_agent.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from edge_agent.update.identity import Identity

_log = logging.getLogger(__name__)

_TICK_S = 2.0
_DISK_TROUBLE = {errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO}


class Agent:
    """Runs cameras until told to stop."""

    def __init__(self, config: AgentConfig, parts: AgentParts | None = None) -> None:
        """Prepare.

        Args:
            config: The config file.
            parts: The outside world; the real one by default.
        """
        self._config = config
        self._parts = parts or _parts_for(config)
        self._guard = StartGuard(config.state_dir / "starts", self._parts.clock)

    def run(self, stopping: threading.Event) -> None:
        """Look, report and obey until `stopping` is set.

        Raises:
            ConfigError: The config file cannot be followed: nothing to detect with, a damaged identity,
                another agent in the same state folder, or a port that is taken.
            BackendError: A thread stands still for so long that only a new start helps.
            ArtifactError: The bundle of the config file is damaged or not signed under its root.
            StorageError: The state folder cannot be used at all.
        """
        with _only_one(self._config.state_dir):
            safe = self._guard.begin()
            if safe:
                _log.error("the last starts died soon: safe operation, nothing is installed")
            base = self._parts.base_bundle(self._config, self._parts.clock)
            identity = self._identify(base)
            while not stopping.is_set():
                identity = self._run_session(identity, base, stopping, safe=safe) or identity
            self._guard.survived()

    def _identify(self, base: Path | None) -> Identity | None:
        if self._config.cloud is None:
            return None
        from edge_agent.agent.joining import join, known_identity  # noqa: PLC0415 - only with a cloud

        identity = known_identity(self._config)
        if identity is not None:
            return identity
        try:
            return join(self._config, self._parts.http)
        except LinkError as error:
            _log.warning("%s; trying again while the camera runs", error)
        except ConfigError as error:
            # Refused or without a token: a camera with a bundle of its own still has work to do.
            if base is None:
                raise
            _log.error("%s", error)
        return None

    def _run_session(
        self, identity: Identity | None, base: Path | None, stopping: threading.Event, *, safe: bool
    ) -> Identity | None:
        """Run until stopped, or cameras changed, or the device joined its cloud; return the new identity."""
        joined = threading.Event()
        joiner = None
        if identity is None and self._config.cloud is not None:
            from edge_agent.agent.joining import Joiner  # noqa: PLC0415 - only with a cloud

            joiner = Joiner(self._config, self._parts.http, joined.set)
        session = Session(with_added(self._config), identity, self._parts, base, safe=safe)
        with _metrics(self._config.metrics_port, session):
            session.start()
            give_back_memory()  # loading takes more than what is loaded
            gc.freeze()  # what stays anyway is not looked through again: that holds up every thread
            if joiner is not None:
                joiner.start()
            try:
                while not (stopping.wait(_TICK_S) or joined.is_set() or session.outdated):
                    session.tick()
                    self._guard.tick(looked=session.looked)
            finally:
                if joiner is not None:
                    joiner.stop()
                session.stop()
                gc.unfreeze()
        return self._identify(base) if joined.is_set() else None


def _parts_for(config: AgentConfig) -> AgentParts:
    cloud = config.cloud
    return real_parts(cloud.ca_file if cloud is not None else None, http=cloud is not None)


@contextlib.contextmanager
def _metrics(port: int | None, session: Session) -> Iterator[None]:
    """Show the session's health to Prometheus, where the owner asked for it."""
    if port is None:
        yield
        return
    from edge_agent.agent.metrics import MetricsServer  # noqa: PLC0415 - most devices never need it

    server = MetricsServer(port, lambda: session.stats)
    server.start()
    try:
        yield
    finally:
        server.stop()


@contextlib.contextmanager
def _only_one(state_dir: Path) -> Iterator[None]:
    """Hold the state folder for this process."""
    file = _open_lock(state_dir)
    if file is None:
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = f"another agent runs with state_dir {state_dir}; stop it, or name another folder"
            raise ConfigError(message) from error
        yield


def _open_lock(state_dir: Path) -> TextIO | None:
    """Return the lock file; none on a disk that came up read-only before there was one.

    A camera whose disk cannot be written still looks and reports, from memory.
    """
    lock = state_dir / "lock"
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return lock.open("w")
    except OSError as error:
        if error.errno not in _DISK_TROUBLE or not state_dir.is_dir():
            message = f"state_dir {state_dir}: {error.strerror}; name a folder that the agent can write"
            raise ConfigError(message) from error
        _log.error("state_dir %s: %s; nothing is kept over a restart", state_dir, error.strerror)
        return lock.open() if lock.exists() else None
