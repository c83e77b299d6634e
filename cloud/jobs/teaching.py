"""The web side of live teaching: keeps one worker process, tells it what changed, tells pages what it says.

Invariants:
- Nothing a page asks waits for learning; what is not known yet is refused with an error, never an empty list.
- The store is the truth: a worker that was killed is told again which detectors are taught, and reads them.
- Without anything to do for a while the worker ends, so that its memory is free.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx

from cloud.errors import BusyError, InputError, NotFoundError
from cloud.jobs.teaching_protocol import (
    CANCEL_PATH,
    DETECT_PATH,
    STATES_PATH,
    TEACH_PATH,
    CurvePoint,
    LiveDetections,
    LiveState,
    with_point,
)
from cloud.processes import ONE_THREAD, Supervisor, start_child
from cloud.settings import Settings
from edge_agent.clock import Clock
from edge_agent.errors import BackendError, ElfowlError

_AGAIN_S = 0.2
_IDLE_S = 900.0
_IDLE_LOOK_S = 30.0
_ANSWER_S = 20.0
_STARTING_S = 1.0

_ERRORS: dict[int, type[ElfowlError]] = {404: NotFoundError, 422: InputError}

OnState = Callable[[LiveState], None]


class TeachingService:
    """Teaches detectors while somebody draws, through one worker process."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        on_state: OnState = lambda _state: None,
        socket_path: Path | None = None,
        idle_s: float = _IDLE_S,
    ) -> None:
        """Make the service; with `socket_path` an existing worker is used instead of one of our own."""
        self._settings = settings
        self._clock = clock
        self._on_state = on_state
        self._idle_s = idle_s
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if socket_path is None:
            # A folder of our own: paths of sockets are short (108 bytes), and nobody else may connect.
            self._folder = tempfile.TemporaryDirectory(prefix="elfowl-")
            socket_path = Path(self._folder.name) / "teach.sock"
        self._socket_path = socket_path
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket_path)), base_url="http://worker"
        )
        self._supervisor: Supervisor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._following: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._states: dict[str, LiveState] = {}
        self._curves: dict[str, tuple[CurvePoint, ...]] = {}
        self._changed = asyncio.Condition()
        self._used_s = clock.monotonic_s()

    @property
    def process_id(self) -> int | None:
        """Return the worker's process id while it runs."""
        return None if self._supervisor is None else self._supervisor.process_id

    def state(self, detector_id: str) -> LiveState | None:
        """Return where teaching of a detector stands; none when it is not taught live."""
        return self._states.get(detector_id)

    async def begin(self, detector_id: str) -> LiveState:
        """Teach a detector from what is labelled now and from what will be; returns at once."""
        self._loop = asyncio.get_running_loop()
        if detector_id not in self._states:
            await self._tell(
                LiveState(detector_id=detector_id, stage="starting", message="getting ready to learn")
            )
        self._learn_again(detector_id)
        return self._states[detector_id]

    async def get_ready(self) -> None:
        """Start the worker, for somebody is about to draw; returns at once."""
        self._loop = asyncio.get_running_loop()
        self._used_s = self._clock.monotonic_s()
        self._wake()

    def labels_changed(self, detector_id: str) -> None:
        """Let a detector that is taught live learn what changed, others are left alone; from any thread."""
        if self._loop is not None and detector_id in self._states:
            self._loop.call_soon_threadsafe(self._learn_again, detector_id)

    async def cancel(self, detector_id: str) -> None:
        """End the update under way; the next change of a label begins another one.

        Raises:
            NotFoundError: The detector is not taught live.
        """
        self._known(detector_id)
        await self._send(CANCEL_PATH, detector_id)

    async def detect(self, detector_id: str, jpeg: bytes) -> LiveDetections:
        """Return what the live detector sees in a picture.

        Raises:
            NotFoundError: The detector is not taught live, or has not learned anything yet.
            BusyError: The worker is starting.
            InputError: The picture is damaged.
            BackendError: The detector could not be run.
        """
        self._known(detector_id)
        self._used_s = self._clock.monotonic_s()
        self._wake()
        try:
            answer = await self._http.post(
                DETECT_PATH, params={"detector": detector_id}, content=jpeg, timeout=_ANSWER_S
            )
        except httpx.TransportError as error:
            message = "the teaching worker is starting"
            raise BusyError(message, retry_after_s=_STARTING_S) from error
        if answer.status_code == httpx.codes.OK:
            return LiveDetections.model_validate_json(answer.content)
        if answer.status_code == httpx.codes.NOT_FOUND and self._known(detector_id).learned is not None:
            # The worker put it aside for others, or was started again just now.
            self._learn_again(detector_id)
            message = "the live detector is being read again"
            raise BusyError(message, retry_after_s=_STARTING_S)
        raise _ERRORS.get(answer.status_code, BackendError)(answer.text)

    async def follow(self, detector_id: str) -> AsyncIterator[LiveState]:
        """Yield each new state of a detector, the present one first, until nobody listens.

        Raises:
            NotFoundError: The detector is not taught live.
        """
        told: LiveState | None = self._known(detector_id)
        while told is not None:
            yield told
            told = await self._after(told)

    async def _after(self, told: LiveState) -> LiveState | None:
        """Wait for another state than `told`; none when the detector is gone."""
        detector_id = told.detector_id
        async with self._changed:
            await self._changed.wait_for(lambda: self._states.get(detector_id) is not told)
        return self._states.get(detector_id)

    def forget(self, detector_id: str) -> None:
        """Stop teaching a detector, for it is gone; from any thread."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._forget(detector_id), self._loop)

    async def _forget(self, detector_id: str) -> None:
        async with self._changed:
            self._states.pop(detector_id, None)
            self._curves.pop(detector_id, None)
            self._changed.notify_all()

    async def stop(self) -> None:
        """End the worker."""
        await _end(self._watching)
        await self._retire()
        await self._http.aclose()
        if self._folder is not None:
            self._folder.cleanup()

    async def retire_if_idle(self) -> bool:
        """End the worker when nobody needed it for long; the next label or question starts it again."""
        is_busy = any(state.is_busy for state in self._states.values())
        if is_busy or self._clock.monotonic_s() - self._used_s <= self._idle_s:
            return False
        await self._retire()
        return True

    async def _retire(self) -> None:
        following, self._following = self._following, None
        supervisor, self._supervisor = self._supervisor, None
        await _end(following)
        if supervisor is not None:
            await asyncio.to_thread(supervisor.stop)

    def _known(self, detector_id: str) -> LiveState:
        if detector_id not in self._states:
            message = f"detector {detector_id!r} is not being taught live; POST to its /teaching begins that"
            raise NotFoundError(message)
        return self._states[detector_id]

    def _learn_again(self, detector_id: str) -> None:
        self._used_s = self._clock.monotonic_s()
        self._wake()
        task = asyncio.get_running_loop().create_task(self._send(TEACH_PATH, detector_id))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, path: str, detector_id: str) -> None:
        # A worker that does not listen yet is told everything as soon as it does.
        with contextlib.suppress(httpx.TransportError):
            await self._http.post(path, params={"detector": detector_id}, timeout=_ANSWER_S)

    def _wake(self) -> None:
        if self._following is not None:
            return
        if self._folder is not None:
            self._supervisor = Supervisor("teaching worker", self._start_worker, self._clock)
            self._supervisor.start()
        loop = asyncio.get_running_loop()
        self._following = loop.create_task(self._follow_worker())
        if self._watching is None or self._watching.done():
            self._watching = loop.create_task(self._watch_idle())

    async def _follow_worker(self) -> None:
        """Hear what the worker says for as long as it shall run, whichever process that is."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                await self._hear()
            await self._tell_that_it_starts_again()
            await asyncio.sleep(_AGAIN_S)

    async def _hear(self) -> None:
        async with self._http.stream("GET", STATES_PATH, timeout=None) as stream:
            for detector_id in list(self._states):
                await self._send(TEACH_PATH, detector_id)
            async for line in stream.aiter_lines():
                if line:
                    await self._take(LiveState.model_validate_json(line))

    async def _take(self, state: LiveState) -> None:
        if state.detector_id not in self._states:
            return
        curve = with_point(self._curves.get(state.detector_id, ()), state)
        self._curves[state.detector_id] = curve
        await self._tell(state.model_copy(update={"curve": curve}))

    async def _tell_that_it_starts_again(self) -> None:
        for state in list(self._states.values()):
            if state.stage != "starting":
                # What the last worker knew is gone until its features are read again from the disk.
                again = {"stage": "starting", "message": "getting ready again", "learned": None, "frames": 0}
                await self._tell(state.model_copy(update={**again, "progress": 0.0, "seconds_left": None}))

    async def _tell(self, state: LiveState) -> None:
        async with self._changed:
            self._states[state.detector_id] = state
            self._changed.notify_all()
        self._on_state(state)

    async def _watch_idle(self) -> None:
        while True:
            await asyncio.sleep(min(_IDLE_LOOK_S, self._idle_s))
            if await self.retire_if_idle():
                return

    def _start_worker(self) -> subprocess.Popen[str]:
        self._socket_path.unlink(missing_ok=True)
        command = [sys.executable, "-m", "cloud.worker.teach", str(self._socket_path)]
        return start_child(command, environment={**ONE_THREAD, **self._settings.for_children})


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
