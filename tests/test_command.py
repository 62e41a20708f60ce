"""The command as a whole: quick help, one line for an error, names in Python, the house's own rules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tuningfork
from tuningfork.cli.app import VERBS as GROUPS

ROOT = Path(__file__).parents[1]

VERBS = [verb for verbs in GROUPS.values() for verb in verbs]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tuningfork", *arguments], capture_output=True, text=True)


def test_help_names_every_verb() -> None:
    result = run("--help")
    assert result.returncode == 0
    for verb in VERBS:
        assert verb in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(verb: str) -> None:
    result = run(verb, "--help")
    assert result.returncode == 0
    assert "Usage" in result.stdout


def test_help_imports_nothing_heavy() -> None:
    """What makes `--help` slow is imports, so they are what is tested; `benchmarks/start.py` measures the time."""
    code = (
        "import sys; from tuningfork.cli.app import build; build(); "
        "heavy = {'torch', 'lightning', 'timm', 'pandas', 'numpy', 'pyarrow', 'astropy', 'matplotlib', 'scipy',"
        " 'sklearn', 'pydantic', 'PIL', 'jinja2'} & set(sys.modules); print(sorted(heavy))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_version() -> None:
    result = run("--version")
    assert result.stdout.startswith("tuningfork 0.")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pack", "nowhere", "out"], "no such file or folder"),
        (["predict", "nowhere", "out.parquet"], "no such file or folder"),
        (["embed", "nowhere", "out.parquet"], "no such file or folder"),
        (["similar", "nowhere.parquet", "g1"], "no embedding at nowhere.parquet"),
        (["anomalies", "nowhere.parquet"], "no embedding at nowhere.parquet"),
        (["train", "tuningfork/smal", "pack", "out"], "did you mean 'tuningfork/small'"),
        (["evaluate", "nowhere", "pack", "out"], "no model named 'nowhere'"),
        (["report", "nowhere", "--out", "r.html"], "nowhere"),
        (["schemas", "show", "gz3"], "did you mean 'gz2'"),
        (["recipes", "show", "serrano/cropp"], "did you mean 'serrano/crop'"),
        (["models", "show", "nowhere"], "no model named 'nowhere'"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tuningfork", *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert not list(tmp_path.iterdir())


def test_public_names_are_those_of_all() -> None:
    for name in tuningfork.__all__:
        assert getattr(tuningfork, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'predikt'"):
        _ = tuningfork.predikt
    assert set(tuningfork.__all__) <= set(dir(tuningfork))


def test_every_setting_of_a_recipe_is_documented() -> None:
    from tuningfork.models import HeadSpec
    from tuningfork.training.augmentation import Augmentation
    from tuningfork.training.recipe import EncoderTable, InputTable, OptimTable, Recipe, RunTable

    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    for table in (Recipe, EncoderTable, InputTable, HeadSpec, Augmentation, OptimTable, RunTable):
        for name, field in table.model_fields.items():
            assert f"`{field.alias or name}`" in text, f"docs/recipes.md does not speak of {name}"
