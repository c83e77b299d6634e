"""The figures that plans are made from: each with its unit, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from cloud.errors import NotFoundError

Kind = Literal["measured", "published", "assumed", "code"]
"""By us; by somebody else; by nobody; or written in elfowl's own code."""

_FILE = "figures.json"


class Figure(BaseModel):
    """One number.

    Attributes:
        name: As plans ask for it.
        value: In `unit`.
        unit: In words.
        kind: How far to trust it.
        source: A file of the repository, or who published it and where.
        keys: Where in that file, when it is JSON.
        note: On what it was measured, or why it is assumed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float = Field(ge=0.0)
    unit: str
    kind: Kind
    source: str
    keys: tuple[str, ...] = ()
    note: str = ""


class Figures:
    """All figures by name; remembers nothing, decides nothing."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        self._by_name: Mapping[str, Figure] = {one.name: one for one in figures}

    def __getitem__(self, name: str) -> float:
        """Return a figure's value.

        Raises:
            NotFoundError: There is none of that name.
        """
        return self.figure(name).value

    def figure(self, name: str) -> Figure:
        """Return a figure with its source.

        Raises:
            NotFoundError: There is none of that name.
        """
        try:
            return self._by_name[name]
        except KeyError:
            message = f"there is no figure {name!r}; those that there are stand in cloud/planning/{_FILE}"
            raise NotFoundError(message) from None

    def every(self) -> tuple[Figure, ...]:
        """Return all figures."""
        return tuple(self._by_name.values())

    def graphics_processors(self) -> tuple[str, ...]:
        """Return the names of the graphics processors that a plan can use."""
        return tuple(name.split(".")[1] for name in self._by_name if name.startswith("gpu.") and "." in name)


@cache
def load_figures() -> Figures:
    """Return the figures that come with elfowl."""
    text = resources.files("cloud.planning").joinpath(_FILE).read_text()
    return Figures(TypeAdapter(tuple[Figure, ...]).validate_json(text))
