"""Corrections from anywhere: stored once, with provenance, completed late, taken back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cloud.actions.corrections import Recorded, receive_key_frame, record, standing, withdraw
from cloud.actions.lessons import lessons_of
from cloud.actions.media import import_file
from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledFrame
from cloud.errors import InputError, NotFoundError
from cloud.ingest.batches import store_batch
from cloud.store import corrections, detectors, devices, labels
from cloud.store.ids import new_id
from cloud.store.labels import FrameLabels
from edge_agent.wire.correction import Correction
from edge_agent.wire.sync import BundleTarget, Reported
from tests.cloud.homes import DEVICE, add_detector, add_device, batch, item, jpeg, make_home
from tests.fakes.clock import FakeClock
from tests.fakes.events import make_event

EVENT = make_event(1)
BOX = (0.5, 0.5, 0.6, 0.8)


class Desk:
    """A home with an event, and somebody who corrects."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.folder = folder
        self.home: Home = make_home(folder / "home", self.clock)
        self.detector_id = add_detector(self.home)
        add_device(self.home)
        with self.home.database.write() as session:
            store_batch(session, batch(item(1, 1)), now_s=1.0)

    def say(self, verdict: str = "wrong", *, teach: bool = True, **fields: object) -> Recorded:
        self.clock.advance(1.0)
        common = {"id": new_id("cor"), "source": "api", "created": self.clock.now_s(), "verdict": verdict}
        correction = Correction.model_validate(common | fields)
        with self.home.database.write() as session:
            detector_id = self.detector_id if teach else None
            return record(session, correction, detector_id=detector_id, now_s=self.clock.now_s())

    def send(self, correction_id: str, grey: int = 90) -> None:
        with self.home.database.write() as session:
            receive_key_frame(
                session,
                self.home.settings,
                device=DEVICE,
                request_id=correction_id,
                jpeg=jpeg(grey=grey),
                now_s=self.clock.now_s(),
            )

    def add_picture(self, role: str = "teach") -> str:
        path = self.folder / f"{role}.jpg"
        path.write_bytes(jpeg(grey=len(role)))
        with self.home.database.write() as session:
            return import_file(
                session,
                self.home.settings,
                detector_id=self.detector_id,
                source=path,
                now_s=1.0,
                role="test" if role == "test" else "teach",
            ).id

    def lessons(self) -> list[LabelledFrame]:
        with self.home.database.read() as session:
            return lessons_of(session, self.home.settings.home, self.detector_id)

    def standing(self, correction_id: str) -> str:
        with self.home.database.read() as session:
            return standing(session, corrections.find(session, correction_id))

    def wanted(self) -> list[str]:
        with self.home.database.read() as session:
            return [frame.request_id for frame in devices.desired_of(session, DEVICE).frames_wanted]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("verdict", ["right", "wrong", "other_class"])
def test_word_about_an_event_waits_for_its_picture_and_then_teaches(desk: Desk, verdict: str) -> None:
    done = desk.say(verdict, event_id=EVENT.id, label="dog" if verdict == "other_class" else None)
    assert (desk.standing(done.row.id), desk.wanted(), desk.lessons()) == ("waiting", [done.row.id], [])
    desk.send(done.row.id)
    (frame,) = desk.lessons()
    assert (desk.standing(done.row.id), desk.wanted()) == ("lesson", [])
    expected = {"right": ["person"], "wrong": [], "other_class": ["dog"]}[verdict]
    assert [box.label for box in frame.boxes] == expected
    assert frame.hard_negative_xyxy_norm == ((EVENT.box,) if verdict == "wrong" else ())


def test_correction_knows_whose_answer_it_is_about_and_which_picture(desk: Desk) -> None:
    done = desk.say(event_id=EVENT.id, author="owner")
    desk.send(done.row.id)
    with desk.home.database.read() as session:
        kept = corrections.document_of(corrections.find(session, done.row.id))
    assert (kept.author, kept.source, kept.device, kept.event_id) == ("owner", "api", DEVICE, EVENT.id)
    assert kept.detector == EVENT.detector
    assert kept.key_frame_sha256 == hashlib.sha256(jpeg(grey=90)).hexdigest()


def test_missed_object_is_of_the_detector_that_the_camera_runs_and_of_its_only_class(desk: Desk) -> None:
    runs = BundleTarget(
        path="b.zip", sha256="0" * 64, length_bytes=1, release=1,
        detector_id=desk.detector_id, detector_name="persons", detector_version=3,
    )  # fmt: skip
    report = Reported(device=DEVICE, desired_version=0, agent_version="1", profile="pi-4", installed=runs)
    with desk.home.database.write() as session:
        devices.put_reported(session, report, now_s=1.0)
    done = desk.say("missed", teach=False, device=DEVICE, camera="front", time=5.0)
    desk.send(done.row.id)
    assert (done.row.detector_id, done.correction.label) == (desk.detector_id, "person")
    assert done.correction.detector is not None
    assert done.correction.detector.version == 3
    assert desk.standing(done.row.id) == "needs_box"


