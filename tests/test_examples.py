"""The examples of the reference run as they are written, and every public docstring is whole."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path
from types import FunctionType

import pytest
from numpydoc.validate import validate

import tuningfork

# A summary; every parameter described, in order and with its type; what is returned.
WANTED = {"GL07", "GL08", "SS01", "PR01", "PR02", "PR03", "PR04", "PR10", "RT01", "YD01"}
FUNCTIONS = (FunctionType, classmethod, staticmethod)


def public_names() -> list[str]:
    """The public functions and classes, and the methods of the latter."""
    names = []
    for name in tuningfork.__all__:
        thing = getattr(tuningfork, name)
        names.append(name)
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            own = [key for key, value in vars(thing).items() if isinstance(value, FUNCTIONS) and key[0] != "_"]
            names += [f"{name}.{method}" for method in own]
    return names


def documented(name: str) -> object:
    """The object that a public name stands for."""
    thing: object = tuningfork
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


WITH_EXAMPLE = [name for name in public_names() if ">>>" in (documented(name).__doc__ or "")]


@pytest.mark.parametrize("name", public_names())
def test_the_docstring_is_whole(name: str) -> None:
    wrong = [f"{code}: {text}" for code, text in validate(f"tuningfork.{name}")["errors"] if code in WANTED]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_the_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    thing = inspect.unwrap(documented(name))  # type: ignore[arg-type]
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    for example in finder.find(thing, name, globs={}):
        assert runner.run(example).failed == 0
