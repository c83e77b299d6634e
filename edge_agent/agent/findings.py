"""What a diagnosis found: one line each, for people or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Verdict = Literal["ok", "weak", "failed"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        part: What, for example `stream door`.
        verdict: `weak`: it works, but not as it should.
        says: What was found.
        cure: What to do; empty when it is well.
    """

    part: str
    verdict: Verdict
    says: str
    cure: str = ""

    def line(self) -> str:
        """Return the finding as one line."""
        cure = f"; {self.cure}" if self.cure else ""
        return f"{self.verdict:6} {self.part}: {self.says}{cure}"


def well(part: str, says: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(part, "ok", says)


def failed(part: str, text: str) -> Finding:
    """Return that something does not work; `text` may name the cure after its last semicolon."""
    says, _, cure = " ".join(text.split()).rpartition("; ")
    return Finding(part, "failed", says or cure, cure if says else "")


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 1 if anything does not work."""
    return int(any(finding.verdict == "failed" for finding in findings))


def to_json(findings: Sequence[Finding]) -> str:
    """Return all findings as one document."""
    return json.dumps({"ok": exit_code(findings) == 0, "findings": [asdict(one) for one in findings]})
