"""The commands of the documentation run as they stand, and its links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/*/*.md"), ROOT / "README.md"])
RUNNABLE = sorted(page for page in ROOT.glob("docs/*.md") if "```console" in page.read_text(encoding="utf-8"))


# Runs the commands that it is given, one after the other: PyTorch is imported once a page.
COMMANDS = """
import json, shlex, sys
from tuningfork.cli import main

for line in json.loads(sys.argv[1]):
    sys.argv = shlex.split(line)
    try:
        main()
    except SystemExit as stop:
        if stop.code:
            sys.exit(f"{line}: exit code {stop.code}")
"""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(page: Path) -> list[str]:
    return [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]


def run_python(page: Path, folder: Path, *arguments: str) -> None:
    """Run Python in a process of its own in this folder; it must succeed."""
    result = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, env=os.environ | {"MPLBACKEND": "agg"}
    )
    assert result.returncode == 0, f"{page.name}: {result.stderr}"


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "toml"):
        if named := re.match(r"# (\S+\.toml)\n", block):
            (tmp_path / named[1]).write_text(block, encoding="utf-8")
    for command in commands(page):
        assert command.startswith("tuningfork "), f"{page.name}: only our own command is run here: {command}"
        assert not set(command) & set("|&;<>$*?`"), f"{page.name}: no shell reads this: {command}"
    run_python(page, tmp_path, "-c", COMMANDS, json.dumps(commands(page)))
    if page.name != "how-to-galaxy10.md" and (code := "\n".join(blocks(page, "python"))):
        run_python(page, tmp_path, "-W", "error", "-c", code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
