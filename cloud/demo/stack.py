"""Broker, cloud and agent as sibling processes: if one is killed, the others go on and it comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from cloud.ingest.broker import Broker, choose_broker, refuse_taken
from cloud.processes import Supervisor, foreign
from cloud.settings import Settings
from edge_agent.clock import Clock
from edge_agent.errors import ConfigError, ElfowlError

_READY_S = 120.0
_STOP_S = 20.0
_POLL_S = 0.2


@dataclass(frozen=True)
class CameraPlan:
    """The camera that the demo plays: this machine, showing a clip as if it were live."""

    device: str
    profile: str
    clip: Path
    token_file: Path


class Stack:
    """The running parts of elfowl, each a process of its own."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._logs = settings.home / "demo" / "logs"
        self._broker: Broker | None = None
        self._cloud: Supervisor | None = None
        self._agent: Supervisor | None = None

    @property
    def url(self) -> str:
        """Return the portal's address."""
        return f"http://{self._settings.host}:{self._settings.port}"

    @property
    def broker_port(self) -> int:
        """Return the port of the broker."""
        if self._broker is None:
            message = "the broker is not started"
            raise ElfowlError(message)
        return self._broker.address.port

    def start_server_side(self) -> None:
        """Start broker and cloud, and wait until the cloud answers.

        Raises:
            ConfigError: A port is taken, or one of them does not start.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        refuse_taken(self._settings.host, self._settings.port, "choose another with --port")
        self._broker = choose_broker(self._settings, self._clock)
        self._broker.start(self._clock)
        command = [
            *_program("elfowl-cloud"), "serve", "--home", str(self._settings.home),
            "--port", str(self._settings.port), "--broker", f"mqtt://127.0.0.1:{self.broker_port}",
            # The demo is for whoever sits at this machine: no password shall stand in its way.
            "--accounts", "off",
        ]  # fmt: skip
        self._cloud = self._supervise("cloud", command)
        self._wait_until_ready()

    def start_camera(self, plan: CameraPlan) -> None:
        """Start the agent as a camera would run it: from one config file."""
        folder = self._settings.home / "demo" / plan.device
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "agent.yaml"
        config.write_text(yaml.safe_dump(self._agent_config(plan, folder), sort_keys=False))
        self._agent = self._supervise("agent", [*_program("elfowl-agent"), "run", "--config", str(config)])

    def stop_camera(self) -> None:
        """Stop the agent as a person would: it says goodbye, and sends what it has."""
        if self._agent is not None:
            self._agent.stop()
            self._agent = None

    def stop(self) -> None:
        """Stop all, the agent first."""
        self.stop_camera()
        if self._cloud is not None:
            self._cloud.stop()
        if self._broker is not None:
            self._broker.stop()

    def log_of(self, name: str) -> Path:
        """Return the log file of one part."""
        return self._logs / f"{name}.log"

    def _agent_config(self, plan: CameraPlan, folder: Path) -> dict[str, object]:
        return {
            "device": plan.device,
            "profile": plan.profile,
            "state_dir": str(folder / "state"),
            "mqtt": {"host": "127.0.0.1", "port": self.broker_port},
            "cloud": {
                "url": self.url,
                "enrol_token_file": str(plan.token_file),
                "poll_s": 10,
                # The demo wants to be seen asking: a camera of your own asks about less.
                "offload": {"unsure_band": 0.12, "timeout_ms": 4000},
            },
            "cameras": [{"name": "yard", "source": str(plan.clip), "loop": True, "real_time": True}],
        }

    def _supervise(self, name: str, command: list[str]) -> Supervisor:
        program, *arguments = command

        def start() -> subprocess.Popen[str]:
            with self.log_of(name).open("ab") as log:
                return subprocess.Popen(  # noqa: S603 - our own programs
                    foreign(program, *arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    text=True, start_new_session=True,
                )  # fmt: skip

        supervisor = Supervisor(name, start, self._clock, grace_s=_STOP_S)
        supervisor.start()
        return supervisor

    def _wait_until_ready(self) -> None:
        deadline_s = self._clock.monotonic_s() + _READY_S
        while self._clock.monotonic_s() < deadline_s:
            try:
                if httpx.get(f"{self.url}/api/v1/health", timeout=2.0).is_success:
                    return
            except httpx.HTTPError:
                pass
            self._clock.sleep(_POLL_S)
        message = f"the cloud does not answer at {self.url}; {_last_line(self.log_of('cloud'))}"
        raise ConfigError(message)


def _program(name: str) -> list[str]:
    """Return the command of one of our programs from the same environment as this one."""
    return [str(Path(sys.executable).with_name(name))]


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"its last words: {lines[-1]}" if lines else f"its log is {log}"


def end_by_signal() -> None:
    """Let SIGTERM end the demo as Ctrl-C does, so that no process is left behind."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    # Also when a shell started the demo in the background, which lets children ignore Ctrl-C.
    signal.signal(signal.SIGINT, interrupt)
    if hasattr(os, "setpgrp"):
        signal.signal(signal.SIGHUP, interrupt)
