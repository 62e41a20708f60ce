"""The commands of the documentation run as they stand, and its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tuningfork.cli.app import build

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/*/*.md"), ROOT / "README.md"])
RUNNABLE = sorted(page for page in ROOT.glob("docs/*.md") if "```console" in page.read_text(encoding="utf-8"))


# Before the code of a page: a calibration learns its expected errors from few images, as in tests/conftest.py.
FEW = "from tuningfork.inference import expected_errors\nexpected_errors.ENOUGH = 120\n"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(page: Path) -> list[str]:
    return [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "toml"):
        if named := re.match(r"# (\S+\.toml)\n", block):
            Path(named[1]).write_text(block, encoding="utf-8")
    for command in commands(page):
        assert command.startswith("tuningfork "), f"{page.name}: only our own command is run here: {command}"
        assert not set(command) & set("|&;<>$*?`"), f"{page.name}: no shell reads this: {command}"
        result = CliRunner().invoke(build(), shlex.split(command)[1:], catch_exceptions=False)
        assert result.exit_code == 0, f"{page.name}: {command}: {result.output}"
    if page.name != "how-to-galaxy10.md" and (code := "\n".join(blocks(page, "python"))):
        done = subprocess.run([sys.executable, "-W", "error", "-c", FEW + code], capture_output=True, text=True)
        assert done.returncode == 0, f"{page.name}: {done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
