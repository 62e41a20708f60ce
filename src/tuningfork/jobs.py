"""Long work on one output: one run at a time, known by what was asked, taken up again after a kill.

A job keeps what is done so far in a work folder of its own: beside an output that appears whole, in one that grows in
its place. There lie the record of what was asked, the lock that keeps a second run out, and whatever the work leaves.
Nothing of it is taken up by a job of other inputs, and nothing of it is removed for one unless the user says so.

A result may be made there in the end and delivered from there, its main file last. Each step is one rename, so that
wherever a kill comes the next run of the same job knows what is left to do.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from glob import escape
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tuningfork.errors import OutputError, TuningforkError
from tuningfork.files import (
    TEMPORARY,
    WORK,
    clear_temporaries,
    output_errors,
    read_json,
    read_text,
    refuse_existing,
    refuse_irregular,
    remove,
    software_version,
    write_json,
)

RECORD = "job.json"
LOCK = "lock"
NAMED = 3  # changes that an error names
LONGEST_VALUE = 40  # characters of a value that it shows
DIGITS = 16  # of a fingerprint in the name of a file


def within(folder: Path) -> Path:
    """The work folder of an output that is a folder and grows in its place."""
    return folder / WORK


def beside(output: Path) -> Path:
    """The work folder of an output that appears whole."""
    return output.parent / f".{output.name}{WORK}"


def fingerprint(value: Any) -> str:
    """A hash of what JSON can hold, whatever the order of its keys.

    Raises
    ------
    TypeError, ValueError
        If JSON can't hold it exactly.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()


def refuse_occupied(folder: Path, error: type[TuningforkError]) -> None:
    """Raise an `error` where a folder to write holds anything but what a kill may leave before work is done."""
    if folder.exists() and not folder.is_dir():
        raise error(f"{folder} is a file; name a folder")
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    odd = next((name for name in names if name != WORK and not name.startswith(TEMPORARY)), None)
    if odd:
        raise error(f"{folder} holds something else ({odd}); choose an empty or a new folder")


@dataclass(frozen=True)
class Inputs:
    """What fixes a result: two runs of equal inputs would write the same.

    Parameters
    ----------
    verb
        What is done.
    version
        Of the format of the output.
    asked
        The settings, by name.
    images
        What changes when an image does, as sources describe themselves.
    model
        The hashes of the model's files.
    made_by
        The version of this software.
    """

    verb: str
    version: int
    asked: Mapping[str, Any]
    images: Any = None
    model: Mapping[str, str] | None = None
    made_by: str = field(default_factory=software_version)

    @property
    def fingerprint(self) -> str:
        """One hash of it all."""
        return fingerprint(asdict(self))

    def changes(self, earlier: Any) -> str:
        """In words, what of it was otherwise in the inputs that a record holds."""
        if not isinstance(earlier, dict):
            return "made by an earlier version"
        was, now = _flat(earlier), _flat(json.loads(json.dumps(asdict(self))))
        names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
        said = [_change(name, was.get(name), now.get(name)) for name in names[:NAMED]]
        return ", ".join(said) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


