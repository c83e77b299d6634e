"""Drawings of the receipt's page, as numbers for inline SVG; pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.wire.receipt import Curve, Measurement, Receipt

WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 14, 40
_MEGABYTE = 1_000_000
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MANY_TICKS = 6


@dataclass(frozen=True)
class Shown:
    """A receipt, and the pictures (JPEG) of its `differences`, which only the page has."""

    receipt: Receipt
    jpegs: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Tick:
    """A mark of an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Point:
    """One candidate's form: where, which kind (`full`, `chosen`, `front`, `other`), and all it says."""

    x: float
    y: float
    kind: str
    name: str
    text: str
    label: bool


@dataclass(frozen=True)
class Scatter:
    """Accuracy against size."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_title: str
    y_title: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class CurvePlot:
    """Precision against recall of one class: (form, points of a polyline) each."""

    label: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Side:
    """One side of a frame: a title and boxes as (x, y, width, height) in 0..1000 of both axes."""

    title: str
    boxes: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Frame:
    """One frame on which the answers differ, its picture as a data URI."""

    name: str
    picture: str
    width: int
    height: int
    before: Side
    after: Side


def scatter(receipt: Receipt) -> Scatter | None:
    """Return accuracy (AP50, or agreement where there is no test set) against size; none without either."""
    rows = [one for one in (receipt.before, *receipt.tried) if one.ended is None]
    by_ap50 = receipt.before.ap50 is not None
    known = [(one, _accuracy(one, by_ap50=by_ap50)) for one in rows]
    spots = [(one, accuracy) for one, accuracy in known if accuracy is not None]
    if len(spots) < 2:
        return None
    sizes = [one.bytes / _MEGABYTE for one, _ in spots]
    x_low, x_high = 0.0, max(sizes) * 1.05
    values = [accuracy for _, accuracy in spots]
    margin = max(0.01, 0.15 * (max(values) - min(values)))
    y_low, y_high = max(0.0, min(values) - margin), min(1.0, max(values) + margin)
    points = tuple(
        _point(one, receipt, accuracy, _x(size, x_low, x_high), _y(accuracy, y_low, y_high))
        for (one, accuracy), size in zip(spots, sizes, strict=True)
    )
    return Scatter(
        tuple(Tick(_x(at, x_low, x_high), f"{at:g}") for at in ticks(x_low, x_high)),
        tuple(Tick(_y(at, y_low, y_high), f"{at:.3g}") for at in ticks(y_low, y_high)),
        "size of the network, MB",
        "AP50" if by_ap50 else "agreement F1",
        points,
    )


def curve_plots(receipt: Receipt) -> tuple[CurvePlot, ...]:
    """Return a plot a class, with a line a form."""
    labels = tuple(dict.fromkeys(one.label for one in receipt.curves))
    return tuple(
        CurvePlot(
            label,
            tuple((one.form, _polyline(one)) for one in receipt.curves if one.label == label),
        )
        for label in labels
    )


def frames(shown: Shown) -> tuple[Frame, ...]:
    """Return the frames with both answers side by side."""
    found = []
    for told, jpeg in zip(shown.receipt.differences, shown.jpegs, strict=True):
        width, height = jpeg_size(jpeg)
        picture = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
        before, after = Side("full detector", _boxes(told.before)), Side("small one", _boxes(told.after))
        found.append(Frame(told.picture, picture, width, height, before, after))
    return tuple(found)


def ticks(low: float, high: float) -> list[float]:
    """Return a few round numbers in a range."""
    span = max(high - low, 1e-9)
    power = 10.0**-12
    while power * _STEPS[-1] * _MANY_TICKS < span:
        power *= 10.0
    step = next(power * one for one in _STEPS if power * one * _MANY_TICKS >= span)
    first = int(low / step) + (0 if low <= int(low / step) * step else 1)
    count = int((high - first * step) / step + 1e-9) + 1
    return [round((first + number) * step, 10) for number in range(count)]


def jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Return (width, height) of a JPEG as its header says."""
    at = 2
    while jpeg[at + 1] not in range(0xC0, 0xC4):
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    height, width = (int.from_bytes(jpeg[at + place : at + place + 2], "big") for place in (5, 7))
    return width, height


def _accuracy(one: Measurement, *, by_ap50: bool) -> float | None:
    return one.ap50 if by_ap50 else one.agreement_f1


def _point(one: Measurement, receipt: Receipt, accuracy: float, x: float, y: float) -> Point:
    chosen = next(row for row in receipt.after if row.form == receipt.chosen)
    is_chosen = (one.candidate, one.form) == (chosen.candidate, chosen.form)
    kind = "full" if one.form == "full" else "chosen" if is_chosen else "front" if one.on_front else "other"
    name = (
        "full detector" if kind == "full" else f"{one.candidate or 'as it is'}, {one.form.replace('_', ' ')}"
    )
    time = "" if one.ms_p50 is None else f", {one.ms_p50:.1f} ms"
    text = f"{name}: {one.bytes / _MEGABYTE:.2f} MB, {accuracy:.3f}{time}"
    return Point(x, y, kind, "chosen" if is_chosen else name, text, kind in ("full", "chosen"))


def _x(value: float, low: float, high: float) -> float:
    return round(_LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT), 1)


def _y(value: float, low: float, high: float) -> float:
    return round(HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM), 1)


def _polyline(one: Curve) -> str:
    steps = max(len(one.precision) - 1, 1)
    pairs = (
        f"{30 + 260 * place / steps:.1f},{230 - 220 * value:.1f}" for place, value in enumerate(one.precision)
    )
    return " ".join(pairs)


def _boxes(
    boxes: Sequence[tuple[float, float, float, float]],
) -> tuple[tuple[float, float, float, float], ...]:
    return tuple((x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes)
