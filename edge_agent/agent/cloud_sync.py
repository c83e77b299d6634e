"""Keeps in step with the cloud over HTTPS: desired state down, reported state and asked-for frames up.

MQTT only hints that there is something new; what counts is fetched here, on each hint and by a slow poll.
"""

from __future__ import annotations

import logging
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from pydantic import ValidationError

from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError, LinkError, ProtocolError
from edge_agent.wire.nearby import NearbyCameras
from edge_agent.wire.sync import Desired, FrameWanted, Reported

_log = logging.getLogger(__name__)

_API = "/api/v1/device"
_GONE = {404, 409, 410, 413, 415, 422}
_MAX_BYTES = 1_000_000
_RETRY_S = 5.0
_ANSWER_S = 60.0
_FRAME_COMES_S = 10.0
"""A key frame is stored a moment after its event was told of; the cloud may be quicker."""

_SOON_S = 1.0


@dataclass(frozen=True)
class SyncPorts:
    """What the sync works with.

    Attributes:
        token: Returns a bearer token for one request.
        take: Obeys a new desired state; quick.
        reported: Returns what to report, for a desired version.
        was_reported: Told what the cloud has now.
        find_frame: Returns a key frame, or none when it is gone.
        nearby: Returns what the cloud is to be told about cameras around; none: nothing.
        nearby_told: Told when the cloud has that, or does not want it any more.
    """

    token: Callable[[], str]
    take: Callable[[Desired], None]
    reported: Callable[[int], Reported]
    was_reported: Callable[[Reported], None]
    find_frame: Callable[[FrameWanted], bytes | None]
    nearby: Callable[[], NearbyCameras | None] = lambda: None
    nearby_told: Callable[[NearbyCameras], None] = lambda _told: None


