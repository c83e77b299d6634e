"""Runs the agent as a process: logging, signals, exit."""

from __future__ import annotations

import ctypes
import logging
import signal
import threading
from pathlib import Path

from edge_agent.agent.authorities import check_authorities
from edge_agent.agent.logs import FloodGate, LogFormat, make_formatter
from edge_agent.agent.runner import Agent
from edge_agent.clock import SystemClock
from edge_agent.config import load_config
from edge_agent.runtime.profiles import find_profile
from edge_agent.vision.resize import choose_numpy

_log = logging.getLogger(__name__)

_SMALL_BYTES = 160_000_000
"""Up to here the agent does without what only saves milliseconds."""

_M_ARENA_MAX = -8


def run_agent(config_file: Path, *, verbose: bool = False) -> None:
    """Run until SIGTERM or Ctrl-C, then say goodbye and return.

    Args:
        config_file: The YAML file.
        verbose: Log every step.

    Raises:
        ElfowlError: The agent cannot run; see `Agent.run`.
    """
    config = load_config(config_file)
    configure_logging(verbose=verbose, form=config.log.format)
    profile = find_profile(config.profile)
    config = config.model_copy(update={"profile": profile.name})
    check_authorities(config)
    if profile.ram_for_us_bytes <= _SMALL_BYTES:
        spare_memory()
    stopping = threading.Event()

    def stop(number: int, _frame: object) -> None:
        _log.info("stopping (%s)", signal.Signals(number).name)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    Agent(config).run(stopping)


def spare_memory() -> None:
    """Leave out what takes memory: OpenCV, and the C library's arenas beyond the first."""
    choose_numpy()
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, 1)


def configure_logging(*, verbose: bool = False, quiet: bool = False, form: LogFormat = "text") -> None:
    """Send log lines to standard error, without the chatter of libraries; `quiet`: only warnings."""
    level = logging.WARNING if quiet else logging.INFO
    handler = logging.StreamHandler()
    handler.setFormatter(make_formatter(form))
    if not verbose:
        handler.addFilter(FloodGate(SystemClock()))
    logging.basicConfig(level=logging.DEBUG if verbose else level, handlers=[handler])
    for noisy in ("httpx", "httpcore", "tuf", "libav"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
