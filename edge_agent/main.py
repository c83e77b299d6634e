"""Runs the agent as a process: logging, signals, exit."""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
import threading
from pathlib import Path

from edge_agent.agent.authorities import check_authorities
from edge_agent.agent.logs import FloodGate, LogFormat, make_formatter
from edge_agent.agent.runner import Agent
from edge_agent.agent.thrift import give_back_memory
from edge_agent.clock import SystemClock
from edge_agent.config import load_config
from edge_agent.runtime.network_file import keep_networks_in
from edge_agent.runtime.profiles import find_profile, is_small
from edge_agent.vision.resize import choose_numpy

_log = logging.getLogger(__name__)

# Usually a thread that has news waits up to 5 ms for one that is at work, and each event takes three turns.
_SWITCH_S = 0.0005

# Of the C library's `mallopt`.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES, _SMALL_LARGE_BYTES = 4_000_000, 64_000


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
    prepare_process(profile.ram_for_us_bytes, config.state_dir)
    stopping = threading.Event()

    def stop(number: int, _frame: object) -> None:
        _log.info("stopping (%s)", signal.Signals(number).name)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    Agent(config).run(stopping)


def prepare_process(ram_for_us_bytes: int, state_dir: Path) -> None:
    """Let this process take no more memory than it needs, and its threads wait little for each other.

    Args:
        ram_for_us_bytes: What the profile allows.
        state_dir: Where the agent keeps files; networks too, where memory is scarce.
    """
    sys.setswitchinterval(_SWITCH_S)
    if is_small(ram_for_us_bytes):
        spare_memory()
        keep_networks_in(state_dir)
    else:
        _keep_heap_small(_LARGE_BYTES)
    give_back_memory()


def spare_memory() -> None:
    """Leave out what takes memory and only saves milliseconds: OpenCV, and a heap with room to spare."""
    choose_numpy()
    _keep_heap_small(_SMALL_LARGE_BYTES)


def _keep_heap_small(large_bytes: int) -> None:
    """Let there be one heap, and pieces from `large_bytes` on lie apart, so that they can be given back.

    Left alone, the C library raises that limit with each large piece that is freed: after the first bundle is
    opened the next ones leave holes of megabytes in the heap.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return
    set_option(_M_ARENA_MAX, 1)
    set_option(_M_MMAP_THRESHOLD, large_bytes)
    set_option(_M_TRIM_THRESHOLD, large_bytes)


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
