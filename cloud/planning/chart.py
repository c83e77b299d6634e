"""Cores against streams, as a picture: a plan for each number of streams, both axes by tens."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cloud.planning.ask import Ask
from cloud.planning.figures import Figures
from cloud.planning.plan import plan

_STREAMS = tuple(round(10 ** (step / 4)) for step in range(4, 29))
"""From ten to ten million."""

_WIDTH_PX, _HEIGHT_PX, _LEFT_PX, _BOTTOM_PX, _TOP_PX = 720, 420, 78, 52, 28
_COLOURS = {"machines": "#3b7dd8", "decoding": "#2e9e5b", "looking": "#d8683b", "leases": "#8a63c9"}
_LINE = '<polyline fill="none" stroke="{colour}" stroke-width="2.5" points="{points}"/>'


def chart(ask: Ask, known: Figures) -> str:
    """Return an SVG document: cores for decoding, looking and leases, and machines, against streams.

    Args:
        ask: Everything but the number of streams; detectors grow with them.
        known: Figures.
    """
    each = max(1.0, ask.heads_a_stream)
    lines: dict[str, list[tuple[float, float]]] = {name: [] for name in _COLOURS}
    for streams in _STREAMS:
        made = plan(
            ask.model_copy(update={"streams": streams, "detectors": math.ceil(streams * each)}), known
        )
        cores = {need.part: need.cores for need in made.needs}
        lines["machines"].append((streams, sum(one.count for one in made.machines)))
        lines["decoding"].append((streams, cores["bring"]))
        lines["looking"].append((streams, cores["look"] + cores["heads"]))
        lines["leases"].append((streams, cores["leases"]))
    return _svg(lines, _title(ask, each))


def _title(ask: Ask, each: float) -> str:
    looks = f"{ask.fps:g} pictures a second, {ask.looked_share:.0%} looked at, {each:g} detectors a stream"
    return f"{ask.picture}, {looks}, {ask.gpu or 'no graphics processor'}"


def _svg(lines: dict[str, list[tuple[float, float]]], title: str) -> str:
    values = [value for points in lines.values() for _, value in points if value > 0.0]
    tens = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    parts = [*_grid(tens, title)]
    for number, (name, points) in enumerate(lines.items()):
        drawn = " ".join(_place(x, y, tens) for x, y in points if y > 0.0)
        parts.append(_LINE.format(colour=_COLOURS[name], points=drawn))
        unit = "" if name == "machines" else " (cores)"
        key_px = _TOP_PX + 22 + 18 * number
        parts.append(_text(_LEFT_PX + 12, key_px, f"{name}{unit}", _COLOURS[name], "start"))
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH_PX} {_HEIGHT_PX}"'
    font = 'font-family="sans-serif" font-size="13">'
    return f'{head} {font}\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'


def _grid(tens: Sequence[int], title: str) -> list[str]:
    parts = [_text(_WIDTH_PX / 2, 18, title, "#333333", "middle")]
    for power in tens:
        y_px = float(_place(_STREAMS[0], 10.0**power, tens).partition(",")[2])
        parts.append(_rule(_LEFT_PX, y_px, _WIDTH_PX - 16, y_px))
        parts.append(
            _text(
                _LEFT_PX - 8,
                y_px + 4,
                f"{10.0**power:,.0f}" if power >= 0 else f"{10.0**power:g}",
                "#333333",
                "end",
            )
        )
    for power in range(1, 8):
        x_px = float(_place(10.0**power, 1.0, tens).partition(",")[0])
        parts.append(_rule(x_px, _TOP_PX, x_px, _HEIGHT_PX - _BOTTOM_PX))
        parts.append(_text(x_px, _HEIGHT_PX - _BOTTOM_PX + 20, f"{10**power:,}", "#333333", "middle"))
    parts.append(_text(_WIDTH_PX / 2, _HEIGHT_PX - 10, "streams", "#333333", "middle"))
    return parts


def _place(x: float, y: float, tens: Sequence[int]) -> str:
    across = (math.log10(x) - 1.0) / 6.0
    up = (math.log10(y) - tens[0]) / max(1, tens[-1] - tens[0])
    x_px = _LEFT_PX + across * (_WIDTH_PX - _LEFT_PX - 40)
    y_px = _HEIGHT_PX - _BOTTOM_PX - up * (_HEIGHT_PX - _BOTTOM_PX - _TOP_PX)
    return f"{x_px:.1f},{y_px:.1f}"


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, words: str, colour: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'
