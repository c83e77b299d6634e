"""What changed in the store goes into the session, nothing else."""

from __future__ import annotations

from pathlib import Path

from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.store import labels, media
from cloud.store.labels import FrameLabels
from cloud.store.tables import Media
from cloud.worker.live_session import put_changes
from cloud.worker.next_frames import next_frames_of
from tests.cloud.homes import add_detector, make_home


class Notes:
    """A session that only notes what it is given."""

    def __init__(self) -> None:
        self.known: dict[PictureSource, LabelledFrame] = {}
        self.put: list[str] = []
        self.removed: list[str] = []

    @property
    def frames(self) -> tuple[LabelledFrame, ...]:
        return tuple(self.known.values())

    def put_frame(self, frame: LabelledFrame, /) -> None:
        self.put.append(frame.source.name)
        self.known[frame.source] = frame

    def remove_frame(self, source: PictureSource, /) -> None:
        self.removed.append(source.name)
        del self.known[source]


def frame(name: str, right: float = 0.5) -> LabelledFrame:
    return LabelledFrame(PictureSource(Path(name)), 64, 48, (LabelledBox("person", (0.1, 0.1, right, 0.5)),))


def test_only_new_and_changed_frames_are_put_and_those_gone_removed() -> None:
    notes = Notes()
    put_changes(notes, [frame("a"), frame("b"), frame("c")])
    assert (sorted(notes.put), notes.removed) == (["a", "b", "c"], [])

    notes.put.clear()
    put_changes(notes, [frame("a"), frame("b", right=0.6), frame("d")])
    assert (sorted(notes.put), notes.removed) == (["b", "d"], ["c"])

    notes.put.clear()
    put_changes(notes, [frame("a"), frame("b", right=0.6), frame("d")])
    assert notes.put == []


def add_picture(home: Home, detector_id: str, name: str, role: str) -> str:
    row = Media(
        id=name, detector_id=detector_id, role=role, kind="image", name=name, path=f"media/{name}",
        sha256=name, width_px=64, height_px=48, frame_count=1, created=1.0,
    )  # fmt: skip
    with home.database.write() as session:
        return media.add(session, row).id


def test_next_frames_are_unlabelled_ones_that_teach(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    detector_id = add_detector(home)
    for name, role in (("a", "teach"), ("b", "teach"), ("c", "test")):
        add_picture(home, detector_id, name, role)
    with home.database.write() as session:
        said = FrameLabels((), nothing_here=True)
        labels.put(session, media_id="a", frame_index=0, revision=0, labels=said, now_s=1.0)

    assert [one.media_id for one in next_frames_of(home, detector_id, 4)] == ["b"]
