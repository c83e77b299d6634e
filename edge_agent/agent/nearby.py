"""Cameras on this device's network: looked for when the portal asks, and added from there.

What is asked of whom is decided here: only cameras that the last search found are ever opened, so that
whoever rules the portal cannot send this device to other machines.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from pydantic import SecretStr

from edge_agent.agent import added_cameras
from edge_agent.agent.nearby_ask import Found, Login, Question
from edge_agent.agent.sealed_login import Seal
from edge_agent.config import AgentConfig, CameraConfig
from edge_agent.errors import CameraError, ConfigError, ElfowlError
from edge_agent.wire.nearby import MOST_CAMERAS, NearbyAddition, NearbyCameras, NearbyWanted

_log = logging.getLogger(__name__)

_FORBIDDEN = "the owner of this device does not allow it: 'nearby' with 'enabled: false' in its config file"
_LINE = 300


@dataclass
class Introduced:
    """What the last search left.

    Attributes:
        seal: For passwords of what it found.
        services: Whom it found.
    """

    seal: Seal = field(default_factory=Seal)
    services: frozenset[str] = frozenset()


@cache
def introduced() -> Introduced:
    """Return what is known in this process: it outlives sessions, so that cameras can follow each other."""
    return Introduced()


class Asker(Protocol):
    """Asks the network; see `edge_agent.agent.nearby_ask.ProcessAsker`."""

    def ask(self, question: Question) -> Found:
        """Return what was found."""
        ...

    def stop(self) -> None:
        """End what is under way."""
        ...


class Nearby:
    """Does what is wanted, once and in a thread of its own, and keeps the answer until the cloud has it."""

    def __init__(
        self,
        config: AgentConfig,
        asker: Asker,
        on_answer: Callable[[], None],
        known: Introduced | None = None,
    ) -> None:
        """Wait to be asked.

        Args:
            config: The config file, with the cameras that were added before.
            asker: Asks the network.
            on_answer: Told when there is an answer to be sent; from another thread.
            known: What earlier sessions found; by default those of this process.
        """
        self._config = config
        self._asker = asker
        self._on_answer = on_answer
        self._known = known or introduced()
        self._taken: str | None = None
        self._answer: NearbyCameras | None = None
        self._lock = threading.Lock()
        self.has_changed = False
        """Whether cameras came or went, and the cloud knows: they are opened by a new session."""

    def want(self, wanted: NearbyWanted | None) -> None:
        """Do what is wanted, unless it was done or is under way; quick."""
        if wanted is None or wanted.request_id == self._taken:
            return
        self._taken = wanted.request_id
        threading.Thread(target=self._do, args=[wanted], name="nearby", daemon=True).start()

    def answer(self) -> NearbyCameras | None:
        """Return what the cloud is to be told; none: nothing, or nothing yet."""
        return self._answer

    def was_answered(self, answer: NearbyCameras) -> None:
        """Note that the cloud has an answer."""
        if self._answer is answer:
            self._answer = None
        if answer.added or answer.removed:
            self.has_changed = True

    def stop(self) -> None:
        """End what is under way."""
        self._asker.stop()

    def _do(self, wanted: NearbyWanted) -> None:
        with self._lock:
            try:
                told = self._obey(wanted)
            except ElfowlError as error:
                told = self._told(wanted, error=str(error)[:_LINE])
            except Exception:  # noqa: BLE001 - somebody waits for an answer; cameras go on
                _log.exception("looking for cameras failed")
                told = self._told(wanted, error="it failed; the device's log says why")
            self._answer = told
        self._on_answer()

    def _obey(self, wanted: NearbyWanted) -> NearbyCameras:
        if not self._config.nearby.enabled:
            raise ConfigError(_FORBIDDEN)
        if wanted.remove is not None:
            added_cameras.remove(self._config, wanted.remove)
            _log.info("camera %s was taken out in the portal", wanted.remove)
            return self._told(wanted, removed=wanted.remove)
        if wanted.add is not None:
            self._add(wanted.add)
            _log.info("camera %s was added in the portal", wanted.add.name)
            return self._told(wanted, added=wanted.add.name)
        found = self._ask(Question(probe=self._config.nearby.probe)).cameras[:MOST_CAMERAS]
        self._known.services = frozenset(camera.service for camera in found)
        return self._told(wanted, cameras=found, seal_key=self._known.seal.public)

    def _add(self, wanted: NearbyAddition) -> None:
        if wanted.service not in self._known.services:
            message = "the device has not found this camera since it started; look for cameras again"
            raise CameraError(message)
        added_cameras.check_room(self._config, wanted.name)
        login = None
        if wanted.login is not None:
            user, password = self._known.seal.open(wanted.login, wanted.service)
            login = Login(user=user, password=SecretStr(password))
        found = self._ask(Question(service=wanted.service, channel=wanted.channel, login=login))
        if found.source is None:
            message = "the camera told no stream; look for cameras again"
            raise CameraError(message)
        added_cameras.add(self._config, CameraConfig(name=wanted.name, source=found.source))

    def _ask(self, question: Question) -> Found:
        found = self._asker.ask(question)
        if found.error is not None:
            raise CameraError(found.error)
        return found

    def _told(self, wanted: NearbyWanted, **told: object) -> NearbyCameras:
        return NearbyCameras.model_validate(
            {"device": self._config.device, "request_id": wanted.request_id, **told}
        )
