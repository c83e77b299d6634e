"""Adds subnets that users bring to the home folder, and removes them: `$ELFOWL_HOME/subnets/NAME/`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from cloud.errors import ConflictError, InputError
from cloud.subnets import canonical
from cloud.subnets.adapters import exported_file, onnx_file, tflite_file
from cloud.subnets.count import count
from cloud.subnets.graph import OUTPUT_NAMES, Network
from cloud.subnets.interpreter import GraphTrunk
from cloud.subnets.manifest import Channels, Origin, Scales, Spdx, SubnetManifest, read_manifest, read_yaml
from cloud.subnets.registry import MANIFEST_FILE, all_subnets, built_in, subnet_by_name, subnets_path
from cloud.subnets.taps import Tap, choose_taps, named_taps
from cloud.subnets.weights import file_digest
from edge_agent.wire.base import Document, Sha256, Slug
from edge_agent.wire.labels import slugify

GRAPH_FILE = "graph.onnx"
LICENCE_FILE = "LICENSE.txt"
_MANIFESTS = {".yaml", ".yml", ".json"}
_MAX_BYTES = 1_000_000_000

Format = Literal["onnx", "tflite", "torch_export"]
_FORMATS: dict[str, Format] = {".onnx": "onnx", ".tflite": "tflite", ".pt2": "torch_export"}
_READERS: dict[Format, Callable[[Path], Network]] = {
    "onnx": onnx_file.read,
    "tflite": tflite_file.read,
    "torch_export": exported_file.read,
}


class WantedLevel(Document):
    """A level that a user's manifest asks for."""

    tap: str = Field(min_length=1)
    stride_px: int | None = None
    channels: int | None = None


class Wanted(Document):
    """What a user says about a file: on the command line, or in a manifest beside it.

    What may be left out is found in the file; what is given is checked.
    """

    file: str
    licence: Spdx
    licence_file: str
    name: Slug | None = None
    source: str | None = None
    sha256: Sha256 | None = None
    mean: Channels = (127.0, 127.0, 127.0)
    std: Scales = (128.0, 128.0, 128.0)
    levels: tuple[WantedLevel, ...] = ()
    parameters: int | None = None
    macs: int | None = None
    detector_pretrained: bool = False


@dataclass(frozen=True)
class Facts:
    """What was found in a file."""

    graph: bytes
    taps: tuple[Tap, Tap, Tap]
    origin: Origin


def is_manifest(path: Path) -> bool:
    """Return whether a file is a manifest by its name, and no network."""
    return path.suffix.lower() in _MANIFESTS


def read_wanted(path: Path) -> Wanted:
    """Read a user's manifest.

    Raises:
        InputError: It cannot be read, or says something wrong.
    """
    return read_yaml(Wanted, path)


def said(file: str, licence: str, licence_file: Path, given: Mapping[str, object]) -> Wanted:
    """Return what a user says on the command line; of `given`, what is none is left out.

    Raises:
        InputError: A value is wrong; the text names it.
    """
    always = {"file": file, "licence": licence, "licence_file": str(licence_file)}
    try:
        return Wanted.model_validate(always | {name: one for name, one in given.items() if one is not None})
    except ValidationError as error:
        raise InputError(_first(error)) from error


def inspect(path: Path, wanted: Wanted) -> Facts:
    """Read a network and bring its trunk into the canonical form.

    Raises:
        InputError: It cannot be read, has no features at strides 8, 16 and 32, an operator that elfowl lacks,
            or is not what the user says.
    """
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        message = f"{path}: no {', '.join(_FORMATS)} file, and no manifest (.yaml)"
        raise InputError(message)
    _check_file(path, wanted)
    network = _READERS[kind](path)
    try:
        graph, taps = _trunk(path, network, wanted)
    except (TypeError, ValueError, KeyError, IndexError, RuntimeError) as error:
        message = (
            f"{path}: damaged, or made in a way that elfowl does not know: {' '.join(str(error).split())}"
        )
        raise InputError(message) from error
    return Facts(graph, taps, Origin(file=path.name, format=kind, sha256=file_digest(path)))


def _trunk(path: Path, network: Network, wanted: Wanted) -> tuple[bytes, tuple[Tap, Tap, Tap]]:
    names = [level.tap for level in wanted.levels]
    taps = named_taps(network, names) if names else choose_taps(network)
    for level, tap in zip(wanted.levels, taps, strict=False):
        if (level.channels or tap.channels, level.stride_px or tap.stride_px) != (
            tap.channels,
            tap.stride_px,
        ):
            message = f"{path}: tap {tap.name} has {tap.channels} channels at stride {tap.stride_px}"
            raise InputError(message)
    trunk = canonical.canonical(network, [tap.name for tap in taps], wanted.mean, wanted.std)
    graph = trunk.serialised(OUTPUT_NAMES)
    GraphTrunk(trunk)  # says now what compression could not do later
    return graph, taps


