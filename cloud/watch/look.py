"""Looks through a video with a detector and keeps what it sees, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from cloud.watch.kept import Frames, Keeper, Seen
from edge_agent.pipeline.gate import GateSettings, MotionGate
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection

FLOOR = 0.1
"""Weaker detections are not kept: nobody sets a threshold below."""

_PART = 16
_BATCH = 4

See = Callable[[Sequence[Rgb]], list[list[Detection]]]


def look_through(
    frames: Iterable[tuple[int, Rgb]], see: See, keeper: Keeper, *, fps: float, which: Frames, count: int
) -> Iterator[int]:
    """Look at a video from where the keeper stands, and yield after each part which frame comes next.

    Args:
        frames: All frames of the video in order; those that are done are only shown to the gate.
        see: What the detector sees in a few pictures.
        keeper: Keeps it.
        fps: Of the video; the gate thinks in seconds.
        which: The frames to look at.
        count: How many frames the video has.
    """
    gate = MotionGate(GateSettings(enabled=which == "motion"))
    done = keeper.until
    waiting: list[tuple[int, Rgb]] = []
    seen: list[Seen] = []
    for index, rgb in frames:
        wanted = gate.decide(rgb, index / fps).look
        if index < done:
            continue
        if wanted:
            waiting.append((index, rgb))
        if len(waiting) == _BATCH:
            seen += _looked(waiting, see)
            waiting = []
        if (index + 1) % _PART == 0:
            keeper.add([*seen, *_looked(waiting, see)], index + 1)
            waiting, seen = [], []
            yield index + 1
    keeper.add([*seen, *_looked(waiting, see)], count)
    yield count


def _looked(waiting: Sequence[tuple[int, Rgb]], see: See) -> list[Seen]:
    if not waiting:
        return []
    found = see([rgb for _, rgb in waiting])
    return [Seen(index, tuple(each)) for (index, _), each in zip(waiting, found, strict=True)]
