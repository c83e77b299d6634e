"""What was found, as lines for people and as a JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from edge_agent.discover.found import Stream
from edge_agent.discover.proposal import Proposal
from edge_agent.discover.survey import Report


def lines(reports: Sequence[Report]) -> Iterator[str]:
    """Give the lines of a table."""
    for report in reports:
        called = " ".join(part for part in (report.model, _quoted(report.device.name)) if part)
        yield f"{report.device.host}  {called or 'a camera that does not tell its name'}"
        if report.error:
            yield f"  {report.error.removeprefix(report.device.host + ': ')}"
        for number, proposal in enumerate(report.proposals, start=1):
            yield from _channel_lines(number, proposal, several=len(report.proposals) > 1)


def as_json(reports: Sequence[Report]) -> str:
    """Return all as one document; it holds no password."""
    return json.dumps({"cameras": [_document(report) for report in reports]})


def size_words(stream: Stream) -> str:
    """Return size, codec and rate, as far as the camera told them."""
    size = f"{stream.width_px}x{stream.height_px}" if stream.width_px and stream.height_px else "unknown size"
    rate = f"{stream.fps:g} pictures/s" if stream.fps else ""
    return " ".join(part for part in (size, stream.codec, rate) if part)


def _channel_lines(number: int, proposal: Proposal, *, several: bool) -> Iterator[str]:
    where = f"channel {number}, " if several else ""
    yield f"  {where}look at:     {size_words(proposal.detect)}  {proposal.detect.url}"
    if proposal.main != proposal.detect:
        yield f"  {where}main stream: {size_words(proposal.main)}  {proposal.main.url}"
    if proposal.note:
        yield f"  {where}note: {proposal.note}"


def _quoted(name: str) -> str:
    return f'"{name}"' if name else ""


def _document(report: Report) -> dict[str, Any]:
    return {
        "host": report.device.host,
        "service": report.device.service_url,
        "name": report.device.name,
        "model": report.model,
        "error": report.error or None,
        "channels": [
            {
                "channel": number,
                "detect": _stream(proposal.detect),
                "main": _stream(proposal.main),
                "note": proposal.note or None,
                "streams": [_stream(stream) for stream in proposal.streams],
            }
            for number, proposal in enumerate(report.proposals, start=1)
        ],
    }


def _stream(stream: Stream) -> dict[str, Any]:
    return {
        "name": stream.name,
        "url": stream.url,
        "codec": stream.codec or None,
        "width_px": stream.width_px,
        "height_px": stream.height_px,
        "fps": stream.fps,
    }
