"""A terminal for command lines that run within the test's own process."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from typer import Typer
from typer.main import get_command
from typer.testing import CliRunner, Result

_command = cache(get_command)


class Console(CliRunner):
    """Builds each command line once: typer's own does so for every call, which takes longer than most calls.

    Invariant: what a command line is does not change; each call has a context of its own.
    """

    def invoke(
        self,
        app: Typer,
        args: str | Sequence[str] | None = None,
        input: bytes | str | None = None,  # noqa: A002 - as in typer
        env: Mapping[str, str | None] | None = None,
        catch_exceptions: bool = True,
        color: bool = False,
        **extra: Any,  # noqa: ANN401 - as in typer
    ) -> Result:
        """Run a command with `args`; return what it wrote, and its exit code or what it raised.

        Raises:
            Exception: Whatever the command raises, unless `catch_exceptions`.
        """
        command, words = _command(app), shlex.split(args) if isinstance(args, str) else args
        code = 0
        failure: BaseException | None = None
        with self.isolation(input=input, env=env, color=color) as (stdout, stderr, output):
            try:
                command.main(args=words or (), prog_name=self.get_default_prog_name(command), **extra)
            except SystemExit as error:
                code, failure = _code_of(error), error if error.code else None
            except Exception as error:
                if not catch_exceptions:
                    raise
                code, failure = 1, error
            sys.stdout.flush()
            sys.stderr.flush()
            written = stdout.getvalue(), stderr.getvalue(), output.getvalue()
        return Result(self, *written, return_value=None, exit_code=code, exception=failure)


def _code_of(error: SystemExit) -> int:
    """Return the exit code; a message in its place is written, as the interpreter does."""
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    sys.stdout.write(f"{error.code}\n")
    return 1
