"""Messages that speak of arguments: the library's own speak of the command's options."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import wraps
from inspect import Parameter, signature
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import pandas as pd

from tuningfork.errors import TuningforkError
from tuningfork.sources import ImageArguments

P = ParamSpec("P")
R = TypeVar("R")
_ARGUMENTS = {"format": "layout", "set": "changes"}  # where an argument has another name than the option
_OPTION = r"(?<![\w./-])--"  # and no part of the name of a file
_CHANGE = _OPTION + r"set ([\w.-]+)=([^\s,;:)]*[^\s,;:.)])"


def as_arguments(text: str) -> str:
    """A message with arguments in place of options: ``give --zero-point 22.5`` says ``give zero_point=22.5``."""
    text = re.sub(f"{_CHANGE}(?: {_CHANGE})*", _changes, text)
    return re.sub(_OPTION + r"([a-z][a-z-]*)( (?=[\d'\"]))?", _argument, text)


def _arguments(function: Callable[..., object]) -> list[str]:
    """The names of a function's arguments; ``**said`` are the `ImageArguments`."""
    kinds = {name: parameter.kind for name, parameter in signature(function).parameters.items()}
    own = [name for name, kind in kinds.items() if kind is not Parameter.VAR_KEYWORD]
    return own if len(own) == len(kinds) else [*own, *ImageArguments.__annotations__]


def _unexpected(function: str, name: str, known: Sequence[str]) -> str:
    """What Python says of an argument that a function does not have, and the nearest that it has."""
    near = get_close_matches(name, known, n=1)
    return f"{function}() got an unexpected keyword argument {name!r}" + (
        f"; did you mean {near[0]!r}?" if near else ""
    )


def _argument(option: re.Match[str]) -> str:
    name = option[1].replace("-", "_")
    return _ARGUMENTS.get(name, name) + ("=" if option[2] else "")


def _changes(options: re.Match[str]) -> str:
    """``--set optim.lr=0.1 --set head.0.kind=classes`` as the dictionary of both."""
    pairs = ((key, _value(text)) for key, text in re.findall(_CHANGE, options[0]))
    return "changes={" + ", ".join(f'"{key}": {value}' for key, value in pairs) + "}"


def _value(text: str) -> str:
    return text if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", text) else f'"{text}"'


def with_arguments(table: pd.DataFrame) -> pd.DataFrame:
    """A table in memory whose columns `note` and `error` speak of arguments."""
    texts = [name for name in ("note", "error") if name in table]
    return table.assign(**{name: table[name].map(as_arguments, na_action="ignore") for name in texts})


class _Records:
    """While it is entered, the library's log records speak of arguments, those of all threads."""

    def __init__(self) -> None:
        self.calls, self.lock = 0, Lock()

    def __enter__(self) -> None:
        with self.lock:
            if not self.calls:
                self.make = logging.getLogRecordFactory()
                logging.setLogRecordFactory(self._translated)
            self.calls += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.calls -= 1
            if not self.calls:
                logging.setLogRecordFactory(self.make)

    def _translated(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.make(*args, **kwargs)
        if record.name.partition(".")[0] == "tuningfork":
            record.msg, record.args = as_arguments(record.getMessage()), None
        return record


_RECORDS = _Records()


def speaks_python(function: Callable[P, R]) -> Callable[P, R]:
    """Let the errors of a function, and what it logs, speak of arguments; refuse those that there are not."""
    known = _arguments(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                raise TypeError(_unexpected(function.__name__, name, known))
        try:
            with _RECORDS:
                return function(*args, **kwargs)
        except TuningforkError as error:
            error.args = tuple(as_arguments(str(part)) for part in error.args)
            raise

    return call
