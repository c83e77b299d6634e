"""The one way to open a source."""

from __future__ import annotations

from edge_agent.camera.frame import FrameSource
from edge_agent.camera.options import ReadOptions, RtspTransport
from edge_agent.camera.uri import parse_source
from edge_agent.camera.video import VideoSource
from edge_agent.clock import Clock, SystemClock


def open_source(
    uri: str,
    *,
    clock: Clock | None = None,
    loop: bool = False,
    real_time: bool = True,
    max_width_px: int | None = None,
    max_fps: float | None = None,
    timeout_s: float = 3.0,
    rtsp_transport: RtspTransport = "tcp",
) -> FrameSource:
    """Open a video, picture, webcam or stream.

    Args:
        uri: See `edge_agent.camera.uri.parse_source`.
        clock: Where times come from; the machine's own by default.
        loop: Begin again at the end of a recording.
        real_time: Give a recording at its own speed; otherwise as fast as it is taken.
        max_width_px: Wider pictures are scaled down to this width, keeping their shape.
        max_fps: Give no more pictures a second than this.
        timeout_s: Longest wait for a network peer.
        rtsp_transport: How RTSP brings pictures.

    Raises:
        ConfigError: `uri` is not the name of a source.
        CameraError: The source cannot be opened; the text says why and what to do, never the password.
    """
    address = parse_source(uri)
    options = ReadOptions(loop, real_time, max_width_px, max_fps, timeout_s, rtsp_transport)
    if address.kind == "snapshot":
        from edge_agent.camera.snapshot import SnapshotSource  # noqa: PLC0415 - brings httpx

        return SnapshotSource(address, options, clock or SystemClock())
    return VideoSource(address, options, clock or SystemClock())
