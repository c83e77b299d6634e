"""Boxes that a detector offers: for unlabelled frames only, learned from only once a person accepts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloud.actions.lessons import lessons_of
from cloud.actions.proposals import answer_all, offer
from cloud.errors import InputError
from cloud.store import detectors, proposals
from cloud.worker.prelabel import prelabel, wanted_names
from edge_agent.wire.base import XyxyNorm
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.homes import add_detector, jpeg

LEFT: XyxyNorm = (0.1, 0.1, 0.4, 0.5)
RIGHT: XyxyNorm = (0.6, 0.1, 0.9, 0.5)


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return make_cloud(tmp_path / "home")


def add_picture(cloud: Cloud) -> str:
    detector_id = add_detector(cloud.home)
    sent = {"file": ("a.jpg", jpeg())}
    medium: dict[str, Any] = cloud.client.post(f"/api/v1/detectors/{detector_id}/media", files=sent).json()
    return str(medium["id"])


def offer_two(cloud: Cloud, media_id: str) -> int:
    found = [("person", 0.9, LEFT), ("person", 0.4, RIGHT)]
    with cloud.home.database.write() as session:
        return offer(session, media_id, 0, found, proposed_by="starter", now_s=1.0)


def frame_path(media_id: str) -> str:
    return f"/api/v1/media/{media_id}/frames/0"


def test_offered_boxes_teach_nothing_until_they_are_accepted(cloud: Cloud) -> None:
    media_id = add_picture(cloud)
    assert offer_two(cloud, media_id) == 2
    shown = cloud.client.get(f"{frame_path(media_id)}/proposals").json()
    assert [(one["score"], one["proposed_by"]) for one in shown] == [(0.9, "starter"), (0.4, "starter")]
    with cloud.home.database.read() as session:
        detector_id = detectors.find(session, "persons").id
        assert lessons_of(session, cloud.home.settings.home, detector_id) == []
    body = {"revision": 0, "ids": [shown[0]["id"]]}
    accepted = cloud.client.post(f"{frame_path(media_id)}/proposals/accept", json=body).json()
    assert (accepted["revision"], accepted["boxes"]) == (1, [{"label": "person", "box": list(LEFT)}])
    assert cloud.client.post(f"{frame_path(media_id)}/proposals/accept", json=body).status_code == 404
    late = {"revision": 0}
    assert cloud.client.post(f"{frame_path(media_id)}/proposals/accept", json=late).status_code == 409
    assert cloud.client.get(f"{frame_path(media_id)}/labels").json()["revision"] == 1


def test_rejected_and_labelled_boxes_are_not_offered_again(cloud: Cloud) -> None:
    media_id = add_picture(cloud)
    offer_two(cloud, media_id)
    ids = [one["id"] for one in cloud.client.get(f"{frame_path(media_id)}/proposals").json()]
    rejected = cloud.client.post(f"{frame_path(media_id)}/proposals/reject", json={"ids": ids[:1]})
    assert rejected.json() == {"rejected": 1}
    cloud.client.post(f"{frame_path(media_id)}/proposals/accept", json={"revision": 0})
    assert offer_two(cloud, media_id) == 0


def test_offer_replaces_what_was_not_answered(cloud: Cloud) -> None:
    media_id = add_picture(cloud)
    offer_two(cloud, media_id)
    assert offer_two(cloud, media_id) == 2
    with cloud.home.database.read() as session:
        assert len(proposals.of_frame(session, media_id, 0, state=None)) == 2


def test_offered_box_that_is_drawn_as_a_label_counts_as_accepted(cloud: Cloud) -> None:
    media_id = add_picture(cloud)
    offer_two(cloud, media_id)
    body = {"revision": 0, "boxes": [{"label": "person", "box": LEFT}]}
    cloud.client.put(f"{frame_path(media_id)}/labels", json=body)
    left = cloud.client.get(f"{frame_path(media_id)}/proposals").json()
    assert [one["box"] for one in left] == [list(RIGHT)]


def test_sure_boxes_are_accepted_all_at_once(cloud: Cloud) -> None:
    media_id = add_picture(cloud)
    offer_two(cloud, media_id)
    with cloud.home.database.write() as session:
        detector_id = detectors.find(session, "persons").id
        assert answer_all(session, detector_id, 0.0, None, now_s=2.0) == {"frames": 1, "boxes": 2}
        assert answer_all(session, detector_id, 0.5, "accept", now_s=2.0) == {"frames": 1, "boxes": 1}
        (lesson,) = lessons_of(session, cloud.home.settings.home, detector_id)
        assert lesson.trusted_xyxy_norm is not None, "nobody looked at the rest of the picture"
        assert answer_all(session, detector_id, 0.0, "reject", now_s=2.0) == {"frames": 1, "boxes": 1}
        assert answer_all(session, detector_id, 0.0, None, now_s=2.0) == {"frames": 0, "boxes": 0}


def test_starter_looks_at_unlabelled_pictures_only(cloud: Cloud) -> None:
    media_id = add_picture(cloud)
    with cloud.home.database.read() as session:
        detector_id = detectors.find(session, "persons").id
    job = {"detector_id": detector_id, "with": "starter", "every_s": 1.0}
    done = prelabel(cloud.home, job)
    assert (done["frames"], done["labels"]) == (1, ["person"])
    cloud.client.put(
        f"{frame_path(media_id)}/labels", json={"revision": 0, "boxes": [], "nothing_here": True}
    )
    assert prelabel(cloud.home, job)["frames"] == 0


@pytest.mark.parametrize(
    ("wanted", "strict", "names"),
    [
        (["person", "van"], False, {"Person": "person"}),
        (["van"], False, {"Person": "Person", "Car": "Car"}),
        ([], False, {"Person": "Person", "Car": "Car"}),
        (["CAR"], True, {"Car": "CAR"}),
    ],
)
def test_classes_are_offered_under_the_detectors_own_names(
    wanted: list[str], strict: bool, names: dict[str, str]
) -> None:
    assert wanted_names({"Person": "Person", "Car": "Car"}, wanted, strict=strict) == names


def test_classes_that_nobody_knows_are_refused() -> None:
    with pytest.raises(InputError, match="it knows Person"):
        wanted_names({"person": "Person"}, ["van"], strict=True)


def test_prelabel_is_a_job_of_a_helper_that_is_there(cloud: Cloud) -> None:
    add_detector(cloud.home)
    wanted = {"starter": 202, "bun_nix": 404, "nix": 404, "persons": 404, "a.zip": 422}
    path = "/api/v1/detectors/persons/prelabel"
    found = {helper: cloud.client.post(path, json={"with": helper}).status_code for helper in wanted}
    assert found == wanted
