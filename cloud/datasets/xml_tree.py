"""XML of strangers into a tree that knows its lines: no document types, no entities, bounded depth.

A document type is what every attack by XML begins with (entities that grow, files that are read along), and
no label format needs one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from cloud.errors import InputError

MAX_FILE_BYTES = 200_000_000
_MAX_DEPTH = 64


@dataclass
class Element:
    """One element; `line` counts from 1."""

    tag: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def every(self, tag: str) -> list[Element]:
        """Return the children of a kind."""
        return [child for child in self.children if child.tag == tag]

    def find(self, path: str) -> Element | None:
        """Return the first element under a path such as `meta/task`."""
        found: Element | None = self
        for tag in path.split("/"):
            found = None if found is None else next(iter(found.every(tag)), None)
        return found

    def said(self, path: str) -> str:
        """Return the text under a path; empty when there is none."""
        found = self.find(path)
        return "" if found is None else found.text.strip()


def read_xml(path: Path, name: str) -> Element:
    """Return the root element of a file; `name` is what errors call it.

    Raises:
        InputError: It is no XML, has a document type, or is too large or deep; the line is named.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        message = f"{name}: over {MAX_FILE_BYTES} bytes; split it"
        raise InputError(message)
    return parse_xml(path.read_bytes(), name)


def parse_xml(data: bytes, name: str) -> Element:
    """Return the root element of a document.

    Raises:
        InputError: See `read_xml`.
    """
    builder = _Builder(name)
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        message = f"{name}: line {error.lineno}: is no XML ({expat.ErrorString(error.code)})"
        raise InputError(message) from error
    return builder.root


class _Builder:
    def __init__(self, name: str) -> None:
        self._name = name
        self._open: list[Element] = [Element("", {}, 1)]
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype

    @property
    def root(self) -> Element:
        return self._open[0].children[0]

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) > _MAX_DEPTH:
            self._refuse("elements are nested too deep")
        element = Element(tag, attributes, self.parser.CurrentLineNumber)
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _tag: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].text += text

    def _refuse_doctype(self, *_: object) -> None:
        self._refuse("has a document type (<!DOCTYPE>), which labels do not need; remove it")

    def _refuse(self, reason: str) -> None:
        message = f"{self._name}: line {self.parser.CurrentLineNumber}: {reason}"
        raise InputError(message)
