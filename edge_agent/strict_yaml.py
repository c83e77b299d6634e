"""YAML files written by people, read strictly: a mistake becomes one error with file, line, key and cure."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from edge_agent.errors import ConfigError

_MAX_FILE_BYTES = 1_000_000

ModelT = TypeVar("ModelT", bound=BaseModel)
_Place = tuple[int | str, ...]


def read_yaml_text(path: Path, what: str) -> str:
    """Return the text of a file.

    Args:
        path: The file.
        what: What it should be, for example `a config file`.

    Raises:
        ConfigError: It cannot be read, is no UTF-8, or too large to be that.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            message = f"{path}: larger than {_MAX_FILE_BYTES} bytes, so not {what}"
            raise ConfigError(message)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"{path}: {error.strerror or error}; give the path of a readable YAML file"
        raise ConfigError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8"
        raise ConfigError(message) from error


def parse_strictly(model: type[ModelT], text: str, where: str, first_line: str) -> ModelT:
    """Check a YAML document against a model.

    Args:
        model: What the document must be.
        text: The document.
        where: Its file name, for the error.
        first_line: How such a file begins, for the error.

    Raises:
        ConfigError: It is no YAML, or a key or value is wrong; names the line.
    """
    root = _compose(text, where, first_line)
    # Nothing is constructed before duplicates are refused: the last of two would win silently.
    _refuse_duplicate_keys(where, root)
    try:
        # What checks it goes with the adapter: models that are built late keep nothing of it.
        parsed = TypeAdapter(model).validate_python(yaml.SafeLoader("").construct_document(root))
    except yaml.MarkedYAMLError as error:
        raise _bad_yaml(where, error) from error
    except ValidationError as error:
        raise ConfigError(_describe(model, where, root, error.errors(include_url=False))) from error
    # Documents of the wire keep keys that they do not know; in a file that a person wrote one is a mistake.
    if unknown := list(_unknown_keys(parsed, ())):
        errors = [ErrorDetails(type="extra_forbidden", loc=p, msg="", input=None) for p in unknown]
        raise ConfigError(_describe(model, where, root, errors))
    return parsed


def _unknown_keys(value: object, place: _Place) -> Iterator[_Place]:
    """Give the places of all keys that some model in `value` kept without knowing them."""
    if isinstance(value, BaseModel):
        yield from ((*place, key) for key in value.model_extra or ())
        for name, field in type(value).model_fields.items():
            yield from _unknown_keys(getattr(value, name), (*place, field.alias or name))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _unknown_keys(item, (*place, index))


def _compose(text: str, where: str, first_line: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _bad_yaml(where, error) from error
    except (yaml.YAMLError, RecursionError) as error:
        message = f"{where}: not YAML: {str(error).splitlines()[0]}"
        raise ConfigError(message) from error
    if not isinstance(root, yaml.MappingNode):
        message = f"{where}:1: the file must be a list of `key: value` lines, starting with `{first_line}`"
        raise ConfigError(message)
    return root


def _bad_yaml(where: str, error: yaml.MarkedYAMLError) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    hint = "use spaces" if "\\t" in str(error.problem) else "check indentation, colons and quotes"
    return ConfigError(f"{where}:{line}: not YAML: {error.problem or error.context}; {hint}")


def _mappings(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    waiting: list[yaml.Node] = [node]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, yaml.MappingNode):
            yield current
            waiting.extend(value for _, value in current.value)
        elif isinstance(current, yaml.SequenceNode):
            waiting.extend(current.value)


def _refuse_duplicate_keys(where: str, root: yaml.Node) -> None:
    for mapping in _mappings(root):
        first_line: dict[str, int] = {}
        for key, _ in mapping.value:
            line = key.start_mark.line + 1
            if key.value in first_line:
                message = (
                    f"{where}:{line}: '{key.value}' stands already in line {first_line[key.value]}; keep one"
                )
                raise ConfigError(message)
            first_line[str(key.value)] = line


def _line_of(root: yaml.Node, place: _Place) -> int:
    """Return the 1-based line of the deepest node on the way to `place`."""
    node, line = root, root.start_mark.line
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1


def _describe(model: type[BaseModel], where: str, root: yaml.Node, errors: list[ErrorDetails]) -> str:
    # A misspelt key is also a missing one, and makes its list too short: tell the cause, not the consequence.
    rank = {"extra_forbidden": 0, "missing": 2, "too_short": 3}
    causes = sorted((rank.get(e["type"], 1), _line_of(root, e["loc"]), _explain(model, e)) for e in errors)
    _, line, text = causes[0]
    others = sum(cause[0] <= 1 for cause in causes[1:])
    more = f" (and {others} more)" if others else ""
    return f"{where}:{line}: {text}{more}"


def _explain(model: type[BaseModel], error: ErrorDetails) -> str:
    place = error["loc"]
    key = _dotted(place)
    match error["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key; {_suggest(model, place)}"
        case "missing":
            return f"{key}: missing; add it"
        case "value_error":
            text = error["msg"].removeprefix("Value error, ")
            return f"{key}: {text}" if key else text
        case "string_pattern_mismatch":
            return (
                f"{key}: {error['input']!r} has signs that are not allowed; use letters, digits, '-' and '_'"
            )
        case _:
            got = "" if "password" in key or "token" in key else f", got {_shorten(error['input'])}"
            return f"{key}: {error['msg'].removeprefix('Input ')}{got}"


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _dotted(place: _Place) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _suggest(model: type[BaseModel], place: _Place) -> str:
    known = sorted(_fields(_section_at(model, place[:-1])))
    near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"


def _fields(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields by the names that they have in the file."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _section_at(model: type[BaseModel], place: _Place) -> type[BaseModel]:
    section = model
    for part in place:
        if isinstance(part, str):
            section = _section_in(_fields(section)[part].annotation) or section
    return section


def _section_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_section_in(argument) for argument in typing.get_args(annotation))
    return next((section for section in found if section is not None), None)
