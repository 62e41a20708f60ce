"""Adding to a journal of labels, which several people and servers may write at the same time.

An event is one line. It is written under a lock, after what others wrote was read, and is on the disk when it is
answered for: a kill costs at most the event at hand. A line that a kill tore is cut off before the next is added, and
one that lacks but its end, as an editor leaves it, is ended.
"""

from __future__ import annotations

import datetime
import getpass
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b, sha256
from pathlib import Path
from threading import RLock
from typing import IO, Any, Literal

from filelock import FileLock, Timeout

from tuningfork.catalogs.journal import BEGINNING, Labels, first_line, is_whole, parse_event
from tuningfork.errors import CatalogError, OutputError
from tuningfork.files import output_errors, stamp
from tuningfork.manifests import LabelEvent, LabelsManifest
from tuningfork.schemas import ClassSchema, schema_to_dict

PATIENCE = 20.0  # seconds to wait for another who writes
POLL = 0.005  # seconds between looks whether the lock is free
LONGEST = 1 << 20  # bytes of a line
SHARE = 0.2  # of the galaxies, set aside for validation
BORDER = int(SHARE * 2**64)  # below it a hash is for validation
Said = Callable[[Labels], dict[str, Any] | None]
Counted = tuple[LabelEvent, LabelEvent | None]  # a label that counts; the first of its galaxy, if that is to judge by
Queued = (
    Literal["queue", "filtered"] | None
)  # how a galaxy came: from the queue, all of it or as filtered; None: chosen


def hash_of(seed: int, id_str: str) -> int:
    """A number of 64 bits for a galaxy: the same for everyone who labels with this seed."""
    return int.from_bytes(blake2b(f"{seed}:{id_str}".encode(), digest_size=8).digest())