def test_missed_object_on_a_camera_that_runs_nothing_known_says_so(desk: Desk) -> None:
    done = desk.say("missed", teach=False, device=DEVICE, camera="front", time=5.0, box=BOX)
    assert desk.standing(done.row.id) == "no_detector"


def test_same_said_again_is_stored_once_and_another_word_anew(desk: Desk) -> None:
    first = desk.say(event_id=EVENT.id)
    again = desk.say(event_id=EVENT.id)
    assert (again.is_new, again.row.id) == (False, first.row.id)
    assert desk.say("right", event_id=EVENT.id).is_new
    assert desk.say(event_id=EVENT.id).is_new


def test_picture_serves_all_that_was_said_about_its_moment(desk: Desk) -> None:
    first, second = (
        desk.say("missed", device=DEVICE, camera="front", time=5.0, box=box)
        for box in (BOX, (0.1, 0.1, 0.2, 0.2))
    )
    desk.send(first.row.id)
    third = desk.say("missed", device=DEVICE, camera="front", time=5.0, box=(0.8, 0.1, 0.9, 0.2))
    assert [desk.standing(one.row.id) for one in (first, second, third)] == ["lesson"] * 3
    assert desk.wanted() == []
    (frame,) = desk.lessons()
    assert len(frame.boxes) == 3


def test_correction_taken_back_teaches_nothing_and_its_picture_is_not_wanted(desk: Desk) -> None:
    done = desk.say(event_id=EVENT.id)
    with desk.home.database.write() as session:
        taken = withdraw(session, done.row.id, now_s=desk.clock.now_s())
        again = withdraw(session, done.row.id, now_s=desk.clock.now_s() + 1)
        counts = detectors.count_examples(session, desk.detector_id)
    assert (desk.standing(done.row.id), desk.wanted(), desk.lessons()) == ("withdrawn", [], [])
    assert taken.desired is not None
    assert (again.is_new, again.correction.withdrawn) == (False, taken.correction.withdrawn)
    assert counts["corrections"] == 0
    assert desk.say(event_id=EVENT.id).is_new


def test_frame_of_a_medium_is_corrected_at_once_beside_its_labels(desk: Desk) -> None:
    media_id = desk.add_picture()
    with desk.home.database.write() as session:
        said = FrameLabels((("person", (0.1, 0.1, 0.3, 0.3)), ("person", BOX)))
        labels.put(
            session, media_id=media_id, frame_index=0, revision=0, labels=said, now_s=desk.clock.now_s()
        )
    done = desk.say(media_id=media_id, frame_index=0, box=BOX, source="player")
    (frame,) = desk.lessons()
    assert [box.box_xyxy_norm for box in frame.boxes] == [(0.1, 0.1, 0.3, 0.3)]
    assert (frame.hard_negative_xyxy_norm, frame.trusted_xyxy_norm) == ((BOX,), None)
    assert (desk.standing(done.row.id), desk.wanted()) == ("lesson", [])


def test_frame_labelled_again_after_its_correction_is_as_it_was_labelled(desk: Desk) -> None:
    media_id = desk.add_picture()
    desk.say("missed", media_id=media_id, frame_index=0, box=BOX)
    assert [frame.trusted_xyxy_norm is None for frame in desk.lessons()] == [False]
    desk.clock.advance(1.0)
    with desk.home.database.write() as session:
        labels.put(
            session,
            media_id=media_id,
            frame_index=0,
            revision=0,
            labels=FrameLabels((), nothing_here=True),
            now_s=desk.clock.now_s(),
        )
    (frame,) = desk.lessons()
    assert (frame.boxes, frame.trusted_xyxy_norm) == ((), None)


def test_frame_that_tests_is_never_learned_from(desk: Desk) -> None:
    done = desk.say("missed", media_id=desk.add_picture("test"), frame_index=0, box=BOX)
    assert (desk.standing(done.row.id), desk.lessons()) == ("no_picture", [])


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"verdict": "other_class", "event_id": EVENT.id}, InputError),
        ({"verdict": "other_class", "event_id": EVENT.id, "label": "person"}, InputError),
        ({"verdict": "wrong", "event_id": "nix"}, NotFoundError),
        ({"verdict": "missed", "camera": "front", "time": 1.0}, InputError),
        ({"verdict": "wrong", "media_id": "nix", "frame_index": 0, "box": BOX}, NotFoundError),
    ],
)
def test_correction_that_makes_no_sense_is_refused(
    desk: Desk, fields: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        desk.say(**fields)  # type: ignore[arg-type]


def test_frame_that_the_medium_has_not_is_refused(desk: Desk) -> None:
    with pytest.raises(InputError, match="1 frames"):
        desk.say(media_id=desk.add_picture(), frame_index=1, box=BOX)
