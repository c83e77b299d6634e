"""Viewers see blurred pictures only, whatever a route answers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.testclient import TestClient
from PIL import Image
from starlette.types import Receive, Scope, Send

from cloud.accounts.roles import TABLE
from cloud.api.blurring import Blurring, asking_for_whole, blurred
from tests.cloud.api.conftest import Cloud
from tests.cloud.api.people import add_person, cheapen
from tests.cloud.homes import add_detector


def _stripes() -> bytes:
    """Return a picture of fine black and white stripes, of which nothing may be left."""
    rgb = np.zeros((240, 320, 3), np.uint8)
    rgb[:, ::8] = rgb[:, 1::8] = rgb[:, 2::8] = rgb[:, 3::8] = 255
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def _contrast(jpeg: bytes) -> float:
    return float(np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), np.float32)[40:-40, 40:-40].std())


def test_viewer_sees_of_every_picture_rough_colours_only(cloud: Cloud) -> None:
    cheapen(cloud)
    owner, viewer = add_person(cloud, "anna", "owner"), add_person(cloud, "vera", "viewer")
    path = f"/api/v1/detectors/{add_detector(cloud.home)}/media"
    media_id = owner.client.post(path, files={"file": ("a.jpg", _stripes())}).json()["id"]
    frames = f"/api/v1/media/{media_id}/frames/0"
    for address in (f"{frames}.jpg", f"{frames}.jpg?width=160", f"{frames}/crop.jpg?box=0,0,1,1"):
        clear = owner.client.get(address)
        assert _contrast(clear.content) > 60
        rough = viewer.client.get(address, headers={"Range": "bytes=0-99", "If-None-Match": "*"})
        assert rough.status_code == 200
        assert _contrast(rough.content) < 30
        assert rough.headers["cache-control"] == "private, no-store"
        assert "etag" not in rough.headers
    assert viewer.client.get(f"/api/v1/media/{media_id}/playback").status_code == 403


def test_every_route_that_answers_a_jpeg_is_blurred_for_viewers_or_not_theirs() -> None:
    # Live pictures (MJPEG, and those of the wall) come blurred from the camera; their routes know the role.
    pictures = {row.path: row.access for row in TABLE if row.path.endswith((".jpg", ".jpeg", ".png"))}
    assert len(pictures) >= 4
    assert set(pictures.values()) <= {"blurred", "manager", "owner"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Response(_stripes(), media_type="image/jpeg"), 200),
        (Response(_stripes()[:300], media_type="image/jpeg"), 403),
        (Response(b"<svg/>", media_type="image/svg+xml"), 403),
        (HTMLResponse("<img>"), 403),
        (JSONResponse({"detail": "gone"}, 404), 404),
    ],
    ids=["picture", "broken picture", "drawing", "page", "error"],
)
def test_filter_lets_through_blurred_pictures_and_errors_only(answer: Response, status: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(asking_for_whole(scope), receive, Blurring(send))

    told = TestClient(app).get("/")
    assert told.status_code == status
    if status == 200:
        assert told.content == blurred(_stripes())
