"""What the routes work with; put together by `cloud.app`."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends, Request
from fastapi.requests import HTTPConnection
from sqlalchemy.orm import Session

from cloud.actions.accounts import AccountDesk
from cloud.actions.bundles import publish_again
from cloud.actions.corrections import Recorded, record
from cloud.actions.uploads import UploadDesk
from cloud.actions.workspaces import WorkspaceDesk
from cloud.api.problems import UnauthorizedError
from cloud.cache.figures import TierFigures
from cloud.errors import DeniedError
from cloud.fleet.device_tokens import ReplayCache, verify_device_token
from cloud.fleet.enrolment import GuessLimit
from cloud.fleet.nearby import NearbyBook
from cloud.fleet.sightings import Sightings
from cloud.fleet.tuf_repository import UpdateRepository
from cloud.ingest.accounts import Accounts, OpenDoor
from cloud.ingest.live import LiveFeed
from cloud.ingest.wall import Wall
from cloud.jobs.teaching_protocol import LiveDetections, LiveState
from cloud.settings import Settings
from cloud.store import devices
from cloud.store.database import Database
from cloud.store.tables import Job, StoredCorrection
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError
from edge_agent.wire.correction import Correction
from edge_agent.wire.offload import OffloadReply, OffloadRequest
from edge_agent.wire.sync import BundleTarget, Desired, MqttAccess

_LOG = logging.getLogger(__name__)


class Jobs(Protocol):
    """Long work; see `cloud.jobs.runner.JobRunner`."""

    def submit(self, kind: str, detector_id: str, params: dict[str, Any]) -> Job:
        """Accept a job."""
        ...

    def cancel(self, job_id: str) -> Job:
        """End a job."""
        ...

    def figures(self, job_id: str) -> dict[str, float]:
        """Return what a running job measures on its way."""
        ...


class Offload(Protocol):
    """Answers pictures; see `cloud.offload.service.OffloadService`."""

    def keep_room(self, device: str, announced_bytes: int) -> AbstractContextManager[None]:
        """Keep room for a picture while it is read; refuse a device that may not ask now."""
        ...

    async def answer(self, request: OffloadRequest, jpeg: bytes) -> OffloadReply:
        """Answer one picture."""
        ...

    def figures(self) -> dict[str, float]:
        """Return what happened since the start, and what waits."""
        ...

    async def cache_figures(self) -> list[tuple[TierFigures, ...]]:
        """Return what happened in the model cache of each worker, the nearest tier first."""
        ...


class Teaching(Protocol):
    """Teaches while somebody draws; see `cloud.jobs.teaching.TeachingService`."""

    async def begin(self, detector_id: str) -> LiveState:
        """Teach a detector from what is labelled now and from what will be."""
        ...

    async def get_ready(self) -> None:
        """Start what teaching needs; returns at once."""
        ...

    def state(self, detector_id: str) -> LiveState | None:
        """Return where it stands, none when the detector is not taught live."""
        ...

    def labels_changed(self, detector_id: str) -> None:
        """Let a detector that is taught live learn what changed."""
        ...

    def forget(self, detector_id: str) -> None:
        """Stop teaching a detector."""
        ...

    async def cancel(self, detector_id: str) -> None:
        """End the update under way."""
        ...

    async def detect(self, detector_id: str, jpeg: bytes) -> LiveDetections:
        """Return what the live detector sees in a picture."""
        ...

    def follow(self, detector_id: str) -> AsyncIterator[LiveState]:
        """Yield each new state, the present one first."""
        ...


@dataclass
class Services:
    """Everything that a request may need.

    `hint` tells a device over MQTT that its desired state changed; `mqtt` is what an enrolled device is told.
    `expect` hears of detectors, id and version, that cameras will soon ask about.
    `leaving` are devices whose accounts at the broker (`accounts`) are still to be taken; those of people are
    at the desk `people`, their workspaces at `workspaces`, and files on their way at `uploads`.
    """

    settings: Settings
    clock: Clock
    database: Database
    live: LiveFeed
    repository: UpdateRepository
    jobs: Jobs
    offload: Offload
    teaching: Teaching
    hint: Callable[[str, int], None]
    mqtt: Callable[[Request], MqttAccess]
    health: Callable[[], dict[str, Any]]
    guesses: GuessLimit
    expect: Callable[[str, int], None] = lambda _detector_id, _version: None
    replays: ReplayCache = field(default_factory=ReplayCache)
    sightings: Sightings = field(default_factory=Sightings)
    accounts: Accounts = field(default_factory=OpenDoor)
    leaving: set[str] = field(default_factory=set)
    nearby: NearbyBook = field(default_factory=NearbyBook)
    wall: Wall = field(default_factory=lambda: Wall(lambda _device, _wanted: None))
    people: AccountDesk = field(init=False)
    workspaces: WorkspaceDesk = field(init=False)
    uploads: UploadDesk = field(init=False)

    def __post_init__(self) -> None:
        """Open the desks of accounts and of uploads on the same database."""
        self.people = AccountDesk(self.database, self.clock)
        self.workspaces = WorkspaceDesk(self.database, self.clock)
        self.uploads = UploadDesk(self.settings, self.database, self.clock)

    def tell(self, desired: Desired | None) -> None:
        """Hint a device that something new is wanted of it; its detector may soon be asked about."""
        if desired is None:
            return
        self.hint(desired.device, desired.version)
        if desired.bundle is not None:
            self.expect(desired.bundle.detector_id, desired.bundle.detector_version)

    def take_account(self, device: str) -> None:
        """Take the account of a device at the broker; when that fails, it is tried again soon."""
        self.leaving.add(device)
        try:
            self.accounts.take(device)
        except ElfowlError as error:
            _LOG.error("device %r may still be connected to the broker: %s", device, error)
        else:
            self.leaving.discard(device)

    def publish_again(self, session: Session, bundle_id: str) -> BundleTarget:
        """Sign a bundle under a new release."""
        return publish_again(session, self.settings, self.repository, bundle_id)

    def record_correction(self, correction: Correction, detector_id: str | None = None) -> Recorded:
        """Store a correction, ask the camera for its picture, tell open pages."""
        with self.database.write(durable=True) as session:
            recorded = record(session, correction, detector_id=detector_id, now_s=self.clock.now_s())
        self.tell(recorded.desired)
        news = recorded.correction.model_dump(mode="json")
        self.live.publish({"type": "correction", "correction": news})
        self.lesson_changed(recorded.row)
        return recorded

    def lesson_changed(self, row: StoredCorrection) -> None:
        """Let a detector that is taught live learn from a correction that came, changed or was taken back."""
        if row.detector_id is not None:
            self.teaching.labels_changed(row.detector_id)


def services_of(connection: HTTPConnection) -> Services:
    """Return the services of the running app."""
    return cast("Services", connection.app.state.services)


async def _services(connection: HTTPConnection) -> Services:
    # A coroutine, for FastAPI sends plain functions to another thread: that would cost more than the work.
    return services_of(connection)


def calling_device(request: Request) -> str:
    """Return which device calls, by the token that it signed with its own key.

    Raises:
        UnauthorizedError: There is no such token, or it does not hold.
    """
    services = services_of(request)

    def find_key(name: str) -> str | None:
        with services.database.glance() as connection:
            return devices.enrolled_key_of(connection, name)

    return _verified(request, services, find_key)


def asking_device(request: Request) -> tuple[str, bool]:
    """Return which device calls, and whether there are workspaces to keep apart, by one query.

    Raises:
        UnauthorizedError: There is no token, or it does not hold.
    """
    services, is_shared = services_of(request), False

    def find_key(name: str) -> str | None:
        nonlocal is_shared
        with services.database.glance() as connection:
            key, is_shared = devices.key_and_shared_of(connection, name)
        return key

    return _verified(request, services, find_key), is_shared


def looking_device(request: Request, session: Session) -> tuple[str, int]:
    """Return which device looks at what is wanted of it, and the version of that, by one query.

    Raises:
        UnauthorizedError: There is no token, or it does not hold.
    """
    version = 0

    def find_key(name: str) -> str | None:
        nonlocal version
        key, version = devices.key_and_version_of(session, name)
        return key

    return _verified(request, services_of(request), find_key), version


def _verified(request: Request, services: Services, find_key: Callable[[str], str | None]) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        message = "send 'Authorization: Bearer <JWT>' signed by the device's key"
        raise UnauthorizedError(message)
    try:
        return verify_device_token(
            token.strip(), find_key=find_key, clock=services.clock, replays=services.replays
        )
    except DeniedError as error:
        raise UnauthorizedError(str(error)) from error


Used = Annotated[Services, Depends(_services)]
CallingDevice = Annotated[str, Depends(calling_device)]
