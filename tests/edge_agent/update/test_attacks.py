"""What an attacker, or a broken line, can do to an update; the old bundle runs on in every case.

The publisher, the signatures and the client are real; only the line between them is a simulator.
"""

from __future__ import annotations

import json
import random
import re
import socket
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.errors import InputError
from cloud.fleet.description import BundleDescription
from edge_agent.clock import SystemClock
from edge_agent.errors import LinkError
from edge_agent.report.link import Broker, LinkEvents, Message, MqttLink
from edge_agent.update.fetcher import open_client
from edge_agent.wire.sync import BundleTarget
from tests.edge_agent.update.faulty_cloud import Fault, Tamper
from tests.edge_agent.update.publisher import PROFILE, Publisher, make_bundle_zip
from tests.edge_agent.update.scene import Scene, runs

DAY_S = 86_400
TIMESTAMP = "metadata/timestamp.json"

Attack = Callable[[Scene, BundleTarget], BundleTarget]
"""Gets a device that runs a bundle, and a newer published one; returns which the cloud asks for."""


def on_line(path: str, **fault: Any) -> Attack:  # noqa: ANN401 - fields of a Fault
    def attack(scene: Scene, new: BundleTarget) -> BundleTarget:
        scene.cloud.faults.append(Fault(path, **fault))
        return new

    return attack


