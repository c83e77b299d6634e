"""The live wall: asks cameras for pictures while somebody looks, and hands each viewer the newest only.

Invariants:
- A camera is asked only while a viewer has it on the screen, and stops by itself when nobody asks again.
- A viewer gets a camera's next picture once it has shown the last one: who is slow gets fewer, none old.
- Pictures are never stored.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from edge_agent.wire.live import LivePicture, LookWanted

_LOG = logging.getLogger(__name__)

ASK_EVERY_S = 4.0
_LOOK_S = 3 * ASK_EVERY_S
_MOST_TILES = 64
# Pictures a second of all tiles of one viewer together; and of one.
_ALL_FPS, _LEAST_FPS, _MOST_FPS = 48.0, 1.0, 10.0
_FEW_TILES, _LARGE_PX, _SMALL_PX = 2, 640, 480

Tile = tuple[str, str]
"""A device and one of its cameras."""


@dataclass(frozen=True)
class Shown:
    """One picture on its way to a viewer; `jpeg` is the file."""

    device: str
    picture: LivePicture
    jpeg: bytes

    @property
    def tile(self) -> Tile:
        """Return where it belongs."""
        return self.device, self.picture.camera


@dataclass(eq=False)
class Viewer:
    """One open page, within one event loop."""

    loop: asyncio.AbstractEventLoop
    may_see_clear: bool
    tiles: frozenset[Tile] = frozenset()
    _newest: dict[Tile, Shown] = field(default_factory=dict)
    _under_way: set[Tile] = field(default_factory=set)
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, shown: Shown) -> None:
        """Take a picture; an older one of the same camera that was not sent yet is forgotten."""
        if shown.tile in self.tiles and (shown.picture.blurred or self.may_see_clear):
            self._newest[shown.tile] = shown
            self._ready.set()

    def has_shown(self, tile: Tile) -> None:
        """Note that the page has drawn what it got last of a camera."""
        self._under_way.discard(tile)
        self._ready.set()

    @property
    def has_news(self) -> bool:
        """Return whether `next` would return at once."""
        return any(tile not in self._under_way for tile in self._newest)

    async def next(self) -> Shown:
        """Return the next picture to send, as soon as there is one."""
        while True:
            for tile in list(self._newest):
                if tile not in self._under_way:
                    self._under_way.add(tile)
                    return self._newest.pop(tile)
            self._ready.clear()
            await self._ready.wait()

    def watch(self, tiles: frozenset[Tile]) -> None:
        """Note which cameras are on the screen now."""
        self.tiles = frozenset(sorted(tiles)[:_MOST_TILES])
        self._newest = {tile: shown for tile, shown in self._newest.items() if tile in self.tiles}
        self._under_way &= self.tiles


def look_of(camera: str, tiles: int) -> LookWanted:
    """Return what to ask a camera for, when so many are on the screen together."""
    fps = min(_MOST_FPS, max(_LEAST_FPS, _ALL_FPS / max(1, tiles)))
    max_px = _LARGE_PX if tiles <= _FEW_TILES else _SMALL_PX
    return LookWanted(camera=camera, for_s=_LOOK_S, fps=fps, max_px=max_px)


class Wall:
    """All viewers; pictures come from any thread."""

    def __init__(self, ask: Callable[[str, LookWanted], None]) -> None:
        """Begin with nobody looking; `ask` brings a wish to a device."""
        self._ask = ask
        self._lock = threading.Lock()
        self._viewers: set[Viewer] = set()

    @contextmanager
    def viewer(self, *, may_see_clear: bool) -> Iterator[Viewer]:
        """Look, within the running event loop; `may_see_clear`: pictures that are not blurred, too."""
        viewer = Viewer(asyncio.get_running_loop(), may_see_clear)
        with self._lock:
            self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            with self._lock:
                self._viewers.discard(viewer)

    def ask_for(self, viewer: Viewer) -> None:
        """Ask the cameras that a viewer watches to send, or to go on sending."""
        for device, camera in viewer.tiles:
            self._ask(device, look_of(camera, len(viewer.tiles)))

    def take(self, device: str, payload: bytes) -> None:
        """Hand a picture to those who look; one that nobody asked for is not even read."""
        with self._lock:
            viewers = [one for one in self._viewers if any(name == device for name, _ in one.tiles)]
        if not viewers:
            return
        try:
            picture = LivePicture.from_json(payload)
            jpeg = base64.b64decode(picture.jpeg_base64, validate=True)
        except (ValueError, binascii.Error):
            _LOG.warning("device %r sent a live picture that cannot be understood", device)
            return
        shown = Shown(device, picture, jpeg)
        for viewer in viewers:
            if not viewer.loop.is_closed():
                viewer.loop.call_soon_threadsafe(viewer.offer, shown)
