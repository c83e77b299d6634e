"""Renders the wire reference: one JSON Schema per document, the topic map, and a page that lists them.

`python -m edge_agent.wire.schemas FOLDER` writes the files; with `--check` it only compares, for CI.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edge_agent.wire.attributes import AttributeRules
from edge_agent.wire.base import Document
from edge_agent.wire.correction import Correction, Feedback
from edge_agent.wire.detection import Detection
from edge_agent.wire.event import Event
from edge_agent.wire.homeassistant import HaDeviceDocument, HaEntity, HaTrigger
from edge_agent.wire.live import LivePicture, LookWanted
from edge_agent.wire.manifest import Manifest
from edge_agent.wire.nearby import NearbyCameras
from edge_agent.wire.offload import OffloadReply, OffloadRequest
from edge_agent.wire.profile import DeviceProfile
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.shadow import ShadowReport
from edge_agent.wire.status import CameraDetail, LabelAttributes, Stats, UpdateState
from edge_agent.wire.sync import (
    Ack,
    Desired,
    DesiredHint,
    EnrolReply,
    EnrolRequest,
    EnrolTicket,
    EventBatch,
    Reported,
)
from edge_agent.wire.target import KitIndex, TargetCustom
from edge_agent.wire.topics import TOPICS

DOCUMENTS: dict[str, type[Document]] = {
    "detection": Detection,
    "event": Event,
    "manifest": Manifest,
    "attribute-rules": AttributeRules,
    "device-profile": DeviceProfile,
    "camera-detail": CameraDetail,
    "label-attributes": LabelAttributes,
    "stats": Stats,
    "shadow-report": ShadowReport,
    "update-state": UpdateState,
    "enrol-ticket": EnrolTicket,
    "enrol-request": EnrolRequest,
    "enrol-reply": EnrolReply,
    "desired": Desired,
    "desired-hint": DesiredHint,
    "reported": Reported,
    "nearby-cameras": NearbyCameras,
    "look-wanted": LookWanted,
    "live-picture": LivePicture,
    "event-batch": EventBatch,
    "ack": Ack,
    "offload-request": OffloadRequest,
    "offload-reply": OffloadReply,
    "feedback": Feedback,
    "correction": Correction,
    "receipt": Receipt,
    "target-custom": TargetCustom,
    "kit-index": KitIndex,
    "homeassistant-entity": HaEntity,
    "homeassistant-trigger": HaTrigger,
    "homeassistant-device": HaDeviceDocument,
}


def _schema_file(model: type[Document]) -> str:
    name = next(name for name, candidate in DOCUMENTS.items() if candidate is model)
    return f"{name}.schema.json"


def _payload(payload: type[Document] | str) -> str:
    return payload if isinstance(payload, str) else f"[{payload.__name__}]({_schema_file(payload)})"


def _render_page() -> str:
    rows = [
        f"| `{t.pattern}` | {_payload(t.payload).replace('|', '/')} | {t.qos} "
        f"| {'yes' if t.retained else 'no'} | {t.direction} | {t.meaning} |"
        for t in TOPICS
    ]
    documents = [
        f"| [{name}]({name}.schema.json) | {(model.__doc__ or '').strip().splitlines()[0]} |"
        for name, model in DOCUMENTS.items()
    ]
    return "\n".join(
        [
            "# Wire formats, version 1",
            "",
            "Made from `edge_agent/wire` by `make docs`; do not edit. `<p>` is the prefix (`elfowl`),",
            "`<h>` Home Assistant's discovery prefix (default `homeassistant`). Unknown fields are kept or",
            "ignored, never fatal.",
            "",
            "## MQTT topics",
            "",
            "| topic | payload | QoS | retained | direction | meaning |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            "## Documents",
            "",
            "| document | what it is |",
            "| --- | --- |",
            *documents,
            "",
        ]
    )


def _render_topics() -> str:
    rows = [
        {
            "pattern": t.pattern,
            "schema": None if isinstance(t.payload, str) else _schema_file(t.payload),
            "payload": t.payload if isinstance(t.payload, str) else t.payload.__name__,
            "qos": t.qos,
            "retained": t.retained,
            "direction": t.direction,
            "meaning": t.meaning,
        }
        for t in TOPICS
    ]
    return json.dumps(rows, indent=2) + "\n"


def render_all() -> dict[str, str]:
    """Return every file of the reference: name → text."""
    files = {
        f"{name}.schema.json": json.dumps(model.model_json_schema(mode="serialization"), indent=2) + "\n"
        for name, model in DOCUMENTS.items()
    }
    return files | {"topics.json": _render_topics(), "README.md": _render_page()}


def main(arguments: list[str]) -> int:
    """Write the reference into a folder, or compare with `--check`; return the exit code."""
    folder = Path(arguments[-1])
    files = render_all()
    if "--check" in arguments:
        stale = [
            n for n, text in files.items() if not (folder / n).is_file() or (folder / n).read_text() != text
        ]
        if stale:
            sys.stderr.write(f"{folder}: out of date: {', '.join(stale)}; run `make docs`\n")
        return 1 if stale else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
