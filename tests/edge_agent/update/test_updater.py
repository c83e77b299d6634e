"""Installations that end well, and what the updater remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.errors import ArtifactError, BackendError, LinkError
from edge_agent.update.disk import sha256_of
from tests.edge_agent.update.faulty_cloud import Fault
from tests.edge_agent.update.publisher import make_bundle_zip
from tests.edge_agent.update.scene import Scene, runs


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_first_bundle_is_installed_and_told_once(scene: Scene) -> None:
    updater = scene.start()
    target = scene.publisher.publish()
    assert updater.current() is None
    outcome = updater.apply(target)
    assert outcome.outcome == "success"
    assert runs(updater, target)
    assert updater.outcomes() == (outcome,)
    updater.mark_reported({outcome.id})
    assert updater.outcomes() == ()


def test_installed_bundle_survives_a_start(scene: Scene) -> None:
    target = scene.publisher.publish()
    scene.install(target)
    updater = scene.start()
    assert updater.recover() is None
    assert runs(updater, target)


def test_bundle_that_runs_already_is_not_fetched_again(scene: Scene) -> None:
    target = scene.publisher.publish()
    updater = scene.install(target)
    scene.cloud.requests.clear()
    assert updater.apply(target).outcome == "success"
    assert scene.cloud.requests == []
    assert updater.outcomes() == ()


def test_next_bundle_replaces_the_first_one(scene: Scene) -> None:
    updater = scene.install(scene.publisher.publish())
    second = scene.publisher.publish()
    assert updater.apply(second).outcome == "success"
    assert runs(updater, second)


def test_older_version_comes_back_when_it_is_published_again(scene: Scene) -> None:
    first_zip = make_bundle_zip(scene.folder / "first", b"first")
    first = scene.publisher.repository.publish(first_zip)
    scene.install(first)
    second = scene.publisher.publish()
    updater = scene.install(second)
    assert updater.apply(first).outcome == "failure"
    again = scene.publisher.repository.publish(first_zip)
    scene.cloud.requests.clear()
    assert updater.apply(again).outcome == "success"
    assert runs(updater, first)
    current = updater.current()
    assert current is not None
    assert current.target.release == again.release
    # Its bytes were still in the other slot.
    assert scene.cloud.downloaded_bytes("bundles/") == 0


def test_failed_smoke_test_keeps_the_old_bundle_and_is_not_tried_again(tmp_path: Path) -> None:
    tried: list[Path] = []

    def fails(path: Path) -> None:
        tried.append(path)
        message = "golden picture answered otherwise"
        raise ArtifactError(message)

    scene = Scene(tmp_path)
    old = scene.publisher.publish()
    scene.install(old)
    scene.smoke_test = fails
    bad = scene.publisher.publish()
    updater = scene.start()
    outcome = updater.apply(bad)
    assert (outcome.outcome, outcome.reason) == ("failure", "golden picture answered otherwise")
    scene.clock.advance(100 * 86_400)
    assert updater.apply(bad) == outcome
    assert scene.start().apply(bad) == outcome
    assert len(tried) == 1
    assert updater.outcomes() == (outcome,)
    assert runs(updater, old)


def test_refused_bundle_is_tried_again_when_a_person_wants_it(tmp_path: Path) -> None:
    tried: list[Path] = []

    def fails_once(path: Path) -> None:
        tried.append(path)
        if len(tried) == 1:
            message = "golden picture answered otherwise"
            raise ArtifactError(message)

    scene = Scene(tmp_path, smoke_test=fails_once)
    target = scene.publisher.publish()
    assert scene.start().apply(target).outcome == "failure"
    assert scene.start().apply(target.model_copy(update={"attempt": 2})).outcome == "success"
    assert len(tried) == 2


def test_missing_runtime_is_tried_again_later_but_not_for_ever(tmp_path: Path) -> None:
    def lacks(_path: Path) -> None:
        message = "this bundle needs the runtime 'onnx'"
        raise BackendError(message)

    scene = Scene(tmp_path, smoke_test=lacks)
    target = scene.publisher.publish()
    updater = scene.start()
    first = updater.apply(target)
    assert updater.apply(target) == first
    assert updater.retry_in_s(target) == pytest.approx(600.0)
    ids = {first.id}
    for _ in range(10):
        scene.clock.advance(3601)
        ids.add(updater.apply(target).id)
    assert len(ids) == 3
    assert updater.retry_in_s(target) is None
    assert updater.retry_in_s(scene.publisher.publish()) == 0.0
    assert updater.current() is None


def test_bundle_that_is_unhealthy_in_earnest_is_rolled_back(scene: Scene) -> None:
    old = scene.publisher.publish()
    scene.install(old)
    bad = scene.publisher.publish()
    ran: list[bytes] = []

    def watch(path: Path) -> str | None:
        ran.append(path.read_bytes())
        return "inference takes 900 ms"

    scene.health_check = watch
    updater = scene.start()
    outcome = updater.apply(bad)
    assert (outcome.outcome, outcome.reason) == ("failure", "inference takes 900 ms")
    assert ran == [scene.publisher.bundle_path(bad).read_bytes()]
    assert runs(updater, old)
    assert updater.phase == "idle"


def test_first_bundle_that_is_unhealthy_leaves_the_starter_to_run(scene: Scene) -> None:
    scene.health_check = lambda _path: "no"
    updater = scene.start()
    assert updater.apply(scene.publisher.publish()).outcome == "failure"
    assert updater.current() is None


def test_link_error_is_no_outcome_and_the_download_goes_on(scene: Scene) -> None:
    target = scene.publisher.publish()
    scene.cloud.faults = [Fault("bundles/", times=1, cut_after_bytes=5000)]
    updater = scene.start()
    with pytest.raises(LinkError, match="connection reset"):
        updater.apply(target)
    assert updater.outcomes() == ()
    assert updater.phase == "idle"
    assert updater.apply(target).outcome == "success"
    assert scene.cloud.downloaded_bytes("bundles/") == target.length_bytes


def test_newer_agent_may_try_a_bundle_that_the_old_one_refused(scene: Scene) -> None:
    target = scene.publisher.publish(min_agent_version="0.10.0")
    assert scene.start().apply(target).outcome == "failure"
    scene.agent_version = "0.10.1"
    assert scene.start().apply(target).outcome == "success"


def test_damaged_slot_falls_back_to_the_other(scene: Scene) -> None:
    first, second = scene.publisher.publish(), scene.publisher.publish()
    scene.install(first)
    current = scene.install(second).current()
    assert current is not None
    current.path.write_bytes(b"damaged")
    updater = scene.start()
    assert runs(updater, first)


def test_two_damaged_slots_leave_the_starter_and_can_be_filled_again(scene: Scene) -> None:
    first, second = scene.publisher.publish(), scene.publisher.publish()
    scene.install(first)
    scene.install(second)
    for path in (scene.state_dir / "update" / "slots").glob("*.zip"):
        path.write_bytes(b"damaged")
    updater = scene.start()
    assert updater.current() is None
    assert updater.apply(second).outcome == "success"


def test_damaged_record_is_put_aside_and_the_slots_remember_the_release(scene: Scene) -> None:
    first, second = scene.publisher.publish(), scene.publisher.publish()
    scene.install(second)
    (scene.state_dir / "update" / "update.json").write_text("{")
    updater = scene.start()
    outcome = updater.apply(first)
    assert outcome.outcome == "failure"
    assert "release 1 is older than release 2" in str(outcome.reason)
    assert runs(updater, second)


def test_bundle_fetched_for_a_trial_is_verified_and_changes_no_slot(scene: Scene) -> None:
    first = scene.publisher.publish()
    updater = scene.install(first)
    second = scene.publisher.publish()
    into = scene.state_dir / "update" / "shadow.zip"
    assert updater.fetch(second, into) == into
    assert sha256_of(into) == second.sha256
    assert runs(updater, first)
    assert (updater.phase, updater.outcomes()) == ("idle", ())
    scene.cloud.requests.clear()
    updater.fetch(second, into)
    assert not [one for one in scene.cloud.requests if "/targets/" in str(one)], "it is here already"
    assert updater.apply(second).outcome == "success"
    assert runs(updater, second)


def test_bundle_for_a_trial_that_nobody_signed_so_is_refused(scene: Scene) -> None:
    updater = scene.install(scene.publisher.publish())
    wrong = scene.publisher.publish().model_copy(update={"sha256": "0" * 64})
    into = scene.state_dir / "update" / "shadow.zip"
    with pytest.raises(ArtifactError, match="asks for something else"):
        updater.fetch(wrong, into)
    assert not into.exists()


def test_bundle_for_a_trial_that_does_not_run_is_thrown_away(scene: Scene) -> None:
    scene.install(scene.publisher.publish())

    def fails(_path: Path) -> None:
        message = "it does not run"
        raise ArtifactError(message)

    scene.smoke_test = fails
    updater = scene.start()
    into = scene.state_dir / "update" / "shadow.zip"
    with pytest.raises(ArtifactError, match="does not run"):
        updater.fetch(scene.publisher.publish(), into)
    assert not into.exists()
    assert updater.outcomes() == ()
