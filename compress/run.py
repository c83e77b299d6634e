"""Compression from end to end: the detector as it is, then smaller networks; export, try, pick, pack."""

from __future__ import annotations

import functools
import hashlib
import importlib
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from compress.capture import Capture, capture
from compress.classes import only_classes
from compress.effort import QUICK, Effort
from compress.errors import BudgetError, CancelledError, ExportError, ParityError
from compress.forms import DEPLOYABLE
from compress.lanes import litert_lane, onnx_lane, start_exporters
from compress.limits import Limits, limits_for
from compress.machine import versions
from compress.order import Order
from compress.pack import Packing, judged, pack
from compress.pictures import (
    LESSON_PICTURES,
    CameraPictures,
    StoredPictures,
    fit_pictures,
    keep_pictures,
)
from compress.plan import PART, SEARCH, plan_for, search_s
from compress.progress import MeterPart, Progress, ProgressListener, ProgressMeter
from compress.protocol import Compressible
from compress.rescue import rescued
from compress.result import Refusal, Result
from compress.second_stage import CapturedStage, capture_stage
from compress.stand_in import Teacher
from compress.students import FoundStudent, StudentFinder, Task
from compress.targets import Target, check_targets
from compress.tried import Tried
from compress.turns import time_in_turns
from compress.workbench import Cancelled, Workbench, open_workbench
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ConfigError
from edge_agent.wire.profile import DeviceProfile
from edge_agent.wire.receipt import Removal

__all__ = ["Budget", "Refusal", "Result", "Target", "compress", "compress_for"]

_PARITY_PICTURES = 2
_RESERVE_S = 40.0
"""For timing all forms and packing, after the last candidate."""

_ALWAYS_TRIED = 2
"""Students: the best one, and what can be relied on; a search brings that second at the latest."""


def compress(
    detector: Compressible,
    profile: DeviceProfile,
    out: Path,
    budget: Budget | None = None,
    *,
    progress: ProgressListener | None = None,
    cancelled: Cancelled = lambda: False,
    clock: Clock | None = None,
    release: int | None = None,
) -> Result:
    """Turn a full detector into bundles for a device, and measure what that cost.

    What an ended compression of the same inputs finished, killed or out of budget, is taken over.

    Args:
        detector: The full detector.
        profile: The device.
        out: Folder for `litert_int8.zip`, `onnx_int8.zip`, `receipt.json` and `receipt.html`; each replaces
            an older one in one step, and nothing is written unless all succeed.
        budget: What the bundle may cost and must achieve, and how long to look for a smaller network; by
            default the profile's limits and only the detector as it is.
        progress: Told a few times a second how far it is.
        cancelled: Asked a few times a second; once it says true, everything stops within a few seconds.
        clock: Where times come from.
        release: The bundles' release number, the detector's version by default.

    Raises:
        ConfigError: The detector lacks a class, or accuracy is asked for and cannot be measured.
        ExportError: The network cannot be captured, written or quantized.
        ParityError: A float export does not answer as torch does.
        BudgetError: Nothing fits the limits; `refused.json` and `refused.html` in `out` tell what was tried.
        CancelledError: `cancelled` said so.
        StorageError: `out` cannot be written, or the disk is full.
    """
    budget = budget or Budget()
    target = Target(profile, budget.limits or limits_for(profile), out)
    outcomes = compress_for(
        detector, (target,), out, budget, progress=progress, cancelled=cancelled, clock=clock, release=release
    )
    outcome = outcomes[profile.name]
    if isinstance(outcome, Refusal):
        raise BudgetError(outcome.message)
    return outcome


def compress_for(
    detector: Compressible,
    targets: Sequence[Target],
    out: Path,
    budget: Budget | None = None,
    *,
    progress: ProgressListener | None = None,
    cancelled: Cancelled = lambda: False,
    clock: Clock | None = None,
    release: int | None = None,
) -> dict[str, Result | Refusal]:
    """Turn a full detector into bundles for several devices, with one teaching.

    Smaller networks are taught, exported, run and timed once; each device then takes what suits it best
    within its limits. Memory is held under the strictest limit first: what stays under it stays under all.

    Args:
        detector: The full detector.
        targets: The devices, with their limits and a folder for each.
        out: Where the work is done, on the same disk as the targets' folders.
        budget: How long to look for smaller networks; limits are those of the targets.
        progress: As of `compress`.
        cancelled: As of `compress`.
        clock: As of `compress`.
        release: As of `compress`.

    Returns:
        What each device got, by its profile's name; one that nothing fits keeps no other from its bundle.

    Raises:
        ConfigError: As of `compress`; a device is named twice, or they differ in classes.
        ElfowlError: As of `compress`, but for `BudgetError`.
    """
    check_targets(targets)
    budget = budget or Budget()
    effort = budget.effort
    find = (budget.find or _own_search()) if effort.searches else None
    whole = only_classes(detector, targets[0].limits.classes)
    for target in targets:
        _check_accuracy_can_be_measured(whole, target.limits)
    clock = clock or SystemClock()
    meter = ProgressMeter(plan_for(1, effort), clock, progress)
    with open_workbench(out, meter, cancelled, keep_when_cancelled=effort.searches) as bench:
        job = _Job(bench, meter, clock, tuple(targets), effort, release or whole.ref.version)
        with bench.step("prepare"):
            lessons = LESSON_PICTURES if find else 0
            pictures = keep_pictures(whole, _made(bench.folder / "pictures"), effort.unlabelled, lessons)
            bench.check()
        tried = [job.candidate(whole, pictures, 0)]
        students = job.search(Teacher(whole, pictures.lessons), find, cancelled) if find else ()
        tried += job.students(students, pictures, tried[0])
        with bench.step("time"):
            tried = job.timed(tried)
        with bench.step("pack"):
            again = _again(whole, targets, budget)
            packing = Packing(effort, again, meter.seconds, budget.files, tuple(job.notes))
            return job.packed(tried, packing)


