"""What fleet commands can ask for: of a home folder, or of a running cloud; answers are the API's JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, cast

from sqlalchemy.orm import Session

from cloud.actions import bundles as bundle_actions
from cloud.actions import fleet as fleet_actions
from cloud.actions import rollouts as rollout_actions
from cloud.actions.ageing import delete_aged
from cloud.actions.forgetting import Doomed
from cloud.actions.open_home import Home, open_home
from cloud.actions.rollout_preview import preview
from cloud.api.rollouts import AuditView, preview_view, rollout_view
from cloud.api.views import bundle_view, device_view
from cloud.client import CloudClient
from cloud.commands.options import read_settings
from cloud.fleet.rollout_plan import Plan
from cloud.fleet.rollout_states import Order
from cloud.store import audit, rollouts

Json = dict[str, Any]


class FleetBackend(Protocol):
    """A home folder, or a running cloud."""

    def rollouts(self) -> list[Json]:
        """Return all roll-outs, newest first."""
        ...

    def rollout(self, number: int) -> Json:
        """Return one roll-out with its devices."""
        ...

    def preview(self, plan: Plan) -> Json:
        """Return what a plan would do."""
        ...

    def begin(self, plan: Plan) -> Json:
        """Begin a roll-out."""
        ...

    def order(self, number: int, order: Order) -> Json:
        """Pause, continue, abort, roll back or retry."""
        ...

    def audit(self, device: str | None) -> list[Json]:
        """Return what was done, newest first."""
        ...

    def withdraw(self, bundle: str) -> Json:
        """Take a published bundle back."""
        ...

    def accept(self, device: str) -> Json:
        """Let a device in that waits."""
        ...

    def revoke(self, device: str) -> Json:
        """Believe a device no more."""
        ...

    def remove(self, device: str, *, data: bool) -> None:
        """Remove a device, with its events and pictures or without."""
        ...

    def arrange(self, device: str, group: str | None, labels: list[str]) -> Json:
        """Put a device into a group and give it labels."""
        ...


class LocalFleet:
    """A home folder; the server that runs on it, or the next one, carries roll-outs on."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def rollouts(self) -> list[Json]:
        """Return all roll-outs, newest first."""
        with self._home.database.read() as session:
            return [self._view(session, row.number) for row in rollouts.every(session)]

    def rollout(self, number: int) -> Json:
        """Return one roll-out with its devices."""
        with self._home.database.read() as session:
            members = rollout_actions.members_of(session, number)
            rollout = rollout_actions.load(session, number)
            view = rollout_view(rollout, rollouts.count_members(session, number), members)
        return view.model_dump(mode="json")

    def preview(self, plan: Plan) -> Json:
        """Return what a plan would do."""
        with self._home.database.read() as session:
            return preview_view(preview(session, self._home.settings, plan)).model_dump(mode="json")

    def begin(self, plan: Plan) -> Json:
        """Begin a roll-out."""
        with self._home.database.write(durable=True) as session:
            number = rollout_actions.begin(session, plan, now_s=self._home.clock.now_s()).number
            return self._view(session, number)

    def order(self, number: int, order: Order) -> Json:
        """Pause, continue, abort, roll back or retry."""
        with self._home.database.write(durable=True) as session:
            rollout_actions.order(session, number, order, now_s=self._home.clock.now_s())
            return self._view(session, number)

    def audit(self, device: str | None) -> list[Json]:
        """Return what was done, newest first."""
        with self._home.database.read() as session:
            rows = audit.newest(session, device=device)
            return [AuditView.model_validate(row, from_attributes=True).model_dump() for row in rows]

    def withdraw(self, bundle: str) -> Json:
        """Take a published bundle back."""
        repository = bundle_actions.open_repository(self._home.settings, self._home.clock)
        with self._home.database.write(durable=True) as session:
            row = bundle_actions.withdraw(session, repository, bundle, now_s=self._home.clock.now_s())
            return bundle_view(row).model_dump(mode="json")

    def accept(self, device: str) -> Json:
        """Let a device in that waits."""
        with self._home.database.write(durable=True) as session:
            row = fleet_actions.accept(session, device, now_s=self._home.clock.now_s())
            return device_view(session, row).model_dump(mode="json")

    def revoke(self, device: str) -> Json:
        """Believe a device no more."""
        with self._home.database.write(durable=True) as session:
            row = fleet_actions.revoke(session, device, now_s=self._home.clock.now_s())
            return device_view(session, row).model_dump(mode="json")

    def remove(self, device: str, *, data: bool) -> None:
        """Remove a device, with its events and pictures or without."""
        now_s = self._home.clock.now_s()
        with self._home.database.write(durable=True) as session:
            fleet_actions.remove(session, self._home.settings, device, with_data=data, now_s=now_s)
        if data:
            delete_aged(self._home, Doomed(device=device))

    def arrange(self, device: str, group: str | None, labels: list[str]) -> Json:
        """Put a device into a group and give it labels."""
        with self._home.database.write(durable=True) as session:
            row = fleet_actions.arrange(session, device, group, labels, now_s=self._home.clock.now_s())
            return device_view(session, row).model_dump(mode="json")

    @staticmethod
    def _view(session: Session, number: int) -> Json:
        rollout = rollout_actions.load(session, number)
        return rollout_view(rollout, rollouts.count_members(session, number)).model_dump(mode="json")


