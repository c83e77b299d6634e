"""The processes that watch in the benchmark `streams`: started once, and ordered again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench.streaming.child import Answer, Order, Stream
from bench.streaming.films import FPS
from cloud.processes import ONE_THREAD
from edge_agent.errors import LinkError

Kind = Literal["elfowl", "alone"]
LATE_S, MISSING = 0.5, 0.02


@dataclass(frozen=True)
class Tried:
    """What came of watching so many streams; `cpu_ms` is the processor's time for each picture."""

    streams: int
    p99_s: float
    missing: float
    looked: float
    cpu_ms: float

    @property
    def holds(self) -> bool:
        """Return whether answers come in time, and pictures are not left out."""
        return self.p99_s <= LATE_S and self.missing <= MISSING


class Crowd:
    """Processes of one kind; more are started when they are needed."""

    def __init__(self, kind: Kind, detectors: Path, most: int) -> None:
        """Start none yet; `most` processes share the streams."""
        self._command = [sys.executable, "-m", "bench.streaming.child", kind, str(detectors)]
        self._most = most
        self._children: list[subprocess.Popen[str]] = []

    def watch(self, streams: Sequence[Stream], settle_s: float, seconds: float) -> Tried:
        """Watch streams that are spread over the processes."""
        shares = [tuple(streams[number :: self._most]) for number in range(min(self._most, len(streams)))]
        self._start(len(shares))
        chosen = self._children[: len(shares)]
        for child, share in zip(chosen, shares, strict=True):
            if child.stdin is not None:
                child.stdin.write(Order(share, settle_s, seconds).line())
                child.stdin.flush()
        answers = [Answer(**json.loads(_line(child))) for child in chosen]
        return tried(len(streams), answers, seconds)

    def close(self) -> None:
        """End the processes."""
        for child in self._children:
            child.kill()
            child.communicate()
        self._children.clear()

    def _start(self, count: int) -> None:
        fresh = [
            subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, **ONE_THREAD},
            )
            for _ in range(len(self._children), count)
        ]
        self._children += fresh
        for child in fresh:
            _line(child)


def tried(streams: int, answers: Sequence[Answer], seconds: float) -> Tried:
    """Return what the answers of all processes say together."""
    delays = [late for answer in answers for late in answer.delays_s]
    pictures = sum(answer.pictures for answer in answers)
    return Tried(
        streams,
        p99_s=float(np.percentile(delays, 99)) if delays else float("inf"),
        missing=max(0.0, 1.0 - pictures / (streams * FPS * seconds)),
        looked=sum(answer.looked for answer in answers) / max(1, pictures),
        cpu_ms=1e3 * sum(answer.cpu_s for answer in answers) / max(1, pictures),
    )


def _line(child: subprocess.Popen[str]) -> str:
    line = child.stdout.readline() if child.stdout is not None else ""
    if not line:
        message = "a process of the benchmark ended; run python -m bench.streaming.child by hand to see why"
        raise LinkError(message)
    return line
