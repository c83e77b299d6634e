"""Offload: what is admitted, what is refused, and what the worker answers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest
import uvicorn

from cloud.errors import BusyError, InputError, NotFoundError
from cloud.offload.protocol import any_trained, newest_folders, version_folder
from cloud.offload.service import OffloadService, check_picture
from cloud.offload.worker import LoadedDetectors, make_app
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from edge_agent.errors import BackendError
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.offload import OffloadReply, OffloadRequest
from tests.cloud.homes import jpeg

CLOCK = SystemClock()
SEEN = Detection(label="person", score=0.9, box=(0.1, 0.1, 0.5, 0.5))


class Seer:
    """A detector that sees one person in bright pictures, nothing in dark ones, and fails on grey 60."""

    loaded: ClassVar[list[str]] = []

    def __init__(self, folder: Path) -> None:
        self.ref = DetectorRef(id=folder.parent.name, name="persons", version=int(folder.name[1:]))
        self.gate = threading.Event()
        self.loaded.append(f"{folder.parent.name}/{folder.name}")

    def detect(self, rgb: npt.NDArray[np.uint8]) -> list[Detection]:
        brightness = float(rgb.mean())
        if 55 < brightness < 65:
            message = "the network answered numbers that are not finite"
            raise BackendError(message)
        if 195 < brightness < 205:
            self.gate.wait(0.1)
        return [SEEN] if brightness > 100 else []


def train(home: Path, detector_id: str, *versions: int) -> None:
    for version in versions:
        folder = home / "detectors" / detector_id / f"v{version}"
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text("{}")


def question(deadline_ms: int = 5000, detector_version: int | None = None) -> OffloadRequest:
    document = {
        "request_id": "request-1", "device": "porch", "camera": "door", "detector_id": "d1",
        "reason": "unsure", "deadline_ms": deadline_ms, "frame_time": 1.0,
        "detector_version": detector_version,
    }  # fmt: skip
    return OffloadRequest.model_validate(document)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[OffloadService]:
    train(tmp_path, "d1", 1, 2)
    socket = tmp_path / "s"
    server = uvicorn.Server(uvicorn.Config(make_app(Seer, CLOCK), uds=str(socket), log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not socket.exists():
        CLOCK.sleep(0.01)
    yield OffloadService(Settings(home=tmp_path), CLOCK, socket_path=socket)
    server.should_exit = True
    thread.join()


def ask(service: OffloadService, request: OffloadRequest, picture: bytes) -> OffloadReply:
    return asyncio.run(service.answer(request, picture))


def test_answer_names_the_newest_version_and_what_it_saw(service: OffloadService) -> None:
    reply = ask(service, question(), jpeg(grey=180))
    assert (reply.request_id, reply.detector.version, reply.detections) == ("request-1", 2, (SEEN,))


def test_answer_of_an_older_version_is_its_own(service: OffloadService) -> None:
    assert ask(service, question(detector_version=1), jpeg()).detector.version == 1


def test_picture_without_objects_is_answered_with_an_empty_list(service: OffloadService) -> None:
    assert ask(service, question(), jpeg(grey=20)).detections == ()


def test_detector_that_fails_is_an_error_and_not_an_empty_list(service: OffloadService) -> None:
    with pytest.raises(BackendError, match="not finite"):
        ask(service, question(), jpeg(grey=60))


@pytest.mark.parametrize(
    "fields", [{"detector_id": "d9"}, {"detector_version": 3}, {"detector_id": "../d1"}, {"detector_id": ""}]
)
def test_detector_that_this_cloud_lacks_is_not_found(
    service: OffloadService, fields: dict[str, object]
) -> None:
    asked = question().model_copy(update=fields)
    with pytest.raises(NotFoundError, match="no trained detector"):
        ask(service, asked, jpeg())


def test_question_that_cannot_be_answered_in_time_is_refused_at_once(service: OffloadService) -> None:
    with pytest.raises(BusyError) as refused:
        ask(service, question(deadline_ms=10), jpeg())
    assert refused.value.retry_after_s >= 1.0


def test_more_questions_than_there_is_room_for_are_refused_and_the_others_answered(
    service: OffloadService,
) -> None:
    async def crowd() -> list[object]:
        asked = [service.answer(question(deadline_ms=60_000), jpeg(grey=200)) for _ in range(18)]
        answers: list[object] = list(await asyncio.gather(*asked, return_exceptions=True))
        return answers

    kinds = [type(answer) for answer in asyncio.run(crowd())]
    assert kinds.count(BusyError) == 2
    assert kinds.count(OffloadReply) == 16


def test_worker_that_is_not_there_is_busy_and_not_empty(tmp_path: Path) -> None:
    train(tmp_path, "d1", 1)
    service = OffloadService(Settings(home=tmp_path), CLOCK, socket_path=tmp_path / "nobody")
    with pytest.raises(BusyError, match="starting"):
        ask(service, question(), jpeg())


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (b"", "not a JPEG"),
        (b"GIF89a", "not a JPEG"),
        (b"\xff\xd8" + b"x" * 8_000_000, "bytes"),
        (jpeg(4800, 4800), "pixels"),
    ],
)
def test_picture_that_is_none_is_refused(picture: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_picture(picture)


def test_damaged_picture_is_an_input_error(service: OffloadService) -> None:
    picture = jpeg(640, 480)
    with pytest.raises(InputError, match="damaged"):
        ask(service, question(), picture[: len(picture) // 2])


def test_loaded_detectors_are_few_and_the_longest_unused_goes(tmp_path: Path) -> None:
    train(tmp_path, "d", 1, 2, 3)
    loads: list[str] = []

    def load(folder: Path) -> Seer:
        loads.append(folder.name)
        return Seer(folder)

    loaded = LoadedDetectors(load, kept=2)
    for number in (1, 2, 1, 3, 1, 2):
        loaded.get(tmp_path / "detectors" / "d" / f"v{number}")
    assert loads == ["v1", "v2", "v3", "v2"]


def test_newest_folders_are_of_the_detectors_trained_last(tmp_path: Path) -> None:
    for name, when in (("old", 1), ("new", 2)):
        train(tmp_path, name, 1, 2)
        os.utime(tmp_path / "detectors" / name / "v2", (when, when))
    (tmp_path / "detectors" / "untrained").mkdir()
    found = newest_folders(tmp_path / "detectors", 2)
    assert [str(path.relative_to(tmp_path / "detectors")) for path in found] == ["new/v2", "old/v2"]
    assert newest_folders(tmp_path / "nowhere", 2) == []


def test_detector_told_to_get_ready_is_loaded_before_it_is_asked(service: OffloadService) -> None:
    Seer.loaded.clear()
    asyncio.run(service.get_ready("d1"))
    deadline_s = CLOCK.monotonic_s() + 5.0
    while not Seer.loaded and CLOCK.monotonic_s() < deadline_s:
        CLOCK.sleep(0.01)
    assert Seer.loaded == ["d1/v2"]


def test_version_folder_ignores_what_is_not_complete(tmp_path: Path) -> None:
    train(tmp_path, "d", 1)
    (tmp_path / "detectors" / "d" / "v2").mkdir()
    assert version_folder(tmp_path / "detectors", "d", None).name == "v1"
    assert any_trained(tmp_path / "detectors")
    assert not any_trained(tmp_path / "nowhere")
