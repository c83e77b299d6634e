"""Runs the agent as a process: logging, signals, exit."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path

from edge_agent.agent.authorities import check_authorities
from edge_agent.agent.runner import Agent
from edge_agent.config import load_config
from edge_agent.runtime.profiles import find_profile

_log = logging.getLogger(__name__)


def run_agent(config_file: Path, *, verbose: bool = False) -> None:
    """Run until SIGTERM or Ctrl-C, then say goodbye and return.

    Args:
        config_file: The YAML file.
        verbose: Log every step.

    Raises:
        ElfowlError: The agent cannot run; see `Agent.run`.
    """
    configure_logging(verbose=verbose)
    config = load_config(config_file)
    config = config.model_copy(update={"profile": find_profile(config.profile).name})
    check_authorities(config)
    stopping = threading.Event()

    def stop(number: int, _frame: object) -> None:
        _log.info("stopping (%s)", signal.Signals(number).name)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    Agent(config).run(stopping)


def configure_logging(*, verbose: bool = False, quiet: bool = False) -> None:
    """Send log lines to standard error, without the chatter of libraries; `quiet`: only warnings."""
    level = logging.WARNING if quiet else logging.INFO
    logging.basicConfig(
        level=logging.DEBUG if verbose else level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for noisy in ("httpx", "httpcore", "tuf", "libav"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
