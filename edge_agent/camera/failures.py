"""What goes wrong with sources, in words that say what to do; FFmpeg's own texts may hold a password."""

from __future__ import annotations

from edge_agent.camera.uri import SourceAddress
from edge_agent.errors import CameraError

_NETWORK = {
    "HTTPUnauthorizedError": "wrong user name or password (401); check both in the camera's address",
    "HTTPForbiddenError": "access is forbidden (403); give this user the right to watch the stream",
    "HTTPNotFoundError": "no such stream there (404); check the path in the camera's address",
    "ConnectionRefusedError": "connection refused; check the address and port, and that the camera is on",
    "ConnectionResetError": "the camera closed the connection; it may be restarting or have too many viewers",
    "BrokenPipeError": "the camera closed the connection; it may be restarting or have too many viewers",
    "TimeoutError": "timed out; check that the camera is on and can be reached from here",
    "ExitError": "timed out; check that the camera is on and can be reached from here",
    "InvalidDataError": "answers, but not with a video stream in time; check the path, or restart the camera",
    "OSError": "cannot be reached; check the host name, the network, and that the camera is on",
    "ProtocolNotFoundError": "this build of FFmpeg does not speak that protocol; use rtsp:// or http://",
}
_BROKEN_OFF = {"OSError": "the stream ended; the camera closed it or went away"}
_FILE = {
    "FileNotFoundError": "no such file; check the path",
    "IsADirectoryError": "is a folder; name a video or picture in it",
    "PermissionError": "may not be read by this user; change its permissions",
    "InvalidDataError": "is not a video that can be read; convert it to MP4 (H.264)",
    "EOFError": "is not a video that can be read: it ends too early",
    "DecoderNotFoundError": "uses a codec that is not known here; convert it to MP4 (H.264)",
}
_WEBCAM = {
    "FileNotFoundError": "no such webcam; plug it in, or see `ls /dev/video*` for its number",
    "PermissionError": "may not be opened by this user; add the user to the group 'video'",
    "BlockingIOError": "is in use by another program; close that one",
    "OSError": "cannot be opened as a webcam; see `ls /dev/video*` for another number",
    "InvalidDataError": "gives no pictures that can be read; try another /dev/video number",
}
_FALLBACK = {
    "network": "cannot be opened; check the address and the camera",
    "snapshot": "cannot be opened; check the address and the camera",
    "webcam": "cannot be opened; unplug it and plug it in again",
    "video": "cannot be read; check the file with another player",
    "image": "cannot be read as a picture; save it again as JPEG or PNG",
}


def camera_error(address: SourceAddress, error: Exception, *, opened: bool = False) -> CameraError:
    """Return the one line for people about a failure of FFmpeg, without FFmpeg's text.

    Args:
        address: What failed.
        error: As FFmpeg raised it.
        opened: It could be opened, and failed later.
    """
    table = {"network": _NETWORK, "snapshot": _NETWORK, "webcam": _WEBCAM}.get(address.kind, _FILE)
    if opened and address.kind == "network":
        table = table | _BROKEN_OFF
    for kind in type(error).__mro__:
        if said := table.get(kind.__name__):
            return CameraError(f"{address.shown}: {said}")
    return CameraError(f"{address.shown}: {_FALLBACK[address.kind]} ({type(error).__name__})")


def no_video(address: SourceAddress) -> CameraError:
    """Return the error for a source without a video track."""
    return CameraError(f"{address.shown}: has no video track; name another file or stream")
