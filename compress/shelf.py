"""What a search has finished, in files, so that a killed one goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn


class Shelf:
    """Where finished recoveries lie, and those under way."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def get(self, key: str) -> dict[str, torch.Tensor] | None:
        """Return what a network had learned, if it was finished."""
        file = self.folder / f"{key}.pt"
        if not file.is_file():
            return None
        state: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
        return state

    def put(self, key: str, network: nn.Module) -> None:
        """Keep what a network learned; the file appears whole or not at all."""
        partial = self.folder / f"{key}.pt.part"
        torch.save(network.state_dict(), partial)
        partial.replace(self.folder / f"{key}.pt")

    def noted(self, key: str) -> Any:  # noqa: ANN401 - anything that JSON can say
        """Return what was noted under a key; none if nothing was."""
        file = self.folder / f"{key}.json"
        return json.loads(file.read_text("utf-8")) if file.is_file() else None

    def note(self, key: str, what: object) -> None:
        """Note something; the file appears whole or not at all."""
        partial = self.folder / f"{key}.json.part"
        partial.write_text(json.dumps(what), "utf-8")
        partial.replace(self.folder / f"{key}.json")

    def checkpoint(self, key: str) -> Path:
        """Return where a recovery keeps what it has so far."""
        return self.folder / f"{key}.under_way"
