"""Opens the stream of a camera that was chosen in the portal, to see that it gives pictures."""

from __future__ import annotations

from edge_agent.agent.nearby_ask import Found, Question
from edge_agent.clock import Clock, SystemClock
from edge_agent.discover.command import Opener, open_stream, watch
from edge_agent.discover.found import Login, device_at
from edge_agent.discover.streams import ask_streams, source_of
from edge_agent.discover.survey import survey
from edge_agent.errors import CameraError


def open_one(
    question: Question, service: str, clock: Clock | None = None, opener: Opener = open_stream
) -> Found:
    """Return the address of the stream to look at, once it gave pictures.

    Raises:
        CameraError: The camera cannot be asked, has no such channel, or gives no pictures.
    """
    clock = clock or SystemClock()
    login = _login(question)
    device = device_at(service)
    if device is None:
        message = "the camera has a strange address; look for cameras again"
        raise CameraError(message)
    (report,) = survey([device], lambda one, seconds: ask_streams(one, login, clock, seconds), clock)
    if report.error:
        raise CameraError(report.error)
    if not 1 <= question.channel <= len(report.proposals):
        message = f"{device.host} has no channel {question.channel} any more; look for cameras again"
        raise CameraError(message)
    source = source_of(report.proposals[question.channel - 1].detect.url, login)
    watch(opener(source), clock)
    return Found(source=source)


def _login(question: Question) -> Login | None:
    told = question.login
    return Login(told.user, told.password.get_secret_value()) if told is not None else None
