"""What a device tells the portal about the cameras around it, and which stream of one it opens."""

from __future__ import annotations

from edge_agent.agent.nearby_ask import Found, Question
from edge_agent.clock import Clock, SystemClock
from edge_agent.discover.command import Opener, open_stream, place_of, watch
from edge_agent.discover.found import Login, Stream, device_at
from edge_agent.discover.probe import EVERYBODY, Probe, find_devices
from edge_agent.discover.streams import ask_streams, source_of
from edge_agent.discover.survey import Report, survey
from edge_agent.errors import CameraError
from edge_agent.wire.nearby import MOST_CHANNELS, NearbyCamera, NearbyChannel, NearbyStream

_LINE = 300


def look(question: Question, clock: Clock | None = None) -> Found:
    """Return who is there, and the streams of those that tell them to anybody.

    Raises:
        ElfowlError: This machine cannot send to any network.
    """
    clock = clock or SystemClock()
    places = (EVERYBODY, *(place_of(named) for named in question.probe))
    devices = find_devices(Probe(places, question.seconds), clock)
    reports = survey(devices, lambda one, seconds: ask_streams(one, None, clock, seconds), clock)
    return Found(cameras=tuple(_camera(report) for report in reports))


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


def _camera(report: Report) -> NearbyCamera:
    return NearbyCamera(
        host=report.device.host,
        service=report.device.service_url,
        name=report.device.name,
        model=report.model,
        wants_login=report.wants_login,
        error=None if report.wants_login or not report.error else report.error[:_LINE],
        channels=tuple(
            NearbyChannel(
                channel=number,
                detect=_stream(proposal.detect),
                main=_stream(proposal.main),
                note=proposal.note or None,
            )
            for number, proposal in enumerate(report.proposals[:MOST_CHANNELS], start=1)
        ),
    )


def _stream(stream: Stream) -> NearbyStream:
    return NearbyStream(
        url=stream.url,
        codec=stream.codec or None,
        width_px=stream.width_px,
        height_px=stream.height_px,
        fps=stream.fps,
    )
