"""Where reports on versions lie; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloud.actions.detectors import version_path
from cloud.errors import NotFoundError
from cloud.settings import Settings
from cloud.store.files import write_file


@dataclass(frozen=True)
class ReportFiles:
    """A report as a document and as a page."""

    document: Path
    page: Path


def evaluation_files(settings: Settings, detector_id: str, version: int) -> ReportFiles:
    """Return where the evaluation of a version on its test split lies, if it was made."""
    folder = version_path(settings, detector_id, version)
    return ReportFiles(folder / "report.json", folder / "report.html")


def comparison_files(settings: Settings, detector_id: str, old: int, new: int) -> ReportFiles:
    """Return where the comparison of two versions lies, if it was made."""
    folder = version_path(settings, detector_id, new)
    return ReportFiles(folder / f"against-v{old}.json", folder / f"against-v{old}.html")


def write_report(files: ReportFiles, document: str, page: str) -> None:
    """Keep a report.

    Raises:
        StorageError: The disk is full.
    """
    write_file(files.document, document.encode())
    write_file(files.page, page.encode())


def existing(files: ReportFiles, what: str, command: str) -> ReportFiles:
    """Return the files of a report when it was made.

    Raises:
        NotFoundError: It was not made yet.
    """
    if not (files.document.is_file() and files.page.is_file()):
        message = f"there is no {what} yet; `{command}` makes it"
        raise NotFoundError(message)
    return files