def user_name() -> str:
    """The name under which this person labels: that of the account."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in a container
        return "unknown"


class Journal:
    """A journal of labels that is open.

    Parameters
    ----------
    path
        The file; it is made with the first event.
    user
        Who labels.
    seed
        Of a new journal; one that is there keeps its own.

    Raises
    ------
    CatalogError
        If the file is no journal, or damaged other than by a kill.
    """

    def __init__(self, path: Path, user: str | None = None, seed: int = 0) -> None:
        self.path, self.user, self.seed = path, user or user_name(), seed
        self._lock = FileLock(
            path.parent / f".{path.name}.lock", timeout=PATIENCE, thread_local=False, poll_interval=POLL
        )
        self._threads = RLock()
        self._begin()
        self.refresh()

    def refresh(self) -> Labels:
        """What the journal adds up to now, with what others have written since."""
        with self._threads:
            if not self.path.exists():
                if self._lines:
                    self._begin()
                return self._labels
            try:
                self._read()
            except CatalogError:  # perhaps of a line that another was mending
                with self._held():
                    self._read()
            if is_whole(self._rest):
                with self._held():
                    self._mend()
            return self._labels

    def define(self, schema: ClassSchema) -> None:
        """Make a schema the one that is labelled by, or add classes to it.

        Raises
        ------
        CatalogError
            If it is there already with classes that this one lacks.
        """
        said = {"kind": "schema", "definition": schema_to_dict(schema)}
        self._add(lambda labels: None if labels.schema == schema else said)

    def label(self, schema: str, id_str: str, answer: str | None, queue: Queued = None) -> LabelEvent:
        """Add the answer to a galaxy; None skips it. What this person has just said of it is not said twice."""
        aside = hash_of(self.seed, id_str) < BORDER
        event: dict[str, Any] = {
            "kind": "skip" if answer is None else "label",
            "id": id_str,
            "schema": schema,
            "set": "validation" if aside else "train",
            "queued": queue is not None,
        }
        event |= {"filtered": True} if queue == "filtered" else {}
        event |= {} if answer is None else {"answer": answer}
        before: list[LabelEvent] = []

        def said(labels: Labels) -> dict[str, Any] | None:
            last = labels.last_word(schema, id_str)
            if last is None or (last.user, last.kind, last.answer) != (self.user, event["kind"], answer):
                return event
            before.append(last)
            return None

        return self._add(said) or before[0]

    def undo(self, n: int, schema: str) -> LabelEvent:
        """Take back this person's label or skip of number `n`, and give it; one that was taken back stays so.

        Raises
        ------
        CatalogError
            If event `n` is no label of this person by the schema.
        """

        def said(labels: Labels) -> dict[str, Any] | None:
            event = labels.event(n) if 1 <= n <= labels.last else None
            if event is None or event.kind not in ("label", "skip"):
                raise CatalogError(f"{self.path.name} has no label of number {n}; load the page again")
            if (event.user, event.schema_) != (self.user, schema):
                raise CatalogError(f"label {n} is by {event.user}, of {event.schema_}; each takes back one's own")
            return None if n in labels.undone else {"kind": "undo", "undoes": n}

        self._add(said)
        return self.refresh().event(n)

    def vote(self, id_str: str, *, interesting: bool) -> None:
        """Say of an unusual galaxy whether it is interesting."""
        self._add(lambda _: {"kind": "vote", "id": id_str, "interesting": interesting})

    def counted(self, schema: str) -> tuple[list[Counted], str]:
        """The labels that count by a schema, and the SHA-256 of the journal that says so."""
        with self._threads:
            labels = self.refresh()
            counting = list(labels.labelled(schema))
            firsts = [labels.first_word(event) if labels.judges(event) else None for event in counting]
            return list(zip(counting, firsts, strict=True)), self._digest.hexdigest()

    def _begin(self) -> None:
        self._labels, self._offset, self._lines, self._file, self._rest = Labels(), 0, 0, 0, b""
        self._digest = sha256()

    def _read(self) -> None:
        """Take in the whole lines that have been added since."""
        status = self.path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise CatalogError(f"{self.path} is no regular file; name another journal with --labels")
        if status.st_ino != self._file or status.st_size < self._offset:
            self._begin()  # another file has taken its place
        self._file = status.st_ino
        with self.path.open("rb") as file:
            file.seek(self._offset)
            while (line := file.readline(LONGEST)).endswith(b"\n"):
                self._take(line)
            if len(line) == LONGEST:
                raise CatalogError(f"{self.path}, line {self._lines + 1} is too long; copy the file again")
            self._rest = line

    def _take(self, line: bytes) -> None:
        origin = f"{self.path}, line {self._lines + 1}"
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise CatalogError(f"{origin} is not UTF-8 text; copy the file again") from error
        if self._lines == 0:
            self.seed = first_line(text, self.path).seed
        else:
            self._labels.add(parse_event(text, origin), origin)
        self._digest.update(line)
        self._offset, self._lines = self._offset + len(line), self._lines + 1

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the journal alone."""
        with self._threads, output_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with self._lock:
                    yield
            except Timeout as error:
                raise OutputError(f"{self.path} is locked by another process; see that it ends, then again") from error

    def _add(self, said: Said) -> LabelEvent | None:
        """Add what `said` makes of all that has been said so far; nothing where it gives None."""
        with self._held():
            self.refresh()
            self._mend()
            return self._append(said(self._labels))

    def _mend(self) -> None:
        """End the last line where only its end is missing, cut off what a kill tore, and take in what is there then.

        Raises
        ------
        CatalogError
            If the last line is neither; nothing is written then.
        """
        if not self.path.exists():
            return
        self._read()
        if is_whole(self._rest):
            self._check(self._rest)
            with self._open(os.O_RDWR) as file:
                file.seek(self._offset + len(self._rest))
                file.write(b"\n")
            self._read()
        elif self._rest:
            if not self._lines and not BEGINNING.startswith(self._rest[: len(BEGINNING)]):
                raise CatalogError(f"{self.path} is no journal of labels; name another with --labels")
            with self._open(os.O_RDWR) as file:
                file.truncate(self._offset)
            self._rest = b""

    def _check(self, line: bytes) -> None:
        """Refuse a line that could not be taken."""
        origin = f"{self.path}, line {self._lines + 1}"
        if self._lines:
            self._labels.check(parse_event(line.decode("utf-8", "replace"), origin), origin)
        else:
            first_line(line.decode("utf-8", "replace"), self.path)

    @contextmanager
    def _open(self, flags: int) -> Iterator[IO[bytes]]:
        """The file to write; on the disk in the end."""
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(self.path, flags, 0o666), "r+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def _append(self, said: dict[str, Any] | None) -> LabelEvent | None:
        if said is None:
            return None
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        event = {"n": self._labels.last + 1, "time": now, "user": self.user, **said}
        head = [] if self._lines else [stamp(LabelsManifest.FORMAT, LabelsManifest.VERSION) | {"seed": self.seed}]
        lines = "".join(json.dumps(each) + "\n" for each in [*head, event])
        self._labels.check(parse_event(json.dumps(event), str(self.path)), str(self.path))
        with self._open(os.O_RDWR | os.O_CREAT) as file:
            file.seek(self._offset)
            file.write(lines.encode())
        if head:
            _keep_name(self.path.parent)
        return self.refresh().event(int(event["n"]))


def _keep_name(folder: Path) -> None:
    """See that the name of a new file is on the disk, where the system can be asked to."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
