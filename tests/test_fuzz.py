"""Damaged files: a reader answers or says in one line what is wrong, in bounded time and memory, whatever the bytes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Counted

FUZZ = Path(__file__).with_name("fuzz.py")


def fuzz(keep: Path, *options: object) -> dict[str, int]:
    """What a run of the fuzzer counted; nothing may have failed."""
    search = os.pathsep.join([str(FUZZ.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, FUZZ, *map(str, options), "--keep", keep],
        capture_output=True,
        text=True,
        timeout=900,
        env=os.environ | {"PYTHONPATH": search, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, f"{options}: {done.stdout[-3000:]} {done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def test_damaged_files_are_answered_or_refused(tmp_path: Path, counted: Counted) -> None:
    """Those that were found once, and some new ones, the same in each run."""
    assert counted("bad inputs", fuzz(tmp_path, "--cases", 200, "--seed", 0)["cases"]) == 200


@pytest.mark.slow
def test_a_minute_of_damaged_files(tmp_path: Path, counted: Counted) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    assert counted("bad inputs", fuzz(tmp_path, "--seconds", 60, "--seed", seed)["cases"]) > 300
