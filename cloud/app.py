"""The web application: everything put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request

from cloud.accounts.workspaces import within
from cloud.actions.belonging import owner_of_device, owner_of_news
from cloud.actions.bundles import open_repository
from cloud.actions.open_home import Home, open_home
from cloud.api import reference, routes, server
from cloud.api.document import Application
from cloud.api.forgetting import keep_forgetting
from cloud.api.guard import Guard, refuse_open_door
from cloud.api.problems import add_handlers
from cloud.api.repeating import Repeating
from cloud.api.rolling import keep_rolling
from cloud.api.services import Services
from cloud.api.tagging import Tagging
from cloud.api.uploads import keep_sweeping
from cloud.api.views import job_view
from cloud.engine.engine import Engine, choose_engine
from cloud.fleet.enrolment import GuessLimit
from cloud.fleet.sightings import Sightings
from cloud.ingest.accounts import Accounts, choose_accounts
from cloud.ingest.broker import Broker, choose_broker
from cloud.ingest.handler import Handler, RecordCorrection
from cloud.ingest.live import LiveFeed
from cloud.ingest.subscriber import Subscriber
from cloud.ingest.wall import Wall
from cloud.jobs.runner import JobRunner
from cloud.jobs.teaching import TeachingService
from cloud.jobs.teaching_protocol import LiveState
from cloud.notify.answers import Answers, key_at
from cloud.notify.channels import AppriseChannel
from cloud.notify.sender import AlertSender
from cloud.offload.service import OffloadService
from cloud.portal import pages
from cloud.settings import Settings
from cloud.store import detectors, devices, events, scope
from cloud.store.files import write_file
from cloud.store.tables import Job
from cloud.streams.pool import OnEvent, StreamPool
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ElfowlError
from edge_agent.wire.correction import Correction
from edge_agent.wire.live import LookWanted
from edge_agent.wire.sync import MqttAccess
from edge_agent.wire.topics import DEFAULT_PREFIX

_LOG = logging.getLogger(__name__)
_REFRESH_S = 6 * 3600.0
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass
class _Workers:
    """What works in other processes, and what starts those."""

    engine: Engine
    offload: OffloadService
    teaching: TeachingService
    jobs: JobRunner


@dataclass
class _Running:
    """What is started with the server, beside the services."""

    broker: Broker
    subscriber: Subscriber
    workers: _Workers


def create_app(
    settings: Settings, clock: Clock | None = None, *, watching: StreamPool | None = None
) -> FastAPI:
    """Return the application; nothing runs before it is served.

    Args:
        settings: Where things are.
        clock: Where times come from.
        watching: What watches streams, if it was begun before.

    Raises:
        ConfigError: It would listen for others without an access token.
    """
    refuse_open_door(settings)
    clock = clock or SystemClock()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with _serving(app, settings, clock, watching):
                yield
        except ElfowlError as error:
            # Whoever serves the application can tell it in one line.
            app.state.failure = error
            raise

    app = Application(
        title="elfowl",
        version=metadata.version("elfowl"),
        description="Custom-made eyes for small cameras.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load from a CDN; ours is in cloud/api/reference.py
        redoc_url=None,
    )
    # The last one added is asked first: nothing is looked at before the door let it in.
    app.add_middleware(Repeating)
    app.add_middleware(Tagging)
    app.add_middleware(Guard, settings=settings)
    add_handlers(app, pages.nothing_here)
    # First: a page asks for some thirty files, and the routes are tried in this order.
    app.mount("/static", pages.ASSETS, name="static")
    routes.include_in(app)
    app.include_router(server.pages)
    app.include_router(reference.router)
    app.include_router(pages.router)
    return app


@asynccontextmanager
async def _serving(
    app: FastAPI, settings: Settings, clock: Clock, watching: StreamPool | None
) -> AsyncIterator[None]:
    """Start everything in order; whatever was started is stopped, also when a later start fails."""
    home = open_home(settings, clock)
    live = LiveFeed(lambda news: owner_of_news(home.database, news))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(home.database.close)
        repository = open_repository(settings, clock)
        broker, accounts = await _open_broker(stack, settings, clock)
        stack.enter_context(_uploads_in(settings.cache_path / "uploads"))
        workers = _open_workers(stack, app, home, live)
        alerts, sightings = _start_alerts(stack, home), Sightings()
        handler = Handler(
            home.database, clock, live, _recorder(app, home), DEFAULT_PREFIX, alerts, sightings.forget
        )
        wall, subscriber = _open_ears(broker, handler, settings, clock)
        running = _Running(broker, subscriber, workers)
        services = Services(
            settings=settings,
            clock=clock,
            database=home.database,
            live=live,
            repository=repository,
            jobs=workers.jobs,
            offload=workers.offload,
            teaching=workers.teaching,
            wall=wall,
            hint=subscriber.hint_desired,
            expect=_expecter(workers.offload),
            mqtt=lambda request: _mqtt_access(broker, request),
            health=lambda: _health(services, running),
            guesses=GuessLimit(clock),
            sightings=sightings,
            accounts=accounts,
        )
        app.state.services = services
        watching = watching or workers.engine.stream_pool(home.database, clock)
        watching.tell(_event_teller(live, alerts))
        # What watches comes first: of all parts it is the one that nobody else stands in for.
        for part in (watching, subscriber, workers.jobs):
            await asyncio.to_thread(part.start)
            stack.push_async_callback(asyncio.to_thread, part.stop)
        _keep_going(stack, services, workers.offload)
        yield


def _open_workers(stack: contextlib.AsyncExitStack, app: FastAPI, home: Home, live: LiveFeed) -> _Workers:
    """Return what works in processes of its own; these start when they are needed."""
    engine = choose_engine(home.settings)
    offload = OffloadService(home.settings, home.clock, pool=engine.offload_pool(home.clock))
    stack.push_async_callback(offload.stop)
    teaching = TeachingService(home.settings, home.clock, on_state=lambda state: _tell_lesson(live, state))
    stack.push_async_callback(teaching.stop)
    jobs = JobRunner(
        home.settings,
        home.database,
        home.clock,
        on_change=_job_listener(app, offload),
        command=engine.job_command,
    )
    return _Workers(engine, offload, teaching, jobs)


def _open_ears(broker: Broker, handler: Handler, settings: Settings, clock: Clock) -> tuple[Wall, Subscriber]:
    """Return the live wall and what hears cameras; the wall asks for pictures by way of the other one."""

    def ask_look(device: str, wanted: LookWanted) -> None:
        subscriber.ask_look(device, wanted)

    wall = Wall(ask_look)
    subscriber = Subscriber(broker.address, handler, clock, client_id=_client_id(settings), on_look=wall.take)
    return wall, subscriber


def _recorder(app: FastAPI, home: Home) -> RecordCorrection:
    """Return what stores corrections that come by MQTT."""

    def record(correction: Correction) -> object:
        # It is said on a topic of its device: it reaches no further than whose that is.
        with within(owner_of_device(home.database, str(correction.device))):
            services: Services = app.state.services
            return services.record_correction(correction)

    return record


def _keep_going(stack: contextlib.AsyncExitStack, services: Services, offload: OffloadService) -> None:
    """Begin what goes on for as long as the server runs."""
    offload.warm()
    stack.callback(asyncio.create_task(offload.keep_enough()).cancel)
    for work in (_keep_fresh, keep_rolling, keep_forgetting, keep_sweeping):
        stack.callback(asyncio.create_task(work(services)).cancel)


async def _open_broker(
    stack: contextlib.AsyncExitStack, settings: Settings, clock: Clock
) -> tuple[Broker, Accounts]:
    """Return the broker, running, and who keeps its accounts."""
    broker = choose_broker(settings, clock)
    stack.push_async_callback(asyncio.to_thread, broker.stop)
    broker.start(clock)
    accounts = choose_accounts(settings, broker.address)
    await asyncio.to_thread(accounts.prepare)
    return broker, accounts


def _start_alerts(stack: contextlib.AsyncExitStack, home: Home) -> AlertSender:
    channel = AppriseChannel(home.settings.alert_schemes)
    alerts = AlertSender(home.database, home.clock, channel, answers=_answers(home.settings))
    stack.push_async_callback(asyncio.to_thread, alerts.stop)
    alerts.start()
    return alerts


def _tell_lesson(live: LiveFeed, state: LiveState) -> None:
    live.publish({"type": "teaching", "teaching": state.model_dump(mode="json")})


def _job_listener(app: FastAPI, offload: OffloadService) -> Callable[[Job], None]:
    """Return what hears of jobs: it tells people, lessons and the workers that look."""
    loop = asyncio.get_running_loop()

    def changed(job: Job) -> None:
        services: Services = app.state.services
        view = job_view(job, services.jobs.figures(job.id))
        services.live.publish({"type": "job", "job": view.model_dump(mode="json")})
        if job.kind == "import" and job.state == "done":
            services.teaching.labels_changed(job.detector_id)
        if job.kind == "train" and job.state == "done":
            asyncio.run_coroutine_threadsafe(offload.get_ready(job.detector_id), loop)

    return changed


def _expecter(offload: OffloadService) -> Callable[[str, int], None]:
    """Return what lets workers load a detector that a camera was just given; called in any thread."""
    loop = asyncio.get_running_loop()

    def expect(detector_id: str, version: int) -> None:
        asyncio.run_coroutine_threadsafe(offload.get_ready(detector_id, version), loop)

    return expect


def _event_teller(live: LiveFeed, alerts: AlertSender) -> OnEvent:
    """Return what hears of events of streams: they are news as those of cameras are."""

    def tell(event: dict[str, Any]) -> None:
        live.publish({"type": "event", "event": event})
        alerts.hurry()

    return tell


@contextlib.contextmanager
def _uploads_in(folder: Path) -> Iterator[None]:
    """Let uploads go to the disk that they stay on, not to a /tmp that may be memory."""
    folder.mkdir(parents=True, exist_ok=True)
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _answers(settings: Settings) -> Answers | None:
    """Return how links of messages are made; none when nobody said how people reach this cloud."""
    if settings.public_url is None:
        return None
    return Answers(settings.public_url, key_at(settings.answers_key_path))


async def _keep_fresh(services: Services) -> None:
    """Sign the update repository's timestamp again before it expires."""
    while True:
        try:
            await asyncio.to_thread(services.repository.refresh_timestamp)
        except ElfowlError as error:
            _LOG.error("the update repository cannot be kept fresh: %s", error)
        await asyncio.sleep(_REFRESH_S)


