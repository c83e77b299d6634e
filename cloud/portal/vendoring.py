"""Refreshes the vendored browser modules: `python -m cloud.portal.vendoring` (needs npm; users never do).

The files lie in `static/vendor` as they come from their packages; `vendor.json` names version, licence and
sha256 of each.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).parent / "static" / "vendor"


@dataclass(frozen=True)
class Vendored:
    """One file of one package."""

    package: str
    version: str
    licence: str
    member: str
    file: str


FILES = (
    Vendored("preact", "11.2.0", "MIT", "package/dist/preact.mjs", "preact.mjs"),
    Vendored("preact", "11.2.0", "MIT", "package/hooks/dist/hooks.mjs", "hooks.mjs"),
    Vendored("@preact/signals", "2.11.4", "MIT", "package/dist/signals.mjs", "signals.mjs"),
    Vendored("@preact/signals-core", "1.14.5", "MIT", "package/dist/signals-core.mjs", "signals-core.mjs"),
    Vendored("uplot", "1.6.32", "MIT", "package/dist/uPlot.esm.js", "uplot.mjs"),
    Vendored("uplot", "1.6.32", "MIT", "package/dist/uPlot.min.css", "uplot.css"),
    Vendored("htm", "3.1.1", "Apache-2.0", "package/dist/htm.mjs", "htm.mjs"),
)


def _strip_source_map(text: str) -> str:
    """Drop the comment that points to a map which is not shipped, so that no browser asks for it in vain."""
    marker = "//# sourceMappingURL="
    return text[: text.rindex(marker)].rstrip() + "\n" if marker in text else text


def _fetch(vendored: Vendored, folder: Path) -> tarfile.TarFile:
    done = subprocess.run(  # noqa: S603 - fixed words
        ["npm", "pack", "--silent", f"{vendored.package}@{vendored.version}"],  # noqa: S607 - npm of the developer
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return tarfile.open(fileobj=io.BytesIO((folder / done.stdout.split()[-1]).read_bytes()))


def refresh() -> None:
    """Fetch every file and its licence, and write `vendor.json`."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for vendored in FILES:
            archive = _fetch(vendored, Path(folder))
            names = archive.getnames()
            licence = next(name for name in names if name.lower().startswith("package/licen"))
            text = _strip_source_map(archive.extractfile(vendored.member).read().decode())  # type: ignore[union-attr]
            (VENDOR / vendored.file).write_text(text)
            licence_text = archive.extractfile(licence).read()  # type: ignore[union-attr]
            (VENDOR / f"{vendored.file}.LICENSE.txt").write_bytes(licence_text)
            rows.append(vars(vendored) | {"sha256": hashlib.sha256(text.encode()).hexdigest()})
    (VENDOR / "vendor.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    refresh()
