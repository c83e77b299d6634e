"""Whatever files a user has, in: pictures, videos, archives, labels of any format; what is no good is told.

Files are copied and made ready first; then all is noted at once, so that nobody sees half an import.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from cloud.actions.labels import check_shape, copy_frame
from cloud.actions.media import Role, Staged, map_of, note, refuse_unready, stage
from cloud.actions.open_home import Home
from cloud.datasets.gather import Gathered, gather
from cloud.datasets.label_files import read_labels
from cloud.datasets.label_set import LabelSet, PictureLabels, Refusal, best_match, by_stem
from cloud.datasets.looks import near_duplicate_groups
from cloud.datasets.playback import PlaybackMap
from cloud.errors import ConflictError, InputError
from cloud.store import detectors, labels, media
from cloud.store.files import sha256_of, storing
from cloud.store.labels import FrameLabels
from cloud.store.tables import Media
from edge_agent.errors import ElfowlError

OnProgress = Callable[[float, str], None]


class ImportStoppedError(ElfowlError):
    """The import was cancelled; nothing of it is left."""


NOTHING_FOLDERS = frozenset({"nothing", "none", "background", "empty"})
"""Names of folders whose pictures show none of the classes, in lower case."""


@dataclass(frozen=True)
class ImportOrder:
    """What to import: files, folders or archives, and what for.

    `folders_are_classes` tags each picture with the name of the folder that it lies in.
    """

    detector_id: str
    paths: tuple[Path, ...]
    role: Role = "teach"
    folders_are_classes: bool = False


@dataclass
class ImportReport:
    """What came in, what did not and why.

    Attributes:
        media: Files that are new.
        frames: Frames that are labelled now.
        boxes: Boxes on these.
        tags: Tags of whole frames.
        identical: Files that were there already, or come twice: they count once.
        refusals: Files, or parts of label files, that did not go in.
        near_duplicates: Groups of pictures that look alike, of which at least one is new.
    """

    media: int = 0
    frames: int = 0
    boxes: int = 0
    tags: int = 0
    identical: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    near_duplicates: list[list[str]] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """Return the report as commands and the API give it."""
        refused = [{"file": one.name, "reason": one.reason} for one in self.refusals]
        return {
            **{name: getattr(self, name) for name in ("media", "frames", "boxes", "tags", "identical")},
            "refused": refused,
            "near_duplicates": self.near_duplicates,
        }


def import_files(
    home: Home,
    order: ImportOrder,
    progress: OnProgress = lambda _share, _message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ImportReport:
    """Take in all that is good of the given files.

    Args:
        home: Where to.
        order: What.
        progress: Told the share that is done, and with what file.
        cancelled: Asked often.

    Raises:
        InputError: Nothing of it can go in; the first reason is named.
        NotFoundError: There is no such detector.
        StorageError: The disk is full; nothing is kept.
        ImportStoppedError: `cancelled` said so; nothing is kept.
    """
    report = ImportReport()
    with _work_folder(home) as work:
        gathered = gather(order.paths, work)
        found = read_labels(gathered.labels)
        report.refusals += [*gathered.refusals, *found.refusals]
        coming = _Coming(home, order, report)
        try:
            coming.stage_all(gathered, progress, cancelled)
            with home.database.write(durable=True) as session:
                new = _Noting(session, home, order, report).note_all(coming, found)
        except BaseException:
            coming.discard()
            raise
    with home.database.read() as session:
        rows = media.of_detector(session, order.detector_id)
    report.near_duplicates = _near_duplicates([row for row in rows if row.role == order.role], new)
    if not (report.media or report.frames or report.identical):
        first = report.refusals[0] if report.refusals else Refusal("import", "there is no file in it")
        message = f"{first.name}: {first.reason}; nothing was taken in"
        raise InputError(message)
    return report


@contextlib.contextmanager
def _work_folder(home: Home) -> Iterator[Path]:
    parent = home.settings.cache_path / "imports"
    with storing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent) as work:
            yield Path(work)


class _Coming:
    """Files on their way: staged under the user's names, or found to be there already."""

    def __init__(self, home: Home, order: ImportOrder, report: ImportReport) -> None:
        self._home = home
        self._order = order
        self._report = report
        self.staged: dict[str, Staged] = {}
        self.digests: dict[str, str] = {}
        with home.database.read() as session:
            rows = media.of_detector(session, detectors.find(session, order.detector_id).id)
            self._known = {row.sha256 for row in rows if row.role == order.role}

    def stage_all(self, gathered: Gathered, progress: OnProgress, cancelled: Callable[[], bool]) -> None:
        """Copy all media into the home folder and make them ready; a bad one is refused."""
        names = sorted(gathered.media)
        for count, name in enumerate(names):

            def share(done: float, count: int = count, name: str = name) -> None:
                if cancelled():
                    message = "the import was cancelled; nothing was taken in"
                    raise ImportStoppedError(message)
                progress((count + done) / len(names), name)

            share(0.0)
            self._stage(name, gathered.media[name], share)

    def _stage(self, name: str, path: Path, share: Callable[[float], None]) -> None:
        digest = sha256_of(path)
        if digest in self._known:
            self._report.identical.append(name)
            self.digests[name] = digest
            return
        try:
            staged = stage(self._home.settings, self._order.detector_id, path, name, progress=share)
        except InputError as error:
            reason = str(error).removeprefix(f"{name.rpartition('/')[2]}: ")
            self._report.refusals.append(Refusal(name, reason))
            return
        self._known.add(digest)
        self.staged[name], self.digests[name] = staged, digest

    def discard(self) -> None:
        """Remove what was staged."""
        for one in self.staged.values():
            one.discard()


