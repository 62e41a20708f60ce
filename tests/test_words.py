"""Words that were given up stay out of code, messages and docs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WHERE = ("src", "packages", "benchmarks", "docs", "README.md", "CONTRIBUTING.md")

# What they were called before: docs/renamed.md and docs/experiments.md may say so, and the changelog.
HISTORY = {"docs/renamed.md", "docs/experiments.md", "docs/CHANGELOG.md"}
KEYS = {"src/tuningfork/uncertainty/store.py": "likeness/"}  # of a file's tensors, as models made earlier have them

GIVEN_UP = {
    r"told": "say what is meant: recognised, reported, asked",
    r"(un)?likeness": "the OOD score, the Mahalanobis distance",
    r"sights?": "a preview",
    r"strangers?": "others; an unusual galaxy",
    r"crew": "the volunteers",
    r"mount(s|ed)?": "write what is done",
    r"sureness": "confidence, probability",
    r"stands? there": "exists",
    r"unless told": "by default",
    r"by hand": "write what is done",
}


def texts() -> list[tuple[str, str]]:
    """The name and the text of each file of ours that git keeps or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *WHERE]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a clone")
    names = [name for name in listed.stdout.splitlines() if name.endswith((".py", ".md", ".toml", ".ipynb", ".html"))]
    return [(name, (ROOT / name).read_text(encoding="utf-8")) for name in names if (ROOT / name).is_file()]


def test_words_that_were_given_up_are_gone() -> None:
    found = []
    for name, text in texts():
        if name in HISTORY:
            continue
        for line, words in enumerate(text.replace(KEYS.get(name, "\0"), "").splitlines(), start=1):
            for word, rather in GIVEN_UP.items():
                if re.search(rf"\b{word}\b", words, flags=re.IGNORECASE):
                    found.append(f"{name}:{line}: {word}: rather {rather}")
    assert not found, "\n".join(found)
