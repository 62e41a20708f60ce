"""One tree of exceptions. Every message names the file, row or key at fault and says what to do next.

The command prints the message of any `TuningforkError` as one line and exits with code 2.
"""

from __future__ import annotations

from pathlib import Path

from tuningfork.text import shown


class TuningforkError(Exception):
    """Something the user can mend: the parent of every error raised on purpose.

    Its message is one line, whatever names of others are in it: what is not seen is written out.
    """

    def __str__(self) -> str:
        return shown(super().__str__().replace("\n", "\\n"))


class SchemaError(TuningforkError):
    """A schema is malformed, unknown, or does not fit the labels it is used with."""


class CatalogError(TuningforkError):
    """A table of galaxies can't be read, or its rows, ids or labels are wrong."""


class ImageError(TuningforkError):
    """One image can't be read. In bulk work this becomes a row with the error and the rest goes on."""


class NothingReadError(ImageError):
    """Not one image could be read. `said` is the error of the first; `table` holds that of each."""

    def __init__(self, said: str, table: Path) -> None:
        super().__init__(f"{said}; {table} holds the error of each")
        self.said = said


class MachineError(TuningforkError):
    """The machine can't go on: memory, the disk, too many open files. No fault of an image: the same call goes on."""


class PackError(TuningforkError):
    """A pack is missing, unfinished, altered, or not of the geometry that was asked for."""


class RecipeError(TuningforkError):
    """A recipe has an unknown key, a wrong value, or does not fit the pack."""


class ModelError(TuningforkError):
    """A model folder is missing, unfinished or altered, or can't do what was asked."""


class PredictionsError(TuningforkError):
    """A predictions table can't be read or does not fit the catalog it is compared with."""


class EvaluationError(TuningforkError):
    """An evaluation can't be read."""


class EmbeddingError(TuningforkError):
    """An embedding can't be read, or does not hold what was asked of it."""


class OutputError(TuningforkError):
    """An output can't be written: no permission, a full disk, or something else is in its place."""


def first_line(error: BaseException) -> str:
    """The first line of what an error of another library says, as `one_line` has it: some go on with their own code."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return one_line(ValueError(lines[0]))


def one_line(error: BaseException, longest: int = 300) -> str:
    """What an error of another library says, in one line of at most `longest` printable characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = "".join(each if each.isprintable() else "?" for each in text)
    return text if len(text) <= longest else text[: longest - 3] + "..."
