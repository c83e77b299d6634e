"""AP50 against seconds as a small SVG, legible on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 640, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 44, 44
_TICKS_S = (1, 2, 5, 10, 20, 50, 100, 200)
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .axis, .grid { stroke: #999; fill: none } .grid { stroke-opacity: .3 }
  .s0 { stroke: #0b6e4f; fill: #0b6e4f } .s1 { stroke: #b3541e; fill: #b3541e } .s2 { stroke: #5a5a8c; fill: #5a5a8c }
  path.line { fill: none; stroke-width: 2 } circle { stroke: none; fill-opacity: .55 } text.name { stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .s0 { stroke: #5fd3a4; fill: #5fd3a4 } .s1 { stroke: #f0a070; fill: #f0a070 }
    .s2 { stroke: #a9a9e0; fill: #a9a9e0 }
  }
"""  # noqa: E501 - a rule of style a line

Pair = tuple[float, float]
"""Seconds and AP50."""


@dataclass(frozen=True)
class Series:
    """One way of making a detector: every measurement, and the line through the medians."""

    name: str
    points: Sequence[Pair]
    line: Sequence[Pair]


def draw_curve(title: str, series: Sequence[Series]) -> str:
    """Return the SVG: seconds logarithmic to the right, AP50 up."""
    seconds = [x for one in series for x, _ in [*one.points, *one.line]]
    low, high = min(seconds) * 0.8, max(seconds) * 1.25
    bottom = math.floor(10 * max(0.0, min(y for one in series for _, y in [*one.points, *one.line]))) / 10

    def place(pair: Pair) -> Pair:
        across = math.log(pair[0] / low) / math.log(high / low)
        up = (pair[1] - bottom) / (1 - bottom)
        x = _LEFT + across * (_WIDTH - _LEFT - _RIGHT)
        return round(x, 1), round(_HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
    ]
    for level in range(round(bottom * 10), 11):
        y = place((low, level / 10))[1]
        parts.append(f'<path class="grid" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{level / 10:.1f}</text>')
    for tick_s in (tick for tick in _TICKS_S if low <= tick <= high):
        x = place((tick_s, bottom))[0]
        parts.append(f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{tick_s} s</text>')
        parts.append(f'<path class="grid" d="M{x} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}"/>')
    parts.append(f'<text x="{_LEFT - 40}" y="{_TOP - 8}">AP50</text>')
    for number, one in enumerate(series):
        parts += _series(number, one, [place(p) for p in one.points], [place(p) for p in one.line])
    return "\n".join([*parts, "</svg>"]) + "\n"


def _series(number: int, one: Series, points: Sequence[Pair], line: Sequence[Pair]) -> list[str]:
    path = "M" + "L".join(f"{x} {y}" for x, y in line)
    return [
        f'<g class="s{number}"><path class="line" d="{path}"/>',
        *(f'<circle cx="{x}" cy="{y}" r="3"/>' for x, y in points),
        f'<text class="name s{number}" x="{_LEFT + number * 190}" y="16">{escape(one.name)}</text></g>',
    ]
