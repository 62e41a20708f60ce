"""A crash at every file operation: what a run does until it dies at its n-th, and what the next run makes of it.

Used by scripts that tests start, since a process that has threads must not fork. Operations are seen by Python's audit
hook: opening to write, renaming, removing, making and removing folders, changing modes and lengths.
"""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

# By event, where among its arguments the handle of the folder stands that a relative name is relative to.
OPERATIONS = {
    "open": 99,
    "os.rename": 2,
    "os.remove": 1,
    "os.mkdir": 2,
    "os.rmdir": 1,
    "os.chmod": 2,
    "os.truncate": 99,
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CRASHED = 77


def die_at(number: int, root: Path) -> None:
    """From now on end this process, without a word, before its `number`-th file operation below `root`."""
    done = count()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in OPERATIONS or not isinstance(arguments[0], str | os.PathLike):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITING):
            return
        if place(arguments, OPERATIONS[event]).is_relative_to(root) and next(done) == number:
            os._exit(CRASHED)

    sys.addaudithook(hook)


def place(arguments: tuple[Any, ...], handle: int) -> Path:
    """What an operation is done to."""
    folder = arguments[handle] if len(arguments) > handle else -1
    return (Path(f"/proc/self/fd/{folder}").readlink() if folder >= 0 else Path()) / arguments[0]


def in_child(work: Callable[[], object]) -> int:
    """The exit code of a process of its own that does this."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tree(folder: Path) -> dict[str, bytes]:
    """All that is in a folder: the bytes of each file, and nothing of each folder."""
    return {
        str(path.relative_to(folder)): b"" if path.is_dir() else path.read_bytes() for path in sorted(folder.rglob("*"))
    }


def everywhere(
    work: Callable[[Path], object],
    root: Path,
    *,
    same: Callable[[dict[str, bytes]], object] = lambda found: found,
    numbers: Iterable[int] | None = None,
) -> int:
    """Crash `work` at every operation (or at those of `numbers`), and run it again; how many crashes there were.

    `work` makes what it makes in the folder it is given. `same` takes of what is found there what must be equal.
    """
    crashes, whole = 0, root / "whole"
    whole.mkdir(parents=True)
    assert in_child(lambda: work(whole)) == 0
    expected = same(tree(whole))
    for number in numbers if numbers is not None else count():
        folder = root / f"at-{number}"
        folder.mkdir()

        def crashing(number: int = number, folder: Path = folder) -> None:
            die_at(number, folder)
            work(folder)

        code = in_child(crashing)
        assert code in (0, CRASHED), f"operation {number}: exit code {code}"
        left = list(tree(folder))
        if code == CRASHED:
            crashes += 1
            again = in_child(lambda folder=folder: work(folder))
            assert again == 0, f"crash at operation {number} left {left}; the next run fails"
        found = same(tree(folder))
        assert found == expected, f"crash at operation {number} left {left}; the next run {list(tree(folder))}"
        shutil.rmtree(folder)
        if code == 0:
            break
    return crashes
