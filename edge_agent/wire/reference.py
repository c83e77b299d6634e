"""Renders `docs/mqtt.md` from the models: every topic, field, unit, retain, QoS, and an example.

`python -m edge_agent.wire.reference PAGE EXAMPLES` writes the page, with examples from the folder of golden
files; with `--check` it only compares, for CI.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_agent.wire.base import Document
from edge_agent.wire.frigate import FRIGATE_FIELDS, FRIGATE_TOPICS, FrigateRow
from edge_agent.wire.schemas import DOCUMENTS
from edge_agent.wire.topics import TOPICS, TopicSpec

_UNITS = {
    r"_s$": "s",
    r"_ms(_|$)": "ms",
    r"_px$": "px",
    r"_bytes$": "bytes",
    r"_c$": "°C",
    r"_norm$": "picture widths",
    r"^fps_": "1/s",
}
_SHARES = {"box", "score", "top_score", "threshold", "gate_ratio"}
_TIMES = {"start_time", "end_time", "frame_time", "time", "since"}
_EXAMPLES = {
    "online | offline": "online",
    "integer as text": "2",
    "ON | OFF | number": "ON",
    "install": "install",
}
_INTRO = """\
# MQTT: every topic, field and example

Made from `edge_agent/wire` by `make docs`; do not edit. `<p>` is the prefix (`mqtt.prefix`, default
`elfowl`), `<h>` Home Assistant's discovery prefix (`mqtt.discovery_prefix`, default `homeassistant`); other
words in `<…>` are one segment each. Devices and cameras are named by letters, digits, `_` and `-`; a label
has a name for people and a slug for topics. States are retained, events never are. Unknown fields are to be
ignored: newer agents may send more.

How to use it at home, with recipes: [home-assistant.md](home-assistant.md). JSON Schemas:
[wire](wire/README.md).
"""


_FRIGATE = """\
With `mqtt.compat: frigate`, everything is said on Frigate's topics too (`mqtt.frigate_prefix`). Two agents at
one broker need two prefixes.
"""


def render(examples: Path) -> str:
    """Return the page.

    Args:
        examples: Folder of golden files, one of each document.
    """
    parts = [_INTRO, "## All topics\n", _overview()]
    parts += ["\n".join(_topic(spec, examples)) for spec in TOPICS]
    parts += [
        "## Frigate's topics\n",
        _FRIGATE,
        _rows("topic", FRIGATE_TOPICS),
        "Fields of `before` and `after` in `frigate/events`:\n",
        _rows("field", FRIGATE_FIELDS),
    ]
    return "\n".join(parts)


def _overview() -> str:
    head = ["| topic | payload | QoS | retained | direction |", "| --- | --- | --- | --- | --- |"]
    rows = [
        f"| `{t.pattern}` | {_payload(t)} | {t.qos} | {'yes' if t.retained else 'no'} | {t.direction} |"
        for t in TOPICS
    ]
    return "\n".join([*head, *rows, ""])


def _topic(spec: TopicSpec, examples: Path) -> Iterator[str]:
    yield f"## `{spec.pattern}`"
    yield ""
    meaning = spec.meaning[0].upper() + spec.meaning[1:]
    yield f"{meaning}. QoS {spec.qos}, {'retained' if spec.retained else 'not retained'}, {spec.direction}."
    yield ""
    if isinstance(spec.payload, str):
        if spec.payload in _EXAMPLES:
            yield f"Payload: {spec.payload}. Example: `{_EXAMPLES[spec.payload]}`"
            yield ""
        return
    yield "| field | type | unit | meaning |"
    yield "| --- | --- | --- | --- |"
    schema = spec.payload.model_json_schema(mode="serialization")
    yield from _fields(schema, schema.get("$defs", {}), "")
    yield ""
    name = next(name for name, model in DOCUMENTS.items() if model is spec.payload)
    example = json.loads((examples / f"{name}.json").read_text())
    yield from ["```json", json.dumps(example, ensure_ascii=False), "```", ""]


def _fields(schema: dict[str, Any], defs: dict[str, Any], prefix: str) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        inner, link = _inner(field, defs)
        missing = "" if name in required else ", may be missing"
        kind = _kind(field, defs) + missing
        said = field.get("description", "").replace("|", "/")
        yield f"| `{prefix}{name}` | {kind} | {_unit(name, said)} | {said} |"
        if inner is not None:
            yield from _fields(inner, defs, f"{prefix}{name}{link}.")


def _inner(field: dict[str, Any], defs: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """Return the document that a field holds, if it does, and how to write that it holds several."""
    for option in (field, *field.get("anyOf", ())):
        if "$ref" in option:
            return _resolve(option, defs), ""
        for key, link in (("items", "[]"), ("additionalProperties", ".<name>")):
            items = option.get(key)
            if isinstance(items, dict) and "$ref" in items:
                return _resolve(items, defs), link
    return None, ""


def _resolve(option: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = defs[option["$ref"].rsplit("/", 1)[1]]
    return found


def _kind(field: dict[str, Any], defs: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(option, defs) for option in field["anyOf"])
    if "$ref" in field:
        return _kind(_resolve(field, defs), defs)
    if "enum" in field or "const" in field:
        words = field.get("enum", [field.get("const")])
        return ", ".join(f"`{json.dumps(word)}`" for word in words)
    kind = str(field.get("type", "anything"))
    if kind == "array":
        return f"list of {_kind(field.get('items', {}), defs)}" if "items" in field else "list of numbers"
    return kind


def _unit(name: str, said: str) -> str:
    if name in _TIMES or "UTC seconds" in said:
        return "s since 1970, UTC"
    if name in _SHARES:
        return "0..1"
    return next((unit for pattern, unit in _UNITS.items() if re.search(pattern, name)), "")


def _rows(title: str, rows: tuple[FrigateRow, ...]) -> str:
    names = [", ".join(f"`{part}`" for part in row.name.split(", ")) for row in rows]
    table = [f"| {name} | {row.filled} |" for name, row in zip(names, rows, strict=True)]
    return "\n".join([f"| {title} | what elfowl says |", "| --- | --- |", *table, ""])


def _payload(spec: TopicSpec) -> str:
    is_document = isinstance(spec.payload, type) and issubclass(spec.payload, Document)
    return "JSON" if is_document else str(spec.payload).replace("|", "/")


def main(arguments: list[str]) -> int:
    """Write the page, or compare with `--check`; return the exit code."""
    page, examples = (Path(argument) for argument in arguments if argument != "--check")
    text = render(examples)
    if "--check" not in arguments:
        page.write_text(text)
        return 0
    if page.is_file() and page.read_text() == text:
        return 0
    sys.stderr.write(f"{page}: out of date; run `make docs`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
