"""The pixels of labelled frames, wherever they are; a video is opened once for all of its frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from cloud.datasets.frames import PictureSource
from cloud.datasets.images import read_image
from cloud.datasets.video import read_frames
from edge_agent.vision.arrays import Rgb


def read_picture(source: PictureSource) -> Rgb:
    """Return one picture `(h, w, 3) uint8 RGB`.

    Raises:
        InputError: The file or the frame cannot be read.
    """
    return next(rgb for _, rgb in read_pictures([source]))


def read_pictures(sources: Iterable[PictureSource]) -> Iterator[tuple[PictureSource, Rgb]]:
    """Yield each distinct source with its picture `(h, w, 3) uint8 RGB`; file by file, frames ascending.

    Raises:
        InputError: A file or a frame cannot be read.
    """
    videos: dict[Path, list[int]] = defaultdict(list)
    images: dict[Path, None] = {}
    for source in sources:
        if source.frame_index is None:
            images[source.path] = None
        else:
            videos[source.path].append(source.frame_index)
    for path in images:
        yield PictureSource(path), read_image(path)
    for path, indices in videos.items():
        for index, rgb in read_frames(path, indices):
            yield PictureSource(path, index), rgb


class PictureShelf:
    """Pictures that are all wanted soon: read in one pass, when the first is asked for.

    Going through a video once for each of its frames takes longer than the rest of a compression. A picture
    leaves the shelf when it is taken, so that memory is free again; asked for once more, it is read anew.
    """

    def __init__(self, sources: Iterable[PictureSource]) -> None:
        self._waiting = list(sources)
        self._shelf: dict[PictureSource, Rgb] = {}

    def take(self, source: PictureSource) -> Rgb:
        """Return a picture `(h, w, 3) uint8 RGB`.

        Raises:
            InputError: The file or the frame cannot be read.
        """
        waiting, self._waiting = self._waiting, []
        self._shelf.update(read_pictures(waiting))
        taken = self._shelf.pop(source, None)
        return read_picture(source) if taken is None else taken
