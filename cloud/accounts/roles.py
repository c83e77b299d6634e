"""Which role each route of the API needs at least: one table, a route a row.

owner > manager > viewer. Viewers look only, and see clear pictures never; managers teach, shrink and roll
out; owners also have the accounts and remove what cannot be brought back. A test walks all routes and fails
for one without a row; until it has one, it is for owners only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

Role = Literal["viewer", "manager", "owner"]
# `anybody`: needs no account (cameras bring keys of their own); `blurred`: viewers get its pictures blurred.
Access = Literal["anybody", "viewer", "blurred", "manager", "owner"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
_STRICTNESS: Final[tuple[Access, ...]] = get_args(Access)
_SAFE_AS: Final = {"HEAD": "GET", "OPTIONS": "GET"}

_TABLE: Final = """
anybody  GET            /health
anybody  POST           /enrol
anybody  GET            /device/desired
anybody  PUT            /device/reported
anybody  PUT            /device/frames/{request_id}
anybody  PUT            /device/nearby/{request_id}
anybody  POST           /offload

anybody  GET            /door
anybody  POST           /setup
anybody  POST           /login
viewer   POST           /logout
viewer   GET            /me
viewer   PUT            /me/password
viewer   GET DELETE     /me/sessions
viewer   DELETE         /me/sessions/{session}
viewer   GET POST       /me/tokens
viewer   DELETE         /me/tokens/{token}
viewer   PUT            /me/workspace
viewer   GET            /workspaces
owner    POST           /workspaces
owner    PATCH          /workspaces/{workspace}
owner    GET POST       /accounts
owner    PATCH DELETE   /accounts/{account}
owner    POST           /accounts/invited
manager  GET            /audit
manager  GET            /model-cache
manager  GET            /metrics

viewer   WS             /live
viewer   WS             /wall
viewer   GET            /profiles
viewer   GET            /detectors
manager  POST           /detectors
viewer   GET            /detectors/{detector_id}
manager  PATCH          /detectors/{detector_id}
owner    DELETE         /detectors/{detector_id}
manager  POST           /detectors/{detector_id}/train
manager  POST           /detectors/{detector_id}/compress
manager  POST           /detectors/{detector_id}/publish
viewer   GET            /detectors/{detector_id}/versions/{version}
manager  POST           /detectors/{detector_id}/versions/{version}/evaluate
manager  POST           /detectors/{detector_id}/versions/{version}/use
viewer   GET            /detectors/{detector_id}/versions/{version}/measured
viewer   GET            /detectors/{detector_id}/versions/{version}/thresholds
manager  PUT            /detectors/{detector_id}/versions/{version}/thresholds
viewer   GET            /detectors/{detector_id}/versions/{version}/report
manager  GET            /detectors/{detector_id}/versions/{version}/report.html
viewer   GET            /detectors/{detector_id}/compare
manager  POST           /detectors/{detector_id}/compare
manager  GET            /detectors/{detector_id}/compare.html
manager  POST           /detectors/{detector_id}/watch
viewer   GET            /detectors/{detector_id}/watch/{media_id}
manager  POST           /detectors/{detector_id}/suggest
viewer   GET            /detectors/{detector_id}/suggestions
viewer   GET            /detectors/{detector_id}/bundles

viewer   GET            /detectors/{detector_id}/attributes
manager  POST           /detectors/{detector_id}/attributes
viewer   GET            /detectors/{detector_id}/attributes/{attribute}
manager  PATCH DELETE   /detectors/{detector_id}/attributes/{attribute}
viewer   GET            /detectors/{detector_id}/attributes/{attribute}/examples
manager  POST           /detectors/{detector_id}/attributes/{attribute}/examples
manager  DELETE         /detectors/{detector_id}/attributes/{attribute}/examples/{example_id}
viewer   GET            /detectors/{detector_id}/attributes/{attribute}/unsorted
manager  POST           /detectors/{detector_id}/attributes/{attribute}/train

viewer   GET            /detectors/{detector_id}/media
manager  POST           /detectors/{detector_id}/media
manager  POST           /detectors/{detector_id}/labels
manager  POST           /detectors/{detector_id}/import
manager  POST           /detectors/{detector_id}/import/uploads
manager  GET POST OPTIONS  /detectors/{detector_id}/uploads
manager  GET PATCH DELETE  /uploads/{upload}
manager  GET            /detectors/{detector_id}/export
viewer   GET            /media/{media_id}
manager  GET            /media/{media_id}/playback
blurred  GET            /media/{media_id}/frames/{index}.jpg
blurred  GET            /media/{media_id}/frames/{index}/crop.jpg
viewer   GET            /media/{media_id}/frames/{index}/labels
manager  PUT            /media/{media_id}/frames/{index}/labels
manager  POST           /detectors/{detector_id}/prelabel
viewer   GET            /detectors/{detector_id}/proposals
viewer   GET            /media/{media_id}/frames/{index}/proposals
manager  POST           /media/{media_id}/frames/{index}/proposals/accept
manager  POST           /media/{media_id}/frames/{index}/proposals/reject
viewer   GET            /detectors/{detector_id}/teaching
manager  POST           /detectors/{detector_id}/teaching
manager  POST           /detectors/{detector_id}/teaching/ready
viewer   GET            /detectors/{detector_id}/teaching/events
manager  POST           /detectors/{detector_id}/teaching/cancel
manager  GET            /media/{media_id}/frames/{index}/live
viewer   GET            /detectors/{detector_id}/jobs
viewer   GET            /jobs/{job_id}
viewer   GET            /jobs/{job_id}/events
manager  POST           /jobs/{job_id}/cancel

