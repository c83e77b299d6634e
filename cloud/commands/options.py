"""Options that all commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from cloud.settings import Settings, settings_from
from edge_agent.errors import ConfigError

Home = Annotated[
    Path | None, typer.Option("--home", help="Home folder; the variable ELFOWL_HOME by default.")
]
Url = Annotated[
    str | None, typer.Option("--url", help="Speak to this running cloud instead of using the home folder.")
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token", envvar="ELFOWL_ACCESS_TOKEN", help="API token or access token of the cloud at --url."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]
Images = Annotated[Path | None, typer.Option("--images", metavar="DIR", help="Folder of pictures.")]
Video = Annotated[Path | None, typer.Option("--video", metavar="FILE", help="A video file.")]
Labels = Annotated[
    Path | None,
    typer.Option("--labels", metavar="COCO.json", help="COCO boxes; of a video, images have frame_index."),
]

TestImages = Annotated[
    Path | None, typer.Option("--test-images", metavar="DIR", help="Pictures to test on, never learned from.")
]
TestVideo = Annotated[
    Path | None, typer.Option("--test-video", metavar="FILE", help="A video to test on; it may be the same.")
]
TestLabels = Annotated[
    Path | None, typer.Option("--test-labels", metavar="COCO.json", help="COCO boxes of what to test on.")
]


def read_settings(home: Path | None = None, **changes: object) -> Settings:
    """Return the settings of the environment, changed by options that were given.

    Raises:
        ConfigError: A variable or option has a wrong value.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if home is not None:
        given["home"] = home.expanduser().absolute()
    try:
        settings = settings_from()
        return Settings.model_validate({**settings.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        message = f"setting {name!r} is {first['input']!r}: {first['msg']}"
        raise ConfigError(message) from error


def duration_s(text: str | None) -> float | None:
    """Return seconds of `90`, `60s`, `2m` or `1h`.

    Raises:
        ConfigError: It is no duration.
    """
    if text is None:
        return None
    factor = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 1.0)
    number = text[:-1] if text[-1:] in "smh" else text
    try:
        seconds = float(number) * factor
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        message = f"{text!r} is no duration; write 60s, 2m or 1h"
        raise ConfigError(message)
    return seconds
