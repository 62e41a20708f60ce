"""What becomes of freed memory."""

from __future__ import annotations

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


def test_the_c_library_takes_the_setting_where_it_is_glibc() -> None:
    assert keep_freed_memory() is GLIBC


@pytest.mark.skipif(not GLIBC, reason="other C libraries are left alone")
def test_memory_that_is_kept_is_not_asked_for_again() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True).stdout)
        for how in ("keep", "leave")
    }
    assert faults["keep"] < faults["leave"] / 4
