"""The documentation site: the reference names the whole library, and its pages are complete."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import tuningfork

DOCS = Path(__file__).parents[1] / "docs"


def test_the_reference_names_every_public_name_and_no_other() -> None:
    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r":nosignatures:\n\n((?:   \S+\n)+)", text)
    named = [name for block in blocks for name in block.split()]
    assert len(named) == len(set(named))
    assert {name for name in named if "." not in name} == set(tuningfork.__all__)


def test_the_front_page_leads_to_every_page() -> None:
    front = (DOCS / "index.md").read_text(encoding="utf-8")
    lists = re.findall(r":hidden:\n\n(.*?)```", front, flags=re.DOTALL)
    listed = {line.rpartition("<")[2].rstrip(">") for text in lists for line in text.splitlines() if line}
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    pages = {page for page in pages if not page.startswith(("_", "tutorials/", "reference/generated"))}
    assert pages - {"index"} == listed - {"tutorials/index"}


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """As by `make docs`, but for the tutorials, which a test of their own runs."""
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("_build", "generated"))
    for name in (
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "benchmarks/cost.toml",
    ):  # included or linked to
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(DOCS.parent / name, tmp_path / name)
    strictly = ["-W", "--keep-going", "-n", "-q", "-b", "html", "-D", "nb_execution_mode=off"]
    command = [sys.executable, "-m", "sphinx", *strictly, str(tmp_path / "docs"), str(tmp_path / "site")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "site" / "reference" / "command.html").is_file()
