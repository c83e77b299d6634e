"""Looks at pictures with subnets, several at once, within the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.datasets.pictures import read_pictures
from cloud.subnets.features import shared_extractor
from cloud.subnets.manifest import SubnetManifest
from cloud.training.cache import DiskCache, NoCache
from cloud.training.config import CancelledError, TrainConfig
from cloud.training.plan import seconds_to_look
from cloud.training.reporter import Reporter
from cloud.training.samples import FrameSamples, SamplePlan, frame_samples, look_at_frames
from edge_agent.clock import Clock
from edge_agent.vision.arrays import Rgb

_LEAST_VIEWS = 2

ReadPictures = Callable[[Iterable[PictureSource]], Iterable[tuple[PictureSource, Rgb]]]


@dataclass(frozen=True)
class Watch:
    """Who is told how far it is, who may stop it, and what tells the time."""

    reporter: Reporter
    cancelled: Callable[[], bool]
    clock: Clock

    def refuse_if_cancelled(self) -> None:
        """Stop here if that was asked for.

        Raises:
            CancelledError: `cancelled` said so.
        """
        if self.cancelled():
            message = "training was cancelled"
            raise CancelledError(message)


def look(
    frames: Sequence[LabelledFrame],
    plan: SamplePlan,
    config: TrainConfig,
    subnets: Sequence[SubnetManifest],
    watch: Watch,
    read: ReadPictures = read_pictures,
) -> list[FrameSamples]:
    """Look at all views of all frames with all subnets; the result is in the order of `frames`.

    Raises:
        InputError: A picture cannot be read.
        CancelledError: `cancelled` said so.
    """
    cache = DiskCache(config.cache_dir, config.cache_bytes) if config.cache_dir else NoCache()
    extractors = [shared_extractor(subnet) for subnet in subnets]
    by_source = {frame.source: frame for frame in frames}
    start_s, finished = watch.clock.monotonic_s(), 0

    def pictures() -> Iterator[tuple[LabelledFrame, Rgb]]:
        for source, rgb in read(by_source):
            watch.refuse_if_cancelled()
            watch.reporter.read(source.name)
            yield by_source[source], rgb

    def looked(count: int) -> None:
        nonlocal finished
        finished = count
        watch.refuse_if_cancelled()
        watch.reporter.looked(count, len(frames))

    def enough(views: int) -> bool:
        """Tell whether a frame must do with so many views, or looking would take too long altogether."""
        passed_s = watch.clock.monotonic_s() - start_s
        spent = passed_s / max(1e-3, seconds_to_look(config.budget_s))
        return views >= _LEAST_VIEWS and spent > (finished + config.threads) / len(frames)

    def look_at(frame: LabelledFrame, rgb: Rgb) -> FrameSamples:
        return frame_samples(frame, rgb, plan, extractors, cache, enough)

    samples = {one.frame.source: one for one in look_at_frames(pictures(), config.threads, look_at, looked)}
    if isinstance(cache, DiskCache):
        cache.trim()
    return [samples[frame.source] for frame in frames]
