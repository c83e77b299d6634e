"""A compression as it was asked for on the command line, done and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from compress.effort import EFFORTS
from compress.fits import Fit, fit_table, fits, networks_in_words
from compress.loaders import load_detector
from compress.protocol import Compressible
from compress.receipt import headline, megabytes, title
from compress.result import Refusal, Result
from compress.run import Budget, compress, compress_for
from compress.several import compress_together
from compress.targets import Target
from compress.terminal import shown_progress


@dataclass(frozen=True)
class Ordered:
    """What was asked for: detectors by name, devices, and the folder that takes all."""

    detectors: Sequence[str]
    targets: Sequence[Target]
    out: Path
    effort: str
    files: tuple[str, ...]
    release: int | None
    cancelled: Callable[[], bool]


@dataclass(frozen=True)
class DoneForOne:
    """What the only device got."""

    result: Result
    complete: bool = True

    def to_json_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return self.result.to_json_dict()

    def summary(self) -> str:
        """Return it for a person."""
        receipt = self.result.receipt
        lines = [f"{title(receipt.chosen)} for {receipt.profile}: {headline(receipt)}"]
        lines += [f"warning: {warning}" for warning in receipt.warnings]
        lines += [
            f"  {title(measured.form):12} {megabytes(measured.bundle_bytes):>9}  "
            f"{self.result.bundles[measured.form]}"
            for measured in receipt.after
        ]
        lines.append(f"  {'Receipt':12} {'':9}  {self.result.html_file}")
        return "\n".join(lines)


@dataclass(frozen=True)
class DoneForEach:
    """What each of several devices got; `complete` if all got a bundle."""

    outcomes: dict[str, Result | Refusal]
    rows: tuple[Fit, ...]

    @property
    def complete(self) -> bool:
        """Return whether every device got a bundle."""
        return all(row.fits for row in self.rows)

    def to_json_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "devices": {name: one.to_json_dict() for name, one in self.outcomes.items()},
            "fits": [row.to_json_dict() for row in self.rows],
        }

    def summary(self) -> str:
        """Return it for a person."""
        receipts = [f"  {name}: {one.html_file}" for name, one in self.outcomes.items()]
        return "\n".join([networks_in_words(self.rows), fit_table(self.rows), "Receipts:", *receipts])


def carry_out(ordered: Ordered) -> DoneForOne | DoneForEach:
    """Compress what was asked for, with progress on the terminal.

    Raises:
        ElfowlError: As of `compress.run.compress`.
    """
    loaded = [load_detector(one) for one in ordered.detectors]
    if len(ordered.targets) == 1 and ordered.targets[0].out == ordered.out:
        return DoneForOne(_for_one(ordered, loaded))
    with shown_progress() as progress:
        outcomes = compress_for(
            loaded[0],
            ordered.targets,
            ordered.out,
            Budget(effort=EFFORTS[ordered.effort], files=ordered.files),
            progress=progress,
            cancelled=ordered.cancelled,
            release=ordered.release,
        )
    return DoneForEach(outcomes, fits(outcomes, [target.profile for target in ordered.targets]))


def _for_one(ordered: Ordered, loaded: Sequence[Compressible]) -> Result:
    target = ordered.targets[0]
    shrink = partial(compress_together, loaded) if len(loaded) > 1 else partial(compress, loaded[0])
    with shown_progress() as progress:
        return shrink(
            target.profile,
            ordered.out,
            Budget(target.limits, EFFORTS[ordered.effort], files=ordered.files),
            progress=progress,
            cancelled=ordered.cancelled,
            release=ordered.release,
        )
