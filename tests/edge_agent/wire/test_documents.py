"""Every document: golden files, schemas, tolerance, limits."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.base import Document
from edge_agent.wire.correction import Feedback
from edge_agent.wire.detection import Detection
from edge_agent.wire.event import Event
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import Manifest
from edge_agent.wire.profile import DeviceProfile
from edge_agent.wire.schemas import DOCUMENTS, main, render_all
from tests.edge_agent.wire.examples import EXAMPLES

GOLDEN = Path(__file__).parent / "golden" / "v1"
DOCS = Path(__file__).parents[3] / "docs" / "wire"


def test_examples_cover_every_document() -> None:
    assert EXAMPLES.keys() == DOCUMENTS.keys()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_golden_file_of_version_1_reads_back_as_its_example(name: str) -> None:
    text = (GOLDEN / f"{name}.json").read_text()
    assert DOCUMENTS[name].from_json(text) == EXAMPLES[name]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_golden_file_of_version_1_is_what_is_still_written(name: str) -> None:
    assert json.loads(EXAMPLES[name].to_json()) == json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_written_matches_its_published_schema(name: str) -> None:
    schema = json.loads((DOCS / f"{name}.schema.json").read_text())
    jsonschema.validate(json.loads(EXAMPLES[name].to_json()), schema)


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "device-profile"])
def test_document_with_an_unknown_field_is_read_and_keeps_it(name: str) -> None:
    raw = json.loads(EXAMPLES[name].to_json()) | {"from_the_future": {"x": 1}}
    document = DOCUMENTS[name].from_json(json.dumps(raw))
    assert document.model_extra == {"from_the_future": {"x": 1}}


LATER_FIELDS = [
    ("event", "attributes"),
    ("event", "end_reason"),
    ("stats", "shadow"),
    ("desired", "shadow"),
    ("desired", "nearby_wanted"),
    ("reported", "shadow"),
    ("event", "loitering"),
    ("event", "crossings"),
    ("label-attributes", "stationary"),
    ("manifest", "attributes"),
    ("manifest", "trunk_map"),
    ("target-custom", "head_update"),
]


@pytest.mark.parametrize(("name", "field"), LATER_FIELDS)
def test_document_without_a_later_field_is_still_read(name: str, field: str) -> None:
    raw = json.loads((GOLDEN / f"{name}.json").read_text())
    del raw[field]
    assert not getattr(DOCUMENTS[name].from_json(json.dumps(raw)), field)


def test_profile_with_an_unknown_field_is_refused() -> None:
    raw = json.loads(EXAMPLES["device-profile"].to_json()) | {"rom": 1}
    with pytest.raises(ValueError, match="rom"):
        DeviceProfile.from_json(json.dumps(raw))


def test_wire_reference_in_docs_is_current() -> None:
    assert main(["--check", str(DOCS)]) == 0


def test_wire_reference_check_with_a_stale_file_fails(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    (tmp_path / "event.schema.json").write_text("{}")
    assert main(["--check", str(tmp_path)]) == 1
    assert len(render_all()) == len(list(tmp_path.iterdir()))


def test_document_over_the_size_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        Event.from_json(b" " * 4_000_001)


@pytest.mark.parametrize(
    "box", [(0.5, 0.0, 0.25, 1.0), (0.0, 0.5, 1.0, 0.25), (-0.1, 0.0, 1.0, 1.0), (0.0, 0.0, 1.1, 1.0)]
)
def test_detection_with_a_box_outside_of_the_picture_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="not normalised xyxy"):
        Detection.model_validate({"label": "x", "score": 0.5, "box": box})


@pytest.mark.parametrize("name", ["../model.tflite", "/model.tflite", "a/../../b", ".hidden", "a//b", "a\\b"])
def test_manifest_with_a_path_out_of_the_bundle_is_refused(name: str) -> None:
    raw = json.loads(EXAMPLES["manifest"].to_json())
    raw["model_file"] = name
    raw["files"][name] = "a" * 64
    with pytest.raises(ValueError, match="String should match pattern"):
        Manifest.from_json(json.dumps(raw))


def test_manifest_without_a_digest_for_the_model_is_refused() -> None:
    raw = json.loads(EXAMPLES["manifest"].to_json())
    del raw["files"]["model.tflite"]
    with pytest.raises(ValueError, match=r"no digest for model\.tflite"):
        Manifest.from_json(json.dumps(raw))


@pytest.mark.parametrize(
    ("given_fields", "missing"),
    [
        ({"verdict": "wrong"}, "event_id"),
        ({"verdict": "right"}, "event_id"),
        ({"verdict": "missed", "camera": "door"}, "time"),
        ({"verdict": "missed", "time": 1.0}, "camera"),
    ],
)
def test_feedback_that_does_not_say_what_it_is_about_is_refused(
    given_fields: dict[str, object], missing: str
) -> None:
    with pytest.raises(ValueError, match=missing):
        Feedback.model_validate(given_fields)


@pytest.mark.parametrize("kind", ["entity", "trigger", "device"])
def test_discovery_written_leaves_out_what_does_not_apply(kind: str) -> None:
    written = EXAMPLES[f"homeassistant-{kind}"].to_json()
    assert "null" not in written, "Home Assistant refuses an entity for one null"


@given(st.text(min_size=1).filter(str.strip))
def test_slug_of_any_name_is_a_valid_topic_segment(name: str) -> None:
    slug = slugify(name)
    assert slug
    assert slug == slug.lower()
    assert all(c.isascii() and (c.isalnum() or c == "_") for c in slug)


@pytest.mark.parametrize(
    ("name", "slug"), [("kid's hand", "kids_hand"), ("Café  Crème", "cafe_creme"), ("A-1", "a_1")]
)
def test_slug_of_a_known_name_is_readable(name: str, slug: str) -> None:
    assert slugify(name) == slug


def test_slugs_of_two_names_without_latin_letters_differ() -> None:
    assert slugify("猫") != slugify("犬")


def test_document_base_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        EXAMPLES["ack"].seq = 5  # type: ignore[attr-defined]
    assert isinstance(EXAMPLES["ack"], Document)
