"""The device profile: what a named camera can do. Files of this form live in `firmware_configs`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from edge_agent.wire.base import Document
from edge_agent.wire.manifest import RuntimeName

PackageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]{0,99}$")]
"""The name of a distribution's package."""


class InstallNotes(Document):
    """How the agent gets onto the device."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    kind: Literal["systemd", "container", "vendor_package", "manual"]
    notes: str
    template: str | None = Field(
        None, pattern=r"^[a-z0-9-]{1,64}$", description="folder of package files; none: that of the kind"
    )
    system_packages: tuple[PackageName, ...] = Field(
        (), description="distribution packages, for an architecture without wheels of them"
    )
    pip_packages: tuple[str, ...] = Field((), description="what pip adds to the system packages")
    pip_packages_alone: tuple[str, ...] = Field(
        (), description="what pip adds without looking at dependencies; elfowl itself is one of these then"
    )


class Accelerator(Document):
    """A neural network unit beside the processor."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str
    used: bool = Field(default=False, description="whether elfowl runs networks on it today")
    needs: str = Field(description="the vendor's converter and runtime that it would take")


class SpeedReference(Document):
    """A published time of a known network on such cores, from which times of others are guessed."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    network: str = Field(description="with its precision and its threads")
    macs: int = Field(gt=0, description="multiply-accumulates a picture")
    ms: float = Field(gt=0)
    clock_ratio: float = Field(1.0, gt=0, description="clock of the timed cores over this device's")
    source: str


class DeviceProfile(Document):
    """Limits and preferences of one kind of device; numbers carry their sources."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    schema_version: Literal[1] = Field(1, alias="schema")
    name: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    title: str
    arch: Literal["x86_64", "aarch64", "armv7l"]
    ram_for_us_bytes: int = Field(gt=0, description="memory that agent and model may use together")
    storage_bytes: int = Field(gt=0)
    runtimes: tuple[RuntimeName, ...] = Field(min_length=1, description="best first")
    threads: int = Field(1, ge=1)
    accelerator: Accelerator | None = None
    refused_ops: tuple[str, ...] = Field((), description="operations that the accelerator cannot run")
    input_sizes_px: tuple[tuple[int, int], ...] = Field(
        min_length=1, description="(width, height), best first"
    )
    target_fps: float = Field(gt=0)
    install: InstallNotes
    speed_reference: SpeedReference | None = Field(
        None, description="none: nothing is published from which times could be guessed"
    )
    sources: tuple[str, ...] = Field(min_length=1, description="where the numbers come from")
