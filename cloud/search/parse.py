"""Reads the text of a search; what is wrong is told with its place and what was expected there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, cast

from pydantic import ValidationError

from cloud.errors import InputError
from cloud.search.query import KEYWORDS, Ago, At, Day, Query, Relation, Thing

MOST_CHARACTERS = 500


class SearchTextError(InputError):
    """A text means no search; `place` is the character where that shows, from 1, or none for the whole."""

    def __init__(self, message: str, place: int | None = None) -> None:
        super().__init__(message)
        self.place = place


_TOKEN = re.compile(r'\s*(?:"(?P<quoted>[^"]*)"|(?P<sign>[=>])|(?P<word>[^\s"=>]+)|(?P<bad>"))')
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,6})?")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhd])")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_FACTORS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class _Token:
    text: str
    place: int
    quoted: bool = False

    def means(self, *words: str) -> bool:
        return not self.quoted and self.text.lower() in words


def parse_query(text: str) -> Query:
    """Return the search that a text means.

    Raises:
        SearchTextError: It means none; says at which character, counted from 1, and what was expected.
    """
    if len(text) > MOST_CHARACTERS:
        message = f"the search has {len(text)} characters; write at most {MOST_CHARACTERS}"
        raise SearchTextError(message)
    if "\0" in text:
        _fail("\0", text.index("\0") + 1, "a character that can be printed")
    return _Parser(_tokens(text), len(text) + 1).query()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match["bad"] is not None:
            _fail(text[at:].lstrip()[:1], len(text) - len(text[at:].lstrip()) + 1, 'a closing "')
        kind = str(match.lastgroup)
        tokens.append(_Token(match[kind], match.start(kind) + 1 - (kind == "quoted"), kind == "quoted"))
        at = match.end()
    return tokens


def _fail(found: str | None, place: int, expected: str) -> NoReturn:
    got = "the search ends" if found is None else f"got {found!r}"
    message = f"search, at character {place}: expected {expected}, but {got}"
    raise SearchTextError(message, place)


class _Parser:
    """Reads from the left, one token at a time."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = tokens
        self._end = end
        self._next = 0

    def query(self) -> Query:
        fields: dict[str, Any] = {"first": self._thing()}
        if (relation := self._take("with", "near", "then")) is not None:
            fields["relation"] = cast("Relation", relation.text.lower())
            fields["second"] = self._thing()
        while self._next < len(self._tokens):
            self._clause(fields)
        try:
            return Query(**fields)
        except ValidationError as error:
            message = f"search: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
            raise SearchTextError(message) from error

    def _thing(self) -> Thing:
        fields: dict[str, Any] = {"label": self._name("a label such as person"), "attributes": ()}
        while (word := self._take("in", "is", "score")) is not None:
            if word.means("in"):
                where = self._keyword("camera or zone", "camera", "zone")
                self._once(fields, where, self._name(f"the name of a {where.text.lower()}"))
            elif word.means("is"):
                slug = self._name("an attribute such as coat")
                self._keyword("=", "=")
                fields["attributes"] += ((slug, self._name("the attribute's value")),)
            else:
                self._keyword(">", ">")
                self._once(fields, word, self._number(), name="above_score")
        return Thing(**fields)

    def _clause(self, fields: dict[str, Any]) -> None:
        word = self._keyword(
            "within, between, since, until or the end" if "second" in fields
            else "with, near, then, between, since, until or the end",
            "within", "between", "since", "until",
        )  # fmt: skip
        if word.means("within"):
            self._within(fields, word)
        elif word.means("between"):
            self._once(fields, word, self._day(), name="day")
        else:
            self._once(fields, word, self._when())

    def _within(self, fields: dict[str, Any], word: _Token) -> None:
        token = self._any("a time such as 5s or a distance such as 20%")
        if match := _DURATION.fullmatch(token.text):
            self._once(fields, word, _seconds(match), name="within_s")
        elif match := _PERCENT.fullmatch(token.text):
            self._once(fields, word, float(match[1]), name="within_percent")
        else:
            _fail(token.text, token.place, "a time such as 5s or a distance such as 20%")

    def _day(self) -> Day:
        begin = self._clock()
        self._keyword("and", "and")
        place = self._tokens[self._next].place if self._next < len(self._tokens) else self._end
        end = self._clock()
        if begin == end:
            _fail(f"{end // 60:02}:{end % 60:02}", place, "another time than the first")
        return Day(begin_min=begin, end_min=end)

    def _clock(self) -> int:
        token = self._any("a time of day such as 22:00")
        match = _CLOCK.fullmatch(token.text)
        if match is None:
            _fail(token.text, token.place, "a time of day such as 22:00")
        return int(match[1]) * 60 + int(match[2])

    def _when(self) -> Ago | At:
        expected = "a date such as 2026-11-28, with a time 2026-11-28T10:30, or how long ago, such as 30d"
        token = self._any(expected)
        if (match := _DURATION.fullmatch(token.text)) and (seconds := _seconds(match)) > 0:
            return Ago(seconds=seconds)
        try:
            local = datetime.fromisoformat(token.text.upper())
        except ValueError:
            _fail(token.text, token.place, expected)
        if local.tzinfo is not None or local.microsecond:
            _fail(token.text, token.place, expected)
        return At(local=local)

    def _number(self) -> float:
        token = self._any("a number such as 0.6")
        if not _NUMBER.fullmatch(token.text):
            _fail(token.text, token.place, "a number such as 0.6")
        return float(token.text)

    def _once(self, fields: dict[str, Any], word: _Token, value: object, *, name: str | None = None) -> None:
        name = name or word.text.lower()
        if name in fields:
            _fail(word.text, word.place, f"no second {word.text.lower()} of this kind")
        fields[name] = value

    def _name(self, expected: str) -> str:
        token = self._any(expected)
        if not token.text or (not token.quoted and token.text.lower() in KEYWORDS | {"=", ">"}):
            _fail(token.text, token.place, f"{expected} (one that is a word of the search goes in quotes)")
        return token.text

    def _keyword(self, expected: str, *words: str) -> _Token:
        token = self._any(expected)
        if not token.means(*words):
            _fail(token.text, token.place, expected)
        return token

    def _take(self, *words: str) -> _Token | None:
        if self._next < len(self._tokens) and self._tokens[self._next].means(*words):
            self._next += 1
            return self._tokens[self._next - 1]
        return None

    def _any(self, expected: str) -> _Token:
        if self._next == len(self._tokens):
            _fail(None, self._end, expected)
        self._next += 1
        return self._tokens[self._next - 1]


def _seconds(match: re.Match[str]) -> float:
    return float(match[1]) * _FACTORS_S[match[2]]