def flip_a_byte(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def always(data: bytes) -> Tamper:
    return lambda _: data


def without_signatures(data: bytes) -> bytes:
    document = json.loads(data)
    document["signatures"] = []
    return json.dumps(document).encode()


def with_changed_expiry(data: bytes) -> bytes:
    document = json.loads(data)
    document["signed"]["expires"] = "2099-01-01T00:00:00Z"
    return json.dumps(document).encode()


def another_publisher(scene: Scene, new: BundleTarget) -> BundleTarget:
    """All of the repository is replaced by one that is signed with other keys."""
    other = Publisher(scene.folder / "other", scene.clock)
    for _ in range(5):
        other.publish()
    scene.cloud.folder = other.tuf_path
    return new


def not_renewed_for_weeks(scene: Scene, new: BundleTarget) -> BundleTarget:
    scene.clock.advance(8 * DAY_S)
    return new


def clock_at_1970_and_not_renewed(scene: Scene, new: BundleTarget) -> BundleTarget:
    """The device saw a later time before, signed: a dead battery does not make old metadata fresh again."""
    old = (scene.publisher.metadata_path / "timestamp.json").read_bytes()
    scene.clock.advance(20 * DAY_S)
    scene.publisher.repository.refresh_timestamp()
    scene.install(scene.publisher.publish())
    (metadata,) = (scene.state_dir / "update" / "tuf").glob("*/metadata")
    metadata.rename(scene.folder / "gone")
    scene.clock.jump_wall_clock(-scene.clock.now_s())
    scene.cloud.faults.append(Fault(TIMESTAMP, tamper=always(old)))
    return new


def old_timestamp_again(scene: Scene, new: BundleTarget) -> BundleTarget:
    before = (scene.publisher.metadata_path / "timestamp.json").read_bytes()
    scene.publisher.repository.refresh_timestamp()
    # The device sees the newest metadata once, by asking for something that is not there.
    scene.start().apply(new.model_copy(update={"path": "bundles/none.zip", "sha256": "0" * 64}))
    scene.cloud.faults.append(Fault(TIMESTAMP, tamper=always(before)))
    return new


def snapshot_of_yesterday(scene: Scene, new: BundleTarget) -> BundleTarget:
    files = scene.publisher.metadata_path.glob("*.snapshot.json")
    versions = sorted(files, key=lambda path: int(path.name.partition(".")[0]))
    before, newest = versions[-2:]
    scene.cloud.faults.append(Fault(newest.name, tamper=always(before.read_bytes())))
    return new


def bins_swapped(scene: Scene, new: BundleTarget) -> BundleTarget:
    bins = sorted(scene.publisher.metadata_path.glob("*.bin-*.json"))
    for file in bins:
        other = bins[(bins.index(file) + 1) % len(bins)].read_bytes()
        scene.cloud.faults.append(Fault(file.name, tamper=always(other)))
    return new


def withdrawn(scene: Scene, new: BundleTarget) -> BundleTarget:
    scene.publisher.repository.withdraw(new)
    return new


def lower_release(scene: Scene, new: BundleTarget) -> BundleTarget:
    """The portal is in wrong hands and asks for an older bundle that is still published."""
    scene.install(scene.publisher.publish())
    return new


def other_bytes_than_signed(_scene: Scene, new: BundleTarget) -> BundleTarget:
    return new.model_copy(update={"sha256": "ab" * 32})


def raised_release(_scene: Scene, new: BundleTarget) -> BundleTarget:
    return new.model_copy(update={"release": 99})


def other_device(scene: Scene, _new: BundleTarget) -> BundleTarget:
    return scene.publisher.publish(profile="pi-4")


def newer_agent(scene: Scene, _new: BundleTarget) -> BundleTarget:
    return scene.publisher.publish(min_agent_version="9.0.0")


def signed_for_us_but_made_for_others(scene: Scene, _new: BundleTarget) -> BundleTarget:
    other = scene.publisher.publish(profile="pi-4")
    description = BundleDescription(PROFILE, "0.1.0", "tiny", "tiny", 1)
    return scene.publisher.repository.publish(scene.publisher.bundle_path(other), description)


def signed_zip_with_a_way_out(scene: Scene, _new: BundleTarget) -> BundleTarget:
    path = make_bundle_zip(scene.folder / "evil", b"evil")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside.txt", "gotcha")
    description = BundleDescription(PROFILE, "0.1.0", "tiny", "tiny", 1)
    return scene.publisher.repository.publish(path, description)


def signed_garbage(scene: Scene, _new: BundleTarget) -> BundleTarget:
    path = scene.folder / "garbage.zip"
    path.write_bytes(b"PK\3\4 not really")
    return scene.publisher.repository.publish(path, BundleDescription(PROFILE, "0.1.0", "tiny", "tiny", 1))


def wiped_cache_and_old_metadata(scene: Scene, new: BundleTarget) -> BundleTarget:
    """A wiped cache accepts old metadata that has not expired; the release floor refuses its bundle."""
    saved = {p: p.read_bytes() for p in scene.publisher.metadata_path.iterdir()}
    scene.install(scene.publisher.publish())
    (scene.state_dir / "update" / "tuf").rename(scene.folder / "gone")
    for path in scene.publisher.metadata_path.iterdir():
        path.unlink()
    for path, data in saved.items():
        path.write_bytes(data)
    return new


REFUSED: dict[str, tuple[Attack, str]] = {
    "changed byte": (on_line("bundles/", tamper=flip_a_byte), "signed length and digest"),
    "longer bundle": (on_line("bundles/", tamper=lambda d: d + b"x"), "longer than allowed"),
    "endless bundle": (on_line("bundles/", endless=True), "longer than allowed"),
    "unsigned timestamp": (on_line(TIMESTAMP, tamper=without_signatures), "not signed by the trusted keys"),
    "forged expiry": (on_line(TIMESTAMP, tamper=with_changed_expiry), "not signed by the trusted keys"),
    "endless timestamp": (on_line(TIMESTAMP, endless=True), "longer than allowed"),
    "garbage timestamp": (on_line(TIMESTAMP, tamper=lambda _: b"<html>log in"), "not sound"),
    "deep json": (on_line(TIMESTAMP, tamper=lambda _: b"[" * 16_000), "not sound"),
    "unsigned snapshot": (
        on_line("snapshot.json", tamper=without_signatures),
        "signed length and digest|longer",
    ),
    "wrong keys": (another_publisher, "not signed by the trusted keys"),
    "expired": (not_renewed_for_weeks, "has expired"),
    "expired at 1970": (clock_at_1970_and_not_renewed, "has expired"),
    "rollback": (old_timestamp_again, "older than what was seen before"),
    "mixed snapshot": (snapshot_of_yesterday, "signed length and digest"),
    "mixed bins": (bins_swapped, "signed length and digest|longer"),
    "withdrawn": (withdrawn, "not among the signed bundles"),
    "lower release": (lower_release, "release 2 is older than release 3"),
    "other bytes": (other_bytes_than_signed, "something else than the publisher signed"),
    "raised release": (raised_release, "something else than the publisher signed"),
    "other device": (other_device, "made for profile 'pi-4', this device is 'x86-64'"),
    "newer agent": (newer_agent, "needs agent 9.0.0, this is 0.1.0"),
    "mislabelled": (signed_for_us_but_made_for_others, "manifest is for profile 'pi-4'"),
    "way out": (signed_zip_with_a_way_out, "a file that its manifest does not list"),
    "garbage": (signed_garbage, "is no bundle: File is not a zip file"),
    "wiped cache": (wiped_cache_and_old_metadata, "release 2 is older than release 3"),
}

CUT_OFF: dict[str, tuple[Attack, str]] = {
    "short bundle": (on_line("bundles/", tamper=lambda d: d[:-100]), "cut off after"),
    "reset": (on_line("bundles/", cut_after_bytes=700), "connection reset"),
    "drip": (on_line("bundles/", seconds_per_byte=20.0), "too slow"),
    "drip of metadata": (on_line(TIMESTAMP, seconds_per_byte=20.0), "too slow"),
    "metadata reset": (on_line(TIMESTAMP, cut_after_bytes=10), "connection reset"),
    "not found": (on_line("bundles/", status=404), "HTTP 404"),
    "redirect": (on_line("bundles/", status=302), "HTTP 302"),
    "server error": (on_line(TIMESTAMP, status=500), "HTTP 500"),
}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_attack_is_refused_in_one_line_and_the_old_bundle_runs_on(scene: Scene, name: str) -> None:
    attack, reason = REFUSED[name]
    scene.install(scene.publisher.publish())
    wanted = attack(scene, scene.publisher.publish())
    updater = scene.start()
    current = updater.current()
    assert current is not None
    before = updater.outcomes()
    outcome = updater.apply(wanted)
    assert outcome.outcome == "failure"
    assert re.search(reason, str(outcome.reason)), outcome.reason
    assert "\n" not in str(outcome.reason)
    assert len(str(outcome.reason)) < 400
    assert runs(updater, current.target)
    assert updater.phase == "idle"
    assert updater.outcomes() == (*before, outcome)
    assert updater.apply(wanted) == outcome, "told twice"
    assert list((scene.state_dir / "update" / "parts").glob("*")) == []
    assert not (scene.folder / "outside.txt").exists()


@pytest.mark.parametrize("name", CUT_OFF)
def test_broken_line_is_a_link_error_and_the_next_try_succeeds(scene: Scene, name: str) -> None:
    attack, reason = CUT_OFF[name]
    old = scene.publisher.publish()
    scene.install(old)
    wanted = attack(scene, scene.publisher.publish())
    updater = scene.start()
    with pytest.raises(LinkError, match=reason) as refused:
        updater.apply(wanted)
    assert "\n" not in str(refused.value)
    assert runs(updater, old)
    assert updater.outcomes() == ()
    scene.cloud.faults.clear()
    assert updater.apply(wanted).outcome == "success"
    assert runs(updater, wanted)


def test_endless_body_stops_at_the_signed_length(scene: Scene) -> None:
    target = scene.publisher.publish()
    scene.cloud.faults = [Fault("bundles/", endless=True)]
    assert scene.start().apply(target).outcome == "failure"
    assert scene.cloud.downloaded_bytes("bundles/") <= target.length_bytes + 2000


def test_drip_ends_at_the_deadline(scene: Scene) -> None:
    target = scene.publisher.publish()
    scene.cloud.faults = [Fault("bundles/", seconds_per_byte=20.0)]
    started_s = scene.clock.monotonic_s()
    with pytest.raises(LinkError):
        scene.start().apply(target)
    assert scene.clock.monotonic_s() - started_s <= 60.0


def test_changed_byte_may_be_fetched_again_after_a_while(scene: Scene) -> None:
    """The line was bad, not the bundle: an attacker on the line cannot bar good bytes for ever."""
    target = scene.publisher.publish()
    scene.cloud.faults = [Fault("bundles/", tamper=flip_a_byte)]
    updater = scene.start()
    first = updater.apply(target)
    scene.cloud.faults.clear()
    assert updater.apply(target) == first
    scene.clock.advance(601)
    assert updater.apply(target).outcome == "success"


def test_part_that_a_power_cut_damaged_is_fetched_afresh(scene: Scene) -> None:
    target = scene.publisher.publish()
    scene.cloud.faults = [Fault("bundles/", times=1, cut_after_bytes=9000)]
    updater = scene.start()
    with pytest.raises(LinkError):
        updater.apply(target)
    (part,) = (scene.state_dir / "update" / "parts").glob("*.part")
    part.write_bytes(b"\0" * part.stat().st_size)
    assert updater.apply(target).outcome == "success"


def test_evil_root_in_the_cache_is_ignored(scene: Scene) -> None:
    scene.install(scene.publisher.publish())
    evil = Publisher(scene.folder / "evil", scene.clock).repository.root_json()
    (cache,) = (scene.state_dir / "update" / "tuf").glob("*/metadata")
    (cache / "root.json").unlink()
    (cache / "root.json").write_text(evil)
    (cache / "root_history" / "2.root.json").write_text(evil)
    target = scene.publisher.publish()
    assert scene.start().apply(target).outcome == "success"


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "bundles/../../x.zip", "bundles/.hidden"]
)
def test_target_path_with_a_way_out_never_leaves_the_wire(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        BundleTarget(
            path=path,
            sha256="0" * 64,
            length_bytes=1,
            release=1,
            detector_id="d",
            detector_name="d",
            detector_version=1,
        )


def test_bundle_that_is_not_sound_is_not_published(scene: Scene) -> None:
    path = scene.folder / "garbage.zip"
    path.write_bytes(b"PK\3\4 not really")
    with pytest.raises(InputError, match="make a bundle with elfowl-compress"):
        scene.publisher.repository.publish(path)


def test_cloud_that_answers_without_tls_is_not_spoken_to() -> None:
    """Somebody in the middle takes the TLS away: the client of the agent sends nothing in the clear."""
    with socket.create_server(("127.0.0.1", 0)) as server, open_client() as client:
        heard: list[bytes] = []

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(httpx.ConnectError):
            client.get(f"https://127.0.0.1:{server.getsockname()[1]}/", headers={"Authorization": "Bearer x"})
        thread.join()
    assert b"Bearer" not in heard[0]


def test_broker_that_answers_without_tls_hears_no_password() -> None:
    """Somebody in the middle takes the TLS of the broker away: the agent's link does not come up."""
    up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[bytes] = []

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(4096))
                connection.sendall(b"\x20\x03\x00\x00\x00")  # CONNACK: welcome
                heard.append(connection.recv(4096))

        thread = threading.Thread(target=answer)
        thread.start()
        port = server.getsockname()[1]
        link = MqttLink(
            Broker("127.0.0.1", port, "owl", username="owl", password="hush-hush", tls=True),
            will=Message("will", b"gone"),
            subscriptions=[],
            clock=SystemClock(),
            rng=random.Random(1),
        )
        link.start(LinkEvents(up.set, lambda _reason: None, lambda *_message: None))
        thread.join()
        link.stop()
    assert not up.is_set()
    assert heard[0], "it did try"
    assert not any(secret in b"".join(heard) for secret in (b"hush-hush", b"MQTT", b"owl"))
