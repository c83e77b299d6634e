"""A simulated day of the agent's disk: `python -m bench.agenting.day EVENTS PICTURES FOLDER PART`.

PART is `all`, or `spool`: no key frames. Prints the bytes that the disk was made to write, and how many
events have a key frame.

The agent's own outbox and key frames take 2,000 events as a camera told them, evenly over a day: each
document is stored by itself, each is acknowledged, and time goes by between them as it did. The kernel
counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from bench.agenting.child import written_bytes
from edge_agent.agent.reporter import FLUSH_S
from edge_agent.config import StorageConfig
from edge_agent.report.keyframes import KeyFrames
from edge_agent.report.outbox import Outbox
from edge_agent.report.spool import SpoolItem

EVENTS_A_DAY = 2_000
_DAY_S = 86_400.0


class _Clock:
    """Implements `Clock`; moves when told."""

    def __init__(self) -> None:
        self.at_s = 1_000.0

    def now_s(self) -> float:
        """Return UTC seconds."""
        return 1_800_000_000.0 + self.at_s

    def monotonic_s(self) -> float:
        """Return seconds."""
        return self.at_s

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.at_s += seconds


class Day:
    """The disk's side of one day."""

    def __init__(self, folder: Path, pictures: dict[int, bytes] | None) -> None:
        """Open the stores in `folder`; `pictures`: a key frame's JPEG by quality, if any are kept."""
        storage, self._clock, self._pictures = StorageConfig(), _Clock(), pictures
        self._outbox = Outbox(
            folder / "spool.sqlite", consumers=["home"], max_bytes=storage.spool_bytes, clock=self._clock
        )
        self._frames = KeyFrames(
            folder / "frames",
            folder / "key",
            max_bytes=storage.keyframes_bytes,
            daily_bytes=storage.keyframes_daily_bytes,
            clock=self._clock,
        )
        self._flush_at_s = 0.0
        self.kept = 0

    def live_through(
        self, stories: Sequence[Sequence[dict[str, object]]], thumbnail: bytes, events: int = EVENTS_A_DAY
    ) -> int:
        """Take so many events; return how many bytes the disk was made to write."""
        before = written_bytes()
        for number, story in zip(range(events), cycle(stories), strict=False):
            self._pass_until(1_000.0 + number * _DAY_S / events)
            self._take(story, thumbnail, f"event-{number:06d}")
        self._pass_until(1_000.0 + _DAY_S)
        self._outbox.close()
        return written_bytes() - before

    def _take(self, story: Sequence[dict[str, object]], thumbnail: bytes, event_id: str) -> None:
        started_s, first_s = self._clock.at_s, float(str(story[0]["frame_time"]))
        for document in story:
            self._pass_until(started_s + float(str(document["frame_time"])) - first_s)
            is_new = document["event_type"] == "new"
            if is_new and self._pictures is not None:
                jpeg = self._pictures[self._frames.quality()]
                self.kept += self._frames.add("front", self._clock.now_s(), jpeg, event_id=event_id)
            text = json.dumps(document | {"id": event_id})
            item = SpoolItem("t", text, thumbnail if is_new else None)
            seq = self._outbox.append([item], lasting=is_new)
            self._outbox.acknowledge("home", self._outbox.epoch, seq)

    def _pass_until(self, at_s: float) -> None:
        while self._clock.at_s < at_s:
            self._clock.at_s = min(at_s, max(self._clock.at_s + 0.001, self._flush_at_s))
            if self._clock.at_s >= self._flush_at_s:
                self._flush_at_s = self._clock.at_s + FLUSH_S
                self._outbox.tick()
                self._outbox.flush()


def main() -> None:
    """Live through a day and print what it wrote."""
    stories = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(sys.argv[2])
    pictures = {int(path.stem.split("-")[1]): path.read_bytes() for path in folder.glob("picture-*.jpg")}
    day = Day(Path(sys.argv[3]), pictures if sys.argv[4] == "all" else None)
    written = day.live_through(stories, (folder / "thumbnail.jpg").read_bytes())
    print(json.dumps({"written_bytes": written, "key_frames": day.kept}))


if __name__ == "__main__":
    main()
