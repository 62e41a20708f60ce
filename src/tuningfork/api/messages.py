"""Errors that speak of arguments: the library's own speak of the command's options."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from tuningfork.errors import TuningforkError

P = ParamSpec("P")
R = TypeVar("R")
_ARGUMENTS = {"format": "layout", "set": "changes"}  # where an argument has another name than the option
_OPTION = r"(?<![\w./-])--"  # and no part of the name of a file
_CHANGE = _OPTION + r"set ([\w.-]+)=([^\s,;:)]*[^\s,;:.)])"


def as_arguments(text: str) -> str:
    """A message with arguments in place of options: ``give --zero-point 22.5`` says ``give zero_point=22.5``."""
    text = re.sub(f"{_CHANGE}(?: {_CHANGE})*", _changes, text)
    return re.sub(_OPTION + r"([a-z][a-z-]*)( (?=[\d'\"]))?", _argument, text)


def _argument(option: re.Match[str]) -> str:
    name = option[1].replace("-", "_")
    return _ARGUMENTS.get(name, name) + ("=" if option[2] else "")


def _changes(options: re.Match[str]) -> str:
    """``--set optim.lr=0.1 --set head.0.kind=classes`` as the dictionary of both."""
    pairs = ((key, _value(text)) for key, text in re.findall(_CHANGE, options[0]))
    return "changes={" + ", ".join(f'"{key}": {value}' for key, value in pairs) + "}"


def _value(text: str) -> str:
    return text if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", text) else f'"{text}"'


def speaks_python(function: Callable[P, R]) -> Callable[P, R]:
    """Let the errors of a function speak of arguments."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TuningforkError as error:
            error.args = tuple(as_arguments(str(part)) for part in error.args)
            raise

    return call
