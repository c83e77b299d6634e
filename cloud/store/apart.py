"""The condition of each table that keeps workspaces apart.

What has a `workspace_id` is compared by it, what hangs on such a row goes through it, and of events counts
whose the name is under which they came. A new table needs a place here:
`tests/cloud/store/test_scope.py` fails for one that has none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, false, literal, not_, or_, select
from sqlalchemy.orm import with_loader_criteria
from sqlalchemy.sql.base import ExecutableOption

from cloud.accounts.workspaces import HOME
from cloud.store.account_tables import AccountRow, AnsweredRow, ApiTokenRow, SessionRow
from cloud.store.aged_tables import AgedFileRow
from cloud.store.alert_tables import AlertJudgedRow, AlertMessageRow, AlertRuleRow
from cloud.store.owned import Owned
from cloud.store.rollout_tables import AuditRow, RolloutMemberRow, RolloutRow
from cloud.store.scan_tables import RecordingRow, ScanRow
from cloud.store.search_tables import SavedSearchRow
from cloud.store.stream_tables import StreamGapRow, StreamLeaseRow, StreamRow, StreamWorkerRow
from cloud.store.tables import (
    Base,
    BundleRow,
    DeadLetter,
    DesiredState,
    Detector,
    Device,
    EnrolmentToken,
    EventGap,
    EventState,
    Frame,
    Job,
    LabelBox,
    Media,
    Proposal,
    ReportedState,
    Spool,
    StoredCorrection,
    StoredEvent,
    Thumbnail,
    Version,
)
from cloud.store.workspace_tables import EventSourceRow, MembershipRow, WorkspaceRow

Condition = ColumnElement[bool]

SHARED_DEVICES: Final = ("cloud-stream", "scan")
"""What events of streams and of recordings name as their device, whosever they are: their cameras differ."""

OWNED: Final[tuple[type[Owned], ...]] = (
    AlertMessageRow, AlertRuleRow, ApiTokenRow, AuditRow, Detector, Device, EnrolmentToken, Job, RecordingRow,
    RolloutRow, SavedSearchRow, StoredCorrection, StreamRow,
)  # fmt: skip

UNCONDITIONAL: Final[dict[type[Base], str]] = {
    SessionRow: "asked for by the account that is logged in only, and ended with it in all workspaces",
    AnsweredRow: "its key is a digest of account, workspace and address",
    AgedFileRow: "a file holds events of all workspaces; `cloud.search.aged` compares each",
    StreamWorkerRow: "processes of the server; no route tells of them",
}
"""Tables without a condition, and why they need none."""

_BY_KEY: Final = (StoredEvent, Thumbnail, EventGap, Spool, DeadLetter)
"""Deleted only by device and id of what was found by a condition before, which may be gone by then."""


@lru_cache(maxsize=1000)
def loader_criteria(workspace_id: str, *, is_delete: bool = False) -> tuple[ExecutableOption, ...]:
    """Return what is put to each statement of a session that sees one workspace.

    Args:
        workspace_id: Which one.
        is_delete: The statement deletes.
    """
    conditions = conditions_of(workspace_id)
    return tuple(
        with_loader_criteria(kind, condition, include_aliases=True)
        for kind, condition in conditions.items()
        if not (is_delete and kind in _BY_KEY)
    )


def conditions_of(workspace_id: str) -> dict[type[Base], Condition]:
    """Return the condition of each table that has one."""
    found: dict[type[Any], Condition] = {kind: kind.workspace_id == workspace_id for kind in OWNED}
    found |= _hanging(workspace_id)
    found |= _of_events(workspace_id)
    found[WorkspaceRow] = WorkspaceRow.id == workspace_id
    found[MembershipRow] = MembershipRow.workspace_id == workspace_id
    found[EventSourceRow] = EventSourceRow.workspace_id == workspace_id
    return found


def place_is_own(device: Any, camera: Any, workspace: Any, *, is_home: bool) -> Condition:  # noqa: ANN401 - columns
    """Return whether events of a place belong to a workspace; what nobody else's is, is home's.

    Args:
        device: The column of the device.
        camera: The column of the camera; none: the table has none, and only whole devices count.
        workspace: The id, or a parameter for it.
        is_home: Whether that is `home`.
    """
    sources = EventSourceRow.__table__.c
    theirs = sources.workspace_id != workspace if is_home else sources.workspace_id == workspace

    def named(column: Any, *wanted: Condition) -> Select[Any]:  # noqa: ANN401 - a column
        return select(column).where(theirs, *wanted)

    places = [device.in_(named(sources.device, sources.camera == ""))]
    if camera is not None:
        places += [
            and_(device == shared, camera.in_(named(sources.camera, sources.device == shared)))
            for shared in SHARED_DEVICES
        ]
    return not_(or_(*places)) if is_home else or_(*places)


def _hanging(workspace_id: str) -> dict[type[Any], Condition]:
    """Return the conditions of what hangs on a row with a `workspace_id`."""
    of = _Root(workspace_id)
    return {
        Version: of.root(Detector, "id", Version.detector_id),
        Media: of.root(Detector, "id", Media.detector_id),
        BundleRow: of.root(Detector, "id", BundleRow.detector_id),
        Frame: of.medium(Frame.media_id),
        Proposal: of.medium(Proposal.media_id),
        LabelBox: of.frame(LabelBox.frame_id),
        DesiredState: of.root(Device, "name", DesiredState.device),
        ReportedState: of.root(Device, "name", ReportedState.device),
        RolloutMemberRow: of.root(RolloutRow, "number", RolloutMemberRow.rollout),
        AlertJudgedRow: of.root(AlertRuleRow, "id", AlertJudgedRow.rule_id),
        ScanRow: of.root(RecordingRow, "id", ScanRow.recording_id),
        StreamLeaseRow: of.root(StreamRow, "id", StreamLeaseRow.stream_id),
        StreamGapRow: of.root(StreamRow, "id", StreamGapRow.stream_id),
        AccountRow: of.member(AccountRow.id),
    }


class _Root:
    """Makes conditions that go through the row on which something hangs, by its key."""

    def __init__(self, workspace_id: str) -> None:
        self._workspace_id = workspace_id

    def root(self, kind: type[Any], key: str, column: Any) -> Condition:  # noqa: ANN401 - a column
        table = kind.__table__.alias()
        own = table.c.workspace_id == self._workspace_id
        return select(literal(1)).where(table.c[key] == column, own).exists()

    def medium(self, column: Any) -> Condition:  # noqa: ANN401 - a column
        table = Media.__table__.alias()
        own = self.root(Detector, "id", table.c.detector_id)
        return select(literal(1)).where(table.c.id == column, own).exists()

    def frame(self, column: Any) -> Condition:  # noqa: ANN401 - a column
        table = Frame.__table__.alias()
        return select(literal(1)).where(table.c.id == column, self.medium(table.c.media_id)).exists()

    def member(self, column: Any) -> Condition:  # noqa: ANN401 - a column
        table = MembershipRow.__table__.alias()
        own = table.c.workspace_id == self._workspace_id
        return select(literal(1)).where(table.c.account_id == column, own).exists()


def _of_events(workspace_id: str) -> dict[type[Any], Condition]:
    is_home = workspace_id == HOME

    def whole(kind: Any) -> Condition:  # noqa: ANN401 - a table's class
        return place_is_own(kind.device, None, workspace_id, is_home=is_home)

    def counted(kind: Any) -> Condition:  # noqa: ANN401 - a table's class
        # Numbers only, by the id of a stream or a scan: whoever stores its events goes on counting.
        return or_(kind.device.in_(SHARED_DEVICES), whole(kind))

    def by_state(kind: Any, *, also_without: bool) -> Condition:  # noqa: ANN401 - a table's class
        state = EventState.__table__.alias()
        own = place_is_own(state.c.device, state.c.camera, workspace_id, is_home=is_home)
        same = (state.c.device == kind.device, state.c.event_id == kind.event_id)
        is_shared = kind.device.in_(SHARED_DEVICES)
        fits: Condition = select(literal(1)).where(*same, own).exists()
        if also_without:
            fits = not_(select(literal(1)).where(*same, not_(own)).exists())
        return or_(and_(not_(is_shared), whole(kind)), and_(is_shared, fits))

    makers: dict[type[Base], Callable[[Any], Condition]] = {
        EventState: lambda kind: place_is_own(kind.device, kind.camera, workspace_id, is_home=is_home),
        # One whose event is gone has to be known when it comes again; nobody is shown a document alone.
        StoredEvent: lambda kind: by_state(kind, also_without=True),
        Thumbnail: lambda kind: by_state(kind, also_without=False),
        EventGap: counted,
        Spool: counted,
        # Nobody can tell whose a message is that cannot be understood.
        DeadLetter: lambda _kind: false(),
    }
    return {kind: make(kind) for kind, make in makers.items()}
