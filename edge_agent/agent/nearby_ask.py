"""Asks the network for cameras, in a process of its own: the running agent never loads what speaks ONVIF."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from edge_agent.errors import CameraError
from edge_agent.wire.nearby import NearbyCamera

_MODULE = "edge_agent.discover.nearby"
_LONGEST_S = 400.0  # 64 devices, four at a time, 20 s each at the worst


class Login(BaseModel):
    """Who we are to a camera."""

    model_config = ConfigDict(frozen=True)
    user: str
    password: SecretStr


class Question(BaseModel):
    """What that process is asked, on its standard input.

    Attributes:
        probe: Whom to ask beside everybody, `HOST[:PORT]`.
        seconds: How long to listen for answers.
        service: Only this camera, and open its stream; none: look who is there.
        channel: Which of its channels.
        login: Who we are to it.
    """

    model_config = ConfigDict(frozen=True)
    probe: tuple[str, ...] = ()
    seconds: float = 3.0
    service: str | None = None
    channel: int = 1
    login: Login | None = None

    def to_json(self) -> str:
        """Return it with the password, which no other way of writing it down holds."""
        plain = self.model_dump(mode="json")
        if self.login is not None:
            plain["login"] = {"user": self.login.user, "password": self.login.password.get_secret_value()}
        return json.dumps(plain)


class Found(BaseModel):
    """What it answers: who is there; or the address, password included, of a stream that gave pictures."""

    model_config = ConfigDict(frozen=True)
    cameras: tuple[NearbyCamera, ...] = ()
    source: str | None = Field(None, repr=False)
    error: str | None = None


class ProcessAsker:
    """Starts that process for each question; one at a time."""

    def __init__(self) -> None:
        """Ask nothing yet."""
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._stopped = False

    def ask(self, question: Question) -> Found:
        """Return what was found.

        Raises:
            CameraError: The process did not end as it should.
        """
        with self._lock:
            if self._stopped:
                message = "the device is about to stop; ask again"
                raise CameraError(message)
            self._child = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        try:
            out, _ = self._child.communicate(question.to_json(), timeout=_LONGEST_S)
        except subprocess.TimeoutExpired as error:
            self._child.kill()
            self._child.communicate()
            message = f"looking for cameras was not done after {_LONGEST_S:.0f} s; try again"
            raise CameraError(message) from error
        try:
            return Found.model_validate_json(out)
        except ValueError as error:
            code = self._child.returncode
            why = "was ended, for want of memory perhaps" if code < 0 else f"failed (exit code {code})"
            message = f"looking for cameras {why}; the device's log may say more"
            raise CameraError(message) from error

    def stop(self) -> None:
        """End what is under way, and ask nothing any more."""
        with self._lock:
            self._stopped = True
            if self._child is not None and self._child.poll() is None:
                self._child.kill()