class CloudSync:
    """The sync thread; `wake` makes it look at once."""

    def __init__(
        self,
        url: str,
        http: httpx.Client,
        ports: SyncPorts,
        *,
        device: str,
        poll_s: float,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            url: The cloud's base URL.
            http: Speaks HTTP.
            ports: What to do with what comes.
            device: The name under which the cloud knows this device.
            poll_s: Look at least this often.
            clock: Where times come from.
            rng: Spreads the polls of many devices.
        """
        self._base = url.rstrip("/") + _API
        self._http = http
        self._ports = ports
        self._device = device
        self._poll_s = poll_s
        self._clock = clock
        self._rng = rng
        self._etag: str | None = None
        self._desired: Desired | None = None
        self._told: Reported | None = None
        self._served: set[str] = set()
        self._missed_s: dict[str, float] = {}
        self._wake = threading.Event()
        self._stopping = False
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="cloud-sync", daemon=True)
        self.reachable = False

    @property
    def desired_version(self) -> int:
        """Return the version of the newest desired state that was taken."""
        return self._desired.version if self._desired else 0

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def wake(self) -> None:
        """Look now; from any thread."""
        self._wake.set()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def sync_once(self) -> None:
        """Fetch, obey, send asked-for frames, report.

        Raises:
            LinkError: The cloud cannot be reached or is busy.
            ProtocolError: It answers, but not as documented.
        """
        desired = self._fetch()
        if desired is not None:
            self._desired = desired
            self._ports.take(desired)
            wanted_now = {wanted.request_id for wanted in desired.frames_wanted}
            self._missed_s = {one: at_s for one, at_s in self._missed_s.items() if one in wanted_now}
        if self._desired is not None:
            for wanted in self._desired.frames_wanted:
                self._send_frame(wanted)
        if (found := self._ports.nearby()) is not None:
            self._send_nearby(found)
        self._report()

    def _fetch(self) -> Desired | None:
        headers = {"If-None-Match": self._etag} if self._etag else {}
        response = self._request("GET", "/desired", headers=headers)
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return None
        self._expect_ok(response)
        try:
            desired = Desired.from_json(response.content)
        except ValueError as error:
            message = (
                f"the desired state cannot be followed ({_first_mistake(error)}); the last good one stays"
            )
            raise ProtocolError(message) from error
        if desired.device != self._device:
            message = f"the desired state is for {desired.device!r}, not for {self._device!r}"
            raise ProtocolError(message)
        if desired.version < self.desired_version:
            return None
        self._etag = response.headers.get("ETag")
        return desired

    def _send_frame(self, wanted: FrameWanted) -> None:
        if wanted.request_id in self._served:
            return
        # The id becomes a part of a URL.
        is_sound = re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", wanted.request_id) is not None
        jpeg = self._ports.find_frame(wanted) if is_sound else None
        if jpeg is None and is_sound and self._may_come(wanted.request_id):
            return
        self._missed_s.pop(wanted.request_id, None)
        if jpeg is None:
            self._served.add(wanted.request_id)
            _log.info("a frame that the cloud asks for is not kept, or may not leave")
            return
        headers = {"Content-Type": "image/jpeg"}
        response = self._request("PUT", f"/frames/{wanted.request_id}", content=jpeg, headers=headers)
        if response.status_code not in _GONE:
            self._expect_ok(response)
        self._served.add(wanted.request_id)

    def _may_come(self, request_id: str) -> bool:
        """Return whether a frame that is not there yet is looked for again."""
        now_s = self._clock.monotonic_s()
        return now_s - self._missed_s.setdefault(request_id, now_s) < _FRAME_COMES_S

    def _send_nearby(self, found: NearbyCameras) -> None:
        path, headers = f"/nearby/{found.request_id}", {"Content-Type": "application/json"}
        response = self._request("PUT", path, content=found.to_json(), headers=headers)
        if response.status_code not in _GONE:
            self._expect_ok(response)
        self._ports.nearby_told(found)

    def _report(self) -> None:
        reported = self._ports.reported(self.desired_version)
        if reported == self._told:
            return
        body = reported.to_json()
        response = self._request(
            "PUT", "/reported", content=body, headers={"Content-Type": "application/json"}
        )
        self._expect_ok(response)
        self._told = reported
        self._ports.was_reported(reported)

    def _request(
        self, method: str, path: str, *, headers: dict[str, str], content: bytes | str | None = None
    ) -> httpx.Response:
        authorized = headers | {"Authorization": f"Bearer {self._ports.token()}"}
        url = self._base + path
        try:
            with self._http.stream(method, url, headers=authorized, content=content) as response:
                return self._whole(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"cannot reach the cloud: {error or type(error).__name__}"
            raise LinkError(message) from error

    def _whole(self, response: httpx.Response) -> httpx.Response:
        """Return an answer with its body; one that trickles or has no end must not hold us up."""
        body, until_s = bytearray(), self._clock.monotonic_s() + _ANSWER_S
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _MAX_BYTES:
                message = f"the cloud's answer is larger than {_MAX_BYTES} bytes"
                raise ProtocolError(message)
            if self._clock.monotonic_s() > until_s:
                message = f"the cloud's answer was not whole after {_ANSWER_S:.0f} s"
                raise LinkError(message)
        headers = {name: value for name, value in response.headers.items() if name == "etag"}
        return httpx.Response(
            response.status_code, headers=headers, content=bytes(body), request=response.request
        )

    def _expect_ok(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        message = f"the cloud answers HTTP {response.status_code} to {response.request.url.path}"
        raise LinkError(message) if response.status_code >= 500 else ProtocolError(message)

    def step(self) -> float:
        """Look once, whatever comes of it; return after how many seconds to look again."""
        try:
            self.sync_once()
            if not self.reachable:
                _log.info("in step with the cloud")
            self.reachable, self._failures = True, 0
        except ElfowlError as error:
            self._failures += 1
            if self.reachable or self._failures == 1:
                _log.warning("%s", error)
            self.reachable = False
        except Exception:  # noqa: BLE001 - the next try may succeed; detection does not depend on it
            _log.exception("sync with the cloud failed")
            self.reachable = False
            self._failures += 1
        return self._pause_s(self._failures)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            self._wake.wait(self.step())

    def _pause_s(self, failures: int) -> float:
        base_s = min(self._poll_s, _RETRY_S * 2.0 ** min(failures - 1, 10)) if failures else self._poll_s
        soon_s = _SOON_S if self._missed_s and not failures else base_s
        return min(base_s, soon_s) * self._rng.uniform(0.75, 1.25)


def _first_mistake(error: ValueError) -> str:
    """Return where and what the first mistake in a document is; the document came from outside."""
    if not isinstance(error, ValidationError):
        return str(error)[:200]
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"[:300]
