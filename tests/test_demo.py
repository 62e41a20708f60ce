"""The demo, small: the whole path through the real command."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from tuningfork.cli.app import build


def test_the_demo_walks_the_whole_path(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = ["demo", str(out), "--n", "90", "--set", "optim.epochs=1"]
    result = CliRunner().invoke(build(), command, catch_exceptions=False)
    assert result.exit_code == 0
    for word in ("rmse", "accuracy", "report.html", "interval"):
        assert word in result.stdout
    assert len(pd.read_parquet(out / "predictions.parquet")) == 90
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") > 5
    assert "http://" not in page.replace("http://www.w3.org", "")
    again = CliRunner().invoke(build(), command, catch_exceptions=False)
    assert again.exit_code == 0
