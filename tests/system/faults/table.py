"""The faults: what is done, what must be true meanwhile, and how soon all is well again."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tests.fakes.rtsp_server import Pictures, RtspServer
from tests.system.faults.world import Patient

OFFLINE_S = 30.0
"""A camera that gives nothing, or an agent that is not there, is told `offline` within this."""


@dataclass(frozen=True)
class Fault:
    """One row.

    Attributes:
        name: Of the device, or of the camera where only a stream is harmed.
        begin: Does the harm.
        end: Ends what does not end by itself.
        truth: What is told at home meanwhile; (patient, camera, monotonic seconds of the begin).
        truth_s: Within this after the begin.
        lasts_s: The harm lasts at least so long, and until the truth was told.
        back_s: Within this after the end an event of a newer picture stands in the cloud.
        blind: What came meanwhile may be unseen: the agent was not there, or could not look.
    """

    name: str
    begin: Callable[[Patient], None]
    end: Callable[[Patient], None]
    truth: Callable[[Patient, str, float], bool]
    truth_s: float = OFFLINE_S
    lasts_s: float = 12.0
    back_s: float = 30.0
    blind: bool = False


def _nothing(_patient: Patient) -> None:
    pass


def is_offline(patient: Patient, _camera: str, _begun_s: float) -> bool:
    return patient.available() == "offline"


def goes_on(patient: Patient, camera: str, begun_s: float) -> bool:
    """Return whether events are told at home all the same."""
    return patient.available() == "online" and patient.heard_since(begun_s, camera)


def says(status: str, *reasons: str) -> Callable[[Patient, str, float], bool]:
    """Return what looks whether a camera is told to be so, for one of these reasons."""

    def look(patient: Patient, camera: str, _begun_s: float) -> bool:
        told = patient.reason(camera)
        return patient.status(camera) == status and any(reason in told for reason in reasons)

    return look


def _shift_clock(seconds: float) -> Callable[[Patient], None]:
    def shift(patient: Patient) -> None:
        (patient.folder / "clock").write_text(str(seconds))

    return shift


def _to_1970(patient: Patient) -> None:
    from tests.system.loop import CLOCK

    _shift_clock(10_000.0 - CLOCK.now_s())(patient)


def _kill_and_restart(patient: Patient) -> None:
    patient.kill()


def _fill(patient: Patient) -> None:
    assert patient.cell is not None
    patient.cell.fill()


def _free(patient: Patient) -> None:
    assert patient.cell is not None
    patient.cell.free()


def _lock_and_restart(patient: Patient) -> None:
    """Let the disk come up read-only, as after a power cut that damaged it."""
    assert patient.cell is not None
    patient.kill()
    patient.cell.lock(locked=True)
    patient.start()


def _unlock(patient: Patient) -> None:
    assert patient.cell is not None
    patient.cell.lock(locked=False)


def _starve(patient: Patient) -> None:
    """Give no more memory than there is now."""
    assert patient.process is not None
    used_bytes = psutil.Process(patient.process.pid).memory_info().data
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(patient.process.pid, resource.RLIMIT_DATA, (used_bytes, unlimited))


def _feed(patient: Patient) -> None:
    """Lift the limit; start again, as a service manager does, if it died of it."""
    if not patient.is_alive():
        patient.start()
        return
    assert patient.process is not None
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(patient.process.pid, resource.RLIMIT_DATA, (unlimited, unlimited))


def is_blind_and_says_so(patient: Patient, camera: str, begun_s: float) -> bool:
    """Return whether an agent that cannot look, or died of it, is told to be offline."""
    return "offline" in {patient.available(), patient.status(camera)} or is_offline(patient, camera, begun_s)


AGENT_FAULTS = (
    Fault(
        "broker-flapping",
        lambda patient: patient.mqtt.be("abort"),
        lambda patient: patient.mqtt.be("pass"),
        is_offline,
        lasts_s=8.0,
    ),
    # New connections are good: the agent has to notice, and to come back, while the old one still hangs.
    Fault(
        "broker-half-open",
        lambda patient: patient.mqtt.be("swallow"),
        lambda patient: patient.mqtt.be("pass"),
        lambda patient, camera, begun_s: patient.heard_since(begun_s, camera),
        truth_s=60.0,
    ),
    Fault(
        "cloud-slow",
        lambda patient: patient.http.be("slow"),
        lambda patient: patient.http.be("pass"),
        goes_on,
    ),
    Fault(
        "cloud-errors",
        lambda patient: patient.http.be("errors"),
        lambda patient: patient.http.be("pass"),
        goes_on,
    ),
    Fault(
        "cloud-wrong-certificate",
        lambda patient: patient.http.show(patient.world.bad.context),
        lambda patient: patient.http.show(patient.world.good.context),
        goes_on,
    ),
    Fault("disk-full", _fill, _free, goes_on),
    Fault("disk-read-only", _lock_and_restart, _unlock, goes_on, blind=True),
    Fault(
        "stopped",
        lambda patient: patient.signal(signal.SIGSTOP),
        lambda patient: patient.signal(signal.SIGCONT),
        is_offline,
        blind=True,
    ),
    Fault("killed", _kill_and_restart, Patient.start, is_offline, lasts_s=1.0, blind=True),
    Fault("clock-400-days-ahead", _shift_clock(400 * 86_400.0), _shift_clock(0.0), goes_on),
    Fault("clock-in-1970", _to_1970, _shift_clock(0.0), goes_on),
)


def memory_fault(server: RtspServer, shows: dict[str, Pictures]) -> Fault:
    """Return the fault of a machine without memory left for the larger pictures that `server` gives then."""

    def begin(patient: Patient) -> None:
        _starve(patient)
        server.show(shows["huge"])

    def end(patient: Patient) -> None:
        server.show(shows["squares"])
        _feed(patient)

    return Fault("out-of-memory", begin, end, is_blind_and_says_so, back_s=45.0, blind=True)


def stream_faults(servers: dict[str, RtspServer], shows: dict[str, Pictures]) -> tuple[Fault, ...]:
    """Return the faults of streams, each done to the camera of its name.

    Args:
        servers: By name.
        shows: Loops of pictures: `squares`, `large` (the same in another size), `black`.
    """

    def be_garbage(*, garbage: bool) -> Callable[[Patient], None]:
        def change(_patient: Patient) -> None:
            servers["garbage"].garbage = garbage

        return change

    def at(fps: float) -> Callable[[Patient], None]:
        def change(_patient: Patient) -> None:
            servers["slow"].fps = fps

        return change

    def relock(login: tuple[str, str]) -> Callable[[Patient], None]:
        def change(_patient: Patient) -> None:
            servers["password"].kill()
            servers["password"].lock(login)
            servers["password"].start()

        return change

    return (
        Fault(
            "killed",
            lambda _: servers["killed"].kill(),
            lambda _: servers["killed"].start(),
            says("offline", "refused", "ended", "closed", "timed out"),
        ),
        Fault(
            "frozen",
            lambda _: servers["frozen"].freeze(),
            lambda _: servers["frozen"].freeze(frozen=False),
            says("offline", "timed out", "no picture"),
        ),
        Fault(
            "garbage", be_garbage(garbage=True), be_garbage(garbage=False),
            says("offline", "no picture", "not with a video stream"), back_s=45.0,
        ),
        Fault(
            "size",
            lambda _: servers["size"].show(shows["large"]),
            lambda _: servers["size"].show(shows["squares"]),
            goes_on,
        ),
        Fault("slow", at(1.0), at(15.0), goes_on, blind=True),
        Fault(
            "password",
            relock(("me", "another")),
            relock(("me", "hidden")),
            says("offline", "wrong user name or password"),
        ),
        Fault(
            "black",
            lambda _: servers["black"].show(shows["black"]),
            lambda _: servers["black"].show(shows["squares"]),
            says("online", "black"),
        ),
    )  # fmt: skip


EVERYBODY = (
    Fault(
        "broker-killed",
        lambda patient: patient.world.broker.kill(),
        lambda patient: patient.world.broker.start(),
        lambda patient, _camera, _begun_s: patient.is_alive(),
        lasts_s=6.0,
        back_s=45.0,
    ),
    Fault(
        "cloud-killed",
        lambda patient: patient.world.kill_cloud(),
        lambda patient: patient.world.start_cloud(),
        goes_on,
        lasts_s=6.0,
        back_s=60.0,
    ),
)
