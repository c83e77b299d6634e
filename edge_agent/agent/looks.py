"""Who looks at which camera, and until when: a camera sends pictures only while somebody looks."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.agent.reporter import Reporter
from edge_agent.agent.stores import live_maker
from edge_agent.camera.frame import Frame
from edge_agent.clock import Clock
from edge_agent.config import AgentConfig
from edge_agent.pipeline.events import SeenObject
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.detection import Detection
from edge_agent.wire.live import LivePicture, LookWanted


@dataclass
class _Look:
    wanted: LookWanted
    until_s: float
    next_s: float


class Looks:
    """Wishes to look, by camera; safe for many threads."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nobody looking."""
        self._clock = clock
        self._lock = threading.Lock()
        self._looks: dict[str, _Look] = {}

    def want(self, wanted: LookWanted) -> None:
        """Somebody looks, or goes on looking."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            before = self._looks.get(wanted.camera)
            next_s = before.next_s if before is not None else now_s
            self._looks[wanted.camera] = _Look(wanted, now_s + wanted.for_s, next_s)

    def due(self, camera: str) -> LookWanted | None:
        """Return how a picture that is to be sent now shall be; none: nobody looks, or it is too soon."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            look = self._looks.get(camera)
            if look is None:
                return None
            if now_s >= look.until_s:
                del self._looks[camera]
                return None
            if now_s < look.next_s:
                return None
            # In step with the wanted pace, but never catching up on what was missed.
            interval_s = 1.0 / look.wanted.fps
            look.next_s = max(look.next_s + interval_s, now_s + interval_s / 2)
            return look.wanted


class LiveView:
    """Sends pictures of cameras to who looks at them."""

    def __init__(
        self,
        looks: Looks,
        reporter: Reporter,
        make_jpeg: Callable[[Rgb, Float32, int], bytes],
        *,
        blurred: bool,
    ) -> None:
        """Begin.

        Args:
            looks: Who looks.
            reporter: Takes the pictures.
            make_jpeg: Makes a picture that may leave: (picture, boxes, longest side in px) → JPEG.
            blurred: Nobody can be recognised on those.
        """
        self._looks = looks
        self._reporter = reporter
        self._make_jpeg = make_jpeg
        self._blurred = blurred

    def show(self, camera: str, frame: Frame, in_view: Sequence[SeenObject]) -> None:
        """Send a picture with what is in view on it, if somebody looks and it is time for one."""
        wanted = self._looks.due(camera)
        if wanted is None:
            return
        boxes = np.array([thing.box for thing in in_view], np.float32).reshape(-1, 4)
        jpeg = self._make_jpeg(frame.rgb, boxes, wanted.max_px)
        seen = tuple(Detection(label=one.label, score=one.score, box=one.box) for one in in_view)
        self._reporter.live(
            LivePicture(
                camera=camera,
                frame_time=frame.time_s,
                blurred=self._blurred,
                detections=seen,
                jpeg_base64=base64.b64encode(jpeg).decode(),
            )
        )


def make_live_view(config: AgentConfig, looks: Looks, reporter: Reporter) -> LiveView | None:
    """Return what shows cameras to who looks at the cloud; none: their owner lets no pictures leave."""
    cloud, snapshots = config.cloud, config.snapshots
    if cloud is None or cloud.never_send_pictures:
        return None
    return LiveView(looks, reporter, live_maker(snapshots), blurred=not snapshots.clear)