def add(path: Path, wanted: Wanted, home: Path) -> SubnetManifest:
    """Add a subnet to the home folder and return its manifest.

    Args:
        path: The network: .onnx, .tflite or .pt2.
        wanted: What the user says about it; `licence_file` is beside `path` unless absolute.
        home: The home folder.

    Raises:
        InputError: See `inspect`; or its licence text is missing.
        ConflictError: There is one of that name, or the same one.
    """
    name = wanted.name or slugify(path.stem)
    licence = path.parent / wanted.licence_file
    if not licence.is_file() or not licence.read_text(errors="replace").strip():
        message = f"{licence}: the licence text is missing; it travels into every bundle made with the subnet"
        raise InputError(message)
    folder = subnets_path(home) / name
    if folder.exists() or any(one.name == name for one in built_in()):
        message = f"there is a subnet {name!r} already; say --name, or remove it first"
        raise ConflictError(message)
    facts = inspect(path, wanted)
    partial = folder.with_name(f".{name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        (partial / GRAPH_FILE).write_bytes(facts.graph)
        shutil.copyfile(licence, partial / LICENCE_FILE)
        manifest = _manifest(name, wanted, facts, file_digest(partial / GRAPH_FILE))
        _refuse_twin(manifest, home)
        content = manifest.model_dump(mode="json", exclude_none=True)
        (partial / MANIFEST_FILE).write_text(yaml.safe_dump(content, sort_keys=False))
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return read_manifest(folder / MANIFEST_FILE)


def remove(name: str, home: Path) -> None:
    """Remove a subnet that a user added.

    Raises:
        NotFoundError: There is none of that name.
        InputError: It came with elfowl.
        ConflictError: A detector builds on it.
    """
    subnet = subnet_by_name(name, home)
    if subnet in built_in() or subnet.folder is None:
        message = f"subnet {name!r} comes with elfowl; only those that were added can be removed"
        raise InputError(message)
    specs = sorted((home / "detectors").glob("*/v*/spec.json"))
    users = [spec.parent.parent.name for spec in specs if subnet.sha256.encode() in spec.read_bytes()]
    if users:
        message = (
            f"subnet {name!r} is what detectors {', '.join(dict.fromkeys(users))} build on; delete them first"
        )
        raise ConflictError(message)
    shutil.rmtree(subnet.folder)


def _check_file(path: Path, wanted: Wanted) -> None:
    try:
        size_bytes = path.stat().st_size
        digest = file_digest(path)
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror})"
        raise InputError(message) from error
    if size_bytes > _MAX_BYTES:
        message = f"{path}: larger than {_MAX_BYTES} bytes"
        raise InputError(message)
    if wanted.sha256 not in {None, digest}:
        message = f"{path}: not the file that its manifest names: its SHA-256 is {digest}"
        raise InputError(message)


def _manifest(name: str, wanted: Wanted, facts: Facts, sha256: str) -> SubnetManifest:
    cost = count(facts.graph)
    for told, found, what in (
        (wanted.parameters, cost.parameters, "parameters"),
        (wanted.macs, cost.macs, "macs"),
    ):
        if told not in {None, found}:
            message = f"the manifest says {what}: {told}, counted are {found}"
            raise InputError(message)
    levels = [{"stride_px": tap.stride_px, "channels": tap.channels, "tap": tap.name} for tap in facts.taps]
    try:
        return SubnetManifest.model_validate(
            {
                "name": name,
                "source": wanted.source or f"file {facts.origin.file}",
                "licence": wanted.licence,
                "licence_file": LICENCE_FILE,
                "sha256": sha256,
                "adapter": "onnx",
                "where": {"file": GRAPH_FILE},
                "mean": wanted.mean,
                "std": wanted.std,
                "levels": levels,
                "parameters": cost.parameters,
                "macs": cost.macs,
                "detector_pretrained": wanted.detector_pretrained,
                "origin": facts.origin,
            }
        )
    except ValidationError as error:
        raise InputError(_first(error)) from error


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(one) for one in first['loc'])}: {first['msg']}"


def _refuse_twin(manifest: SubnetManifest, home: Path) -> None:
    for one in all_subnets(home):
        if one.sha256 == manifest.sha256:
            message = f"this network is there already, as subnet {one.name!r}"
            raise ConflictError(message)
