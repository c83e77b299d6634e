"""The HTTP API with patience: the demo goes on when the cloud is killed and comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cloud.client import CloudClient
from cloud.demo.screen import Step
from cloud.errors import BusyError
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError, LinkError

_PATIENCE_S = 90.0
_PAUSE_S = 0.5
T = TypeVar("T")


class PatientCloud:
    """Calls the API, and calls again while the cloud is away."""

    def __init__(self, client: CloudClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def get(self, path: str, **query: str | float) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON at `path`."""
        return self._again(lambda: self._client.get(path, **query))

    def post(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Send JSON and return the answer."""
        return self._again(lambda: self._client.post(path, body))

    def put(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Replace what is at `path`."""
        return self._again(lambda: self._client.put(path, body))

    def delete(self, path: str) -> None:
        """Remove what is at `path`."""
        self._again(lambda: self._client.delete(path))

    def upload(self, path: str, file: Path) -> Any:  # noqa: ANN401 - JSON
        """Send a file and return the answer."""
        return self._again(lambda: self._client.upload(path, file))

    def download(self, path: str) -> bytes:
        """Return the bytes at `path`."""
        return self._again(lambda: b"".join(self._client.download(path)))

    def run_job(self, path: str, body: object, step: Step) -> dict[str, Any]:
        """Start a job and follow it to its end.

        Returns:
            The job's result.

        Raises:
            ElfowlError: The job failed or was cancelled; with its own words.
        """
        job = self.post(path, body)
        while job["state"] in {"queued", "running"}:
            step.update(job["progress"], job["stage"], job["seconds_left"])
            self._clock.sleep(_PAUSE_S)
            job = self.get(f"/jobs/{job['id']}")
        if job["state"] != "done":
            raise ElfowlError(job["error"] or job["message"] or f"the {job['kind']} job was {job['state']}")
        result: dict[str, Any] = job["result"] or {}
        return result

    def wait_for(self, what: str, look: Callable[[], T | None], limit_s: float) -> T:
        """Look until there is something.

        Raises:
            ElfowlError: It did not come in time.
        """
        deadline_s = self._clock.monotonic_s() + limit_s
        while self._clock.monotonic_s() < deadline_s:
            if (found := look()) is not None:
                return found
            self._clock.sleep(_PAUSE_S)
        message = f"{what} did not come within {limit_s:.0f} s"
        raise ElfowlError(message)

    def _again(self, call: Callable[[], T]) -> T:
        deadline_s = self._clock.monotonic_s() + _PATIENCE_S
        while True:
            try:
                return call()
            except (LinkError, BusyError):
                if self._clock.monotonic_s() > deadline_s:
                    raise
                self._clock.sleep(_PAUSE_S)
