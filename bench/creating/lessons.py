"""The frames of the sample tasks, as the benchmarks use them."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from PIL import Image

from cloud.datasets.coco import CocoImage, CocoLabels, labelled_frames, parse_coco
from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.datasets.pictures import read_pictures
from cloud.datasets.video import probe
from cloud.samples.catalog import SampleTask, find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip

SET_FRAMES = 10
_GAP_S = 1.0
_CACHE = Path.home() / ".cache" / "elfowl"


@dataclass(frozen=True)
class Lessons:
    """One task: disjoint sets of ten frames to learn from, and frames that no detector has seen.

    Every frame of `sets` is at least a second before the first one of `test`. `blind` has frames that nothing
    was ever tuned on, of some tasks only.
    """

    task: SampleTask
    sets: tuple[tuple[LabelledFrame, ...], ...]
    test: tuple[LabelledFrame, ...]
    blind: tuple[LabelledFrame, ...]

    def spread(self, number: int, count: int) -> tuple[LabelledFrame, ...]:
        """Return so many frames, spread over a set, or over it and those after it if it has too few."""
        rest = [
            frame
            for one in (*self.sets[number:], *self.sets[:number])[: -(-count // SET_FRAMES)]
            for frame in one
        ]
        rest.sort(key=lambda frame: frame.source.frame_index or 0)
        return tuple(rest[(2 * i + 1) * len(rest) // (2 * count)] for i in range(count))

    @property
    def classes(self) -> list[str]:
        """Return the classes, in order."""
        return list(self.task.classes)


def tell(line: str) -> None:
    """Say how far it is; stdout is for results."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def read_lessons(name: str) -> Lessons:
    """Return the frames of a sample task; obtains its clip where need be.

    Where the label file names no sets there is one: ten frames spread evenly over those a second before the
    first test frame.

    Raises:
        FootageError: The clip cannot be had.
    """
    task = find_sample_task(name)
    clip = obtain_clip(task, cache_dir=_CACHE, runner=SystemCommandRunner(), report=tell)
    document = json.loads(task.train_labels.read_bytes())
    train = parse_coco(task.train_labels.read_bytes(), f"{name} training labels").images
    test = _frames(task, task.test_labels, clip)
    last = min(frame.source.frame_index or 0 for frame in test) - _GAP_S * probe(clip).fps
    blind = _frames(task, task.blind_labels, clip) if task.blind_labels else ()
    numbers = numbers_of_sets(document["images"], last)
    sets = tuple(_tie(task, [image for image in train if image.id in numbers[key]], clip) for key in numbers)
    return Lessons(task, sets, unpacked(test, _CACHE / "frames"), unpacked(blind, _CACHE / "frames"))


def unpacked(frames: Sequence[LabelledFrame], folder: Path) -> tuple[LabelledFrame, ...]:
    """Return frames of videos as files without loss: they are measured on again and again.

    Frames to learn from stay in their video; finding them there is part of what is timed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {frame.source: folder / f"{frame.source.name}.png" for frame in frames}
    for source, rgb in read_pictures(source for source, path in paths.items() if not path.is_file()):
        partial = paths[source].with_suffix(f".{os.getpid()}.png")
        Image.fromarray(rgb).save(partial)
        partial.replace(paths[source])
    return tuple(replace(frame, source=PictureSource(paths[frame.source])) for frame in frames)


def numbers_of_sets(images: Sequence[dict[str, Any]], last_frame: float) -> dict[int, set[int]]:
    """Return the image ids of each set, by its number, of images up to a frame.

    Args:
        images: Of a COCO file; `set` is the number of a set, where there is one.
        last_frame: Frames after this one are too near the test frames.

    Raises:
        ValueError: An image of a set is too near the test frames.
    """
    sets: dict[int, set[int]] = defaultdict(set)
    for image in images:
        if "set" in image:
            sets[image["set"]].add(image["id"])
            if image["frame_index"] > last_frame:
                message = f"frame {image['frame_index']} is less than a second before the first test frame"
                raise ValueError(message)
    if sets:
        return dict(sorted(sets.items()))
    usable = sorted(
        (image["frame_index"], image["id"]) for image in images if image["frame_index"] <= last_frame
    )
    count = min(SET_FRAMES, len(usable))
    spread = [round(i * (len(usable) - 1) / max(1, count - 1)) for i in range(count)]
    return {0: {usable[position][1] for position in spread}}


def _frames(task: SampleTask, labels: Traversable, clip: Path) -> tuple[LabelledFrame, ...]:
    return _tie(task, parse_coco(labels.read_bytes(), labels.name).images, clip)


def _tie(task: SampleTask, images: Sequence[CocoImage], clip: Path) -> tuple[LabelledFrame, ...]:
    return tuple(labelled_frames(CocoLabels(task.classes, tuple(images)), lambda _: clip))
