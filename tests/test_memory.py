"""What becomes of freed memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from tuningfork.memory import keep_freed_memory

GLIBC = platform.libc_ver()[0] == "glibc"

# Frames made and freed 16 at a time: where their memory is given back, each is 130 pages that the system fills anew.
FAULTS = """
import resource, sys
import numpy as np
from tuningfork.memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()


def some(times):
    for _ in range(times):
        [np.ones(540_000, np.uint8) for _ in range(16)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


print(-some(3) + some(20))
"""


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MALLOC_") or name == "GLIBC_TUNABLES"]:
        monkeypatch.delenv(name)
    keep_freed_memory.cache_clear()


def test_the_c_library_takes_the_setting_where_it_is_glibc() -> None:
    assert keep_freed_memory() is GLIBC


def test_settings_of_the_user_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    assert not keep_freed_memory()


@pytest.mark.skipif(not GLIBC, reason="other C libraries are left alone")
def test_memory_that_is_kept_is_not_asked_for_again() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True).stdout)
        for how in ("keep", "leave")
    }
    assert faults["keep"] < faults["leave"] / 4
