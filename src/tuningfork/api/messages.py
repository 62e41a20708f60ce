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


def as_arguments(text: str) -> str:
    """A message with arguments in place of options: ``give --zero-point 22.5`` says ``give zero_point=22.5``."""

    def argument(option: re.Match[str]) -> str:
        name = option[1].replace("-", "_")
        return f"{_ARGUMENTS.get(name, name)}="

    text = re.sub(r"--([a-z][a-z-]*)(?: (?=[\d'\"]))?", argument, text)
    return re.sub(r"=(?=[\s,;:.)]|$)", "", text)


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
