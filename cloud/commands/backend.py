"""What a command can ask for, of a home folder or of a running cloud; answers are the API's JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from cloud.actions.media import Role
from cloud.datasets.export import Format
from cloud.errors import InputError
from cloud.jobs.progress import ProgressLine

Json = dict[str, Any]
Show = Callable[[ProgressLine], None]
Stopped = Callable[[], bool]


Verdict = Literal["accept", "reject"]


@dataclass(frozen=True)
class Incoming:
    """Files, folders and archives of the user, and what for."""

    paths: tuple[Path, ...]
    role: Role
    folders_are_classes: bool


@dataclass(frozen=True)
class Examples:
    """Files of the user: pictures in a folder or a video, and COCO labels of them."""

    images: Path | None
    video: Path | None
    labels: Path | None

    @property
    def given(self) -> bool:
        """Return whether anything was given at all."""
        return any((self.images, self.video, self.labels))

    def check(self, *, labels_needed: bool, prefix: str = "--") -> None:
        """Refuse what cannot be meant; `prefix` is what the options' names begin with.

        Raises:
            InputError: Both or neither of pictures and video, or no labels.
        """
        if (self.images is None) == (self.video is None):
            message = f"give either {prefix}images DIR or {prefix}video FILE"
            raise InputError(message)
        if labels_needed and self.labels is None:
            message = f"give {prefix}labels COCO.json"
            raise InputError(message)


class Backend(Protocol):
    """A home folder, or a running cloud."""

    def detectors(self) -> list[Json]:
        """Return all detectors."""
        ...

    def create(self, name: str, examples: Examples, tests: Examples | None = None) -> Json:
        """Make a detector, with examples if there are some; nothing is left of it when these are wrong."""
        ...

    def add(self, reference: str, examples: Examples, role: Role) -> Json:
        """Add examples to learn from, or to test on."""
        ...

    def import_files(self, reference: str, order: Incoming, show: Show, stopped: Stopped) -> Json:
        """Take in all that is good of files, folders and archives."""
        ...

    def export_labels(self, reference: str, out: Path, kind: Format, *, images: bool, role: Role) -> Json:
        """Write the labelled frames to a file."""
        ...

    def prelabel(self, reference: str, order: Json, show: Show, stopped: Stopped) -> Json:
        """Let a detector offer boxes for unlabelled frames."""
        ...

    def answer_proposals(self, reference: str, min_score: float, verdict: Verdict | None) -> Json:
        """Accept or reject the offered boxes from a score on; without a verdict, only count them."""
        ...

    def train(self, reference: str, how: Json, show: Show, stopped: Stopped) -> Json:
        """Train the next version; `how` may hold `budget_s` and `seed`."""
        ...

    def compress(self, reference: str, how: Json, show: Show, stopped: Stopped) -> Json:
        """Compress a version for a kind of device; `how` holds `profile` and `effort`."""
        ...

    def delete(self, reference: str) -> None:
        """Remove a detector."""
        ...

    def bundles(self) -> list[Json]:
        """Return all bundles."""
        ...

    def publish(self, bundle: str) -> Json:
        """Sign a bundle."""
        ...

    def devices(self) -> list[Json]:
        """Return all devices."""
        ...

    def token(self, how: Json) -> Json:
        """Make a one-time enrolment token; `how` may hold `accepts` and `group`."""
        ...

    def assign(self, device: str, bundle: str | None) -> Json:
        """Want a bundle on a device."""
        ...
