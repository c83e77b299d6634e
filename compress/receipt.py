"""The receipt as a document and as one page that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from compress.bootstrap import RESAMPLES
from compress.limits import in_words
from compress.plots import Shown, curve_plots, frames, scatter
from edge_agent.wire.receipt import Measurement, Receipt

_MEGABYTE = 1_000_000
_DASH = "\N{EN DASH}"

_TITLES = {
    "full": "Full detector",
    "litert_int8": "TFLite int8",
    "onnx_int8": "ONNX int8",
}


@dataclass(frozen=True)
class Bar:
    """One bar of a chart: `share` in 0..1 of the longest."""

    title: str
    share: float
    text: str
    chosen: bool


@dataclass(frozen=True)
class Chart:
    """Bars of one quantity, one a form."""

    title: str
    better: str
    bars: tuple[Bar, ...]


def write_receipt(shown: Shown, folder: Path, name: str = "receipt") -> tuple[Path, Path]:
    """Write `receipt.json` and `receipt.html` (or of another name) into a folder; return both paths."""
    json_file, html_file = folder / f"{name}.json", folder / f"{name}.html"
    json_file.write_text(shown.receipt.model_dump_json(indent=2) + "\n", "utf-8")
    html_file.write_text(render(shown), "utf-8")
    return json_file, html_file


def render(shown: Shown) -> str:
    """Return the receipt as one HTML page: no script, nothing to load; light or dark as the reader likes."""
    environment = Environment(
        loader=PackageLoader("compress"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    receipt = shown.receipt
    return environment.get_template("receipt.html.j2").render(
        receipt=receipt,
        forms=(receipt.before, *receipt.after),
        charts=charts(receipt),
        scatter=scatter(receipt),
        curves=curve_plots(receipt),
        frames=frames(shown),
        headline=headline(receipt),
        refused=[in_words(broken) for broken in receipt.broken],
        limits=limit_words(receipt),
        title=title,
        candidate=candidate,
        megabytes=megabytes,
        number=number,
        interval=interval,
        resamples=RESAMPLES,
        made=datetime.fromtimestamp(receipt.created, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def headline(receipt: Receipt) -> str:
    """Return in one sentence what compression gained and what it cost."""
    before = receipt.before
    chosen = next(measured for measured in receipt.after if measured.form == receipt.chosen)
    if receipt.broken:
        name = f"{title(chosen.form)} of {candidate(chosen)}"
        return f"Nothing fits: the nearest, {name}, {', and '.join(map(in_words, receipt.broken))}"
    parts = [f"{before.bytes / max(chosen.bytes, 1):.1f} times smaller"]
    if before.ms_p50 and chosen.ms_p50:
        parts.append(_speed(before.ms_p50 / chosen.ms_p50))
    if before.ap50 is not None and chosen.ap50 is not None:
        parts.append(f"AP50 {before.ap50:.3f} \N{RIGHTWARDS ARROW} {chosen.ap50:.3f}")
    if chosen.agreement_f1 is not None:
        parts.append(f"{100 * chosen.agreement_f1:.1f} % of boxes as before")
    return ", ".join(parts)


def charts(receipt: Receipt) -> tuple[Chart, ...]:
    """Return the bars of size, time and accuracy; a quantity that was not measured has no chart."""
    forms = (receipt.before, *receipt.after)
    made = (
        _chart("Size of the network", "less is better", forms, [_bytes(form) for form in forms], receipt),
        _chart("Time of the network", "less is better", forms, [_ms(form) for form in forms], receipt),
        _chart("Accuracy (AP50)", "more is better", forms, [_ap50(form) for form in forms], receipt),
    )
    return tuple(chart for chart in made if chart.bars)


def title(form: str) -> str:
    """Return what a person calls a form."""
    return _TITLES.get(form, form)


def candidate(measured: Measurement) -> str:
    """Return what a person calls the network that a form was made of."""
    return measured.candidate or "the detector as it is"


def interval(bounds: tuple[float, float] | None, form: str = "{:.3f}") -> str:
    """Return the bounds of an interval for reading, a dash for none."""
    return _DASH if bounds is None else " \N{HORIZONTAL ELLIPSIS} ".join(form.format(one) for one in bounds)


def limit_words(receipt: Receipt) -> list[tuple[str, str]]:
    """Return the limits that counted, as name and value."""
    names = {
        "memory_bytes": "memory of the process",
        "storage_bytes": "storage for two bundles",
        "bundle_bytes": "bundle",
        "ms": "time of the network",
        "ap50": "AP50 at least",
    }
    return [(names.get(name, name), _limit_value(name, value)) for name, value in receipt.limits.items()]


def _limit_value(name: str, value: float) -> str:
    if name.endswith("bytes"):
        return megabytes(round(value))
    return f"{value:g} ms" if name == "ms" else f"{value:g}"


def megabytes(count_bytes: int | None) -> str:
    """Return bytes as megabytes for reading, a dash for none."""
    return _DASH if count_bytes is None else f"{count_bytes / _MEGABYTE:.2f} MB"


def number(value: float | None, form: str = "{:.3f}") -> str:
    """Return a number for reading, a dash for none."""
    return _DASH if value is None else form.format(value)


def _speed(ratio: float) -> str:
    return f"{ratio:.1f} times faster" if ratio >= 1 else f"{1 / ratio:.1f} times slower"


_Value = tuple[float, str] | None


def _bytes(form: Measurement) -> _Value:
    return float(form.bytes), megabytes(form.bytes)


def _ms(form: Measurement) -> _Value:
    return None if form.ms_p50 is None else (form.ms_p50, f"{form.ms_p50:.1f} ms")


def _ap50(form: Measurement) -> _Value:
    return None if form.ap50 is None else (form.ap50, f"{form.ap50:.3f}")


def _chart(
    name: str, better: str, forms: tuple[Measurement, ...], values: list[_Value], receipt: Receipt
) -> Chart:
    known = [(form, value) for form, value in zip(forms, values, strict=True) if value is not None]
    longest = max((amount for _, (amount, _) in known), default=0.0) or 1.0
    bars = tuple(
        Bar(title(form.form), amount / longest, text, form.form == receipt.chosen)
        for form, (amount, text) in known
    )
    return Chart(name, better, bars)
