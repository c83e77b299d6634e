"""What a compression gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.wire.receipt import Receipt

_SHOWN = {"ap50", "ap", "images", "agreement_f1", "max_abs_error", "ms_p50", "ms_p99", "peak_memory_bytes"}


@dataclass(frozen=True)
class Refusal:
    """Why a device gets no bundle: nothing fits it. The receipt tells what was tried."""

    message: str
    receipt: Receipt
    receipt_file: Path
    html_file: Path

    def to_json_dict(self) -> dict[str, Any]:
        """Return what `elfowl-compress run --json` prints of it, among those of other devices."""
        return {
            "profile": self.receipt.profile,
            "refused": self.message,
            "receipt": str(self.receipt_file),
            "receipt_html": str(self.html_file),
        }


@dataclass(frozen=True)
class Result:
    """What a compression wrote and measured; `bundles` by form, `chosen` the form for the profile."""

    receipt: Receipt
    receipt_file: Path
    html_file: Path
    bundles: Mapping[str, Path]

    @property
    def chosen(self) -> Path:
        """Return the bundle for the profile's device."""
        return self.bundles[self.receipt.chosen]

    def to_json_dict(self) -> dict[str, Any]:
        """Return what `elfowl-compress run --json` prints."""
        receipt = self.receipt
        return {
            "detector": receipt.detector.model_dump(),
            "profile": receipt.profile,
            "chosen": receipt.chosen,
            "bundles": {
                measured.form: {
                    "path": str(self.bundles[measured.form]),
                    "bytes": measured.bundle_bytes,
                    "sha256": measured.bundle_sha256,
                    **measured.model_dump(include=_SHOWN),
                }
                for measured in receipt.after
            },
            "ap50": {measured.form: measured.ap50 for measured in (receipt.before, *receipt.after)},
            "full": receipt.before.model_dump(include={"bytes", *_SHOWN}),
            "receipt": str(self.receipt_file),
            "receipt_html": str(self.html_file),
            "warnings": list(receipt.warnings),
            "seconds": receipt.seconds,
        }
