"""How a source is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RtspTransport = Literal["tcp", "udp"]


@dataclass(frozen=True)
class ReadOptions:
    """How a source is read.

    Attributes:
        loop: Begin again at the end of a recording.
        real_time: Give a recording at its own speed; otherwise as fast as it is taken.
        max_width_px: Wider pictures are scaled down to this, keeping their shape; none: as they come.
        max_fps: Give no more pictures a second than this; the others are neither converted nor given.
        timeout_s: Longest wait for a network peer, each for opening and for reading.
        rtsp_transport: How RTSP brings pictures; `udp` for cameras or networks that fare badly with `tcp`.
    """

    loop: bool = False
    real_time: bool = True
    max_width_px: int | None = None
    max_fps: float | None = None
    timeout_s: float = 3.0
    rtsp_transport: RtspTransport = "tcp"