def _mqtt_access(broker: Broker, request: Request) -> MqttAccess:
    """Return how a device reaches the broker: by the name under which it reached us, when both are here."""
    address = broker.address
    host = address.host
    asked = request.url.hostname
    if asked is not None and host in _LOOPBACK_HOSTS and broker.kind == "existing":
        host = asked
    return MqttAccess(
        host=host,
        port=address.port,
        username=address.username,
        password=address.password,
        tls=address.tls,
        prefix=DEFAULT_PREFIX,
    )


def _health(services: Services, running: _Running) -> dict[str, Any]:
    counts: dict[str, int] = {}
    with services.database.read() as session:
        # Anybody may ask this: where several share the server, none learns how much another one has.
        if not scope.is_shared(session):
            counts = {
                "detectors": detectors.count(session),
                "devices": len(devices.every(session)),
                "events": events.count(session),
                "event_documents": events.count(session, documents=True),
                "dead_letters": len(events.dead_letters(session)),
            }
    address = running.broker.address
    return {
        "status": "ok",
        "version": metadata.version("elfowl"),
        "broker": {
            "kind": running.broker.kind,
            "host": address.host,
            "port": address.port,
            "connected": running.subscriber.is_connected,
            "process_id": running.broker.process_id,
        },
        "offload": {"process_ids": running.workers.offload.process_ids, **running.workers.offload.figures()},
        "teaching": {"process_id": running.workers.teaching.process_id},
        **counts,
    }


def _client_id(settings: Settings) -> str:
    """Return an MQTT client id of this home folder, so that the broker keeps its session over restarts."""
    path = settings.home / "broker" / "client-id"
    if not path.is_file():
        write_file(path, f"elfowl-cloud-{secrets.token_hex(4)}".encode())
    return path.read_text().strip()
