"""Every error the agent raises, split by who must act on it.

    ElfowlError
    ├── ConfigError        the operator: a setting, file or argument is wrong
    ├── CameraError        the hardware: a source cannot be opened, or stopped giving pictures
    ├── BackendError       the hardware or its runtime: a model cannot be loaded or run
    ├── ArtifactError      the publisher: a bundle is damaged, unsigned or unfit; never retry the same bytes
    ├── LinkError          the network: retry later with back-off
    ├── ProtocolError      the peer: it spoke, but not as documented
    └── StorageError       the disk: full, read-only or damaged

A failure is never an empty list of detections: code that cannot answer raises one of these.
"""

from __future__ import annotations


class ElfowlError(Exception):
    """Base of all errors that elfowl raises on purpose; its text is one line for a person."""


class ConfigError(ElfowlError):
    """A setting, file or argument is wrong; the text says what, where and what to do."""


class CameraError(ElfowlError):
    """A picture source cannot be opened, or stopped giving pictures."""


class BackendError(ElfowlError):
    """A model cannot be loaded or run by the runtime of this machine."""


class ArtifactError(ElfowlError):
    """A bundle is damaged, unsigned or unfit for this device; the same bytes are never tried again."""


class LinkError(ElfowlError):
    """The network or the peer's server failed; trying again later may succeed."""


class ProtocolError(ElfowlError):
    """The peer answered, but not in the documented form."""


class StorageError(ElfowlError):
    """The disk is full, read-only or damaged; what was stored before is kept."""
