"""Asks the cloud about a picture: within a deadline, a quota and a breaker, never in the pipeline's way."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError, LinkError, ProtocolError
from edge_agent.offload.breaker import Breaker
from edge_agent.offload.quota import ByteQuota
from edge_agent.pipeline.decide import OffloadPermit
from edge_agent.pipeline.result import OffloadWanted
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.offload import OffloadReply, OffloadRequest

_log = logging.getLogger(__name__)

_REPLY_BYTES = 1_000_000
_PATH = "/api/v1/offload"


@dataclass(frozen=True)
class Question:
    """A picture that the cloud shall look at.

    Attributes:
        camera: Whose picture.
        wanted: What the pipeline wants to know; goes back to it with the answer.
        detector_id: Which detector shall answer.
        detector_version: Which version; none: the newest.
    """

    camera: str
    wanted: OffloadWanted
    detector_id: str
    detector_version: int | None = None


@dataclass(frozen=True)
class OffloadSite:
    """Where the cloud is, and how to speak to it.

    Attributes:
        url: The cloud's base URL.
        device: The name under which the cloud knows this device.
        token: Returns a bearer token for one request.
        timeout_ms: After this an answer is of no use.
    """

    url: str
    device: str
    token: Callable[[], str]
    timeout_ms: int = 2_000


@dataclass
class OffloadCounts:
    """What happened since the start."""

    requests: int = 0
    answers: int = 0
    bytes_sent: int = 0


def cut(rgb: Rgb, box: XyxyNorm) -> Rgb:
    """Return the part of an (h, w, 3) picture inside a normalised xyxy box; at least one pixel."""
    height_px, width_px = rgb.shape[:2]
    x1, y1 = min(int(box[0] * width_px), width_px - 1), min(int(box[1] * height_px), height_px - 1)
    x2, y2 = max(round(box[2] * width_px), x1 + 1), max(round(box[3] * height_px), y1 + 1)
    return rgb[y1:y2, x1:x2]


class OffloadClient:
    """Asks in a thread of its own, one question at a time; of each camera only the newest waits."""

    def __init__(
        self,
        site: OffloadSite,
        http: httpx.Client,
        *,
        encode: Callable[[Rgb], bytes],
        quota: ByteQuota,
        clock: Clock,
        on_answer: Callable[[Question, OffloadReply], None],
    ) -> None:
        """Prepare; `start` begins.

        Args:
            site: Where the cloud is.
            http: Speaks HTTP.
            encode: Makes a small JPEG of the part to send.
            quota: Bytes a day.
            clock: Where times come from.
            on_answer: Takes each answer, in this client's thread.
        """
        self._site = site
        self._http = http
        self._encode = encode
        self._quota = quota
        self._clock = clock
        self._on_answer = on_answer
        self._breaker = Breaker()
        self._waiting: dict[str, Question] = {}
        self._asking: str | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="offload", daemon=True)
        self.counts = OffloadCounts()

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self, timeout_s: float = 3.0) -> None:
        """Stop asking; what waits is forgotten."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._quota.close()

    def permit(self, camera: str, *, allowed: bool) -> OffloadPermit:
        """Return whether a picture of `camera` may be offered now."""
        with self._changed:
            return OffloadPermit(
                allowed=allowed,
                quota_left=self._quota.allows(1),
                breaker_open=self._breaker.is_open(self._clock.monotonic_s()),
                in_flight=camera in self._waiting or camera == self._asking,
            )

    def offer(self, question: Question) -> None:
        """Leave a question to be asked soon; it replaces one of the same camera that still waits."""
        with self._changed:
            self._waiting[question.camera] = question
            self._changed.notify_all()

    def ask(self, question: Question) -> OffloadReply:
        """Ask now and wait for the answer.

        Raises:
            LinkError: The cloud cannot be reached, is busy, answered too late, or the quota is used up.
            ProtocolError: What came back is no answer to this question.
        """
        picture = self._encode(cut(question.wanted.frame.rgb, question.wanted.crop))
        if not self._quota.allows(len(picture)):
            message = "today's bytes for the cloud are used up"
            raise LinkError(message)
        request = self._request(question)
        self._quota.spend(len(picture))
        self.counts.requests += 1
        self.counts.bytes_sent += len(picture)
        reply = self._post(request, picture)
        if reply.request_id != request.request_id:
            message = "the cloud answered another question"
            raise ProtocolError(message)
        self.counts.answers += 1
        return reply

    def _request(self, question: Question) -> OffloadRequest:
        wanted = question.wanted
        return OffloadRequest(
            request_id=uuid.uuid4().hex,
            device=self._site.device,
            camera=question.camera,
            detector_id=question.detector_id,
            detector_version=question.detector_version,
            reason=wanted.reason,
            deadline_ms=self._site.timeout_ms,
            frame_time=wanted.frame.time_s,
            event_id=wanted.event_id,
            crop=wanted.crop,
        )

    def _post(self, request: OffloadRequest, picture: bytes) -> OffloadReply:
        timeout_s = self._site.timeout_ms / 1000
        until_s = self._clock.monotonic_s() + timeout_s
        parts: dict[str, tuple[str | None, str | bytes, str]] = {
            "request": (None, request.to_json(), "application/json"),
            "image": ("frame.jpg", picture, "image/jpeg"),
        }
        headers = {"Authorization": f"Bearer {self._site.token()}"}
        url = self._site.url.rstrip("/") + _PATH
        try:
            with self._http.stream("POST", url, files=parts, headers=headers, timeout=timeout_s) as response:
                body = self._read(response, until_s)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"cannot ask the cloud: {error or type(error).__name__}"
            raise LinkError(message) from error
        if response.status_code != httpx.codes.OK:
            message = f"the cloud did not answer: HTTP {response.status_code}"
            raise LinkError(message)
        try:
            return OffloadReply.from_json(body)
        except ValueError as error:
            message = "the cloud's answer is not in the documented form"
            raise ProtocolError(message) from error

    def _read(self, response: httpx.Response, until_s: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _REPLY_BYTES:
                message = f"the cloud's answer is over {_REPLY_BYTES} bytes"
                raise ProtocolError(message)
            if self._clock.monotonic_s() > until_s:
                break
        if self._clock.monotonic_s() > until_s:
            message = f"the cloud's answer came after {self._site.timeout_ms} ms"
            raise LinkError(message)
        return bytes(body)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._waiting)
                if self._stopping:
                    return
                self._asking = next(iter(self._waiting))
                question = self._waiting.pop(self._asking)
            self._settle(question)
            with self._changed:
                self._asking = None

    def _settle(self, question: Question) -> None:
        if self._breaker.is_open(self._clock.monotonic_s()):
            return
        try:
            reply = self.ask(question)
        except ElfowlError as error:
            self._breaker = self._breaker.failed(self._clock.monotonic_s())
            _log.info("offload for %s failed: %s", question.camera, error)
            return
        except Exception:  # noqa: BLE001 - the thread must live on; the camera goes on without an answer
            self._breaker = self._breaker.failed(self._clock.monotonic_s())
            _log.exception("offload for %s failed", question.camera)
            return
        self._breaker = self._breaker.succeeded()
        self._on_answer(question, reply)
