"""Looks through recordings with any number of detectors; what was seen can be searched while it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud.actions.detectors import split_reference, version_path
from cloud.actions.open_home import Home
from cloud.actions.scans import file_of
from cloud.detector.files import load_detector
from cloud.detector.full import FullDetector
from cloud.detector.shared import SharedRunner
from cloud.ingest.batches import store_batch
from cloud.notify.outbox import note_events
from cloud.scan.eyes import BundleEyes, Eyes, Looks, SeveralEyes, floor_of
from cloud.scan.look import Part, go_through, look_at_each
from cloud.scan.plan import ScanSettings
from cloud.scan.recording import ahead, key_frames, samples
from cloud.scan.teller import Scanned, Teller, glanced
from cloud.store import bundles, detectors, scans
from cloud.store.files import remove_tree
from cloud.store.scan_tables import RecordingRow, ScanRow
from cloud.store.scans import SCAN_DEVICE
from cloud.training.config import CancelledError
from cloud.watch.kept import Facts, Keeper, Seen, read_kept
from cloud.worker.progress import Cancelled, Listener, Progress, never, to_nobody
from edge_agent.pipeline.detector import LabelRule
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef, FrameSize
from edge_agent.wire.event import Event
from edge_agent.wire.sync import BatchItem, EventBatch

STARTER = "starter"
_AHEAD = 24
_ITEMS = 500


class FullEyes:
    """Full detectors, which look together: each subnet looks once at a picture."""

    def __init__(self, found: Sequence[FullDetector]) -> None:
        self._runner = SharedRunner(found)
        self._slugs = {one.ref: {label.name: label.slug for label in one.labels} for one in found}
        self._rules = {
            one.ref: {
                label.slug: LabelRule(label.slug, label.name, label.threshold, one.ref)
                for label in one.labels
            }
            for one in found
        }
        self._floor = floor_of(rule for rules in self._rules.values() for rule in rules.values())

    @property
    def rules(self) -> Mapping[DetectorRef, Mapping[str, LabelRule]]:
        """Return for each detector its labels, by slug."""
        return self._rules

    def look(self, pictures: Sequence[Rgb]) -> Looks:
        """Return what each sees in each picture."""
        return {
            ref: [[_renamed(one, self._slugs[ref]) for one in each] for each in seen]
            for ref, seen in self._runner.detect_many(pictures, score_floor=self._floor).items()
        }


@dataclass
class _Work:
    """One detector at one recording: who keeps its looks, who makes events of them, how many there were."""

    scan: ScanRow
    ref: DetectorRef
    rules: Mapping[str, LabelRule]
    scanned: Scanned
    keeper: Keeper
    teller: Teller
    told: int = 0


def scan(
    home: Home, job: dict[str, Any], *, progress: Listener = to_nobody, cancelled: Cancelled = never
) -> dict[str, Any]:
    """Look through recordings; no version looks twice at one that it has looked through.

    Args:
        home: Where all lies.
        job: `recordings`: ids; `detectors`: `NAME@version`, `starter`, or ids of bundles.
        progress: Told how far it is.
        cancelled: Asked after each part; what was seen until then stays, and is gone on from the next time.

    Raises:
        NotFoundError: There is no such recording, detector, version or bundle.
        InputError: A recording or a detector cannot be read.
        CancelledError: `cancelled` said so.
    """
    eyes = open_eyes(home, job["detectors"])
    with home.database.read() as session:
        rows = [scans.find_recording(session, one) for one in job["recordings"]]
    looked = 0
    for number, row in enumerate(rows):

        def tell(share: float, message: str, number: int = number, name: str = row.name) -> None:
            if cancelled():
                text = f"cancelled at {name}; what was seen until then stays"
                raise CancelledError(text)
            progress(Progress("scanning", (number + share) / len(rows), f"{name}: {message}"))

        looked += scan_recording(home, row, eyes, tell=tell)
    return {"recordings": len(rows), "looks": looked}


def open_eyes(home: Home, references: Sequence[str]) -> Eyes:
    """Return the detectors that references name, as one that looks with all of them.

    Raises:
        NotFoundError: There is no such detector, version or bundle.
        InputError: One of them cannot be read.
    """
    found: list[Eyes] = []
    full: list[FullDetector] = []
    for reference in references:
        path = _bundle_path(home, reference)
        if path is not None:
            found.append(BundleEyes.open(path))
        else:
            full.append(_full(home, reference))
    return SeveralEyes([*found, *([FullEyes(full)] if full else [])])


def scan_recording(
    home: Home,
    row: RecordingRow,
    eyes: Eyes,
    *,
    settings: ScanSettings | None = None,
    tell: Any = lambda _share, _message: None,  # noqa: ANN401 - called with a share and a text
) -> int:
    """Look through one recording with all detectors that have not yet; return how many pictures they saw.

    Raises:
        InputError: It is no longer there, or broken.
    """
    settings, path = settings or ScanSettings(), file_of(home.settings, row)
    with ExitStack() as stack:
        works = [work for ref in eyes.rules if (work := _begin(home, row, ref, eyes, stack)) is not None]
        if not works:
            return 0
        wanted = _Some(eyes, [work.ref for work in works])
        tell(0.0, "looking at key frames")
        looked = _glance(home, row, path, wanted, works, settings)
        done = min(work.keeper.until for work in works)
        before: dict[DetectorRef, Seen] = {}
        for work in works:
            kept = _kept(home, work)
            before.update([(work.ref, seen) for seen in kept if seen.frame < done][-1:])
            _store(home, work, [event for seen in kept for event in work.teller.tell(seen)])
        pictures = stack.enter_context(
            closing(ahead(samples(path, row.fps, settings.samples_a_second), _AHEAD))
        )
        # The next part is looked at while what was seen in this one is told and stored.
        parts = go_through(pictures, wanted, settings, done=done, before=before)
        for part in stack.enter_context(closing(ahead(parts, 1))):
            looked += len(next(iter(part.seen.values())))
            for work in works:
                _take(home, work, part)
            tell(min(1.0, part.until_s / max(row.duration, 1e-3)), f"{part.until_s:.0f} s gone through")
        for work in works:
            _finish(home, row, work)
    for work in works:
        remove_tree(_folder(home, work.scan.id))
    return looked


def _begin(home: Home, row: RecordingRow, ref: DetectorRef, eyes: Eyes, stack: ExitStack) -> _Work | None:
    """Return the work of one detector; none when it has looked through the recording before."""
    with home.database.write() as session:
        found = scans.scan_of(session, row.id, (ref.id, ref.version, ref.name), now_s=home.clock.now_s())
    if found.done:
        return None
    rules = eyes.rules[ref]
    size = FrameSize(width_px=row.width_px, height_px=row.height_px)
    scanned = Scanned(found.id, row.camera, row.began, row.fps, size)
    folder = _folder(home, found.id)
    folder.mkdir(parents=True, exist_ok=True)
    facts = Facts(labels=tuple(rules), frame_count=0)
    keeper = stack.enter_context(Keeper(folder, facts))
    return _Work(found, ref, rules, scanned, keeper, Teller(scanned, rules))


def _glance(
    home: Home, row: RecordingRow, path: Path, eyes: Eyes, works: Sequence[_Work], settings: ScanSettings
) -> int:
    """Look at key frames of a long recording, so that something is found soon; once."""
    if all(work.scan.glanced for work in works):
        return 0
    found: dict[DetectorRef, list[Event]] = {work.ref: [] for work in works}
    count = 0
    is_long = row.duration >= settings.glance_from_s
    pictures = key_frames(path, row.fps, settings.glance_every_s) if is_long else ()
    for _, seen in look_at_each(pictures, eyes):
        count += 1
        for work in works:
            found[work.ref] += glanced(work.scanned, work.ref, work.rules, seen[work.ref])
    for work in works:
        with home.database.write() as session:
            for batch in _batches(_glances(work.scan), found[work.ref], 0):
                store_batch(session, batch, now_s=home.clock.now_s())
            scan_row = session.merge(work.scan)
            scan_row.glanced, scan_row.looks = True, scan_row.looks + count
        work.scan = scan_row
    return count


def _take(home: Home, work: _Work, part: Part) -> None:
    """Keep what was seen in a part and tell of it, unless it was kept before."""
    if part.until <= work.keeper.until:
        return
    seen = part.seen[work.ref]
    work.keeper.add(seen, part.until)
    events = [event for one in seen for event in work.teller.tell(one)]
    work.scan.until, work.scan.looks = part.until_s, work.scan.looks + len(seen)
    _store(home, work, events)


def _finish(home: Home, row: RecordingRow, work: _Work) -> None:
    work.scan.until, work.scan.done = max(row.duration, work.scan.until), True
    _store(home, work, work.teller.end())


def _store(home: Home, work: _Work, events: Sequence[Event]) -> None:
    """Store events, each once however often they are told, and how far it is; glances give way to them."""
    now_s = home.clock.now_s()
    with home.database.write(durable=True) as session:
        for batch in _batches(work.scan.id, events, work.told):
            # Alerts are told of these alone: glances are only there until the scan knows better.
            note_events(session, store_batch(session, batch, now_s=now_s).news, now_s)
        work.told += len(events)
        before = None if work.scan.done else work.scanned.began + work.scan.until
        scans.drop_glances(
            session, device=SCAN_DEVICE, camera=work.scanned.camera, epoch=_glances(work.scan), before=before
        )
        work.scan.updated = now_s
        work.scan = session.merge(work.scan)


def _batches(epoch: str, events: Sequence[Event], told: int) -> Iterator[EventBatch]:
    for begin in range(0, len(events), _ITEMS):
        part = events[begin : begin + _ITEMS]
        items = tuple(BatchItem(seq=told + begin + n, event=event) for n, event in enumerate(part, 1))
        yield EventBatch(device=SCAN_DEVICE, epoch=epoch, items=items)


def _kept(home: Home, work: _Work) -> list[Seen]:
    kept = read_kept(_folder(home, work.scan.id))
    return [] if kept is None else kept.between(0, kept.until)


def _glances(row: ScanRow) -> str:
    return f"{row.id}-g"


def _folder(home: Home, scan_id: str) -> Path:
    return home.settings.home / "scans" / scan_id


def _bundle_path(home: Home, reference: str) -> Path | None:
    if reference == STARTER:
        return starter_bundle_path()
    if reference.startswith("bun_"):
        with home.database.read() as session:
            return home.settings.home / bundles.find(session, reference).path
    return Path(reference) if reference.endswith(".zip") else None


def _full(home: Home, reference: str) -> FullDetector:
    name, version = split_reference(reference)
    with home.database.read() as session:
        found = detectors.find_version(session, detectors.find(session, name).id, version)
    return load_detector(version_path(home.settings, found.detector_id, found.version))


def _renamed(one: Detection, slugs: Mapping[str, str]) -> Detection:
    return one.model_copy(update={"label": slugs[one.label]})


class _Some:
    """Eyes of which only some detectors are asked for."""

    def __init__(self, eyes: Eyes, refs: Sequence[DetectorRef]) -> None:
        self._eyes = eyes
        self._refs = refs

    @property
    def rules(self) -> Mapping[DetectorRef, Mapping[str, LabelRule]]:
        """Return the rules of these."""
        return {ref: self._eyes.rules[ref] for ref in self._refs}

    def look(self, pictures: Sequence[Rgb]) -> Looks:
        """Return what these see."""
        seen = self._eyes.look(pictures)
        return {ref: seen[ref] for ref in self._refs}
