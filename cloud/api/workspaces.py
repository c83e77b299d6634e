"""Routes: workspaces; what one has, no other sees."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.accounts.roles import Role
from cloud.actions.workspaces import Listed
from cloud.api.door import caller_of
from cloud.api.paging import Paged
from cloud.api.services import Used

router = APIRouter(prefix="/workspaces", tags=["accounts"])


class WorkspaceBody(BaseModel):
    """What a workspace is called."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)


class WorkspaceView(BaseModel):
    """A workspace that one is in, and what one may do there; `current`: you are in it now."""

    id: str
    name: str
    role: Role
    created: float
    current: bool


@router.get("")
def list_workspaces(request: Request, services: Used, page: Paged) -> list[WorkspaceView]:
    """List the workspaces that you are in, by name."""
    return [_view(one) for one in page.of(services.workspaces.of(caller_of(request)))]


@router.post("", status_code=201)
def make_workspace(request: Request, services: Used, body: WorkspaceBody) -> WorkspaceView:
    """Make a workspace, and be its owner; owners of the server's first workspace can."""
    return _view(services.workspaces.add(caller_of(request), body.name))


@router.patch("/{workspace}")
def rename_workspace(request: Request, services: Used, workspace: str, body: WorkspaceBody) -> WorkspaceView:
    """Give the workspace another name that you are in now."""
    return _view(services.workspaces.rename(caller_of(request), workspace, body.name))


def _view(one: Listed) -> WorkspaceView:
    return WorkspaceView.model_validate(one, from_attributes=True)
