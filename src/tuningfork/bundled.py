"""What ships with the package under names, and a user's own in files: one place where either is found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from tuningfork.errors import TuningforkError

TOML = ".toml"


@dataclass(frozen=True)
class Bundle:
    """Things of one kind that ship with the package.

    Parameters
    ----------
    noun
        What one is called, as in "no schema named".
    package, folder, pattern
        Where they lie. A pattern that ends in ``.toml`` matches the file of each, another a file in the folder of each.
    error
        What is raised where there is none.
    own
        What the user may give of his own; empty where he may not.
    see
        How the user sees the names; unless given they are all named.
    """

    noun: str
    package: str
    folder: str
    pattern: str
    error: type[TuningforkError]
    own: str = ""
    see: str = ""

    def names(self) -> list[str]:
        """Their names, in alphabetical order."""
        return sorted(self._paths())

    def find(self, name: str | Path) -> Path:
        """The file, or the folder, of one by its name, or of the user's own by its path.

        A folder in that of one is found by both names: ``accurate/members/2``.

        Raises
        ------
        TuningforkError
            Of the class `error`: if there is no such name, and it is no path of one either.
        """
        text = str(name)
        if text in (known := self._paths()):
            return known[text]
        if self._is_own(Path(name)):
            return Path(name)
        first, _, within = text.partition("/")
        if within and first in known and (known[first] / within).is_dir():
            return known[first] / within
        see = self.see or f"there are {', '.join(sorted(known))}"
        own = f", or give {self.own}" if self.own else ""
        raise self.error(f"no {self.noun} named {text!r}; {did_you_mean(text, known)}{see}{own}")

    def _paths(self) -> dict[str, Path]:
        root = Path(str(files(self.package) / self.folder))
        found = {path.relative_to(root): path for path in root.glob(self.pattern)}
        if self.pattern.endswith(TOML):
            return {short.with_suffix("").as_posix(): path for short, path in found.items()}
        return {short.parent.as_posix(): path.parent for short, path in found.items()}

    def _is_own(self, path: Path) -> bool:
        if not self.own:
            return False
        return path.suffix == TOML if self.pattern.endswith(TOML) else path.is_dir()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that names what is nearest to a wrong name, or nothing."""
    near = get_close_matches(name, list(known), n=1) or get_close_matches(name.rpartition("/")[2], list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""