class Job:
    """A run of work on an output.

    Parameters
    ----------
    inputs
        What fixes the result.
    output
        What is made, as errors name it.
    work
        The work folder: `within` or `beside` the output.
    record
        Where it is kept what was asked; in the work folder unless it is to outlive that.
    error
        What is raised where the output holds something else.
    anew
        What the user does to begin anew, as an error says it.
    """

    def __init__(
        self,
        inputs: Inputs,
        output: Path,
        work: Path,
        *,
        record: Path | None = None,
        error: type[TuningforkError] = OutputError,
        anew: str = "",
    ) -> None:
        self.inputs, self.output, self.work, self.error = inputs, output, work, error
        self.record = record or work / RECORD
        self.fingerprint = inputs.fingerprint
        self.anew = anew or f"remove {output if work.parent == output else work} to begin anew"

    @property
    def begun(self) -> bool:
        """Whether a run, of whatever inputs, has left its record."""
        return self.record.is_file()

    @property
    def matches(self) -> bool:
        """Whether a run of these inputs has."""
        return self.begun and self._is_ours(self._recorded())

    def refuse_others(self) -> None:
        """Refuse a folder to write that holds anything but what a run has left, and the record of other inputs.

        Raises
        ------
        TuningforkError
            The job's `error`.
        """
        if self.begun:
            self._refuse_other_inputs()
        else:
            refuse_occupied(self.output, self.error)

    @contextmanager
    def run(self, *, overwrite: bool = False) -> Iterator[bool]:
        """Hold the work folder alone, with the record in it; whether there is work of an earlier run to go on with.

        Where nothing has been done when an error comes, nothing is left.

        Parameters
        ----------
        overwrite
            Whether what a job of other inputs left may be removed.

        Raises
        ------
        TuningforkError
            If another run is at work, or a job of other inputs was begun here and `overwrite` is not set.
        """
        with self._locked():
            with output_errors(self.output):
                goes_on = self._take_up(overwrite=overwrite)
            try:
                yield goes_on
            except BaseException:
                if self._untouched:
                    self.record.unlink(missing_ok=True)
                raise
        with output_errors(self.output):
            for mark in self._marks():
                mark.unlink(missing_ok=True)

    def _take_up(self, *, overwrite: bool) -> bool:
        if self.work.parent == self.output:
            clear_temporaries(self.output)
        clear_temporaries(self.work)
        if self.begun and (self._untouched or overwrite) and not self.matches:
            self._empty()
        if self.begun:
            self._refuse_other_inputs()
            return True
        self.record.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.record, {"job": self.fingerprint, "inputs": asdict(self.inputs)})
        return False

    @property
    def _untouched(self) -> bool:
        """Whether nothing has been done but to record what is to be done."""
        return self.record.parent == self.work and {path.name for path in self.work.iterdir()} <= {LOCK, RECORD}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self.work / LOCK
        lock = FileLock(path, timeout=0)
        with output_errors(self.output):
            if self.work.is_symlink():
                raise self.error(f"{self.work} is a link, which a work folder can't be; remove it")
            self.work.mkdir(parents=True, exist_ok=True)
            refuse_irregular(path)
            try:
                lock.acquire()
            except Timeout as problem:
                raise self.error(f"another run is at work in {self.output}; wait for it") from problem
        try:
            yield
        finally:
            over = {entry.name for entry in self.work.iterdir()} == {LOCK}
            if over and os.name != "nt":  # Windows removes it with the release
                path.unlink()
            lock.release()
            if over:
                with suppress(OSError):
                    self.work.rmdir()
                    if self.work.parent == self.output:
                        self.output.rmdir()  # where nothing else is in it

    def _empty(self) -> None:
        """Remove all but the lock, the record last."""
        for path in self.work.iterdir():
            if path.name not in (LOCK, RECORD):
                remove(path)
        if self.record.parent == self.work:
            self.record.unlink(missing_ok=True)

    # --- the result, made in the work folder and delivered from there

    @property
    def delivering(self) -> bool:
        """Whether a run was interrupted when its result, of whatever outcome, was whole."""
        return bool(self._marks()) or any(self.work.glob("result-*"))

    def settled(self, outcome: str) -> bool:
        """Whether this very result has been delivered, and only its clearing up was interrupted: that is done now."""
        marks = self._marks()
        if not marks:
            return False
        with self._locked(), output_errors(self.output):
            self._empty()
        for mark in marks:
            mark.unlink(missing_ok=True)
        return self._mark(outcome) in marks

    def made(self, outcome: str) -> bool:
        """Whether this very result lies whole in the work folder."""
        return self.matches and self._result(outcome).is_dir()

    @contextmanager
    def making(self, outcome: str) -> Iterator[Path]:
        """An empty folder for the files of a result, which are whole from the end of this on.

        `outcome` is a hash of all that fixes them, beyond what fixes the work.
        """
        making = self.work / "making"
        for left in (making, *self.work.glob("result-*")):
            remove(left)
        making.mkdir()
        try:
            yield making
        except BaseException:
            remove(making)  # of a result that is half made nothing is of use
            raise
        self.seal(making, outcome)

    def seal(self, folder: Path, outcome: str) -> None:
        """Say of a folder in the work folder that it is a result, and whole."""
        with output_errors(self.output):
            folder.rename(self._result(outcome))

    def deliver(self, outcome: str, folder: Path, last: str) -> None:
        """Move the files of a result to `folder`, the one named `last` last of all, and clear up."""
        with output_errors(self.output):
            made = sorted(self._result(outcome).iterdir(), key=lambda path: (path.name == last, path.name))
            for path in made:
                if not path.is_dir():
                    refuse_irregular(folder / path.name)
                path.replace(folder / path.name)
            self.record.replace(self._mark(outcome))  # until the end of the run, when the work folder is gone
            self._empty()

    def finish(self) -> None:
        """Clear up where the output has grown in its place and is whole, as its own manifest tells."""
        with output_errors(self.output):
            self._empty()

    def clear(self) -> None:
        """Finish what a run that was killed in finishing has left, if there is anything."""
        if self.work.is_dir():
            with self._locked(), output_errors(self.output):
                clear_temporaries(self.output)
                self._empty()

    def _marks(self) -> list[Path]:
        pattern = f"{TEMPORARY}{escape(self.output.name)}-{'[0-9a-f]' * DIGITS}.done"
        return list(self.work.parent.glob(pattern))

    def _result(self, outcome: str) -> Path:
        return self.work / f"result-{outcome[:DIGITS]}"

    def _mark(self, outcome: str) -> Path:
        return self.work.parent / f"{TEMPORARY}{self.output.name}-{outcome[:DIGITS]}.done"

    # --- the record

    def _recorded(self) -> dict[str, Any]:
        found = read_json(self.record, self.error)
        return found if isinstance(found, dict) else {}

    def _is_ours(self, found: Mapping[str, Any]) -> bool:
        """Also a record of before there were inputs, which held what was asked alone."""
        return found.get("job") == self.fingerprint or found == self.inputs.asked

    def _refuse_other_inputs(self) -> None:
        if self._untouched:
            return
        found = self._recorded()
        if not self._is_ours(found):
            changes = self.inputs.changes(found.get("inputs"))
            raise self.error(
                f"{self.output} holds the work of another {self.inputs.verb} ({changes}); "
                f"ask as before to go on with it, choose another output, or {self.anew}"
            )


