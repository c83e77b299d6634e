"""Display names of labels ("kid's hand") and the slugs made from them ("kids_hand")."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_MAX_SLUG_CHARS = 48


def slugify(name: str) -> str:
    """Return the slug of a label's display name.

    A name that leaves nothing (only signs, or a script without Latin letters) gets a slug from its digest, so
    that two such names stay apart.

    Args:
        name: What people call it.

    Raises:
        ValueError: The name is empty.
    """
    if not name.strip():
        message = "a label needs a name"
        raise ValueError(message)
    latin = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "_", latin.lower().replace("'", "")).strip("_")
    return words[:_MAX_SLUG_CHARS].rstrip("_") or "label_" + hashlib.sha256(name.encode()).hexdigest()[:8]
