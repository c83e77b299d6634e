"""`elfowl-agent discover`: finds cameras, says which stream to look at, and adds one to the config file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from edge_agent.camera.frame import Frame, FrameSource
from edge_agent.camera.open_source import open_source
from edge_agent.camera.uri import redact
from edge_agent.clock import Clock, SystemClock
from edge_agent.discover.config_file import add_camera, check_room
from edge_agent.discover.found import Device, Login, device_at
from edge_agent.discover.probe import EVERYBODY, Probe, find_devices, place_of
from edge_agent.discover.proposal import Proposal
from edge_agent.discover.streams import ask_streams, source_of
from edge_agent.discover.survey import Report, survey
from edge_agent.discover.words import as_json, lines, size_words
from edge_agent.errors import CameraError, ConfigError

_OPEN_S = 8.0
_PICTURES = 10
_WATCH_S = 10.0

Opener = Callable[[str], FrameSource]


@dataclass(frozen=True)
class Wishes:
    """What was asked for on the command line.

    Attributes:
        host: Only this device, `HOST[:PORT]` or an HTTP address, without searching; none: all that answer.
        probe: Whom to ask for devices, `HOST[:PORT]`; none: everybody.
        seconds: How long to listen for answers.
        json: Print a document instead of lines.
        add: Name of the camera to add; none: only look.
        config: The file to add it to.
        channel: Which of the device's channels, from 1.
        stream: Which of the channel's streams.
        clips: Keep clips of events from the main stream.
    """

    host: str | None = None
    probe: str | None = None
    seconds: float = 3.0
    json: bool = False
    add: str | None = None
    config: Path | None = None
    channel: int | None = None
    stream: Literal["detect", "main"] = "detect"
    clips: bool = False


def run_discover(
    wishes: Wishes, login: Login | None, clock: Clock | None = None, opener: Opener | None = None
) -> int:
    """Find, print, and add if that was asked for; return the exit code.

    Args:
        wishes: What was asked for.
        login: Who we are to the cameras.
        clock: The machine's own by default.
        opener: Opens a camera's stream.

    Raises:
        ElfowlError: Nothing was found, or it cannot be added; the text says what to do.
    """
    clock = clock or SystemClock()
    if (wishes.add is None) != (wishes.config is None):
        message = "--add NAME and --config FILE belong together: give both, or neither"
        raise ConfigError(message)
    if wishes.add is not None and wishes.config is not None:
        check_room(wishes.config, wishes.add)
    reports = survey(_devices(wishes, clock), lambda one, s: ask_streams(one, login, clock, s), clock)
    sys.stdout.write(as_json(reports) + "\n" if wishes.json else "".join(f"{x}\n" for x in lines(reports)))
    sys.stdout.flush()
    if wishes.add is None or wishes.config is None:
        return int(all(report.error for report in reports))
    chosen = choose(reports, wishes)
    stream = chosen.main if wishes.stream == "main" else chosen.detect
    source = source_of(stream.url, login)
    _say(f"Opening {stream.url} ({size_words(stream)}) …")
    _say(f"It gives {watch((opener or open_stream)(source), clock)}.")
    fine = source_of(chosen.main.url, login) if wishes.clips else None
    add_camera(wishes.config, wishes.add, source, fine)
    _say(f"Added {wishes.add} to {wishes.config}. See: elfowl-agent check-config {wishes.config}")
    return 0


def _devices(wishes: Wishes, clock: Clock) -> list[Device]:
    if wishes.host is not None:
        return [_named_device(wishes.host)]
    everybody = wishes.probe is None
    places = (EVERYBODY,) if wishes.probe is None else (place_of(wishes.probe),)
    _say(f"Asking {'this network' if everybody else wishes.probe} for {wishes.seconds:g} s …")
    found = find_devices(Probe(places, wishes.seconds, None if everybody else 1), clock)
    if not found:
        message = (
            f"no camera answered within {wishes.seconds:g} s; switch ONVIF on in the camera's settings, be "
            "in the same network, or name it: --host ADDRESS"
        )
        raise CameraError(message)
    return found


def _named_device(named: str) -> Device:
    device = device_at(named if "://" in named else f"http://{named}")
    if device is None:
        message = f"--host {redact(named)}: is no address; write HOST, HOST:PORT or http://HOST:PORT/PATH"
        raise ConfigError(message)
    return device


def choose(reports: list[Report], wishes: Wishes) -> Proposal:
    """Return the one channel that is to be added.

    Raises:
        ConfigError: There are several, and nobody said which.
        CameraError: The only one could not be asked.
    """
    if len(reports) > 1:
        # Several may be at one host, behind a router say, so that its name alone would not do.
        named = ", ".join(report.device.service_url for report in reports)
        message = f"{len(reports)} cameras answered; say which one to add: --host, one of {named}"
        raise ConfigError(message)
    report = reports[0]
    if report.error:
        raise CameraError(report.error)
    count = len(report.proposals)
    if wishes.channel is None and count > 1:
        message = f"{report.device.host} has {count} channels; say which one to add: --channel N"
        raise ConfigError(message)
    number = wishes.channel or 1
    if not 1 <= number <= count:
        message = f"--channel {number}: {report.device.host} has channels 1 to {count}"
        raise ConfigError(message)
    return report.proposals[number - 1]


def open_stream(source: str) -> FrameSource:
    """Open a stream at its address, password included; errors as `open_source`."""
    return open_source(source, timeout_s=_OPEN_S)


def watch(opened: FrameSource, clock: Clock) -> str:
    """Take some pictures, close the stream, and say what came.

    Raises:
        CameraError: It gives none.
    """
    frames: list[Frame] = []
    begun_s = clock.monotonic_s()
    with closing(opened) as source:
        for frame in islice(source, _PICTURES):
            frames.append(frame)
            if clock.monotonic_s() - begun_s > _WATCH_S:
                break
    if not frames:
        message = "the stream opens, but gives no picture; restart the camera, or take --stream main"
        raise CameraError(message)
    return f"pictures of {frames[-1].width_px}x{frames[-1].height_px}"


def _say(text: str) -> None:
    """Tell how it goes on; apart from what was found, which other programs may read."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
