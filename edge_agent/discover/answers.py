"""What a device tells the portal about the cameras around it; needs nothing that decodes pictures."""

from __future__ import annotations

from edge_agent.agent.nearby_ask import Found, Question
from edge_agent.clock import Clock, SystemClock
from edge_agent.discover.found import Stream
from edge_agent.discover.probe import EVERYBODY, Probe, find_devices, place_of
from edge_agent.discover.streams import ask_streams
from edge_agent.discover.survey import Report, survey
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
