"""Long work says how far it is, on a terminal and in a log."""

from __future__ import annotations

import pytest

from tuningfork import progress


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "SECONDS_A_LINE", 0.0)
    with progress.progress_bar("predict", 1200) as advance:
        advance(500)
        assert "predict 500/1,200" in capsys.readouterr().err
        advance(700)
    assert "1200/1200" in capsys.readouterr().err


def test_a_short_job_is_one_line_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress_bar("pack", 3) as advance:
        for _ in range(3):
            advance(1)
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