viewer   GET            /bundles
viewer   GET            /bundles/{bundle_id}
manager  POST           /bundles/{bundle_id}/withdraw
manager  GET            /bundles/{bundle_id}/receipt.html
manager  GET            /bundles/{bundle_id}/bundle.zip

viewer   GET            /events
owner    DELETE         /events
viewer   GET            /events/{event_id}
blurred  GET            /events/{event_id}/thumbnail.jpg
viewer   GET            /corrections
manager  POST           /corrections
viewer   GET            /corrections/{correction_id}
manager  PATCH DELETE   /corrections/{correction_id}
blurred  GET            /corrections/{correction_id}/frame.jpg
viewer   GET            /search
viewer   GET POST       /search/read
viewer   GET            /search/known
viewer   GET            /searches
manager  POST           /searches
manager  DELETE         /searches/{search}
viewer   GET            /counts
viewer   GET            /analytics/together
viewer   GET            /analytics/dwell
viewer   GET            /analytics/heat
viewer   GET            /analytics/events.csv
viewer   GET            /analytics/events.parquet
viewer   GET            /streams
viewer   GET            /streams/{stream}
viewer   GET            /streams/{stream}/gaps
manager  POST           /streams
manager  PATCH DELETE   /streams/{stream}
manager  POST           /streams/{stream}/pause
manager  POST           /streams/{stream}/resume
viewer   GET            /scans
manager  POST           /scans

manager  GET POST       /alerts
manager  GET            /alerts/log
manager  POST           /alerts/{alert}/test
manager  PUT DELETE     /alerts/{alert}
manager  GET            /alerts/kinds
anybody  GET POST       /answers/{token}

viewer   GET            /devices
viewer   GET            /devices/{name}
viewer   GET            /devices/{name}/cameras/{camera}/live.mjpeg
owner    DELETE         /devices/{name}
manager  POST           /devices/{name}/accept
manager  POST           /devices/{name}/revoke
manager  PUT            /devices/{name}/labels
manager  POST           /devices/{name}/assign
manager  PUT            /devices/{name}/cameras/{camera}
manager  GET POST       /devices/{name}/nearby
manager  POST           /devices/{name}/nearby/cameras
manager  DELETE         /devices/{name}/nearby/cameras/{camera}
manager  POST           /enrolment-tokens
viewer   GET            /rollouts
manager  POST           /rollouts
manager  POST           /rollouts/preview
viewer   GET            /rollouts/{number}
manager  POST           /rollouts/{number}/{order}
"""


@dataclass(frozen=True)
class Row:
    """One row of the table; `path` is that of the route, below the API's prefix."""

    access: Access
    method: str
    path: str
    pattern: re.Pattern[str]


def _rows(table: str) -> tuple[Row, ...]:
    rows = []
    for line in filter(None, table.splitlines()):
        access, *methods, path = line.split()
        pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))
        known = next(one for one in _STRICTNESS if one == access)
        rows += [Row(known, method, path, pattern) for method in methods]
    return tuple(rows)


TABLE: Final = _rows(_TABLE)


def _by_shape(rows: tuple[Row, ...]) -> dict[tuple[str, int], tuple[Row, ...]]:
    """Return the rows by method and number of parts, so that a request is compared with few."""
    shapes = {(row.method, row.path.count("/")) for row in rows}
    return {
        (method, parts): tuple(row for row in rows if (row.method, row.path.count("/")) == (method, parts))
        for method, parts in shapes
    }


_ROWS: Final = _by_shape(TABLE)


def access_of(method: str, path: str) -> Access:
    """Return what a request needs; where several rows fit, the strictest counts, where none does: owner.

    Args:
        method: Its HTTP method, or `WS` for a WebSocket.
        path: Its path below the API's prefix.
    """
    rows = _ROWS.get((_SAFE_AS.get(method, method), path.count("/")), ())
    found = [row.access for row in rows if row.pattern.fullmatch(path)]
    return max(found, key=_STRICTNESS.index, default="owner")


def least_role(access: Access) -> Role:
    """Return the role that is needed at least by whoever has to have one."""
    return next((role for role in ROLES if role == access), "viewer")


def is_at_least(role: Role, least: Role) -> bool:
    """Return whether a role may do all that `least` may."""
    return ROLES.index(role) >= ROLES.index(least)


def lower_of(one: Role, other: Role) -> Role:
    """Return the role of the two that may do less."""
    return min(one, other, key=ROLES.index)
