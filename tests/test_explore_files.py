"""The files of the explorer's page: libraries as they were made, and nothing that runs what it is given."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "src" / "tuningfork" / "explore" / "page"
OURS = sorted(path for path in PAGE.rglob("*") if path.is_file() and "vendor" not in path.parts)


def test_libraries_are_those_whose_making_is_written_down() -> None:
    noted = dict(
        re.findall(r"\| `(\w+\.js)` \|.*\| `([0-9a-f]{64})` \|", (PAGE / "vendor" / "VERSIONS.md").read_text())
    )
    held = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (PAGE / "vendor").glob("*.js")}
    assert noted == held


def test_no_library_of_the_page_itself_makes_functions_at_run_time() -> None:
    text = (PAGE / "vendor" / "ui.js").read_text()
    assert not re.search(r"\beval\(|\bFunction\(", text)
    users = [path.name for path in OURS if "vendor/scatterplot.js" in path.read_text(encoding="utf-8")]
    assert users == ["frame.js"]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(PAGE).as_posix())
def test_data_can_only_be_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
    if path.suffix == ".js":
        assert text.startswith("// ")
        assert text.count("\n") < 250
