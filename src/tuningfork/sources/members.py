"""What is in an archive, and the metadata of its images."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from tuningfork.sources.names import image_ending
from tuningfork.sources.walk import ending

LARGEST_TEXT = 1 << 20  # bytes of the metadata of one image
TOLD_IN = (".json", ".cls", ".txt")


@dataclass
class Index:
    """The images of an archive: the name of each, where it is and how many bytes it has.

    `columns` is what other members tell, by their names without ending; `passed` counts what is neither.
    """

    names: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    passed: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, position: int, size: int) -> bool:
        """Take up a member; whether it tells something of an image, and is to be read now."""
        parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..", ".")]
        if any(part.startswith(".") or part == "__MACOSX" for part in parts):
            self.passed["hidden file"] += 1
        elif image_ending(name):
            self.names.append("/".join(parts))
            self.positions.append(position)
            self.sizes.append(size)
        elif ending(name) in TOLD_IN and size <= LARGEST_TEXT:
            return True
        else:
            self.passed[f"file of other kinds ({ending(name) or 'no ending'})"] += 1
        return False

    def tell(self, name: str, data: bytes) -> None:
        """Take up what a member tells: the keys of a JSON object, or its text under the name of its ending."""
        kind = ending(name)
        text = data.decode("utf-8", errors="replace").strip()
        values: dict[str, Any] = {kind[1:]: int(text) if kind == ".cls" and text.isdecimal() else text}
        if kind == ".json":
            try:
                found = json.loads(text)
            except ValueError:
                self.passed["file of damaged JSON"] += 1
                return
            values = (
                {k: v for k, v in found.items() if isinstance(v, (str, int, float, bool))}
                if isinstance(found, dict)
                else {}
            )
        parts = [part for part in PurePosixPath(name[: -len(kind)]).parts if part not in ("/", "..", ".")]
        self.columns.setdefault("/".join(parts), {}).update(values)

    def told_of(self, name: str) -> dict[str, Any]:
        """The metadata of an image, by its name without ending: ``1.image`` has that of ``1``."""
        return self.columns.get(name) or self.columns.get(name.rpartition(".")[0], {})
