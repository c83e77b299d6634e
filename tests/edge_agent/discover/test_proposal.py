"""Which stream is proposed: a table."""

from __future__ import annotations

import pytest

from edge_agent.discover.found import Stream
from edge_agent.discover.proposal import propose


def stream(
    name: str, size: str = "", codec: str = "H264", fps: float | None = 15.0, channel: str = ""
) -> Stream:
    width, _, height = size.partition("x")
    width_px, height_px = (int(width), int(height)) if size else (None, None)
    return Stream(name, channel, f"rtsp://192.0.2.7/{name}", codec, width_px, height_px, fps)


MAIN = stream("main", "2560x1440", "H265")


@pytest.mark.parametrize(
    ("streams", "detect", "main", "note"),
    [
        ([MAIN, stream("sub", "640x360")], "sub", "main", ""),
        ([stream("sub", "640x360"), MAIN], "sub", "main", ""),
        ([MAIN, stream("sub", "640x360"), stream("tiny", "240x160")], "sub", "main", ""),
        ([MAIN, stream("sub", "640x360"), stream("slow", "352x288", fps=1)], "sub", "main", ""),
        ([MAIN, stream("sub", "640x360"), stream("jpeg", "640x360", "JPEG")], "sub", "main", ""),
        ([MAIN, stream("sub", "1280x720"), stream("jpeg", "320x240", "JPEG")], "jpeg", "main", ""),
        ([stream("only", "704x576", fps=None)], "only", "only", ""),
        ([MAIN], "main", "main", "no smaller stream"),
        ([MAIN, stream("tiny", "240x160")], "main", "main", "no smaller stream"),
        ([stream("mute"), stream("tiny", "240x160")], "tiny", "tiny", "no stream is known to have 320 px"),
    ],
)
def test_propose_takes_the_smallest_that_is_wide_and_fast_enough(
    streams: list[Stream], detect: str, main: str, note: str
) -> None:
    (proposal,) = propose(streams)
    assert (proposal.detect.name, proposal.main.name) == (detect, main)
    assert note in proposal.note
    assert bool(note) == bool(proposal.note)


def test_propose_of_a_recorder_gives_each_channel_its_own() -> None:
    sizes = {"big": "1920x1080", "small": "640x360"}
    streams = [stream(f"{kind}{n}", size, channel=f"lens{n}") for kind, size in sizes.items() for n in (1, 2)]
    assert [(p.channel, p.detect.name, p.main.name) for p in propose(streams)] == [
        ("lens1", "small1", "big1"),
        ("lens2", "small2", "big2"),
    ]
