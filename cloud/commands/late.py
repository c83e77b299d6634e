"""A command line whose commands are loaded when they are called: all of them take longer than most do.

The server is one of these commands, and nobody watches until it is up.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_group


class LateGroup(TyperGroup):
    """A group that also has the commands of other modules.

    Attributes:
        places: Where commands are, by name: `module:name` of a `Typer`, or of a function.
    """

    places: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer keeps that type to itself
        """Return the names of all commands, whether they are loaded or not."""
        own = [name for name in super().list_commands(ctx) if name not in self.places]
        return [*own, *self.places]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - so it does with this
        """Return a command, loaded."""
        if cmd_name in self.places and cmd_name not in self.commands:
            self.commands[cmd_name] = _loaded(cmd_name, self.places[cmd_name])
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - nor to this
        """Return who is called by arguments, and with which."""
        if args and args[0] not in self.list_commands(ctx):
            # Which one was meant is guessed among those that are loaded.
            for name in self.places:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


def _loaded(name: str, place: str) -> Any:  # noqa: ANN401 - typer's own
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    around = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        around.add_typer(found, name=name)
        return get_group(around).commands[name]
    around.command(name)(found)
    return get_group(around).commands[name]
