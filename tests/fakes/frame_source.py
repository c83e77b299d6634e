"""Cameras that do what a script says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.camera.frame import Frame
from edge_agent.errors import CameraError


@dataclass(frozen=True)
class Give:
    """Give so many pictures at once."""

    pictures: int = 1


@dataclass(frozen=True)
class Hang:
    """Do nothing until `released` is set, as a stuck decoder."""

    released: threading.Event


@dataclass(frozen=True)
class Break:
    """Fail."""

    error: Exception


@dataclass(frozen=True)
class Wait:
    """Do nothing for a while."""

    seconds: float


Step = Give | Hang | Break | Wait


def picture(index: int) -> Frame:
    """Return a small grey picture."""
    rgb = np.full((48, 64, 3), index % 256, dtype=np.uint8)
    return Frame(rgb, index, 1_800_000_000.0 + index, 100.0 + index)


class ScriptedSource:
    """Implements `FrameSource`: does the steps, then ends."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self.closed = False

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        for step in self._steps:
            if isinstance(step, Break):
                raise step.error
            if isinstance(step, Hang):
                step.released.wait(30)
            elif isinstance(step, Wait):
                threading.Event().wait(step.seconds)
            else:
                for _ in range(step.pictures):
                    yield picture(index)
                    index += 1

    def close(self) -> None:
        self.closed = True


class ScriptedCamera:
    """Opens one scripted source after another; a `CameraError` in the place of one fails to open."""

    def __init__(self, *scripts: Sequence[Step] | CameraError) -> None:
        self._scripts = list(scripts)
        self.opened: list[ScriptedSource] = []

    def then(self, script: Sequence[Step] | CameraError) -> None:
        """Add a script; the last one so far, which is repeated until then, is not repeated any more."""
        self._scripts.append(script)

    def __call__(self) -> ScriptedSource:
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        if isinstance(script, CameraError):
            raise script
        self.opened.append(ScriptedSource(script))
        return self.opened[-1]


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    """Wait until something holds; return whether it came to hold in time."""
    tick = threading.Event()
    for _ in range(int(timeout_s / 0.01)):
        if condition():
            return True
        tick.wait(0.01)
    return condition()