@dataclass(frozen=True)
class Budget:
    """What may be spent.

    Attributes:
        limits: What the bundle may cost and must achieve; none: the profile's.
        effort: How long to look for a smaller network, from `compress.effort.EFFORTS`.
        find: Looks for smaller networks, if the effort allows; none: elfowl's own search.
        files: Names of `compress.forms.FILE_FORMS`: the chosen network as plain files, in `out/files`.
    """

    limits: Limits | None = None
    effort: Effort = QUICK
    find: StudentFinder | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Job:
    """One compression at work."""

    bench: Workbench
    meter: ProgressMeter
    clock: Clock
    targets: tuple[Target, ...]
    effort: Effort
    release: int
    notes: list[str] = field(default_factory=list)

    def candidate(
        self,
        detector: Compressible,
        pictures: CameraPictures,
        number: int,
        student: FoundStudent | None = None,
    ) -> Tried:
        """Export and try one network; the detector's own brings its second stage."""
        digest = _digest(detector, pictures)
        part = self.bench.at(self.bench.folder / digest, MeterPart(self.meter, PART.format(number)))
        exporters = start_exporters(part)
        with part.step("capture"):
            fitted = fit_pictures(pictures, detector.input_size_px, part.folder)
            captured = capture(detector, fitted.calibration[:_PARITY_PICTURES], part.folder / "network.pt2")
            stage = None if student else capture_stage(detector, part.folder)
            order = self._order(detector, fitted, captured, stage)
        lanes = [
            functools.partial(lane, part, order, exporter)
            for lane, exporter in zip((litert_lane, onnx_lane), exporters, strict=True)
        ]
        trials = tuple(trial for lane in part.in_lanes(lanes) for trial in lane)
        told: tuple[Removal, ...] = ()
        if self.effort.searches:
            (trials, told) = part.in_lanes([functools.partial(rescued, part, order, trials)])[0]
        if student is None:
            return Tried("", order, trials, told)
        return Tried(student.name, order, trials, (*student.removed, *told))

    def _order(
        self, detector: Compressible, fitted: StoredPictures, captured: Capture, stage: CapturedStage | None
    ) -> Order:
        """Return the order of one network as the first device has it, with the memory limits of all."""
        first = self.targets[0]
        return Order(
            detector,
            first.profile,
            self.release,
            self.clock.now_s(),
            fitted,
            captured,
            first.limits,
            stage,
            memory_limits=tuple(target.limits.max_ram_bytes for target in self.targets),
        )

    def search(
        self, detector: Compressible, find: StudentFinder, cancelled: Cancelled
    ) -> tuple[FoundStudent, ...]:
        """Look for smaller networks while the effort leaves time, and never for less than planned."""
        left_s = self.effort.budget_s - self.meter.seconds["total"] - _RESERVE_S
        left_s = max(left_s, search_s(self.effort))

        def tell(progress: Progress) -> None:
            self.meter.say(SEARCH, progress.message)
            self.meter.tick()

        with self.bench.step(SEARCH):
            profiles = tuple(target.profile for target in self.targets)
            task = Task(detector, profiles, left_s, _made(self.bench.folder / "search"))
            try:
                return tuple(find(task, progress=tell, cancelled=cancelled, clock=self.clock))
            except ExportError as error:
                self.notes.append(f"no smaller networks: {error}")
                return ()

    def students(
        self, students: tuple[FoundStudent, ...], pictures: CameraPictures, plain: Tried
    ) -> list[Tried]:
        """Try the students, best first, while there is time; the first two always."""
        self.meter.plan_anew(plan_for(1 + len(students), self.effort))
        tried: list[Tried] = []
        for number, student in enumerate(students, start=1):
            before_s = self.meter.seconds["total"]
            try:
                one = self.candidate(student.detector, pictures, number, student)
                tried.append(_with_stage_of(plain, one))
            except (ExportError, ParityError) as error:
                self.notes.append(f"{student.name} could not be tried: {error}")
            now_s = self.meter.seconds["total"]
            if number < _ALWAYS_TRIED:
                continue
            if now_s + (now_s - before_s) > self.effort.budget_s - _RESERVE_S:
                self.meter.plan_anew(plan_for(1 + number, self.effort))
                break
        return tried

    def timed(self, tried: list[Tried]) -> list[Tried]:
        """Time all forms of all candidates in turns."""
        trials = [
            trial for one in tried for trial in one.trials if trial.form.name in self._worth_timing(one)
        ]
        start = functools.partial(self.bench.start, "compress.camera_process")
        timing = functools.partial(time_in_turns, trials, start, self.effort.turns)
        times = dict(zip(map(_key, trials), self.bench.in_lanes([timing])[0], strict=True))
        return [one.with_trials([times.get(_key(trial), trial) for trial in one.trials]) for one in tried]

    def packed(self, tried: list[Tried], packing: Packing) -> dict[str, Result | Refusal]:
        """Give each device its bundles and receipt, or its refusal."""
        found: dict[str, Result | Refusal] = {}
        compared = judged(tried)
        for target in self.targets:
            self._check_before(target, found)
            folder = _made(self.bench.folder / "pack" / target.profile.name)
            _made(target.out)
            found[target.profile.name] = outcome = pack(folder, compared, packing, target)
            if isinstance(outcome, Refusal):
                self.bench.keep()  # another try with looser limits takes over what is there
        return found

    def _check_before(self, target: Target, found: Collection[str]) -> None:
        """Stop if the compression was called off; what the devices before have, they keep."""
        try:
            self.bench.check()
        except CancelledError as error:
            if not found:
                raise
            message = f"cancelled before {target.profile.name}; what {', '.join(found)} got stays"
            raise CancelledError(message) from error

    @staticmethod
    def _worth_timing(one: Tried) -> set[str]:
        """Return the forms that become bundles; of the detector's own all: its float form is the baseline."""
        return {trial.form.name for trial in one.trials if not one.name or trial.form in DEPLOYABLE}


