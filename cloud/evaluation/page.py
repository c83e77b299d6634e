"""Reports as pages that need no network: no script, nothing to load, light or dark as the reader likes."""

from __future__ import annotations

from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from cloud.evaluation.plots import SIDE, calibration_boxes, confusion_rows, curve_of, robustness_bars
from cloud.evaluation.report import ComparisonReport, EvaluationReport, Figure

_DASH = "\N{EN DASH}"


def render_evaluation(report: EvaluationReport) -> str:
    """Return the page of an evaluation."""
    return (
        _environment()
        .get_template("evaluation.html.j2")
        .render(
            report=report,
            made=_made(report.created),
            side=SIDE,
            curves=[curve_of(name, one) for name, one in report.per_class.items()],
            bins=calibration_boxes(report.calibration),
            confusion=confusion_rows(report.confusion),
            bars=robustness_bars(report.ap50, report.robustness),
        )
    )


def render_comparison(report: ComparisonReport) -> str:
    """Return the page of a comparison."""
    return _environment().get_template("comparison.html.j2").render(report=report, made=_made(report.created))


def number(value: float | None, form: str = "{:.3f}") -> str:
    """Return a number for reading, a dash for none."""
    return _DASH if value is None else form.format(value)


def interval(figure: Figure, form: str = "{:.3f}") -> str:
    """Return a figure with its interval."""
    if figure.low is None or figure.high is None:
        return form.format(figure.value)
    return f"{form.format(figure.value)} ({form.format(figure.low)} to {form.format(figure.high)})"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cloud.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(number=number, interval=interval)
    return environment


def _made(created_s: float) -> str:
    return datetime.fromtimestamp(created_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
