"""Files that appear whole or not at all, are private until then, and are read no further than expected."""

from __future__ import annotations

import datetime
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from io import BufferedReader
from pathlib import Path
from typing import Any

from tuningfork.errors import MachineError, OutputError, TuningforkError, first_line

WORK = ".partial"  # where what takes long is made
TEMPORARY = ".unfinished-"  # how the name of everything in the making begins
LARGEST_TEXT = 1 << 30  # bytes of a manifest, a recipe or a journal; a pack of a billion images has fewer
# What fails for any file, and not because of what is in this one.
FAULTS = {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, getattr(errno, "ESTALE", errno.EIO)}
LONGEST_STEM = 60  # characters of a name that its temporary keeps


def clear_temporaries(folder: Path) -> None:
    """Remove what a killed run left in the making in a folder that this run holds alone."""
    for path in folder.glob(f"{TEMPORARY}*"):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; a link is removed, not what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def software_version() -> str:
    """The version of tuningfork that is running, as written into every file it makes."""
    try:
        return version("tuningfork")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"


def software() -> str:
    """What makes a file, by name and version, as every manifest says it."""
    return f"tuningfork {software_version()}"


def stamp(kind: str, format_version: int) -> dict[str, Any]:
    """How every manifest begins: what it is of, what made it, and when (UTC)."""
    return {
        "format": kind,
        "version": format_version,
        "made_by": software(),
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


def refuse_fault(error: BaseException, name: str | Path) -> None:
    """Raise a `MachineError` where what went wrong with a file is the machine's fault, and not the file's."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in FAULTS):
        what = getattr(error, "strerror", None) or "out of memory"
        raise MachineError(
            f"{name}: {what}. The machine fails, not the image: mend that and run the same again to go on; "
            "if it fails for this file alone, leave it out"
        ) from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; on success it takes the name `path`, on failure it is removed.

    The temporary name keeps `path`'s ending, because writers choose a format by it. It can't be foreseen, the file is
    private until it is whole, and it is on the disk before it is renamed. What killed processes left in the making in
    that folder is removed.

    Raises
    ------
    OutputError
        If the folder can't be written, the disk is full, or `path` is there and no regular file.
    """
    with output_errors(path):
        refuse_irregular(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_abandoned(path.parent.absolute())
        handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("r+b") as written:  # Windows flushes only what may be written
                os.fsync(written.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; on success it takes the name `path`, on failure it is removed.

    Raises
    ------
    OutputError
        If `path` exists already or can't be written.
    """
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_abandoned(path.parent.absolute())
        making = Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=path.suffix, dir=path.parent))
        try:
            yield making
            making.chmod(0o777 & ~_umask())
            if os.path.lexists(path):
                raise OutputError(f"{path} exists; choose another folder, or remove it")
            making.rename(path)
        finally:
            shutil.rmtree(making, ignore_errors=True)


def refuse_irregular(path: Path) -> None:
    """Raise an `OutputError` where `path` is a link, a device or a folder: only regular files are replaced."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            kind = "a link" if path.is_symlink() else "a folder" if path.is_dir() else "no regular file"
            raise OutputError(f"{path} is {kind}, and only regular files are replaced; choose another name")


@lru_cache(maxsize=4096)
def clear_abandoned(folder: Path) -> None:
    """Remove what processes of this machine that are no more left in the making in a folder; once in a process."""
    for left in folder.glob(f"{TEMPORARY}*"):
        process = re.search(rf"-{_machine()}-(\d+)-[a-z0-9_]{{8}}(\.[^.]*)?$", left.name)
        if process and not _runs(int(process[1])):
            with suppress(OSError):
                remove(left)


def _prefix(path: Path) -> str:
    """How the name of a temporary begins: it says of what it is, and which process of which machine makes it."""
    return f"{TEMPORARY}{path.stem[:LONGEST_STEM]}-{_machine()}-{os.getpid()}-"


def _machine() -> str:
    """A few letters for this machine, which others that see the same folder don't share."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _runs(process: int) -> bool:
    """Whether a process is there. Windows can't be asked so, and there what is in use can't be removed."""
    if os.name == "nt":
        return process == os.getpid()
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _umask() -> int:
    """What new files are not permitted; temporaries are private, an output gets what any new file would get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


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


def read_text(path: Path, error: type[TuningforkError], largest: int = LARGEST_TEXT) -> str:
    """The text of a regular file of at most `largest` bytes; what hinders becomes an `error` that names it."""
    try:
        with _regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > largest:
                raise error(f"{path} has {size:,} bytes; at most {largest:,} are read")
            return file.read(largest).decode("utf-8")
    except OSError as problem:
        raise error(f"cannot read {path}: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise error(f"{path} is not UTF-8 text ({problem.reason}); make it again") from problem


def read_json(path: Path, error: type[TuningforkError], largest: int = LARGEST_TEXT) -> Any:
    """Read JSON; a missing, broken or overlarge file becomes an `error` that names it."""
    try:
        return json.loads(read_text(path, error, largest))
    except RecursionError as problem:
        raise error(f"{path} is nested too deeply; make it again") from problem
    except ValueError as problem:
        raise error(f"{path} is not valid JSON ({first_line(problem)}); make it again") from problem


def read_toml(path: Path, error: type[TuningforkError]) -> dict[str, Any]:
    """Read TOML; a missing or broken file becomes an `error` that names it."""
    try:
        return tomllib.loads(read_text(path, error))
    except RecursionError as problem:
        raise error(f"{path} is nested too deeply") from problem
    except ValueError as problem:
        raise error(f"{path} is not valid TOML: {first_line(problem)}") from problem


def sha256(path: Path) -> str:
    """The SHA-256 of a regular file's bytes, in hexadecimal."""
    with _regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _regular(path: Path) -> BufferedReader:
    """A regular file, opened to read; of anything else, such as a pipe, an `OSError` at once."""
    # Without O_NONBLOCK (Windows has none) opening a pipe would wait for its other end.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(handle, "rb")
