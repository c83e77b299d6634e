"""What a plan is asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Picture = Literal["360p", "720p", "1080p"]


class Ask(BaseModel):
    """How much there is to do.

    Attributes:
        streams: That the cloud watches itself, all the time.
        detectors: Of all streams together; where there are fewer than streams, streams share them.
        fps: Pictures a second of a stream that are taken.
        picture: Size of a stream's pictures; a camera's small stream is enough for most.
        looked_share: Of the pictures, those that the motion gate lets through.
        events_a_day: Of each stream and each camera.
        keep_days: How long events are kept.
        cameras: That run elfowl themselves, and report.
        asks_a_day: Pictures that each such camera asks the cloud about.
        trainings_a_day: Of all detectors together; a hundredth of them by default.
        gpu: Graphics processor that looks; none: processor cores do.
        machine_cores: Processor cores of a machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    streams: int = Field(0, ge=0)
    detectors: int = Field(0, ge=0)
    fps: float = Field(5.0, gt=0.0, le=60.0)
    picture: Picture = "360p"
    looked_share: float = Field(0.2, ge=0.0, le=1.0)
    events_a_day: float = Field(200.0, ge=0.0)
    keep_days: float = Field(30.0, ge=0.0)
    cameras: int = Field(0, ge=0)
    asks_a_day: float = Field(100.0, ge=0.0)
    trainings_a_day: float | None = Field(None, ge=0.0)
    gpu: str | None = None
    machine_cores: int = Field(16, ge=1)

    @property
    def watched(self) -> int:
        """Return how many streams have a detector."""
        return self.streams if self.detectors else 0

    @property
    def heads_a_stream(self) -> float:
        """Return how many detectors look at one picture, on average."""
        return max(1.0, self.detectors / self.watched) if self.watched else 0.0

    @property
    def looks_per_s(self) -> float:
        """Return how many pictures of streams are looked at in a second."""
        return self.watched * self.fps * self.looked_share

    @property
    def asks_per_s(self) -> float:
        """Return how many pictures of cameras are looked at in a second."""
        return self.cameras * self.asks_a_day / 86_400.0

    @property
    def events_per_s(self) -> float:
        """Return how many events come in a second."""
        return (self.watched + self.cameras) * self.events_a_day / 86_400.0

    @property
    def trainings_per_s(self) -> float:
        """Return how many detectors are trained in a second."""
        a_day = self.detectors / 100.0 if self.trainings_a_day is None else self.trainings_a_day
        return a_day / 86_400.0
