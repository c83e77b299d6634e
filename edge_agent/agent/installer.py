"""Which bundle runs: at the start, while a new one is tried, and when that goes wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edge_agent.agent.local_detector import LocalDetector
from edge_agent.agent.states import is_lawful
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError, LinkError, StorageError
from edge_agent.update.pace import Pace
from edge_agent.update.slots import InstalledBundle
from edge_agent.wire.sync import BundleTarget, UpdateOutcome, UpdatePhase

_log = logging.getLogger(__name__)

_HEALTH_S = 10.0
_HEALTHY_LOOKS = 5
_LOOKS_TO_JUDGE = 3
_LONGEST_LOOK_S = 60.0
_LEISURELY_MS = 1_000.0 * _HEALTH_S / _HEALTHY_LOOKS
_CHECK_S = 0.05
_RETRY_S = 30.0
_FULL_DISK_RETRY_S = 300.0


class BundleUpdater(Protocol):
    """What is needed of an `Updater`."""

    @property
    def phase(self) -> UpdatePhase:
        """Return how far the installation under way is."""
        ...

    def current(self) -> InstalledBundle | None:
        """Return the bundle that is to run."""
        ...

    def resume(self) -> UpdateOutcome | None:
        """Go on with what was interrupted."""
        ...

    def apply(self, target: BundleTarget) -> UpdateOutcome:
        """Install a bundle."""
        ...

    def retry_in_s(self, target: BundleTarget) -> float | None:
        """Return when a refused bundle is worth another try; none: never."""
        ...

    def fetch(self, target: BundleTarget, into: Path) -> Path:
        """Fetch and verify a bundle without installing it."""
        ...


class Trial(Protocol):
    """What is needed of a `ShadowTrial`."""

    def begin(self, path: Path, sha256: str) -> None:
        """Let a verified bundle look from now on."""
        ...

    def fail(self, sha256: str, problem: str) -> None:
        """Note why there is no trial of a bundle."""
        ...

    def end(self) -> None:
        """End the trial and forget it."""
        ...


class HealthWatch:
    """Runs a new bundle on the live cameras and says whether it may stay; an updater's `HealthCheck`."""

    def __init__(self, detector: LocalDetector, clock: Clock, pace: Pace | None = None) -> None:
        """Watch the bundles that `detector` runs.

        Args:
            detector: What runs.
            clock: Where times come from.
            pace: What it has to keep up with; none: it may take as long as it likes.
        """
        self._detector = detector
        self._clock = clock
        self._pace = pace

    def __call__(self, path: Path) -> str | None:
        """Return why the bundle at `path` must go, or none.

        It is well once it looked at some pictures, not far too slowly, or when nothing failed for a while: a
        quiet camera has nothing to look at.
        """
        before_ms = self._usual_ms(path)
        try:
            if self._detector.path != path:
                self._detector.load(path)
        except ElfowlError as error:
            return str(error)
        begun_s = self._clock.monotonic_s()
        while self._goes_on(self._clock.monotonic_s() - begun_s):
            if self._detector.failures:
                return "it failed on the camera's own pictures"
            self._clock.sleep(_CHECK_S)
        return self._slowness(before_ms)

    def _goes_on(self, passed_s: float) -> bool:
        """Return whether there is more to see; who looks slowly is given time to be judged."""
        looks = self._detector.looks
        if looks >= _HEALTHY_LOOKS and not self._detector.failures:
            return False
        is_slow = self._detector.looking or (self._detector.fastest_ms or 0.0) > _LEISURELY_MS
        return passed_s < (_LONGEST_LOOK_S if is_slow and looks < _LOOKS_TO_JUDGE else _HEALTH_S)

    def _usual_ms(self, path: Path) -> float | None:
        """Return how long a look takes with what ran before; none when that is not known."""
        times_ms = self._detector.inference_ms()
        return None if times_ms is None or self._detector.path == path else times_ms[0]

    def _slowness(self, before_ms: float | None) -> str | None:
        fastest_ms, looks = self._detector.fastest_ms, self._detector.looks
        if looks == 0 and self._detector.looking:
            return f"its first look at a camera's picture did not end within {_LONGEST_LOOK_S:.0f} s"
        if self._pace is None or before_ms is None or fastest_ms is None or looks < _LOOKS_TO_JUDGE:
            return None
        problem = self._pace.problem(fastest_ms, before_ms)
        return None if problem is None else f"on the camera's own pictures it {problem}"


