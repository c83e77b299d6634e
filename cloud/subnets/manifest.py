"""The manifest of a pretrained subnet: all that elfowl knows of it, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import yaml
from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from cloud.errors import InputError
from edge_agent.wire.base import Document, RelativePath, Sha256, Slug
from edge_agent.wire.manifest import SubnetRef

Adapter = Literal["efficientnet_lite", "ssd_mobilenet_v2", "onnx"]

STRIDES_PX = (8, 16, 32)
"""Strides of the feature levels that every subnet offers."""

MACS_AT_PX = (512, 384)
"""Width and height of the input that multiply-accumulates are counted at."""

_SPDX = r"^[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*$"
_NO_LICENCE = {"none", "unknown", "noassertion", "proprietary"}

Channels = tuple[float, float, float]
_Positive = Annotated[float, Field(gt=0)]
Scales = tuple[_Positive, _Positive, _Positive]

Read = TypeVar("Read", bound=Document)


def _check_licence(licence: str) -> str:
    if licence.lower() in _NO_LICENCE:
        message = "a subnet needs a licence that lets its users pass it on"
        raise ValueError(message)
    return licence


Spdx = Annotated[str, StringConstraints(pattern=_SPDX), AfterValidator(_check_licence)]
"""An SPDX licence expression."""


class FeatureLevel(Document):
    """One of a subnet's outputs; `tap` is its name inside the network."""

    stride_px: int = Field(gt=0)
    channels: int = Field(gt=0)
    tap: str = Field(min_length=1)


class WeightsPlace(Document):
    """Where the weights lie: in an installed package (`package`, `module`) or beside the manifest."""

    file: RelativePath
    package: str | None = None
    module: str | None = None

    @model_validator(mode="after")
    def _package_has_module(self) -> Self:
        if (self.package is None) != (self.module is None):
            message = "package and module go together"
            raise ValueError(message)
        return self


class Origin(Document):
    """The file that a user's subnet was made of."""

    file: str
    format: Literal["onnx", "tflite", "torch_export"]
    sha256: Sha256


class SubnetManifest(Document):
    """A pretrained subnet.

    Its own input is (byte - `mean`) / `std`, RGB; `parameters` and `macs` are those of the trunk up to the
    last level with batch normalisation folded in, `macs` at 512x384.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    name: Slug
    source: str = Field(min_length=1)
    licence: Spdx
    licence_file: RelativePath | None = None
    sha256: Sha256
    adapter: Adapter
    where: WeightsPlace
    mean: Channels
    std: Scales
    levels: tuple[FeatureLevel, FeatureLevel, FeatureLevel]
    parameters: int = Field(gt=0)
    macs: int = Field(gt=0)
    detector_pretrained: bool = False
    origin: Origin | None = None
    folder: Path | None = Field(None, exclude=True)
    """Where the manifest was read from; not written."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if tuple(level.stride_px for level in self.levels) != STRIDES_PX:
            message = f"levels must have the strides {', '.join(map(str, STRIDES_PX))}, finest first"
            raise ValueError(message)
        return self

    @property
    def ref(self) -> SubnetRef:
        """Return how detectors, bundles and receipts name it."""
        return SubnetRef(name=self.name, source=self.source, licence=self.licence, sha256=self.sha256)


def read_manifest(path: Path) -> SubnetManifest:
    """Read a manifest.

    Args:
        path: A YAML file; the files that it names lie beside it.

    Raises:
        InputError: It cannot be read, or says something wrong; the text names the field.
    """
    return read_yaml(SubnetManifest, path, folder=path.parent)


def read_yaml(kind: type[Read], path: Path, **extra: object) -> Read:
    """Read a document from a YAML file.

    Raises:
        InputError: It cannot be read, or says something wrong; the text names the field.
    """
    try:
        return kind.model_validate({**yaml.safe_load(path.read_bytes()), **extra})
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror})"
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "manifest"
        message = f"{path}: {place}: {first['msg']}"
    except (yaml.YAMLError, TypeError):
        message = f"{path}: not a manifest (YAML with the fields of docs/subnets.md)"
    raise InputError(message)
