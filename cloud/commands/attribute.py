"""`elfowl-cloud attribute`: what things are like, told from a handful of examples."""

from __future__ import annotations

from typing import Annotated

import typer

from cloud.actions import attributes
from cloud.attributes.document import Attribute, Example
from cloud.commands.connect import local
from cloud.commands.options import AsJson, Home
from cloud.commands.terminal import answer, percent
from cloud.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Attributes: tell things of one label apart by examples.")

Detector = Annotated[str, typer.Argument(metavar="DETECTOR", help="Name or id of the detector.")]
Name = Annotated[str, typer.Argument(metavar="ATTRIBUTE", help="Name of the attribute.")]


@app.command()
def add(
    detector: Detector,
    name: Name,
    label: Annotated[list[str], typer.Option(help="A label whose things have it; may come several times.")],
    values: Annotated[str, typer.Option(help="What is told apart, for example diet,regular.")],
    allow_people: Annotated[
        str | None,
        typer.Option(metavar="YOUR NAME", help="Allow that people are told apart; it is kept who said so."),
    ] = None,
    *,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make an attribute; then show examples of each value."""
    named = tuple(value.strip() for value in values.split(","))
    made = attributes.add_attribute(local(home).home, detector, name, tuple(label), named, allow_people)
    following = f"next: elfowl-cloud attribute example {detector} '{name}' VALUE --media ID --box x1,y1,x2,y2"
    answer(made.model_dump(mode="json"), [_line(made), following], as_json=as_json)


@app.command()
def example(
    detector: Detector,
    name: Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What the thing in the box is.")],
    media: Annotated[str, typer.Option(help="Id of a picture or video of the detector.")],
    box: Annotated[str, typer.Option(metavar="x1,y1,x2,y2", help="Fractions of the picture.")],
    frame: Annotated[int, typer.Option(help="Frame of a video, from 0.", min=0)] = 0,
    *,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show one example of a value."""
    shown = Example(media_id=media, frame_index=frame, box=_corners(box))
    changed = attributes.show_example(local(home).home, detector, name, value, shown)
    answer(changed.model_dump(mode="json"), [_line(changed)], as_json=as_json)


@app.command()
def train(detector: Detector, name: Name, *, home: Home = None, as_json: AsJson = False) -> None:
    """Learn an attribute from its examples; the next bundle of the detector carries it."""
    from cloud.worker.attributes import teach_attribute

    learned = teach_attribute(local(home).home, detector, name)
    answer(learned.model_dump(mode="json"), [_line(learned)], as_json=as_json)


@app.command()
def change(
    detector: Detector,
    name: Name,
    new_name: Annotated[str | None, typer.Option("--name", help="What it is called from now on.")] = None,
    rename: Annotated[
        list[str] | None, typer.Option(metavar="OLD=NEW", help="New name of a value; may come several times.")
    ] = None,
    values: Annotated[
        str | None, typer.Option(help="All values from now on; those left out go with their examples.")
    ] = None,
    *,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Rename an attribute or its values, add values, or leave some out."""
    changed = attributes.change_attribute(
        local(home).home,
        detector,
        name,
        new_name=new_name,
        rename=dict(_pair(one) for one in rename or ()),
        values=None if values is None else values.split(","),
    )
    answer(changed.model_dump(mode="json"), [_line(changed)], as_json=as_json)


@app.command()
def examples(detector: Detector, name: Name, *, home: Home = None, as_json: AsJson = False) -> None:
    """List the examples of an attribute with the ids by which they can be taken back."""
    found = attributes.attribute_of(local(home).home, detector, name)
    rows = [(value, one) for value, shown in found.values.items() for one in shown]
    lines = [f"{one.id}  {value}  {one.media_id} frame {one.frame_index}" for value, one in rows]
    told = [{"id": one.id, "value": value, **one.model_dump(mode="json")} for value, one in rows]
    answer(told, lines or ["no examples yet: elfowl-cloud attribute example"], as_json=as_json)


@app.command("take-back")
def take_back(
    detector: Detector,
    name: Name,
    example_id: Annotated[str, typer.Argument(metavar="EXAMPLE", help="Id, as `examples` lists it.")],
    *,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take one example back."""
    changed = attributes.take_back_example(local(home).home, detector, name, example_id)
    answer(changed.model_dump(mode="json"), [_line(changed)], as_json=as_json)


@app.command("list")
def list_all(detector: Detector, *, home: Home = None, as_json: AsJson = False) -> None:
    """List a detector's attributes."""
    found = attributes.attributes_of(local(home).home, detector)
    lines = [_line(attribute) for attribute in found] or ["no attributes yet: elfowl-cloud attribute add"]
    answer([attribute.model_dump(mode="json") for attribute in found], lines, as_json=as_json)


@app.command()
def remove(detector: Detector, name: Name, *, home: Home = None, as_json: AsJson = False) -> None:
    """Forget an attribute with its examples."""
    attributes.forget_attribute(local(home).home, detector, name)
    answer({"removed": name}, [f"removed {name}"], as_json=as_json)


def _line(attribute: Attribute) -> str:
    counts = ", ".join(f"{value} ({len(shown)})" for value, shown in attribute.values.items())
    line = f"{attribute.name} of {', '.join(attribute.labels)}: {counts}"
    if attribute.taught is None:
        return f"{line}; not taught yet"
    quality = attribute.taught.quality
    since = "" if attribute.is_current else "; its examples changed since"
    return (
        f"{line}; answers {percent(quality.answered)} of its examples when they are left out, "
        f"{percent(quality.right)} of these rightly{since}"
    )


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals:
        message = f"--rename {text}: give the old and the new name, as diet=light"
        raise InputError(message)
    return old.strip(), new.strip()


def _corners(text: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
    except ValueError:
        x1 = y1 = x2 = y2 = -1.0
    if not (0.0 <= x1 < x2 <= 1.0 and 0.0 <= y1 < y2 <= 1.0):
        message = f"--box {text}: give four fractions of the picture, as 0.1,0.2,0.4,0.9"
        raise InputError(message)
    return x1, y1, x2, y2