def _key(trial: object) -> int:
    return id(trial)


def _with_stage_of(plain: Tried, one: Tried) -> Tried:
    """Give a student's forms the second stage of the detector's own: it does not depend on the network."""
    return one.with_trials(
        [
            replace(
                trial,
                stage=plain.trial(trial.form.name).stage,
                embedding=plain.trial(trial.form.name).embedding,
            )
            for trial in one.trials
        ]
    )


def _own_search() -> StudentFinder:
    # Late: only who asks for a smaller network pays for the imports.
    find: StudentFinder = importlib.import_module("compress.search").find_students
    return find


def _digest(detector: Compressible, pictures: CameraPictures) -> str:
    """Return what tells whether an export and its trial are of the same inputs."""
    network = detector.network()
    told = (
        detector.input_size_px,
        detector.decoder.to_json(),
        [label.to_json() for label in detector.labels],
        detector.nms_iou,
        str(network),
        versions(),
    )
    digest = hashlib.sha256(pictures.digest.encode() + repr(told).encode())
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def _check_accuracy_can_be_measured(detector: Compressible, limits: Limits) -> None:
    if limits.min_ap50 is None or any(picture.truth for picture in detector.held_out_pictures()):
        return
    message = (
        f"{detector.ref.name} has no test frames with objects of these classes, so that an AP50 of "
        f"{limits.min_ap50:.2f} cannot be shown: set some frames apart as tests, or leave that limit out"
    )
    raise ConfigError(message)


def _again(detector: Compressible, targets: Sequence[Target], budget: Budget) -> str:
    """Return the command that does the same again."""
    words = ["elfowl-compress", "run", f"{detector.ref.id}@{detector.ref.version}"]
    for target in targets:
        words += ["--profile", target.profile.name]
    if budget.effort != QUICK:
        words += ["--effort", budget.effort.name]
    # Of a device's memory and what was asked for the stricter counts: what is less than a device's was asked.
    limits, rams = targets[0].limits, [(one.limits.max_ram_bytes, one.profile) for one in targets]
    if asked := [ram_bytes for ram_bytes, profile in rams if ram_bytes < profile.ram_for_us_bytes]:
        words += ["--max-ram", f"{max(asked)}B"]
    if limits.max_ms is not None:
        words += ["--max-ms", f"{limits.max_ms:g}"]
    if limits.max_bytes is not None:
        words += ["--max-bytes", f"{limits.max_bytes}B"]
    if limits.min_ap50 is not None:
        words += ["--min-ap", f"{limits.min_ap50:g}"]
    if limits.classes:
        words += ["--classes", ",".join(limits.classes)]
    if budget.files:
        words += ["--forms", ",".join(budget.files)]
    return shlex.join([*words, "--out", "DIR"])


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
