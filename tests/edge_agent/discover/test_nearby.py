"""What the running agent asks in a process of its own, of a camera that speaks ONVIF and RTSP."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from edge_agent.agent.nearby_ask import Login, ProcessAsker, Question
from edge_agent.errors import CameraError
from tests.fakes.onvif_device import OnvifDevice, Profile
from tests.fakes.rtsp_server import RtspServer

LOGIN = ("adm in", "p@ss/wörd:#1")


def login(password: str = LOGIN[1]) -> Login:
    return Login(user=LOGIN[0], password=SecretStr(password))


@pytest.mark.slow
def test_process_finds_a_camera_and_opens_its_smaller_stream_with_the_password() -> None:
    asker = ProcessAsker()
    with RtspServer(login=LOGIN, digest=True) as stream:
        url = f"rtsp://192.0.2.99:{stream.port}/live"
        profiles = [Profile("main", url, 2560, 1440, 25, "H265"), Profile("sub", url)]
        with OnvifDevice(profiles, LOGIN) as camera:
            (found,) = asker.ask(Question(probe=(camera.place,))).cameras
            assert (found.name, found.wants_login, found.error, found.channels) == (
                "Front door",
                True,
                None,
                (),
            )
            opened = asker.ask(Question(service=found.service, login=login()))
            assert opened.source is not None
            assert opened.source.endswith(f"@127.0.0.1:{stream.port}/live")
            refused = asker.ask(Question(service=found.service, login=login("guess")))
            assert "does not accept this user and password" in str(refused.error)
            beyond = asker.ask(Question(service=found.service, channel=2, login=login()))
            assert "has no channel 2 any more" in str(beyond.error)


def test_process_tells_streams_of_a_camera_that_tells_them_to_anybody() -> None:
    with OnvifDevice([Profile("one", "rtsp://a/1"), Profile("two", "rtsp://a/2", 1920, 1080)]) as camera:
        (found,) = ProcessAsker().ask(Question(probe=(camera.place,), seconds=1.0)).cameras
    (channel,) = found.channels
    assert (found.wants_login, found.model) == (False, "Acme Eye? 5")
    assert (channel.detect.url, channel.detect.width_px) == ("rtsp://127.0.0.1/1", 640)
    assert (channel.main.url, channel.main.fps) == ("rtsp://127.0.0.1/2", 15.0)


def test_process_that_was_stopped_asks_nothing() -> None:
    asker = ProcessAsker()
    asker.stop()
    with pytest.raises(CameraError, match="about to stop"):
        asker.ask(Question())


def test_question_is_written_down_with_its_password_in_one_way_only() -> None:
    question = Question(service="http://camera", login=login())
    assert LOGIN[1] not in repr(question) + question.model_dump_json()
    assert Question.model_validate_json(question.to_json()) == question