class RemoteFleet:
    """A running cloud."""

    def __init__(self, client: CloudClient) -> None:
        self._client = client

    def rollouts(self) -> list[Json]:
        """Return all roll-outs, newest first."""
        return cast("list[Json]", self._client.get("/rollouts"))

    def rollout(self, number: int) -> Json:
        """Return one roll-out with its devices."""
        return cast("Json", self._client.get(f"/rollouts/{number}"))

    def preview(self, plan: Plan) -> Json:
        """Return what a plan would do."""
        return cast("Json", self._client.post("/rollouts/preview", plan.model_dump(mode="json")))

    def begin(self, plan: Plan) -> Json:
        """Begin a roll-out."""
        return cast("Json", self._client.post("/rollouts", plan.model_dump(mode="json")))

    def order(self, number: int, order: Order) -> Json:
        """Pause, continue, abort, roll back or retry."""
        return cast("Json", self._client.post(f"/rollouts/{number}/{order}"))

    def audit(self, device: str | None) -> list[Json]:
        """Return what was done, newest first."""
        query = {} if device is None else {"device": device}
        return cast("list[Json]", self._client.get("/audit", **query))

    def withdraw(self, bundle: str) -> Json:
        """Take a published bundle back."""
        return cast("Json", self._client.post(f"/bundles/{bundle}/withdraw"))

    def accept(self, device: str) -> Json:
        """Let a device in that waits."""
        return cast("Json", self._client.post(f"/devices/{device}/accept"))

    def revoke(self, device: str) -> Json:
        """Believe a device no more."""
        return cast("Json", self._client.post(f"/devices/{device}/revoke"))

    def remove(self, device: str, *, data: bool) -> None:
        """Remove a device, with its events and pictures or without."""
        self._client.delete(f"/devices/{device}?data={str(data).lower()}")

    def arrange(self, device: str, group: str | None, labels: list[str]) -> Json:
        """Put a device into a group and give it labels."""
        body = {"group": group, "labels": labels}
        return cast("Json", self._client.put(f"/devices/{device}/labels", body))


def connect_fleet(home: Path | None, url: str | None, token: str | None = None) -> FleetBackend:
    """Return what `--url` names, else the home folder.

    Raises:
        ConfigError: A setting is wrong.
        StorageError: The home folder cannot be used.
    """
    if url is None:
        return LocalFleet(open_home(read_settings(home)))
    return RemoteFleet(CloudClient(url, token=token))