def make_at_once(job: Job, last: str, make: Callable[[Path], object], *, overwrite: bool = False) -> None:
    """Let `make` fill an empty folder, and move its files to the job's output, the one named `last` last.

    One run at a time works on the output. A kill costs all that was not whole, and the next run leaves nothing behind.

    Raises
    ------
    TuningforkError
        If another run is at work there, or the output can't be written; or, where `overwrite` is not set, if it holds
        unfinished work of other inputs, or files of these names that no run of this job has put there.
    """
    with job.run(overwrite=overwrite):
        if not job.made(job.fingerprint):
            with job.making(job.fingerprint) as making:
                make(making)
                refuse_existing([job.output / path.name for path in sorted(making.iterdir())], overwrite=overwrite)
        with output_errors(job.output):
            refuse_irregular(job.output / last)
            (job.output / last).unlink(missing_ok=True)  # the old one must not speak for new files
        job.deliver(job.fingerprint, job.output, last)


class Journal:
    """Records that are added one by one and stay: a line of JSON each; one that a kill tore was never there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Any]:
        """All of them; what is torn is cut off, so that the next one stands on a line of its own."""
        if not self.path.exists():
            return []
        with output_errors(self.path):
            whole, newline, torn = read_text(self.path, OutputError).rpartition("\n")
            if torn:
                with self.path.open("r+b") as file:
                    file.truncate(len((whole + newline).encode()))
        return [json.loads(line) for line in whole.splitlines()]

    def add(self, record: Any) -> None:
        """Add one, which is on the disk when this returns."""
        with output_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """The values in nested dictionaries, by a name such as ``asked.views``."""
    if not isinstance(value, dict):
        return {name: value}
    return {
        key: found for part, each in value.items() for key, found in _flat(each, f"{name}.{part}".strip(".")).items()
    }


def _change(name: str, was: Any, now: Any) -> str:
    name = name.removeprefix("asked.")
    before, after = (json.dumps(value) for value in (was, now))
    if max(len(before), len(after)) > LONGEST_VALUE:
        return f"{name} has changed"
    return f"{name} was {before}, is {after}"
