"""The open network that the starter is made from: where it comes from, and how to take it out.

`npm pack @mediapipe/objectron@0.4.1675468480` fetches its package. That is Apache-2.0; the network was
trained on Open Images v4 for 23 classes.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from compress.errors import UnknownDetectorError

PACKAGE = "@mediapipe/objectron@0.4.1675468480"
NETWORK_SHA256 = "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6"

CLASSES = (
    *("???", "Bicycle", "Boot", "Laptop", "Person", "Chair", "Cattle", "Desk", "Cat", "Computer mouse"),
    *("Computer monitor", "Box", "Mug", "Coffee cup", "Stationary bicycle", "Table", "Bottle", "High heels"),
    *("Vehicle", "Footwear", "Dog", "Book", "Camera", "Car"),
)
"""Names of the network's scores, in order; the first is the background."""

_MEMBER = "package/objectron_solution_packed_assets.data"
_START, _END = 184, 9_987_912


def read_network(package: Path) -> bytes:
    """Take the TFLite file out of the npm package.

    Args:
        package: The .tgz that `npm pack` wrote.

    Raises:
        UnknownDetectorError: It is another file.
    """
    try:
        with tarfile.open(package) as archive:
            member = archive.extractfile(_MEMBER)
            content = member.read(_END)[_START:] if member else b""
    except (OSError, tarfile.TarError, KeyError) as error:
        message = f"{package} is not the npm package: run npm pack {PACKAGE} and give its .tgz"
        raise UnknownDetectorError(message) from error
    if hashlib.sha256(content).hexdigest() != NETWORK_SHA256:
        message = f"{package} holds another network than {PACKAGE}: its SHA-256 differs"
        raise UnknownDetectorError(message)
    return content
