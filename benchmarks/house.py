"""How large the functions, modules and parameter lists of the package are, at one or several revisions of git.

    python benchmarks/house.py 62c5c88 HEAD

The verbs of the command are counted apart: each parameter of theirs is an option of the command line.
"""

from __future__ import annotations

import argparse
import ast
import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from measure import table

VERBS = "src/tuningfork/cli/"


@dataclass(frozen=True)
class Function:
    """One function of one module: its lines without the docstring, and its parameters without `self`."""

    name: str
    verb: bool
    lines: int
    parameters: int


def main() -> None:
    """Print a table with a column for each revision, or the largest functions of the last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revisions", nargs="+")
    parser.add_argument("--largest", type=int, default=0, help="print so many functions of the last revision, too")
    options = parser.parse_args()
    columns = [sizes(revision) for revision in options.revisions]
    table(["", *options.revisions], [(name, *(column[name] for column in columns)) for name in columns[0]])
    functions = [found for path, text in modules(options.revisions[-1]) for found in functions_of(path, text)]
    for key in ("lines", "parameters") if options.largest else ():
        ranked = sorted(functions, key=lambda function: -getattr(function, key))[: options.largest]
        print(f"\nmost {key}: " + ", ".join(f"{function.name} {getattr(function, key)}" for function in ranked))


def sizes(revision: str) -> dict[str, str]:
    """The rows of the table: median and largest of each kind."""
    texts = list(modules(revision))
    functions = [found for path, text in texts for found in functions_of(path, text)]
    plain = [function for function in functions if not function.verb]
    verbs = [function for function in functions if function.verb]
    measured = {
        "lines of a module": [len(text.splitlines()) for _, text in texts],
        "lines of a function": [function.lines for function in plain],
        "parameters of a function": [function.parameters for function in plain],
        "lines of a verb": [function.lines for function in verbs],
    }
    rows = {"modules": f"{len(texts):,}", "functions": f"{len(functions):,}"}
    return rows | {name: f"{median(values):g}, {max(values):,}" for name, values in measured.items()}


def modules(revision: str) -> Iterator[tuple[str, str]]:
    """The path and the text of each module of the package."""
    command = [shutil.which("git") or "git", "archive", revision, "src/tuningfork"]
    packed = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            if member.name.endswith(".py"):
                yield member.name, archive.extractfile(member).read().decode()


def functions_of(path: str, text: str) -> Iterator[Function]:
    """Every function of a module, also those of classes and those within functions."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            opening = node.body[0]
            docstring = opening.end_lineno - opening.lineno + 1 if ast.get_docstring(node) is not None else 0
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            named = [one for one in given if one.arg not in ("self", "cls")]
            verb = path.startswith(VERBS) and node.name == "command"
            yield Function(
                f"{path}:{node.lineno} {node.name}", verb, node.end_lineno - first + 1 - docstring, len(named)
            )


if __name__ == "__main__":
    main()
