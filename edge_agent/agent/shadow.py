"""A candidate bundle on trial in the shadow: it looks on spare cycles, and nobody is alerted.

A thread of its own, of the lowest priority, takes the newest picture that the cameras' detector looked at,
and rests after each look, so that it never has more than its share of one processor.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.agent.local_detector import BundleOpener, LocalDetector
from edge_agent.camera.frame import Frame
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.result import PipelineSettings
from edge_agent.pipeline.shadow import Comparison, ShadowScene, summarize, together
from edge_agent.runtime.bundle import open_bundle
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import Manifest
from edge_agent.wire.rules import CameraRules
from edge_agent.wire.shadow import ShadowCamera, ShadowReport
from edge_agent.wire.sync import CameraSettings

_log = logging.getLogger(__name__)

_TIMES_TOLD = 20
_LOWEST_PRIORITY = 19
# A bundle that nobody measured: network, its buffers, and the runtime's own.
_UNMEASURED_FACTOR = 4


@dataclass(frozen=True)
class Spare:
    """What there is to spare.

    Attributes:
        cpu_share: Of one processor, at most.
        ram_bytes: What the agent and its networks may take together.
        used_bytes: Returns what they take now.
        is_free: Returns whether the device is neither hot nor behind.
    """

    cpu_share: float
    ram_bytes: int
    used_bytes: Callable[[], int]
    is_free: Callable[[], bool]


@dataclass(frozen=True)
class Offer:
    """A picture that the cameras' detector looked at, what it saw there, and by which rules.

    `labels` are what the camera reports; `wanted` are those that its owner named, none: all.
    """

    camera: str
    frame: Frame
    seen: Sequence[Detection]
    labels: Mapping[str, LabelRule]
    wanted: tuple[str, ...]
    settings: CameraSettings


def lacks_memory(manifest: Manifest, bundle_bytes: int, used_bytes: int, ram_bytes: int) -> str | None:
    """Return why a second network does not fit beside the first, none when it does.

    Args:
        manifest: The candidate's.
        bundle_bytes: Size of its file.
        used_bytes: What the agent takes now.
        ram_bytes: What the device's profile allows.
    """
    measured = manifest.measured
    needed_bytes = measured.peak_memory_bytes if measured else _UNMEASURED_FACTOR * bundle_bytes
    if used_bytes + needed_bytes <= ram_bytes:
        return None
    have, need, most = (round(value / 1e6) for value in (used_bytes, needed_bytes, ram_bytes))
    return f"no room for two networks: {have} MB in use, {need} MB for the candidate, {most} MB are allowed"


class ShadowTrial:
    """Runs one candidate at a time; safe for many threads."""

    def __init__(
        self,
        opener: BundleOpener,
        spare: Spare,
        clock: Clock,
        *,
        settings: PipelineSettings | None = None,
        read_manifest: Callable[[Path], Manifest] = lambda path: open_bundle(path).manifest,
    ) -> None:
        """Prepare; `start` begins, `begin` brings a candidate.

        Args:
            opener: Opens its bundle.
            spare: What there is to spare.
            clock: Where times come from.
            settings: Of the cameras' pipelines.
            read_manifest: Returns what a bundle says about itself, without its network being loaded.
        """
        self._read_manifest = read_manifest
        self._detector = LocalDetector(opener)
        self._spare, self._clock, self._settings = spare, clock, settings
        self._changed = threading.Condition()
        self._offers: dict[str, Offer] = {}
        self._scenes: dict[str, ShadowScene] = {}
        self._report: ShadowReport | None = None
        self._busy = self._stopping = False
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    @property
    def wants_pictures(self) -> bool:
        """Return whether an offer would be looked at now."""
        return self._detector.ready and not self._busy

    def start(self) -> None:
        """Begin to wait for candidates and pictures."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what was counted is lost."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(5.0)
        self._detector.unload()

    def begin(self, path: Path, sha256: str) -> None:
        """Let the bundle at `path`, verified, look from now on; when it cannot, the report says why."""
        self.end()
        try:
            manifest, size_bytes = self._read_manifest(path), path.stat().st_size
            problem = lacks_memory(manifest, size_bytes, self._spare.used_bytes(), self._spare.ram_bytes)
            if problem is None:
                self._detector.load(path)
        except (ElfowlError, OSError) as error:
            self.fail(sha256, f"the candidate cannot be run: {error}")
            return
        refs = tuple(head.detector for head in manifest.heads)
        with self._changed:
            self._report = ShadowReport(bundle_sha256=sha256, detectors=refs, problem=problem)
        _log.info("shadow trial: %s", problem or "begun")

    def fail(self, sha256: str, problem: str) -> None:
        """Note why there is no trial of a bundle."""
        self.end()
        with self._changed:
            self._report = ShadowReport(bundle_sha256=sha256, problem=problem[:500])

    def end(self) -> None:
        """End the trial and forget it."""
        self._detector.unload()
        with self._changed:
            self._report = None
            self._offers.clear()
            self._scenes = {}

    def offer(self, offer: Offer) -> None:
        """Leave a picture to be looked at, if there is time; a newer one replaces it."""
        if not self.wants_pictures:
            return
        with self._changed:
            self._offers[offer.camera] = offer
            self._changed.notify_all()

    def report(self) -> ShadowReport | None:
        """Return how the trial stands; none when there is none."""
        with self._changed:
            report, scenes = self._report, dict(self._scenes)
            if report is None:
                return None
        found = {name: (scene, scene.comparison()) for name, scene in scenes.items()}
        cameras = {name: _camera(scene, comparison) for name, (scene, comparison) in found.items()}
        summary = summarize(together([comparison for _, comparison in found.values()])) if found else ""
        return report.model_copy(update={"cameras": cameras, "summary": summary})

    def _run(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        while not self._stopping:
            offer = self._next()
            if offer is None:
                continue
            self._busy = True
            start_s = self._clock.monotonic_s()
            self._look(offer)
            rest_s = (self._clock.monotonic_s() - start_s) * (1.0 / self._spare.cpu_share - 1.0)
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, rest_s)
            self._busy = False

    def _next(self) -> Offer | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or bool(self._offers))
            if self._stopping or not self._offers:
                return None
            offer = self._offers.pop(next(iter(self._offers)))
        return offer if self._spare.is_free() else None

    def _look(self, offer: Offer) -> None:
        try:
            with self._changed:
                scene = self._scenes.get(offer.camera) or self._new_scene(offer)
                self._scenes[offer.camera] = scene
            scene.follow(offer.settings.rules or CameraRules(), offer.settings.threshold)
            scene.look(offer.frame, offer.seen)
        except Exception as error:  # noqa: BLE001 - a candidate that fails must never touch what runs
            self._note(offer, f"the candidate failed: {error}"[:500])
        else:
            self._note(offer, None)

    def _new_scene(self, offer: Offer) -> ShadowScene:
        wanted = offer.wanted
        labels = {
            slug: rule
            for slug, rule in self._detector.labels().items()
            if not wanted or slug in wanted or rule.name in wanted
        }
        return ShadowScene(offer.camera, offer.labels, self._detector, labels, self._settings)

    def _note(self, offer: Offer, problem: str | None) -> None:
        with self._changed:
            if self._report is not None:
                since = self._report.since or offer.frame.time_s
                update = {"since": since, "until": offer.frame.time_s, "problem": problem}
                self._report = self._report.model_copy(update=update)


def _camera(scene: ShadowScene, found: Comparison) -> ShadowCamera:
    return ShadowCamera(
        alerts_now=found.now,
        alerts_candidate=found.candidate,
        alerts_both=found.both,
        only_now=found.only_now[-_TIMES_TOLD:],
        only_candidate=found.only_candidate[-_TIMES_TOLD:],
        pictures=scene.pictures,
    )
