"""The demo, small: the whole path through the real command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd


def test_the_demo_walks_the_whole_path(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "tuningfork", "demo", str(out), "--n", "90", "--set", "optim.epochs=1"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for word in ("rmse", "accuracy", "report.html", "interval"):
        assert word in result.stdout
    assert len(pd.read_parquet(out / "predictions.parquet")) == 90
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") > 5
    assert "http://" not in page.replace("http://www.w3.org", "")
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