class Installer:
    """Installs what the cloud assigns, in a thread of its own; what runs before runs until then."""

    def __init__(
        self,
        updater: BundleUpdater,
        detector: LocalDetector,
        *,
        fallback: Path | None,
        on_change: Callable[[], None],
        clock: Clock,
        least_pause_s: float = 5.0,
        trial: Trial | None = None,
        trial_file: Path | None = None,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            updater: Does the work on the disk.
            detector: What runs.
            fallback: The bundle to run when no installed one is sound; none: none.
            on_change: Told when something is to be reported.
            clock: Where times come from.
            least_pause_s: Between two tries of a bundle that was refused.
            trial: Tries bundles in the shadow; none: that is left out.
            trial_file: Where such a bundle lies meanwhile.
        """
        self._least_pause_s = least_pause_s
        self._updater = updater
        self._detector = detector
        self._fallback = fallback
        self._on_change = on_change
        self._clock = clock
        self._wanted: BundleTarget | None = None
        self._trial, self._trial_file = trial, trial_file
        self._shadow: BundleTarget | None = None
        self._shadow_due = False
        self._shadow_retry_s: float | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._phase: UpdatePhase = "idle"
        self._thread = threading.Thread(target=self._run, name="installer", daemon=True)

    def start(self) -> None:
        """Go on with what a restart interrupted, then wait for wishes."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; an installation under way goes on at the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def want(self, target: BundleTarget) -> None:
        """Leave a bundle to be installed; a newer wish replaces one that waits."""
        with self._changed:
            self._wanted = target
            self._changed.notify_all()

    def want_shadow(self, target: BundleTarget | None) -> None:
        """Let a bundle be tried in the shadow; none: no longer."""
        with self._changed:
            if target != self._shadow:
                self._shadow, self._shadow_due = target, True
                self._changed.notify_all()

    def phase(self) -> UpdatePhase:
        """Return how far the installation under way is."""
        phase = self._updater.phase
        if not is_lawful(self._phase, phase):
            # Several steps may lie between two looks; only the end of one is news.
            _log.debug("installation: %s, then %s", self._phase, phase)
        self._phase = phase
        return phase

    def _run(self) -> None:
        self._attempt(self._updater.resume, None)
        while True:
            with self._changed:
                woken = self._changed.wait_for(self._has_work, self._shadow_retry_s)
                if self._stopping:
                    return
                target, self._wanted = self._wanted, None
                shadow, try_shadow = self._shadow, self._shadow_due or not woken
                self._shadow_due = False
            if target is not None:
                self._install(target)
            if try_shadow:
                self._try_in_shadow(shadow)

    def _has_work(self) -> bool:
        return self._stopping or self._wanted is not None or self._shadow_due

    def _try_in_shadow(self, target: BundleTarget | None) -> None:
        self._shadow_retry_s = None
        if self._trial is None or self._trial_file is None:
            return
        self._trial.end()
        try:
            if target is None:
                self._trial_file.unlink(missing_ok=True)
            else:
                self._trial.begin(self._updater.fetch(target, self._trial_file), target.sha256)
        except ElfowlError as error:
            _log.warning("no shadow trial: %s", error)
            if target is not None:
                self._trial.fail(target.sha256, str(error))
            waits = {LinkError: _RETRY_S, StorageError: _FULL_DISK_RETRY_S}
            self._shadow_retry_s = waits.get(type(error))
        except Exception:  # noqa: BLE001 - installations must go on
            _log.exception("shadow trial failed")
        self._on_change()

    def _install(self, target: BundleTarget) -> None:
        current = self._updater.current()
        if (
            current is not None
            and current.target.sha256 == target.sha256
            and self._detector.path == current.path
        ):
            return
        _log.info("installing %s", target.path)
        wait_s = self._attempt(lambda: self._updater.apply(target), target)
        if wait_s is None:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._wanted is not None, wait_s)
            self._wanted = self._wanted or target

    def _attempt(self, work: Callable[[], UpdateOutcome | None], target: BundleTarget | None) -> float | None:
        """Do one step of the updater; return after how long it is worth another try, none: never."""
        wait_s: float | None = None
        try:
            outcome = work()
            if target is not None and outcome is not None and outcome.outcome == "failure":
                wait_s = self._retry_s(target)
        except LinkError as error:
            _log.warning("installation waits: %s", error)
            wait_s = _RETRY_S
        except StorageError as error:
            _log.error("installation waits: %s", error)
            wait_s = _FULL_DISK_RETRY_S
        except ElfowlError as error:
            _log.error("installation failed: %s", error)
        except Exception:  # noqa: BLE001 - what runs must go on running
            _log.exception("installation failed")
        self._run_what_is_installed()
        self._on_change()
        return wait_s

    def _retry_s(self, target: BundleTarget) -> float | None:
        wait_s = self._updater.retry_in_s(target)
        if wait_s is None:
            return None
        _log.info("bundle %s gets another try in %.0f s", target.path, wait_s)
        # Also when it may be tried at once: a loop without a pause would starve the cameras.
        return max(wait_s, self._least_pause_s)

    def _run_what_is_installed(self) -> None:
        current = self._updater.current()
        path = current.path if current is not None else self._fallback
        load_best(self._detector, [path, self._fallback])


def load_best(detector: LocalDetector, candidates: list[Path | None]) -> bool:
    """Run the first of `candidates` that can be run, unless it runs already; return whether one does."""
    for path in candidates:
        if path is None:
            continue
        if detector.path == path:
            return True
        try:
            detector.load(path)
        except ElfowlError as error:
            _log.error("bundle %s cannot be used: %s", path.name, error)
        else:
            return True
    return detector.ready
