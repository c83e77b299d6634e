"""Forms of a few small parts, as cameras send them: read whole, and cut at the marks between the parts.

The framework's parser takes many times longer, for it goes on with every piece of a file of any size. Here
the whole form is in memory already, no larger than what the door lets in.
"""

from __future__ import annotations

import re
from typing import Final

from cloud.errors import InputError

_MOST_PARTS: Final = 6
_MOST_HEAD_BYTES: Final = 2000
_BOUNDARY: Final = re.compile(
    r"multipart/form-data\s*;(?:.*;)?\s*boundary=(?:\"([^\"\r\n]{1,70})\"|([^\s;,\"]{1,70}))", re.IGNORECASE
)
_NAME: Final = re.compile(
    rb"\r\ncontent-disposition:[ \t]*form-data[^\r\n]*?;[ \t]*name=(?:\"([^\"\r\n]*)\"|([^\s;\"]+))",
    re.IGNORECASE,
)


def parts_of(content_type: str, body: bytes) -> dict[str, bytes]:
    """Return the parts of a form by their names; of two of one name the last.

    Args:
        content_type: The header, which says what stands between the parts.
        body: The whole form.

    Raises:
        InputError: It is no form, is cut short, or has more than six parts.
    """
    found = _BOUNDARY.match(content_type)
    if found is None:
        message = "send the parts as multipart/form-data"
        raise InputError(message)
    mark = b"\r\n--" + (found[1] or found[2]).encode("latin-1", "replace")
    # The first mark may be at the very beginning, where no line ends before it.
    pieces = (b"\r\n" + body).split(mark, _MOST_PARTS + 1)
    if len(pieces) == 1 or not pieces[-1].startswith(b"--"):
        message = f"the form is cut short, or has more than {_MOST_PARTS} parts"
        raise InputError(message)
    return dict(_part(part) for part in pieces[1:-1])


def _part(part: bytes) -> tuple[str, bytes]:
    head, blank_line, content = part.partition(b"\r\n\r\n")
    found = _NAME.search(head) if len(head) <= _MOST_HEAD_BYTES else None
    if not blank_line or found is None:
        message = "a part of the form has no name"
        raise InputError(message)
    return (found[1] or found[2] or b"").decode("utf-8", "replace"), content
