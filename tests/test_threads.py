"""How PyTorch's threads wait."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tuningfork.threads import SPINS


@pytest.mark.parametrize(
    ("wish", "expected"),
    [({}, SPINS), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
    ids=["none", "a number", "a policy"],
)
def test_threads_wait_briefly_unless_the_user_wishes_otherwise(wish: dict[str, str], expected: str) -> None:
    plain = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import os, tuningfork.process; tuningfork.process.tune_process(); print(os.environ.get('GOMP_SPINCOUNT'))"
    asked = subprocess.run([sys.executable, "-c", code], env=plain | wish, capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == expected


def test_the_command_s_process_is_set_up() -> None:
    code = (
        "import gc, sys; from tuningfork.process import OBJECTS, SWITCH, tune_process; tune_process();"
        "assert abs(sys.getswitchinterval() - SWITCH) < 1e-6; assert gc.get_threshold()[0] == OBJECTS"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
