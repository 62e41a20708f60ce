"""The verb `schemas`, through the command's own entry point."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from tuningfork.cli import app, schemas
from tuningfork.schemas import TreeSchema, bundled_schemas, load_schema

Run = Callable[..., tuple[object, str, str]]  # the command's arguments to its exit code, output and errors

OWN = """
name = "bars"
title = "Bars seen by my students"
kind = "tree"

[[question]]
name = "disk"
text = "Is it a disk?"
answers = [{ name = "yes", column = "disk_yes" }, { name = "no", column = "disk_no" }]

[[question]]
name = "bar"
parents = ["disk_yes"]
answers = [{ name = "yes", column = "bar_yes" }, { name = "no", column = "bar_no" }]

[[question]]
name = "dust"
parents = ["bar_yes", "bar_no", "disk_no"]
answers = [{ name = "yes", column = "dust_yes" }, { name = "no", column = "dust_no" }]
"""

DRAWN = """\
bars — Bars seen by my students
decision tree: 3 questions, 6 columns of vote fractions, of those asked (each question sums to 1)

▸ disk: Is it a disk?
├─ yes            disk_yes
│  └─▸ bar
│    ├─ yes       bar_yes
│    │  └─▸ dust (also asked after bar = no, disk = no)
│    │    ├─ yes  dust_yes
│    │    └─ no   dust_no
│    └─ no        bar_no
└─ no             disk_no
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def build() -> typer.Typer:
        alone = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
        alone.callback()(lambda: None)
        alone.command("schemas")(schemas.command)
        return alone

    def run_it(*arguments: str) -> tuple[object, str, str]:
        # Only this verb: a broken neighbour is for its own tests to find.
        monkeypatch.setattr(app, "build", build)
        monkeypatch.setattr(app, "tune_process", lambda: None)  # in this process
        monkeypatch.setattr(sys, "argv", ["tuningfork", *arguments])
        with pytest.raises(SystemExit) as leaving:
            app.run()
        return (leaving.value.code or 0, *capsys.readouterr())

    return run_it


def test_the_list_has_a_line_for_every_schema(run: Run) -> None:
    for arguments in (["schemas"], ["schemas", "list"]):
        code, out, _ = run(*arguments)
        lines = out.splitlines()
        assert code == 0
        assert [line.split()[0] for line in lines[1:]] == bundled_schemas()
        rows = {line.split()[0]: line for line in lines[1:]}
        assert "11 questions   37 " in rows["gz-challenge"]
        assert "10 classes" in rows["galaxy10-decals"]
        assert rows["gz2"].endswith("Galaxy Zoo 2: vote counts")


@pytest.mark.parametrize("name", bundled_schemas())
def test_show_draws_every_bundled_schema_within_the_width(run: Run, name: str) -> None:
    code, out, _ = run("schemas", "show", name)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 100
    schema = load_schema(name)
    tree = isinstance(schema, TreeSchema)
    parts = [f"▸ {question.name}" for question in schema.questions] if tree else getattr(schema, "class_names", ())
    for text in (*schema.columns, *parts):
        assert text in out
    assert "Sources\n  - " in out


def test_show_draws_a_schema_of_ones_own(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bars.toml"
    file.write_text(OWN, encoding="utf-8")
    code, out, _ = run("schemas", "show", str(file))
    assert code == 0
    assert out == DRAWN


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "galaxy10-decal"], "error: no schema named 'galaxy10-decal'; did you mean 'galaxy10-decals'?"),
        (["show", "absent.toml"], "error: cannot read absent.toml"),
        (["show"], "schemas show NAME"),
        (["draw", "gz2"], "schemas show NAME"),
        (["list", "gz2"], "schemas show NAME"),
    ],
)
def test_a_mistake_ends_with_code_2_and_says_what_to_do(run: Run, arguments: list[str], message: str) -> None:
    code, out, error = run("schemas", *arguments)
    assert code == 2
    assert out == ""
    assert message in error
