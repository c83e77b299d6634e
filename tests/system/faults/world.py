"""Broker, cloud and agents as real processes, with what it takes to do them harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import select

from cloud.processes import foreign
from cloud.store.database import open_database
from cloud.store.tables import EventGap
from edge_agent.update.enrol import DeviceFacts, enrol
from edge_agent.update.fetcher import open_client
from edge_agent.update.identity import save_enrolment
from edge_agent.wire.event import Event
from edge_agent.wire.status import CameraDetail
from edge_agent.wire.topics import Topics
from tests.edge_agent.agent.test_private_authority import own_certificate
from tests.fakes.proxy import Proxies, Proxy
from tests.system.loop import Ear, StoredDocument, stored_documents, wait_until
from tests.system.mosquitto import Mosquitto, free_port

_REPOSITORY = Path(__file__).parents[3]
_CLOUD_S = 90.0
_STATE_BYTES = 8_000_000


class Certificate:
    """A certificate for 127.0.0.1 that signs itself, and its key, as files."""

    def __init__(self, folder: Path, name: str) -> None:
        import ssl

        certificate, key = own_certificate()
        self.ca_file = folder / f"{name}.pem"
        self.ca_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        key_file = folder / f"{name}.key"
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.ca_file, key_file)


class World:
    """The server side; agents are added to it."""

    def __init__(self, folder: Path, proxies: Proxies) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.proxies = proxies
        self.good, self.bad = Certificate(folder, "good"), Certificate(folder, "bad")
        self.broker = Mosquitto(folder, "max_queued_messages 10000")
        self.port = free_port()
        self._log = (folder / "cloud.log").open("ab")
        self._cloud: subprocess.Popen[bytes] | None = None
        self.broker.start()
        self.ear = Ear(self.broker.port)
        self.start_cloud()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start_cloud(self) -> None:
        program = str(Path(sys.executable).with_name("elfowl-cloud"))
        command = foreign(
            program, "serve", "--home", str(self.home), "--port", str(self.port),
            "--broker", f"mqtt://127.0.0.1:{self.broker.port}",
        )  # fmt: skip
        self._cloud = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def kill_cloud(self) -> None:
        """Kill the web process and all that it started."""
        if self._cloud is not None:
            os.killpg(self._cloud.pid, signal.SIGKILL)
            self._cloud.wait()

    def wait_for_cloud(self) -> None:
        wait_until(self._is_cloud_well, _CLOUD_S, lambda: (self.folder / "cloud.log").read_text()[-2000:])

    def _is_cloud_well(self) -> bool:
        try:
            return bool(httpx.get(f"{self.url}/api/v1/health", timeout=5.0).json()["broker"]["connected"])
        except (httpx.HTTPError, ValueError, KeyError):
            return False

    def token(self) -> str:
        return str(httpx.post(f"{self.url}/api/v1/enrolment-tokens", timeout=30.0).json()["token"])

    def stored(self, device: str) -> list[StoredDocument]:
        """Return what the cloud stored of a device."""
        return [document for document in stored_documents(self.home) if document.device == device]

    def left_out(self, epoch: str) -> set[int]:
        """Return which numbers the cloud was told that nothing has, for its agent was killed."""
        database = open_database(self.home / "elfowl.sqlite")
        try:
            with database.read() as session:
                gaps = session.scalars(select(EventGap).where(EventGap.epoch == epoch)).all()
                told = [gap for gap in gaps if gap.reason.startswith("not used")]
                return {seq for gap in told for seq in range(gap.first_seq, gap.last_seq + 1)}
        finally:
            database.close()

    def state(self, topic: str) -> str:
        """Return what was said last on a topic."""
        return (self.ear.last(topic) or b"").decode()

    def stop(self) -> None:
        self.ear.close()
        if self._cloud is not None and self._cloud.poll() is None:
            self._cloud.terminate()
            try:
                self._cloud.wait(60)
            except subprocess.TimeoutExpired:
                self.kill_cloud()
        self.broker.stop()
        self._log.close()


@dataclass
class Cell:
    """A mount namespace with a small disk of its own, which tests fill and lock."""

    disk: Path
    holder: subprocess.Popen[bytes]

    @staticmethod
    def make(disk: Path) -> Cell:
        """Mount a small disk where only the programs of this cell see it."""
        disk.mkdir(parents=True)
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        script = f"mount -t tmpfs -o size={_STATE_BYTES} tmpfs {disk} && exec sleep 100000"
        holder = subprocess.Popen(["unshare", *user, "--mount", "sh", "-c", script])
        cell = Cell(disk, holder)
        wait_until(lambda: "tmpfs" in cell.run("findmnt", "-no", "FSTYPE", str(disk)), 60.0)
        return cell

    def inside(self, *command: str) -> list[str]:
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(self.holder.pid), *user, "--mount", "--", *command]

    def run(self, *command: str) -> str:
        done = subprocess.run(self.inside(*command), capture_output=True, text=True, check=False)
        return done.stdout

    def fill(self) -> None:
        self.run("dd", "if=/dev/zero", f"of={self.disk}/ballast", "bs=4096")

    def free(self) -> None:
        self.run("rm", f"{self.disk}/ballast")

    def lock(self, *, locked: bool) -> None:
        self.run("mount", "-o", f"remount,{'ro' if locked else 'rw'}", str(self.disk))

    def close(self) -> None:
        self.holder.kill()
        self.holder.wait()


@dataclass
class Patient:
    """An agent that something is done to, and its ways to the outside."""

    name: str
    world: World
    folder: Path
    http: Proxy
    mqtt: Proxy
    cell: Cell | None = None
    process: subprocess.Popen[bytes] | None = None
    cameras: dict[str, str] = field(default_factory=lambda: {"front": "squares"})

    @staticmethod
    def admit(
        world: World, name: str, *, cameras: dict[str, str] | None = None, disk: bool = False
    ) -> Patient:
        """Make a device that joined the cloud; it does not run yet."""
        folder = world.folder / name
        folder.mkdir()
        patient = Patient(
            name,
            world,
            folder,
            http=world.proxies.open(world.port, world.good.context),
            mqtt=world.proxies.open(world.broker.port),
            cell=Cell.make(folder / "state") if disk else None,
        )
        patient.cameras = cameras or patient.cameras
        patient.write_config()
        patient._join()
        return patient

    @property
    def topics(self) -> Topics:
        return Topics(self.name)

    def write_config(self) -> None:
        config = {
            "device": self.name,
            "profile": "x86-64",
            "state_dir": str(self.folder / "state"),
            "bundle": "starter",
            "mqtt": {"host": "127.0.0.1", "port": self.mqtt.port},
            "cloud": {
                "url": f"https://127.0.0.1:{self.http.port}",
                "ca_file": str(self.world.good.ca_file),
                "poll_s": 5,
            },
            "storage": {"spool_bytes": 1_000_000, "keyframes_bytes": 200_000},
            "cameras": [{"name": name, "source": source, "fps": 6} for name, source in self.cameras.items()],
        }
        (self.folder / "agent.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def _join(self) -> None:
        state = self.folder / "state" if self.cell is None else self.folder / "joined"
        url = f"https://127.0.0.1:{self.http.port}"
        facts = DeviceFacts(self.name, "x86-64", "x86_64", "0.1.0")
        with open_client(self.world.good.ca_file) as client:
            identity = enrol(url, self.world.token(), facts, state, client=client)
        # To the cloud's broker through the same bad way as to the home's: it is the same one.
        mqtt = identity.enrolment.mqtt.model_copy(update={"port": self.mqtt.port})
        save_enrolment(state, identity.enrolment.model_copy(update={"mqtt": mqtt}))
        if self.cell is not None:
            self.cell.run("cp", "-a", f"{state}/.", str(self.cell.disk))

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.fakes.faulted_agent"]
        command += [str(self.folder / "agent.yaml"), str(self.folder)]
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.cell.inside(*command) if self.cell is not None else command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=_REPOSITORY,
                env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "OMP_NUM_THREADS": "1"},
            )

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def end(self) -> int:
        """Stop as a person would."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        if self.cell is not None:
            self.cell.close()

    def available(self) -> str:
        return self.world.state(self.topics.available)

    def status(self, camera: str = "front") -> str:
        return self.world.state(self.topics.camera(camera, "status"))

    def reason(self, camera: str = "front") -> str:
        detail = self.world.ear.last(self.topics.camera(camera, "detail"))
        return CameraDetail.from_json(detail).reason if detail else ""

    def heard_since(self, moment_s: float, camera: str = "front") -> bool:
        """Return whether an event made after a monotonic moment was heard at home."""
        return any(made_s(event) > moment_s for event in self._of(camera, self.world.ear.events()))

    def stored_since(self, moment_s: float, camera: str = "front") -> bool:
        """Return whether an event made after a monotonic moment stands in the cloud."""
        stored = [document.event for document in self.world.stored(self.name)]
        return any(made_s(event) > moment_s for event in self._of(camera, stored))

    def _of(self, camera: str, events: Sequence[Event]) -> list[Event]:
        return [event for event in events if event.device == self.name and event.camera == camera]

    def visits(self, camera: str = "front") -> list[tuple[float, float, float]]:
        """Return when squares came and went, in monotonic seconds, of those that were long in view.

        The third number is the longest time between two pictures of it.
        """
        file = self.folder / f"{camera}.seen"
        moments = [float(line) for line in file.read_text().split()] if file.exists() else []
        visits: list[list[float]] = []
        for moment in moments:
            if visits and moment - visits[-1][-1] < 1.6:
                visits[-1].append(moment)
            else:
                visits.append([moment])
        return [
            (times[0], times[-1], max(after - before for before, after in pairwise(times)))
            for times in visits
            if times[-1] - times[0] > 1.2
        ]

    def last_words(self) -> str:
        log = self.folder / "agent.log"
        return f"{self.name}: {log.read_text()[-3000:] if log.exists() else ''}"


def made_s(event: Event) -> float:
    return event.clock.monotonic_s
