"""The receipt as a document and as one page that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

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


def write_receipt(receipt: Receipt, folder: Path) -> tuple[Path, Path]:
    """Write `receipt.json` and `receipt.html` into a folder; return both paths."""
    json_file, html_file = folder / "receipt.json", folder / "receipt.html"
    json_file.write_text(receipt.model_dump_json(indent=2) + "\n", "utf-8")
    html_file.write_text(render(receipt), "utf-8")
    return json_file, html_file


def render(receipt: Receipt) -> str:
    """Return the receipt as one HTML page: no script, nothing to load; light or dark as the reader likes."""
    environment = Environment(
        loader=PackageLoader("compress"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    forms = (receipt.before, *receipt.after)
    return environment.get_template("receipt.html.j2").render(
        receipt=receipt,
        forms=forms,
        charts=charts(receipt),
        headline=headline(receipt),
        title=title,
        megabytes=megabytes,
        number=number,
        made=datetime.fromtimestamp(receipt.created, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def headline(receipt: Receipt) -> str:
    """Return in one sentence what compression gained and what it cost."""
    before = receipt.before
    chosen = next(measured for measured in receipt.after if measured.form == receipt.chosen)
    parts = [f"{before.bytes / max(chosen.bytes, 1):.1f} times smaller"]
    if before.ms_p50 and chosen.ms_p50:
        parts.append(_speed(before.ms_p50 / chosen.ms_p50))
    if before.ap50 is not None and chosen.ap50 is not None:
        parts.append(f"AP50 {before.ap50:.3f} \N{RIGHTWARDS ARROW} {chosen.ap50:.3f}")
    if chosen.agreement_f1 is not None:
        parts.append(f"{100 * chosen.agreement_f1:.0f} % of boxes as before")
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
