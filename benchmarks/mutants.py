"""Mutation testing: small faults are put into modules one at a time, and the tests that run their lines must notice.

A sample, drawn by seed. Each fault is tried in a copy of the tree, by the tests that reach its line, the quickest
first, until one fails; a time limit ends the rest. What no test notices is printed: it survives. Needs `coverage`.

    python benchmarks/mutants.py                  # 150 faults in all rooms
    python benchmarks/mutants.py --room metrics --number 40 --seed 1
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SOURCE = Path("src/tuningfork")
OF_JOURNALS = (
    "test_what_counts_is_what_one_would_say",
    "test_a_journal_is_a_table_of_labels",
    "test_a_last_line_without_its_end_counts_at_once_and_everywhere",
    "test_a_damaged_line_is_named",
    "test_classes_are_added_and_never_taken_away",
    "test_a_name_may_hold_what_ends_lines_elsewhere",
)
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # modules, and the tests that are theirs
    "files and jobs": (("files.py", "jobs.py"), ("test_jobs.py",)),
    "tables": (
        ("catalogs/*.py", "catalogs/write/*.py"),
        (
            *("test_tables.py", "test_tables_labels.py", "test_tables_sky.py", "test_catalogs.py"),
            *("test_references.py", "test_bounds.py"),
            *(f"test_explore_labels.py::{name}" for name in OF_JOURNALS),
        ),
    ),
    "heads": (("models/heads/*.py",), ("test_heads.py",)),
    "metrics": (
        tuple(
            f"evaluation/{name}.py"
            for name in (
                *("bootstrap", "calibration", "classes", "coverage", "difference", "evaluate", "losses", "metrics"),
                *("place", "quantities", "tables", "trees", "volunteers", "votes"),
            )
        ),
        ("test_evaluation.py", "test_top_losses.py", "test_volunteers.py"),
    ),
    "uncertainty": (("uncertainty/*.py",), ("test_uncertainty.py",)),
}
COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
}
OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-n", "0", "--no-header"]
# Crashes at every file operation take a minute, and start processes that are not watched: what else survives is
# given to those of the room last.
QUICK, LATE = ["-k", "not crash"], {"files and jobs": ["-k", "crash_at_any_operation_the_next", "tests/test_jobs.py"]}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}


@dataclass(frozen=True)
class Fault:
    """A fault: the `number`-th that can be put into a module, on a line of it, and what it does."""

    module: str
    number: int
    line: int
    what: str


class Faults(ast.NodeVisitor):
    """All faults that can be put into a module: (line, what, how to do it)."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str, Callable[[], None]]] = []

    def add(self, node: Any, what: str, do: Callable[[], None]) -> None:
        self.found.append((node.lineno, what, do))

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, operator in enumerate(node.ops):
            other = COMPARISONS[type(operator)]
            what = f"{type(operator).__name__} is {other.__name__}"
            self.add(node, what, lambda place=place, other=other: node.ops.__setitem__(place, other()))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        other = ARITHMETIC.get(type(node.op))
        if (other and not isinstance(node.left, ast.Constant | ast.JoinedStr)) or type(node.op) in (ast.Mult, ast.Sub):
            self.add(node, f"{type(node.op).__name__} is {other.__name__}", lambda: setattr(node, "op", other()))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        self.add(node, f"{type(node.op).__name__} is {other.__name__}", lambda: setattr(node, "op", other()))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.add(node, "not is left out", lambda: setattr(node, "op", ast.UAdd()) or _truth(node))
        elif isinstance(node.op, ast.USub | ast.Invert):
            self.add(node, f"{type(node.op).__name__} is left out", lambda: setattr(node, "op", ast.UAdd()))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.add(node, f"{node.value} is {not node.value}", lambda: setattr(node, "value", not node.value))
        elif isinstance(node.value, int | float):
            self.add(node, f"{node.value} is {node.value + 1}", lambda: setattr(node, "value", node.value + 1))

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in ("strict", "persistent"):  # of zip: what is of one length is that anyway
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func
        if isinstance(name, ast.Name) and name.id in NAMES:
            self.add(node, f"{name.id} is {NAMES[name.id]}", lambda: setattr(name, "id", NAMES[name.id]))
        if isinstance(name, ast.Attribute) and name.attr in NAMES:
            self.add(node, f"{name.attr} is {NAMES[name.attr]}", lambda: setattr(name, "attr", NAMES[name.attr]))
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) != "TYPE_CHECKING":
            turned = ast.UnaryOp(ast.Not(), node.test)
            self.add(node, "the condition is turned round", lambda: setattr(node, "test", turned))
            self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant) or ast.unparse(node).startswith("log."):
            return  # what a module or function says of itself; what is logged
        self.add(node, "the line is left out", lambda: setattr(node, "value", ast.Constant(None)))
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self.add(node, "nothing is returned", lambda: setattr(node, "value", ast.Constant(None)))
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        """What errors say is no matter of faults here."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Nor is other text."""

    def visit_arg(self, node: ast.arg) -> None:
        """Nor are types."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(part)


def _truth(node: ast.UnaryOp) -> None:
    """Let ``+x`` be ``bool(x)``, for what has no sign."""
    node.op = ast.Not()
    node.operand = ast.UnaryOp(ast.Not(), node.operand)


def faults_of(source: str) -> tuple[ast.Module, list[tuple[int, str, Callable[[], None]]]]:
    """A module, and the faults that can be put into it."""
    tree = ast.parse(source)
    finder = Faults()
    finder.visit(tree)
    return tree, finder.found


def with_fault(source: str, number: int) -> str:
    """A module with a fault."""
    tree, found = faults_of(source)
    found[number][2]()
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def sample(room: str, number: int, seed: int) -> list[Fault]:
    """Faults in the modules of a room, drawn by seed."""
    every = []
    for pattern in ROOMS[room][0]:
        for path in sorted((ROOT / SOURCE).glob(pattern)):
            _, found = faults_of(path.read_text())
            module = str(path.relative_to(ROOT))
            every += [Fault(module, index, line, what) for index, (line, what, _) in enumerate(found)]
    return random.Random(seed).sample(every, min(len(every), number))  # noqa: S311 (a sample, no secret)


class Watch:
    """A pytest plug-in: which test reaches which lines, and how long each takes."""

    def __init__(self, coverage: Any) -> None:
        self.coverage, self.seconds = coverage, {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration


def reach(tree: Path, room: str) -> tuple[dict[str, dict[str, list[str]]], dict[str, float]]:
    """By module and line the tests that reach it, and the seconds of each test; all tests of a room must pass."""
    out = tree / "reach.json"

    def work() -> int:
        import coverage
        import pytest

        seen = coverage.Coverage(data_file=None, source=[str(tree / SOURCE)])
        watch = Watch(seen)
        seen.start()
        code = pytest.main([*OPTIONS, *QUICK, *(f"tests/{name}" for name in ROOMS[room][1])], plugins=[watch])
        seen.stop()
        data, lines = seen.get_data(), {}
        for path in data.measured_files():
            by_line = {
                str(line): [test for test in tests if test] for line, tests in data.contexts_by_lineno(path).items()
            }
            lines[str(Path(path).relative_to(tree))] = by_line
        out.write_text(json.dumps([lines, watch.seconds]))
        return int(code)

    code = in_child(tree, work, 1800, quiet=False)
    if code != 0:
        raise SystemExit(f"the tests of {room} don't pass as they are")
    return json.loads(out.read_text())


def in_module(by_line: dict[str, list[str]], seconds: dict[str, float]) -> list[str]:
    """The tests that reach a module anywhere, the quickest first; all where none does."""
    found = {test for tests in by_line.values() for test in tests} or set(seconds)
    return sorted(found, key=lambda test: seconds.get(test, 0))


def in_child(tree: Path, work: Callable[[], int], limit: float, *, quiet: bool = True) -> int | None:
    """The exit code of a process of its own that does this in the tree; None where it took too long."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(tree)
        sys.path[:0] = [str(tree / "src"), str(tree / "packages/tuningfork-fused/src"), str(tree / "tests")]
        if quiet:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
        code = 1
        try:
            code = work()
        except Exception:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def dies(tree: Path, fault: Fault, tests: list[str], late: list[str], limit: float) -> str:
    """How a fault is noticed, by `tests` or at last by those of the `late` selection; ``''`` where it is not."""
    path = tree / fault.module
    whole = path.read_text()
    path.write_text(with_fault(whole, fault.number))

    def work() -> int:
        import pytest

        code = int(pytest.main([*OPTIONS, *QUICK, *tests]))
        return int(pytest.main([*OPTIONS, *late])) if code == 0 and late else code

    try:
        code = in_child(tree, work, limit)
    finally:
        path.write_text(whole)
    return "time" if code is None else "test" if code else ""


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """A copy of the tree, without anything compiled."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder)
        for name in ("src", "tests", "packages"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        yield tree


def main() -> None:
    """Try a sample of faults, and print those that survive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--room", choices=ROOMS, action="append", help="only this room; repeatable")
    parser.add_argument("--number", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    said = "that are tried on a fault, the quickest that are seen to reach it; all, where none is"
    parser.add_argument("--tests", type=int, default=1000, help=said)
    parser.add_argument(
        "--seconds", type=float, default=60, help="that they may take beyond ten times as long as before"
    )
    options = parser.parse_args()
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    import astropy.table, pandas, pyarrow.parquet, scipy.stats, sklearn.metrics, torch  # noqa: E401, F401, I001 (once, not in each child)

    rooms = options.room or list(ROOMS)
    tried, survived = 0, []
    with copied() as tree:
        paths = [str(tree / "src"), str(tree / "packages/tuningfork-fused/src")]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        for room in rooms:
            lines, seconds = reach(tree, room)
            for fault in sample(room, -(-options.number // len(rooms)), options.seed):
                by_line = lines.get(fault.module, {})
                tests = sorted(by_line.get(str(fault.line), []), key=lambda test: seconds.get(test, 0))[: options.tests]
                tests = tests or in_module(by_line, seconds)  # of what is run by an import, or compiled
                late = LATE.get(room, [])
                limit = options.seconds * (10 if late else 1) + 10 * sum(seconds.get(test, 0) for test in tests)
                how = dies(tree, fault, tests, late, limit)
                tried += 1
                if not how:
                    survived.append(fault)
                line = (ROOT / fault.module).read_text().splitlines()[fault.line - 1].strip()
                name = f"{fault.module.removeprefix('src/tuningfork/')}:{fault.line}: {fault.what}"
                print(f"{how or 'SURVIVES':8} {name}    {line}", flush=True)
            print(f"{room}: {tried} tried so far, {len(survived)} survived", flush=True)
    print(f"{tried} faults, {tried - len(survived)} noticed ({100 * (1 - len(survived) / max(1, tried)):.0f} %)")


if __name__ == "__main__":
    main()
