"""Which stream of a camera to look at, and which one is the fine one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.discover.found import Stream

_LEAST_WIDTH_PX = 320
_LEAST_FPS = 5.0
# H.264 is decoded everywhere and for least; another codec must be this much smaller to be worth it.
_OTHER_CODEC = 1.5


@dataclass(frozen=True)
class Proposal:
    """What to do with one channel of a device.

    Attributes:
        channel: The device's own name for it.
        detect: The stream to look at.
        main: The one with most detail; may be the same.
        note: What is not as it should be; empty when all is well.
        streams: All of them.
    """

    channel: str
    detect: Stream
    main: Stream
    note: str
    streams: tuple[Stream, ...]


def propose(streams: Sequence[Stream]) -> list[Proposal]:
    """Return a proposal for each channel, in the order in which the device named them.

    Args:
        streams: Of one device.
    """
    channels: dict[str, list[Stream]] = {}
    for stream in streams:
        channels.setdefault(stream.channel, []).append(stream)
    return [_propose(channel, of_channel) for channel, of_channel in channels.items()]


def _propose(channel: str, streams: list[Stream]) -> Proposal:
    main = max(streams, key=_area_px)
    fitting = [stream for stream in streams if _fits(stream)]
    if fitting:
        detect = min(fitting, key=_cost)
        note = "has no smaller stream; add one in its settings" if _is_needlessly_large(detect) else ""
    else:
        detect = main
        note = (
            f"no stream is known to have {_LEAST_WIDTH_PX} px and {_LEAST_FPS:g} pictures/s; "
            "set one up in its settings"
        )
    return Proposal(channel, detect, main, note, tuple(streams))


def _fits(stream: Stream) -> bool:
    wide = stream.width_px is not None and stream.width_px >= _LEAST_WIDTH_PX
    return wide and (stream.fps is None or stream.fps >= _LEAST_FPS)


def _is_needlessly_large(stream: Stream) -> bool:
    return stream.width_px is not None and stream.width_px > 1280


def _area_px(stream: Stream) -> int:
    return (stream.width_px or 0) * (stream.height_px or 0)


def _cost(stream: Stream) -> float:
    return _area_px(stream) * (1.0 if stream.codec == "H264" else _OTHER_CODEC)
