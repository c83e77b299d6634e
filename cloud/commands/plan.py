"""`elfowl-cloud plan`: how many machines so many streams, detectors and cameras take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cloud.commands.options import AsJson
from cloud.commands.terminal import answer
from cloud.errors import InputError


def plan(  # noqa: PLR0913 - options of a command
    *,
    streams: Annotated[int, typer.Option(help="That the cloud watches itself.")] = 0,
    detectors: Annotated[int, typer.Option(help="Of all streams together.")] = 0,
    fps: Annotated[
        float | None, typer.Option(help="Pictures a second of a stream that are taken; 5.")
    ] = None,
    picture: Annotated[
        str | None, typer.Option(metavar="360p|720p|1080p", help="Size of the streams' pictures; 360p.")
    ] = None,
    looked: Annotated[
        float | None, typer.Option(help="Share of the pictures that the motion gate lets through; 0.2.")
    ] = None,
    events_a_day: Annotated[float | None, typer.Option(help="Of each stream and camera; 200.")] = None,
    keep_days: Annotated[float | None, typer.Option(help="How long events are kept; 30.")] = None,
    cameras: Annotated[int | None, typer.Option(help="That run elfowl themselves, and report; none.")] = None,
    asks_a_day: Annotated[
        float | None, typer.Option(help="Pictures that each of them asks the cloud about; 100.")
    ] = None,
    trainings_a_day: Annotated[
        float | None, typer.Option(help="Of all detectors; a hundredth of them by default.")
    ] = None,
    gpu: Annotated[str | None, typer.Option(help="Graphics processor that looks, such as a100.")] = None,
    cores: Annotated[int | None, typer.Option(help="Processor cores of a machine; 16.")] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw cores against streams, to ten million.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Plan machines from measured figures; says what it assumes, and what is full first."""
    given: dict[str, Any] = {
        "streams": streams,
        "detectors": detectors,
        "fps": fps,
        "picture": picture,
        "looked_share": looked,
        "events_a_day": events_a_day,
        "keep_days": keep_days,
        "cameras": cameras,
        "asks_a_day": asks_a_day,
        "trainings_a_day": trainings_a_day,
        "gpu": gpu,
        "machine_cores": cores,
    }
    from cloud.planning.ask import Ask
    from cloud.planning.chart import chart as draw
    from cloud.planning.figures import load_figures
    from cloud.planning.plan import plan as make_plan
    from cloud.planning.words import lines_of

    try:
        ask = Ask.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{'.'.join(map(str, first['loc']))} is {first['input']!r}: {first['msg']}"
        raise InputError(message) from error
    made = make_plan(ask, load_figures())
    if chart is not None:
        chart.write_text(draw(ask, load_figures()))
    answer(made.model_dump(mode="json"), lines_of(made), as_json=as_json)
