"""Routes: attributes, what things of one label are like, and the examples that show it."""

from __future__ import annotations

from typing import Annotated

import simplejpeg
from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter, ValidationError

from cloud.actions import attributes as actions
from cloud.actions.open_home import Home
from cloud.api.attribute_models import (
    AttributeChange,
    AttributeList,
    AttributeView,
    DrawnView,
    ExampleView,
    NewAttribute,
    NewExample,
    UnsortedView,
    attribute_view,
    drawn_view,
    example_views,
    label_views,
)
from cloud.api.frames import JPEG_QUALITY, check_index, jpeg_of_frame
from cloud.api.models import JobView
from cloud.api.paging import Paged
from cloud.api.services import Services, Used
from cloud.api.views import job_view
from cloud.attributes.crops import shown_crop
from cloud.attributes.document import Attribute, Example
from cloud.errors import InputError
from cloud.store import detectors, jobs, media
from cloud.store.tables import Job
from edge_agent.wire.base import XyxyNorm

router = APIRouter(tags=["attributes"])

JOB_KIND = "attribute"
_BOX: TypeAdapter[XyxyNorm] = TypeAdapter(XyxyNorm)


@router.get("/detectors/{detector_id}/attributes")
def list_attributes(services: Used, detector_id: str) -> AttributeList:
    """List what things of a detector are told to be like, and the labels that can have attributes."""
    found = actions.attributes_of(_home(services), detector_id)
    with services.database.read() as session:
        detector = detectors.find(session, detector_id)
        known = [job for job in jobs.of_detector(session, detector.id) if job.kind == JOB_KIND]
        views = [attribute_view(one, _newest(known, one)) for one in found]
        return AttributeList(attributes=views, labels=label_views(detector.labels))


@router.post("/detectors/{detector_id}/attributes", status_code=201)
def add_attribute(services: Used, detector_id: str, body: NewAttribute) -> AttributeView:
    """Make an attribute without examples; where a label names people, somebody must allow it."""
    made = actions.add_attribute(
        _home(services), detector_id, body.name, body.labels, body.values, body.allow_people_by
    )
    return attribute_view(made)


@router.get("/detectors/{detector_id}/attributes/{attribute}")
def show_attribute(services: Used, detector_id: str, attribute: str) -> AttributeView:
    """Show one attribute by its slug or name."""
    found = actions.attribute_of(_home(services), detector_id, attribute)
    return _view(services, detector_id, found)


@router.patch("/detectors/{detector_id}/attributes/{attribute}")
def change_attribute(
    services: Used, detector_id: str, attribute: str, body: AttributeChange
) -> AttributeView:
    """Rename an attribute or values of it, or set its values; those left out go with their examples."""
    changed = actions.change_attribute(
        _home(services), detector_id, attribute, new_name=body.name, rename=body.rename, values=body.values
    )
    return _view(services, detector_id, changed)


@router.delete("/detectors/{detector_id}/attributes/{attribute}", status_code=204)
def remove_attribute(services: Used, detector_id: str, attribute: str) -> None:
    """Forget an attribute with its examples; bundles that were made keep it."""
    actions.forget_attribute(_home(services), detector_id, attribute)


@router.get("/detectors/{detector_id}/attributes/{attribute}/examples")
def list_examples(services: Used, page: Paged, detector_id: str, attribute: str) -> list[ExampleView]:
    """List the examples of an attribute, value by value, the oldest first."""
    return list(page.of(example_views(actions.attribute_of(_home(services), detector_id, attribute))))


@router.post("/detectors/{detector_id}/attributes/{attribute}/examples", status_code=201)
def add_example(services: Used, detector_id: str, attribute: str, body: NewExample) -> ExampleView:
    """Show one example of a value; the same box shown again moves to its new value."""
    example = Example(media_id=body.media_id, frame_index=body.frame_index, box=body.box)
    changed = actions.show_example(_home(services), detector_id, attribute, body.value, example)
    return next(one for one in example_views(changed) if one.id == example.id)


@router.delete("/detectors/{detector_id}/attributes/{attribute}/examples/{example_id}", status_code=204)
def take_back_example(services: Used, detector_id: str, attribute: str, example_id: str) -> None:
    """Take one example back; what was learned from it stays until it is learned again."""
    actions.take_back_example(_home(services), detector_id, attribute, example_id)


@router.get("/detectors/{detector_id}/attributes/{attribute}/unsorted")
def list_unsorted(
    services: Used,
    detector_id: str,
    attribute: str,
    limit: Annotated[int, Query(ge=1, le=1000, description="so many at most")] = 200,
) -> UnsortedView:
    """List the drawn boxes that could become examples: those of its labels that have no value yet."""
    found = actions.unsorted_boxes(_home(services), detector_id, attribute)
    return UnsortedView(total=len(found), boxes=[_drawn(one) for one in found[:limit]])


@router.post("/detectors/{detector_id}/attributes/{attribute}/train", status_code=202)
def train_attribute(services: Used, detector_id: str, attribute: str) -> JobView:
    """Start to learn an attribute from its examples; the next bundle of the detector carries it."""
    found = actions.teachable(_home(services), detector_id, attribute)
    with services.database.read() as session:
        detector = detectors.find(session, detector_id)
    return job_view(services.jobs.submit(JOB_KIND, detector.id, {"attribute": found.slug}))


@router.get("/media/{media_id}/frames/{index}/crop.jpg", response_class=Response)
def crop(
    services: Used,
    media_id: str,
    index: int,
    box: Annotated[str, Query(description="x1,y1,x2,y2 as fractions of the picture", max_length=120)],
) -> Response:
    """Show what is in a box and a little around it, as attributes see it."""
    corners = _corners(box)
    with services.database.read() as session:
        row = media.find(session, media_id)
    check_index(row, index)
    rgb = simplejpeg.decode_jpeg(jpeg_of_frame(services.settings, row, index).read_bytes(), "RGB")
    data = simplejpeg.encode_jpeg(shown_crop(rgb, corners), JPEG_QUALITY, "RGB")
    return Response(data, headers={"Cache-Control": "private, max-age=86400"}, media_type="image/jpeg")


def _home(services: Services) -> Home:
    return Home(services.settings, services.database, services.clock)


def _view(services: Services, detector_id: str, attribute: Attribute) -> AttributeView:
    with services.database.read() as session:
        known = jobs.of_detector(session, detectors.find(session, detector_id).id)
        return attribute_view(attribute, _newest([job for job in known if job.kind == JOB_KIND], attribute))


def _newest(known: list[Job], attribute: Attribute) -> Job | None:
    """Return the newest of jobs, newest first, that learned an attribute."""
    return next((job for job in known if job.params.get("attribute") == attribute.slug), None)


def _drawn(one: actions.Drawn) -> DrawnView:
    return drawn_view(one.example, one.label, one.media.name)


def _corners(text: str) -> XyxyNorm:
    try:
        return _BOX.validate_python([float(part) for part in text.split(",")])
    except (ValueError, ValidationError) as error:
        message = f"box {text!r}: give four fractions of the picture, as 0.1,0.2,0.4,0.9"
        raise InputError(message) from error
