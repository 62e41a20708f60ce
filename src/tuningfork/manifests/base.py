"""Manifests: one class for each format of JSON that says what a folder is, and vouches for the files in it.

A manifest is written last and whole, so that where none stands, nothing is finished. It is read within bounds, and
checked before anything in it is used: a format and version this software knows, types that are right, file names that
stay in the folder. An error is one line that names the file and the key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, PrivateAttr, ValidationError

from tuningfork.errors import TuningforkError
from tuningfork.files import WORK, read_json, sha256, stamp, write_json

LARGEST = 64 << 20  # bytes
DEEPEST = 40  # levels of lists and tables
LONGEST_NAME = 400  # characters of a file's name
MOST_MEMBERS = 64  # of an ensemble
SPEC = "spec"  # stands among the hashes of a model, and is no file


def _inside(name: str) -> str:
    """A relative name that stays below the folder it is relative to, on any system."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise ValueError("no name of a file")
    parts, windows = PurePosixPath(name).parts, PureWindowsPath(name)
    if name.startswith("/") or windows.drive or windows.root or not parts or {".", ".."} & {*parts, *windows.parts}:
        raise ValueError("a file outside the folder")
    return name


FileName = Annotated[str, AfterValidator(_inside)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=1, le=1 << 16)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[FiniteFloat, Field(gt=0)]
Number = Annotated[FiniteFloat, Field(strict=False)]
Interval = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]


class Entry(BaseModel):
    """A table in a manifest; keys that this version does not know are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, protected_namespaces=())


class Manifest(Entry):
    """What every manifest holds. `content` is all of it, as it is in the file."""

    FORMAT: ClassVar[str]
    VERSION: ClassVar[int] = 1
    NAME: ClassVar[str]  # of the file
    WHAT: ClassVar[str]  # as in "is not the manifest of a pack"
    MAKE: ClassVar[str]  # the command that makes it
    AGAIN: ClassVar[str]  # what to do where it, or a file it speaks of, is wrong
    ERROR: ClassVar[type[TuningforkError]]

    format: str
    version: int
    made_by: str = ""
    created: str = ""
    sha256: dict[FileName, Digest] = Field(default_factory=dict)
    inputs: dict[str, Any] = Field(default_factory=dict)

    _content: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """All of it."""
        return self._content

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest of a folder, checked; its files are not looked at.

        Raises
        ------
        TuningforkError
            Of the class `ERROR`: if there is none, it is another's or of another version, or a key of it is wrong.
        """
        path = folder / cls.NAME
        if not path.exists():
            begun = (folder / WORK).exists()
            what = "work has not finished there; run the same command again" if begun else cls._is_none()
            raise cls.ERROR(f"{folder} holds no {cls.NAME}: {what}")
        return cls.of(read_json(path, cls.ERROR, LARGEST), path)

    @classmethod
    def _is_none(cls) -> str:
        return f"it is not {cls.WHAT}; make one with `tuningfork {cls.MAKE}`"

    @classmethod
    def of(cls, content: Any, origin: Path) -> Self:
        """A manifest from what JSON holds; `where` it stood, for errors."""
        if not isinstance(content, dict) or content.get("format") != cls.FORMAT:
            raise cls.ERROR(f"{origin} is not the manifest of {cls.WHAT}")
        if content.get("version") != cls.VERSION or content["version"] is True:
            raise cls.ERROR(
                f"{origin} has format version {_shown(content.get('version'))}; this software reads {cls.VERSION}: "
                f"update it, or {cls.AGAIN}"
            )
        if _depth(content) > DEEPEST:
            raise cls.ERROR(f"{origin} is nested too deeply; {cls.AGAIN}")
        try:
            manifest = cls.model_validate(content)
        except ValidationError as problem:
            raise cls.ERROR(f"{origin}: {_first(problem)}; {cls.AGAIN}") from problem
        manifest._content = content
        return manifest

    @classmethod
    def write(cls, folder: Path, content: Mapping[str, Any], files: Iterable[str] = ()) -> None:
        """Write a manifest, whole, after the `files` of its folder that it vouches for.

        Raises
        ------
        OutputError
            If it can't be written.
        """
        hashes = {name: sha256(folder / name) for name in files}
        whole = stamp(cls.FORMAT, cls.VERSION) | dict(content)
        if hashes or "sha256" in whole:
            whole["sha256"] = hashes | whole.get("sha256", {})
        cls.of(json.loads(json.dumps(whole)), folder / cls.NAME)
        write_json(folder / cls.NAME, whole)

    def check(self, folder: Path, names: Iterable[str] | None = None) -> None:
        """See that files of the folder are those it speaks of: all of them, or those of these names.

        Raises
        ------
        TuningforkError
            Of the class `ERROR`: if one is missing, a link, or not the file that was written.
        """
        for name in self.sha256 if names is None else names:
            if name == SPEC:
                continue
            path = self.file(folder, name)
            try:
                altered = sha256(path) != self.sha256.get(name)
            except OSError as problem:
                raise self.ERROR(f"{path} can't be read ({problem.strerror}); {self.AGAIN}") from problem
            if altered:
                raise self.ERROR(
                    f"{path} is not the file its manifest speaks of (altered or half copied); {self.AGAIN}"
                )

    def file(self, folder: Path, name: str) -> Path:
        """A regular file of the folder by its name; links are not followed.

        Raises
        ------
        TuningforkError
            Of the class `ERROR`: if there is none.
        """
        path = folder
        for part in PurePosixPath(_inside(name)).parts:
            path = path / part
            if path.is_symlink():
                raise self.ERROR(f"{path} is a link, and those in {self.WHAT} are not followed; copy the file itself")
        if not path.is_file():
            raise self.ERROR(f"{path} is missing; {self.AGAIN}")
        return path


def _depth(value: Any) -> int:
    """How many lists and tables lie in one another, without recursion."""
    deepest, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        deepest += 1
        if deepest > DEEPEST:
            break
        level = [each for entry in level for each in (entry.values() if isinstance(entry, dict) else entry)]
    return deepest


def _first(problem: ValidationError) -> str:
    """The first thing that is wrong, in one line: the key, and what is the matter with it."""
    error = problem.errors(include_url=False, include_context=False)[0]
    key = ".".join(_shown(part) for part in error["loc"])
    text = re.sub(r"^Value error, ", "", error["msg"])
    return f"{key}: {text[0].lower()}{text[1:]}"


def _shown(value: Any) -> str:
    """A value of unknown origin, short and printable."""
    text = "".join(each if each.isprintable() else "?" for each in str(value))
    return text if len(text) <= 40 else text[:37] + "..."