class _Noting:
    """One write session that notes files and labels."""

    def __init__(self, session: Session, home: Home, order: ImportOrder, report: ImportReport) -> None:
        self._session = session
        self._home = home
        self._order = order
        self._report = report
        self._now_s = home.clock.now_s()
        self._maps: dict[str, PlaybackMap | None] = {}
        self._wrong: Counter[tuple[str, str]] = Counter()
        self._seen: set[str] = set()

    def note_all(self, coming: _Coming, found: LabelSet) -> set[str]:
        """Note all that came; return the ids of what is new."""
        before = self._rows()
        new = {
            name: note(
                self._session,
                self._home.settings,
                staged,
                self._order.detector_id,
                self._now_s,
                self._order.role,
            )
            for name, staged in coming.staged.items()
        }
        self._report.media = len(new)
        by_digest = {row.sha256: row for row in [*before, *new.values()]}
        came = {name: by_digest[digest] for name, digest in coming.digests.items()}
        self._note_labels(found.pictures, came, {row.name: row for row in before})
        if self._order.folders_are_classes:
            self._tag_by_folder(new)
        if self._order.role == "teach":
            classes = [name for name in found.classes if name in self._seen]
            detectors.add_labels(self._session, self._order.detector_id, [*classes, *sorted(self._seen)])
        self._tell_wrong()
        return {row.id for row in new.values()}

    def _rows(self) -> list[Media]:
        rows = media.of_detector(self._session, self._order.detector_id)
        return [row for row in rows if row.role == self._order.role]

    def _note_labels(
        self, pictures: Sequence[PictureLabels], came: Mapping[str, Media], before: Mapping[str, Media]
    ) -> None:
        stems, old_stems = by_stem(came), by_stem(before)
        videos = {row.id: row for row in came.values() if row.kind == "video"}
        for picture in pictures:
            try:
                if names := best_match(picture.name, stems):
                    rows = {came[name].id: came[name] for name in names}
                elif picture.frame_index is not None and len(videos) == 1:
                    rows = videos
                else:
                    rows = {before[name].id: before[name] for name in best_match(picture.name, old_stems)}
                self._put(_only(rows, picture.name), picture)
            except (InputError, ConflictError) as error:
                self._wrong[picture.place, str(error)] += 1

    def _put(self, row: Media, picture: PictureLabels) -> None:
        index = self._index(row, picture)
        said = FrameLabels(
            tuple((box.label, box.box_xyxy_norm) for box in picture.boxes),
            nothing_here=not picture.boxes and not picture.tags,
            trusted_xyxy_norm=picture.trusted_xyxy_norm,
            tags=picture.tags,
        )
        self._say(row, index, said)

    def _index(self, row: Media, picture: PictureLabels) -> int:
        refuse_unready(row)
        if picture.size_px is not None:
            check_shape(row, picture.size_px, "its size")
        if row.kind == "image":
            return 0
        if picture.frame_index is None:
            message = f"{row.name} is a video, and the labels do not say of which frame they are"
            raise InputError(message)
        if row.id not in self._maps:
            self._maps[row.id] = map_of(row)
        index = copy_frame(row, self._maps[row.id], picture.frame_index)
        if index >= row.frame_count:
            message = f"{row.name} has no frame {picture.frame_index}; it ends before"
            raise InputError(message)
        return index

    def _say(self, row: Media, index: int, said: FrameLabels) -> None:
        known = labels.find(self._session, row.id, index)
        labels.put(
            self._session,
            media_id=row.id,
            frame_index=index,
            revision=0 if known is None else known.revision,
            labels=said,
            now_s=self._now_s,
        )
        self._seen.update(label for label, _ in said.boxes)
        self._seen.update(said.tags or ())
        self._report.frames += 1
        self._report.boxes += len(said.boxes)
        self._report.tags += len(said.tags or ())

    def _tag_by_folder(self, new: Mapping[str, Media]) -> None:
        for name, row in new.items():
            folder = name.rpartition("/")[0].rpartition("/")[2]
            if row.kind == "image" and folder and labels.find(self._session, row.id, 0) is None:
                self._say(
                    row, 0, FrameLabels((), tags=() if folder.lower() in NOTHING_FOLDERS else (folder,))
                )

    def _tell_wrong(self) -> None:
        """Tell what of the labels was wrong, in one line where many frames have the same fault."""
        of_file: dict[tuple[str, str], list[str]] = {}
        for place, reason in self._wrong:
            of_file.setdefault((place.partition(": ")[0], reason), []).append(place)
        for (file, reason), places in of_file.items():
            many = f" ({len(places)} frames)" if len(places) > 1 else ""
            self._report.refusals.append(Refusal(file if many else places[0], reason + many))


def _only(rows: Mapping[str, Media], name: str) -> Media:
    if not rows:
        message = f"there is no file {name}"
        raise InputError(message)
    if len(rows) > 1:
        message = f"{len(rows)} files are called {name}; name the folder in the labels too"
        raise InputError(message)
    return next(iter(rows.values()))


def _near_duplicates(rows: Sequence[Media], new: set[str]) -> list[list[str]]:
    pictures = [row for row in rows if row.look is not None]
    groups = near_duplicate_groups([str(row.look) for row in pictures])
    told = [[pictures[number] for number in group] for group in groups]
    return [[row.name for row in group] for group in told if any(row.id in new for row in group)]
