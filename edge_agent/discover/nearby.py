"""`python -m edge_agent.discover.nearby`: a question of the running agent, answered in its own process.

The question comes on standard input and the answer goes to standard output, so that a password is in no
command line and in no file.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from importlib.util import find_spec
from pathlib import Path

from edge_agent.agent.nearby_ask import Found, Question
from edge_agent.errors import ConfigError, ElfowlError

_OOM_FILE = Path("/proc/self/oom_score_adj")


def main() -> None:
    """Answer one question."""
    _go_first_if_memory_is_short()
    logging.basicConfig(level=logging.ERROR)
    question = Question.model_validate_json(sys.stdin.read())
    try:
        found = answer(question)
    except ElfowlError as error:
        found = Found(error=str(error))
    sys.stdout.write(found.model_dump_json())


def answer(question: Question) -> Found:
    """Return what there is.

    Raises:
        ElfowlError: Nothing can be asked, or the camera gives no pictures; the text says what to do.
    """
    if find_spec("onveef") is None:
        message = "the device lacks one part to find cameras; install it there: pip install 'elfowl[onvif]'"
        raise ConfigError(message)
    if question.service is None:
        from edge_agent.discover.answers import look  # noqa: PLC0415 - needs that part

        return look(question)
    from edge_agent.discover.opening import open_one  # noqa: PLC0415 - and what decodes pictures

    return open_one(question, question.service)


def _go_first_if_memory_is_short() -> None:
    """Let the kernel end this process rather than the agent, which has a camera to watch."""
    with contextlib.suppress(OSError):  # not Linux, or a sandbox without /proc
        _OOM_FILE.write_text("1000")


if __name__ == "__main__":
    main()
