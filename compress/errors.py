"""Errors of compression; all are `ElfowlError`s with one line for a person."""

from __future__ import annotations

from edge_agent.errors import ElfowlError


class UnknownDetectorError(ElfowlError):
    """No loader knows this detector."""


class ExportError(ElfowlError):
    """The network could not be exported or quantized."""


class ParityError(ElfowlError):
    """An export does not answer as the full detector does."""


class BudgetError(ElfowlError):
    """No candidate fits the device; the text names the broken limit and the nearest candidate."""


class CancelledError(ElfowlError):
    """Whoever started the compression called it off; nothing was written."""
