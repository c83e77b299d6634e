"""A lesson that goes on: features of the frames seen stay in memory, so that one more frame is quick.

The first `update` is a training like any other; those after it start from the detector there is and move only
what comes after the adapters (`cloud.training.update`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.datasets.pictures import read_pictures
from cloud.detector.full import FullDetector
from cloud.detector.head import AnchorFreeHead
from cloud.detector.spec import DetectorSpec
from cloud.errors import TrainingError
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import subnet_by_name
from cloud.training.config import Progress, TrainConfig
from cloud.training.fit import TrainResult, teach_from
from cloud.training.look import Watch, look
from cloud.training.plan import check_examples, first_spec, plan_samples
from cloud.training.reporter import Reporter
from cloud.training.samples import FrameSamples, SamplePlan
from cloud.training.update import full_head, fuse_windows, teach_tail
from compress.threads import one_thread_each
from edge_agent.clock import Clock, SystemClock
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection

_GROWTH_SHARE = 0.3
"""So many more frames than the adapters were taught from, and they are taught anew."""

_ROUGH_STEPS = 48
"""Of a first lesson that somebody waits for; the whole one follows."""

_WITH_LEVELS = 64
"""Frames whose features stay in memory, some 10 MB each."""


@dataclass(frozen=True)
class _Seen:
    """What a frame gave: its windows, and what the adapters there are make of them."""

    samples: FrameSamples
    fused: torch.Tensor


class TeachingSession:
    """Teaches one detector, frame after frame; for one thread at a time, except `detect`.

    Call `put_frame` for each frame that is labelled or corrected, and `update` when a detector that knows
    them is wanted. `remove_frame` forgets one. Between two updates any number of frames may come and go.
    """

    def __init__(
        self,
        classes: Sequence[str],
        config: TrainConfig,
        *,
        detector: FullDetector | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Begin.

        Args:
            classes: What to find, by display name; another list of classes needs another session.
            config: Settings of the first training.
            detector: Where to start from; none = teach a first one from the frames.
            clock: For the budget and the report.
        """
        self._classes = tuple(classes)
        self._config = config
        self._clock = clock or SystemClock()
        self._frames: dict[PictureSource, LabelledFrame] = {}
        self._pictures: dict[PictureSource, Rgb] = {}
        self._seen: dict[PictureSource, _Seen] = {}
        self._plan: SamplePlan | None = None
        self._detector = detector
        self._known: dict[PictureSource, LabelledFrame] = {}
        self._known_fully = 0 if detector is None else len(detector.examples)
        self._is_draft = False
        self._is_rough = False

    @property
    def detector(self) -> FullDetector | None:
        """Return the newest detector; none before the first `update`."""
        return self._detector

    @property
    def is_draft(self) -> bool:
        """Return whether adapters are to be taught anew: those of the newest detector know too few frames."""
        return self._is_draft

    @property
    def frames(self) -> tuple[LabelledFrame, ...]:
        """Return the frames that the next `update` learns from."""
        return tuple(self._frames.values())

    def put_frame(self, frame: LabelledFrame, rgb: Rgb | None = None) -> None:
        """Take a frame in, or its new labels.

        Args:
            frame: Replaces the labels that the same picture had before.
            rgb: Its picture `(h, w, 3) uint8`, if at hand; none = it is read when it is needed.
        """
        if self._frames.get(frame.source) != frame:
            self._seen.pop(frame.source, None)
        self._frames[frame.source] = frame
        if rgb is not None:
            self._pictures[frame.source] = rgb

    def remove_frame(self, source: PictureSource) -> None:
        """Forget a frame; one that is not there is no mistake."""
        for kept in (self._frames, self._pictures, self._seen):
            kept.pop(source, None)

    def update(
        self,
        progress: Callable[[Progress], None],
        cancelled: Callable[[], bool],
        *,
        soon: bool = False,
    ) -> TrainResult:
        """Return a detector that knows all frames there are now.

        Args:
            progress: Told where it stands, from the calling thread.
            cancelled: Asked several times a second.
            soon: Somebody waits: what can be learned in a moment comes first, and where that is not all,
                `is_draft` says so; the next update learns the rest. A first detector is such a draft, and
                its quality is not known.

        Raises:
            TrainingError: These examples do not give a detector.
            InputError: A picture cannot be read.
            CancelledError: `cancelled` said so; the detector stays as it was.
        """
        start_s = self._clock.monotonic_s()
        check_examples(self.frames, self._classes)
        reporter = Reporter(
            progress, self._clock, views=self._views_to_look_at(), threads=self._config.threads
        )
        watch = Watch(reporter, cancelled, self._clock)
        with one_thread_each():
            is_small = self._is_small_change()
            base = self._detector if is_small or (soon and self._can_wait()) else None
            if base is None:
                self._is_rough = soon and self._detector is None
                result = self._learn_anew(watch, start_s)
            else:
                result = self._learn_on(base, watch, start_s)
        self._detector = result.detector
        self._known = dict(self._frames)
        self._is_draft = self._is_rough or (base is not None and not is_small)
        self._save_memory()
        return result

    def _save_memory(self) -> None:
        """Keep the trunk's own features of the newest frames only; an update does without them."""
        for source in list(self._seen)[:-_WITH_LEVELS]:
            seen = self._seen[source]
            self._seen[source] = replace(seen, samples=seen.samples.without_levels())

    def _is_small_change(self) -> bool:
        """Tell whether the adapters there are will do: most of the frames went into them."""
        most = max(1, round(self._known_fully * _GROWTH_SHARE))
        return not self._is_rough and self._can_go_on() and len(self._frames) - self._known_fully <= most

    def _can_wait(self) -> bool:
        """Tell whether new adapters can wait: what is new can be learned with those there are."""
        return self._can_go_on() and self._frames != self._known

    def _can_go_on(self) -> bool:
        if self._detector is None or not isinstance(self._detector.taught_head, AnchorFreeHead):
            return False
        return not self._known.keys() - self._frames.keys()

    def _learn_anew(self, watch: Watch, start_s: float) -> TrainResult:
        subnets = [subnet_by_name(name) for name in self._config.subnets]
        spec = first_spec(self.frames, self._classes, self._config, subnets)
        self._seen = {source: seen for source, seen in self._seen.items() if seen.samples.has_levels}
        samples = self._look(spec, subnets, watch)
        config = self._config
        if self._is_rough:
            config = replace(config, folds=0, min_steps=_ROUGH_STEPS, max_steps=_ROUGH_STEPS)
        result = teach_from(samples, spec, config, watch, start_s)
        self._known_fully = len(samples)
        head = full_head(result.detector)
        self._seen = {one.frame.source: _Seen(one, fuse_windows(head, one)) for one in samples}
        return result

    def _learn_on(self, base: FullDetector, watch: Watch, start_s: float) -> TrainResult:
        samples = self._look(base.spec, base.manifests, watch)
        head = full_head(base)
        maps = []
        for one in samples:
            source = one.frame.source
            if source not in self._seen:
                self._seen[source] = _Seen(one, fuse_windows(head, one))
            maps.append(self._seen[source].fused)
        new = {number for number, one in enumerate(samples) if self._known.get(one.frame.source) != one.frame}
        return teach_tail(base, samples, maps, new, self._config, watch, start_s)

    def _look(
        self, spec: DetectorSpec, subnets: Sequence[SubnetManifest], watch: Watch
    ) -> list[FrameSamples]:
        """Return the samples of all frames, in order; only what is new is looked at."""
        plan = plan_samples(self.frames, self._classes, spec, self._config)
        if self._plan is None or (self._plan.size_px, self._plan.grid) != (plan.size_px, plan.grid):
            self._seen.clear()
        self._plan = plan
        new = [frame for frame in self.frames if frame.source not in self._seen]
        looked = look(new, plan, self._config, subnets, watch, self._read) if new else []
        fresh = {one.frame.source: one for one in looked}
        return [fresh[source] if source in fresh else self._seen[source].samples for source in self._frames]

    def _read(self, sources: Iterable[PictureSource]) -> Iterator[tuple[PictureSource, Rgb]]:
        missing = []
        for source in sources:
            if source in self._pictures:
                yield source, self._pictures[source]
            else:
                missing.append(source)
        yield from read_pictures(missing)

    def _views_to_look_at(self) -> int:
        new = sum(source not in self._seen for source in self._frames)
        return max(1, new) * (self._config.views_per_frame + 1)

    def detect(self, rgb: Rgb) -> list[Detection]:
        """Return what the newest detector sees in `(h, w, 3) uint8 RGB`, best first.

        Raises:
            TrainingError: Nothing was taught yet.
        """
        if self._detector is None:
            message = "nothing was taught yet: label a frame and update"
            raise TrainingError(message)
        return self._detector.detect(rgb)
