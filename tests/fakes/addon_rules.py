"""What the Supervisor asks of an add-on's `config.yaml`; keys that it does not know, and ignores, count too.

After https://developers.home-assistant.io/docs/add-ons/configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

_FLAGS = {
    *("init", "advanced", "ingress", "ingress_stream", "panel_admin", "host_network", "host_pid", "host_ipc"),
    *("host_uts", "host_dbus", "udev", "tmpfs", "apparmor", "full_access", "audio", "video", "gpio", "usb"),
    *("uart", "devicetree", "kernel_modules", "realtime", "hassio_api", "homeassistant_api", "stdin"),
    *("legacy", "docker_api", "auth_api", "journald"),
}
_OTHERS = {
    *("machine", "url", "ports", "ports_description", "watchdog", "webui", "ingress_port", "ingress_entry"),
    *("panel_icon", "panel_title", "homeassistant", "devices", "environment", "privileged", "hassio_role"),
    *("discovery", "backup", "backup_exclude", "backup_pre", "backup_post", "image", "ulimits", "timeout"),
    *("breaking_versions", "options", "schema", "map", "services"),
}
_NEEDED = {"name", "version", "slug", "description", "arch"}
_WORDS = {
    "arch": {"amd64", "aarch64", "armv7", "armhf", "i386"},
    "startup": {"initialize", "system", "services", "application", "once"},
    "boot": {"auto", "manual", "manual_only"},
    "stage": {"stable", "experimental", "deprecated"},
}
_FOLDERS = "data|config|ssl|addons|backup|share|media|homeassistant_config|all_addon_configs|addon_config"
_LINES = {"map": rf"({_FOLDERS})(:(rw|ro))?", "services": r"(mqtt|mysql):(provide|want|need)"}
_KIND = re.compile(
    r"(?P<kind>bool|email|url|port|device|str|password|int|float|match|list)(\((?P<of>.+)\))?(?P<optional>\?)?"
)
_RANGE = re.compile(r"[\d.]*,[\d.]*")
_MOST_PORTS = 65_535

Json = dict[str, Any]


def breaches(config: Json) -> list[str]:
    """Return what the Supervisor would not like of an add-on's config; empty: nothing."""
    return list(_breaches(config))


def _breaches(config: Json) -> Iterator[str]:
    yield from (f"lacks {key}" for key in sorted(_NEEDED - config.keys()))
    known = _NEEDED | _FLAGS | _OTHERS | _WORDS.keys()
    yield from (f"unknown key {key}" for key in sorted(config.keys() - known))
    yield from (f"{key} is no flag" for key in _FLAGS & config.keys() if not isinstance(config[key], bool))
    if not re.fullmatch(r"[-_.A-Za-z0-9]+", str(config.get("slug"))):
        yield f"slug {config.get('slug')}"
    # Unquoted, YAML reads 0.10 as 0.1.
    if not isinstance(config.get("version"), str):
        yield f"version {config.get('version')!r} is no text"
    for key, words in _WORDS.items():
        given = config.get(key, [])
        yield from (
            f"{key} {one}" for one in ([given] if isinstance(given, str) else given) if one not in words
        )
    for key, line in _LINES.items():
        yield from (f"{key} {one}" for one in config.get(key, []) if not re.fullmatch(line, one))
    schema = config.get("schema", {})
    yield from _of_schema(schema, "schema")
    yield from _of_options(schema, config.get("options", {}), "options")


def _of_schema(schema: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(schema, dict):
        for key, inner in schema.items():
            yield from _of_schema(inner, f"{where}.{key}")
    elif isinstance(schema, list):
        if len(schema) != 1 or isinstance(schema[0], list):
            yield f"{where}: a list names the kind of its elements, and no list"
        else:
            yield from _of_schema(schema[0], f"{where}[]")
    elif not (kind := _KIND.fullmatch(str(schema))) or not _is_sound(kind):
        yield f"{where}: {schema}"


def _is_sound(kind: re.Match[str]) -> bool:
    of, name = kind["of"], kind["kind"]
    if name in {"match", "list"}:
        return of is not None
    if name in {"str", "password", "int", "float"}:
        return of is None or _RANGE.fullmatch(of) is not None
    return of is None or (name == "device" and of.startswith("subsystem="))


def _of_options(schema: Any, given: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Hold the options that an add-on begins with against its own schema."""
    if isinstance(schema, dict):
        yield from (f"{where}.{key}: not in the schema" for key in given.keys() - schema.keys())
        missing = [key for key in schema.keys() - given.keys() if not str(schema[key]).endswith("?")]
        yield from (f"{where}.{key}: missing" for key in sorted(missing))
        for key in schema.keys() & given.keys():
            yield from _of_options(schema[key], given[key], f"{where}.{key}")
    elif isinstance(schema, list):
        for number, one in enumerate(given):
            yield from _of_options(schema[0], one, f"{where}[{number}]")
    elif (kind := _KIND.fullmatch(schema)) and not _fits(kind, given):
        yield f"{where}: {given!r} is no {schema}"


def _fits(kind: re.Match[str], value: object) -> bool:
    of = kind["of"] or ""
    checks: dict[str, Callable[[], bool]] = {
        "bool": lambda: isinstance(value, bool),
        "port": lambda: isinstance(value, int) and 0 < value <= _MOST_PORTS,
        "int": lambda: isinstance(value, int) and _within(value, of),
        "float": lambda: isinstance(value, int | float) and _within(value, of),
        "match": lambda: re.match(of, str(value)) is not None,
        "list": lambda: str(value) in of.split("|"),
        "url": lambda: "://" in str(value),
    }
    return checks.get(kind["kind"], lambda: isinstance(value, str))()


def _within(value: float, of: str) -> bool:
    low, _, high = of.partition(",")
    return (not low or value >= float(low)) and (not high or value <= float(high))
