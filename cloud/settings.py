"""Settings of the cloud: read from the environment once, at start."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


def default_home(environment: Mapping[str, str]) -> Path:
    """Return the user data folder of this platform (XDG base directory specification)."""
    if sys.platform == "darwin":
        return Path(environment.get("HOME", "~")).expanduser() / "Library" / "Application Support" / "elfowl"
    data = environment.get("XDG_DATA_HOME")
    return (
        Path(data) if data else Path(environment.get("HOME", "~")).expanduser() / ".local" / "share"
    ) / "elfowl"


class Settings(BaseModel):
    """Where things are, and on which ports."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    host: str = "127.0.0.1"
    port: int = Field(8420, ge=0, le=65535)
    broker: str = Field("auto", description="'auto' starts one on loopback; mqtt://host:port uses that one")
    broker_port: int = Field(1883, ge=0, le=65535)
    broker_accounts: Literal["none", "dynsec"] = Field(
        "none", description="'dynsec': each device gets an account of its own from Mosquitto's plugin"
    )
    access_token: str | None = Field(None, description="needed when `host` is not loopback")
    accounts: Literal["on", "off"] = Field(
        "on",
        description="'off': whoever reaches the server may do everything, by the access token if one is set",
    )
    engine: Literal["local", "ray"] = Field(
        "local", description="where workers run: 'ray' lets them run in a cluster"
    )
    jobs_engine: Literal["local", "ray"] = Field(
        "local",
        description="where jobs run; 'ray': in the cluster, whose machines have the home folder at its path",
    )
    ray_address: str | None = Field(
        None,
        pattern=r"^[^\s/]+:\d+$",
        description="host:port of the cluster; the one that this machine belongs to by default",
    )
    offload_workers: int = Field(2, ge=1, le=64, description="one takes over at once when another dies")
    offload_workers_most: int | None = Field(
        None, ge=1, le=64, description="in a cluster there are as many as cameras ask for, so many at most"
    )
    offload_gpus: float = Field(
        0.0, ge=0.0, le=8.0, description="graphics processors of a worker in a cluster; 0.25: a quarter"
    )
    offload_requests_per_minute: float = Field(600.0, gt=0.0, description="of one device")
    offload_bytes_per_day: float = Field(500_000_000.0, gt=0.0, description="of pictures, of one device")
    database: str | None = Field(
        None,
        pattern=r"^postgresql(\+psycopg)?://[^\s]+$",
        description="where tables and jobs are; a file in the home folder by default",
    )
    object_store: str | None = Field(
        None,
        pattern=r"^s3://[^\s]+$",
        description="where trained detectors are kept for all machines; the home folder by default",
    )
    model_ram_bytes: int = Field(
        512_000_000, ge=1_000_000, description="of detectors in memory, of each offload worker"
    )
    model_disk_bytes: int = Field(
        10_000_000_000,
        ge=1_000_000,
        description="of detectors on the local disk, of each offload worker, unless the store is there too",
    )
    model_gpu_bytes: int = Field(
        4_000_000_000,
        ge=1_000_000,
        description="of detectors on the graphics processor, of each offload worker",
    )

    stream_workers: int = Field(
        2, ge=0, le=64, description="that watch streams, once there are any; 0: other machines do"
    )
    stream_hosts: tuple[str, ...] = Field(
        (), description="names and IP addresses that streams may be at, though they are not open to streams"
    )

    alert_schemes: tuple[str, ...] = Field(
        ("mailto", "mailtos", "ntfy", "ntfys", "json", "jsons", "hassio", "hassios"),
        description="kinds of address that alerts may go to, as Apprise names them",
    )

    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s,;]+$",
        description="how people reach this cloud from elsewhere: messages then have buttons to answer",
    )
    keep_events_days: float | None = Field(
        None, gt=0.0, description="events that came longer ago are deleted; for ever by default"
    )
    move_events_days: float | None = Field(
        None, ge=7.0, description="events that came longer ago are moved into files; never by default"
    )

    media_quota_bytes: float | None = Field(
        None, gt=0.0, description="of all pictures and videos together, uploads included; no limit by default"
    )

    @field_validator("stream_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("alert_schemes", mode="before")
    @classmethod
    def _split_schemes(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())

    @property
    def most_offload_workers(self) -> int:
        """Return how many workers answer cameras at most; only those of a cluster get more by themselves."""
        if self.engine == "local" or self.offload_workers_most is None:
            return self.offload_workers
        return max(self.offload_workers, self.offload_workers_most)

    @property
    def for_children(self) -> dict[str, str]:
        """Return the variables by which processes of ours find the same home and tables."""
        found = {"ELFOWL_HOME": str(self.home)}
        return found if self.database is None else {**found, "ELFOWL_DATABASE": self.database}

    @property
    def database_path(self) -> Path:
        """Return the SQLite file."""
        return self.home / "elfowl.sqlite"

    @property
    def database_url(self) -> str:
        """Return where the tables are, as SQLAlchemy names it."""
        if self.database is None:
            return f"sqlite:///{self.database_path}"
        return self.database.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def media_path(self) -> Path:
        """Return the folder of uploaded pictures, videos and key frames."""
        return self.home / "media"

    @property
    def uploads_path(self) -> Path:
        """Return the folder of uploads that are under way: `<id>/`."""
        return self.home / "uploads"

    @property
    def recordings_path(self) -> Path:
        """Return the folder whose recordings people of the first workspace may have scanned and watched."""
        return self.home / "recordings"

    @property
    def detectors_path(self) -> Path:
        """Return the folder of trained detectors: `<id>/v<version>/`."""
        return self.home / "detectors"

    @property
    def bundles_path(self) -> Path:
        """Return the folder of compressed bundles."""
        return self.home / "bundles"

    @property
    def tuf_path(self) -> Path:
        """Return the folder of the update repository: `metadata/`, `targets/`."""
        return self.home / "tuf"

    @property
    def keys_path(self) -> Path:
        """Return the folder of signing keys, readable by the owner only."""
        return self.home / "keys"

    @property
    def answers_key_path(self) -> Path:
        """Return the key that the links of messages are signed with."""
        return self.keys_path / "answers.key"

    @property
    def cache_path(self) -> Path:
        """Return the folder of things that can be made again."""
        return self.home / "cache"


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings that `ELFOWL_*` variables ask for.

    Raises:
        pydantic.ValidationError: A variable has a wrong value.
    """
    names = {
        "host": "ELFOWL_HOST",
        "port": "ELFOWL_PORT",
        "broker": "ELFOWL_BROKER",
        "broker_port": "ELFOWL_BROKER_PORT",
        "broker_accounts": "ELFOWL_BROKER_ACCOUNTS",
        "access_token": "ELFOWL_ACCESS_TOKEN",
        "accounts": "ELFOWL_ACCOUNTS",
        "engine": "ELFOWL_ENGINE",
        "jobs_engine": "ELFOWL_JOBS_ENGINE",
        "ray_address": "ELFOWL_RAY_ADDRESS",
        "offload_workers": "ELFOWL_OFFLOAD_WORKERS",
        "offload_workers_most": "ELFOWL_OFFLOAD_WORKERS_MOST",
        "offload_gpus": "ELFOWL_OFFLOAD_GPUS",
        "offload_requests_per_minute": "ELFOWL_OFFLOAD_REQUESTS_PER_MINUTE",
        "offload_bytes_per_day": "ELFOWL_OFFLOAD_BYTES_PER_DAY",
        "database": "ELFOWL_DATABASE",
        "object_store": "ELFOWL_OBJECT_STORE",
        "model_ram_bytes": "ELFOWL_MODEL_RAM_BYTES",
        "model_disk_bytes": "ELFOWL_MODEL_DISK_BYTES",
        "model_gpu_bytes": "ELFOWL_MODEL_GPU_BYTES",
        "alert_schemes": "ELFOWL_ALERT_SCHEMES",
        "stream_workers": "ELFOWL_STREAM_WORKERS",
        "stream_hosts": "ELFOWL_STREAM_HOSTS",
        "keep_events_days": "ELFOWL_KEEP_EVENTS_DAYS",
        "move_events_days": "ELFOWL_MOVE_EVENTS_DAYS",
        "public_url": "ELFOWL_PUBLIC_URL",
        "media_quota_bytes": "ELFOWL_MEDIA_QUOTA_BYTES",
    }
    given = {field: environment[name] for field, name in names.items() if name in environment}
    home = Path(environment["ELFOWL_HOME"]) if "ELFOWL_HOME" in environment else default_home(environment)
    return Settings.model_validate({"home": home.expanduser().absolute(), **given})
