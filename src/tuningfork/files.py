"""Outputs that appear whole or not at all: write under a temporary name, then rename."""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import json
import os
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tuningfork.errors import OutputError, TuningforkError

TEMPORARY = ".unfinished-"  # how the name of every file in the making begins


def clear_temporaries(folder: Path) -> None:
    """Remove the files in the making that a killed run left in a folder."""
    for path in folder.glob(f"{TEMPORARY}*"):
        path.unlink(missing_ok=True)


@contextmanager
def sole_run(folder: Path, error: type[TuningforkError]) -> Iterator[None]:
    """Hold `folder` against a second run on it, which would mix its files with ours; a killed run lets go."""
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise error(f"another run is at work in {folder}; wait for it") from problem
        yield


def software_version() -> str:
    """The version of tuningfork that is running, as written into every file it makes."""
    try:
        return version("tuningfork")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"


def stamp(kind: str, format_version: int) -> dict[str, Any]:
    """How every manifest begins: what it is of, what made it, and when (UTC)."""
    return {
        "format": kind,
        "version": format_version,
        "made_by": f"tuningfork {software_version()}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an operating-system error (permission, full disk) met while writing `path` into an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another place"
        ) from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; on success it takes the name `path`, on failure it is removed.

    The temporary name keeps `path`'s ending, because writers choose a format by it.

    Raises
    ------
    OutputError
        If the folder can't be written or the disk is full.
    """
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{TEMPORARY}{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            # mkstemp makes private files; an output gets the permissions any new file would get.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def refuse_existing(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Raise an `OutputError` if one of these files exists already and may not be replaced."""
    for path in paths:
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists; choose another name, or replace it with --overwrite")


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, error: type[TuningforkError]) -> Any:
    """Read JSON; a missing or broken file becomes an `error` that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"cannot read {path}: {problem.strerror}") from problem
    except ValueError as problem:
        raise error(f"{path} is not valid JSON ({problem}); make it again") from problem


def read_toml(path: Path, error: type[TuningforkError]) -> dict[str, Any]:
    """Read TOML; a missing or broken file becomes an `error` that names it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"cannot read {path}: {problem.strerror}") from problem
    except ValueError as problem:
        raise error(f"{path} is not valid TOML: {problem}") from problem


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
