"""The sample tasks: which clip, whose boxes, which classes.

The boxes ship with elfowl; the clips do not: `cloud.samples.footage` obtains them from the Debian package
`opencv-doc`. In a training file each image entry has a `split`: "teach" for what a person shows first,
"correct" for what a simulated person corrects later, "more" for what only experiments use. `set`, where there
is one, is which of several disjoint sets of ten frames it belongs to. Frames of a test file are for
evaluation only, those of a blind one for a benchmark's final run only.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final

from cloud.errors import NotFoundError

_LABELS: Final = files("cloud.samples")


@dataclass(frozen=True, slots=True)
class SampleTask:
    """One task to try elfowl with.

    Attributes:
        name: short name, as typed on a command line.
        title: name of the project that a person sees.
        clip_file_name: file name of the clip, unpacked.
        clip_sha256: hex digest of the unpacked clip; box coordinates hold for these very frames.
        clip_member_path_in_package: where `opencv-doc` puts the clip, relative to the root; a name that
            ends in `.gz` is unpacked on the way.
        train_labels: COCO file of boxes to train on, xywh in px.
        test_labels: COCO file of boxes to measure by, xywh in px, of a later part of the clip.
        classes: class names in the order of their COCO category ids, which start at 1.
        blind_labels: like `test_labels`, of other frames that nobody tunes anything on; none for some tasks.
    """

    name: str
    title: str
    clip_file_name: str
    clip_sha256: str
    clip_member_path_in_package: PurePosixPath
    train_labels: Traversable
    test_labels: Traversable
    classes: tuple[str, ...]
    blind_labels: Traversable | None = None


SAMPLE_TASKS: Final = (
    SampleTask(
        name="persons",
        title="My camera: people on CCTV",
        clip_file_name="vtest.avi",
        clip_sha256="45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
        clip_member_path_in_package=PurePosixPath("usr/share/doc/opencv-doc/examples/data/vtest.avi"),
        train_labels=_LABELS / "persons_train.coco.json",
        test_labels=_LABELS / "persons_test.coco.json",
        classes=("person",),
        blind_labels=_LABELS / "persons_blind.coco.json",
    ),
    SampleTask(
        name="biscuit-box",
        title="Find my product: the biscuit box",
        clip_file_name="box.mp4",
        clip_sha256="62b744b99403f899707c43398a3822441add6160379ab6dd6c12bde9e3075f8d",
        clip_member_path_in_package=PurePosixPath("usr/share/doc/opencv-doc/opencv4/html/box.mp4.gz"),
        train_labels=_LABELS / "box_train.coco.json",
        test_labels=_LABELS / "box_test.coco.json",
        classes=("biscuit box",),
    ),
    SampleTask(
        name="flask",
        title="Find my product: the black flask",
        clip_file_name="cup.mp4",
        clip_sha256="37db9cee98f70b1458985a15ad2e5b0183e90e24c281b534afcf812e5986154f",
        clip_member_path_in_package=PurePosixPath("usr/share/doc/opencv-doc/opencv4/html/cup.mp4.gz"),
        train_labels=_LABELS / "flask_train.coco.json",
        test_labels=_LABELS / "flask_test.coco.json",
        classes=("flask",),
    ),
)


def find_sample_task(name: str) -> SampleTask:
    """Find a sample task by its short name.

    Raises:
        NotFoundError: there is no such task; the text lists those that there are.
    """
    for task in SAMPLE_TASKS:
        if task.name == name:
            return task
    known = ", ".join(task.name for task in SAMPLE_TASKS)
    message = f"no sample task is called {name!r}; there are: {known}"
    raise NotFoundError(message)
