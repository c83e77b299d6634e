"""The live wall: who is asked, who gets what, and that a slow page gets the newest only."""

from __future__ import annotations

import asyncio
import base64

import pytest

from cloud.ingest.wall import Shown, Viewer, Wall, look_of
from edge_agent.wire.live import LivePicture, LookWanted

DOOR, YARD = ("porch", "door"), ("porch", "yard")


def payload(camera: str, at_s: float, *, blurred: bool = True) -> bytes:
    jpeg = base64.b64encode(f"{camera} {at_s}".encode()).decode()
    return LivePicture(camera=camera, frame_time=at_s, blurred=blurred, jpeg_base64=jpeg).to_json().encode()


class Asked:
    """Keeps what cameras were asked for."""

    def __init__(self) -> None:
        self.wishes: list[tuple[str, LookWanted]] = []

    def __call__(self, device: str, wanted: LookWanted) -> None:
        self.wishes.append((device, wanted))


async def next_times(viewer: Viewer, count: int) -> list[tuple[str, float]]:
    shown: list[Shown] = [await asyncio.wait_for(viewer.next(), 10.0) for _ in range(count)]
    return [(one.picture.camera, one.picture.frame_time) for one in shown]


def test_wall_asks_only_cameras_that_are_on_a_screen() -> None:
    async def look() -> None:
        with wall.viewer(may_see_clear=True) as viewer:
            wall.ask_for(viewer)
            viewer.watch(frozenset({DOOR, YARD}))
            wall.ask_for(viewer)
            viewer.watch(frozenset({DOOR}))
            wall.ask_for(viewer)

    asked = Asked()
    wall = Wall(asked)
    asyncio.run(look())
    assert sorted(wanted.camera for _, wanted in asked.wishes) == ["door", "door", "yard"]


def test_wall_slow_page_gets_the_newest_picture_of_each_camera() -> None:
    async def look() -> None:
        with wall.viewer(may_see_clear=False) as viewer:
            viewer.watch(frozenset({DOOR, YARD}))
            wall.take("porch", payload("door", 1.0))
            assert await next_times(viewer, 1) == [("door", 1.0)]
            for at_s in (2.0, 3.0, 4.0):
                wall.take("porch", payload("door", at_s))
            wall.take("porch", payload("yard", 2.0))
            # The page has not drawn the first one yet: the other camera does not wait for that.
            assert await next_times(viewer, 1) == [("yard", 2.0)]
            viewer.has_shown(DOOR)
            assert await next_times(viewer, 1) == [("door", 4.0)]

    wall = Wall(Asked())
    asyncio.run(look())


@pytest.mark.parametrize(("may_see_clear", "expected"), [(True, [1.0, 2.0]), (False, [2.0])])
def test_wall_clear_pictures_reach_only_who_may_see_them(may_see_clear: bool, expected: list[float]) -> None:
    async def look() -> list[float]:
        with wall.viewer(may_see_clear=may_see_clear) as viewer:
            viewer.watch(frozenset({DOOR}))
            got = []
            for at_s, blurred in ((1.0, False), (2.0, True)):
                wall.take("porch", payload("door", at_s, blurred=blurred))
                await asyncio.sleep(0.01)
                if viewer.has_news:
                    got.append((await viewer.next()).picture.frame_time)
                    viewer.has_shown(DOOR)
            return got

    wall = Wall(Asked())
    assert asyncio.run(look()) == expected


@pytest.mark.parametrize(
    "rubbish", [b"", b"{}", b'{"camera": "door", "frame_time": 1, "blurred": true, "jpeg_base64": "*"}']
)
def test_wall_rubbish_from_a_device_is_shown_to_nobody(rubbish: bytes) -> None:
    async def look() -> None:
        with wall.viewer(may_see_clear=True) as viewer:
            viewer.watch(frozenset({DOOR}))
            wall.take("porch", rubbish)
            wall.take("cellar", payload("door", 1.0))
            wall.take("porch", payload("yard", 1.0))
            wall.take("porch", payload("door", 2.0))
            assert await next_times(viewer, 1) == [("door", 2.0)]

    wall = Wall(Asked())
    asyncio.run(look())


@pytest.mark.parametrize(("tiles", "fps", "max_px"), [(1, 10.0, 640), (16, 3.0, 480), (64, 1.0, 480)])
def test_look_of_many_tiles_is_slower_and_smaller(tiles: int, fps: float, max_px: int) -> None:
    wanted = look_of("door", tiles)
    assert (wanted.fps, wanted.max_px) == (fps, max_px)
