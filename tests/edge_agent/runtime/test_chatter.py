"""The runtime's greeting is held back; errors are not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edge_agent.errors import ArtifactError
from edge_agent.runtime.chatter import without_greeting

GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (b"", ""),
        (GREETING, ""),
        (b"ERROR: no such op\n" + GREETING, "ERROR: no such op\n"),
        (GREETING + b"INFO: something else\ncut off", "INFO: something else\ncut off"),
    ],
)
def test_greeting_alone_is_held_back(capfd: pytest.CaptureFixture[str], written: bytes, seen: str) -> None:
    with without_greeting():
        os.write(2, written)
    assert capfd.readouterr().err == seen
    os.write(2, b"afterwards")
    assert capfd.readouterr().err == "afterwards"


def test_error_while_loading_is_seen_and_raised(capfd: pytest.CaptureFixture[str]) -> None:
    def load() -> None:
        with without_greeting():
            os.write(2, b"ERROR: broken\n")
            raise ArtifactError("broken")  # noqa: EM101

    with pytest.raises(ArtifactError):
        load()
    assert capfd.readouterr().err == "ERROR: broken\n"


def test_without_standard_error_nothing_fails() -> None:
    code = (
        "import os\nos.close(2)\nfrom edge_agent.runtime.chatter import without_greeting\n"
        "with without_greeting(): pass\nprint('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "done\n"
