"""The wheel holds all that a user needs."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import zipfile
from pathlib import Path

import tuningfork

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_every_data_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = set(wheel.namelist())
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "tuningfork").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= held
    assert "tuningfork/models/bundled/default/model.safetensors" in held


def test_the_versions_tested_together_are_within_the_bounds() -> None:
    import tomllib
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    asked: list[str] = []
    for path in (ROOT / "pyproject.toml", ROOT / "packages" / "tuningfork-fused" / "pyproject.toml"):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        extras = project.get("optional-dependencies", {}).values()
        asked += [*project["dependencies"], *(text for extra in extras for text in extra)]
    for requirement in map(Requirement, asked):
        if requirement.name.startswith("tuningfork"):  # an extra made of others, or one of ours
            continue
        assert requirement.specifier.contains(pinned[requirement.name.lower().replace("_", "-")]), requirement
    assert requires("tuningfork")


def test_no_module_is_hidden_behind_a_function_of_its_name() -> None:
    for found in pkgutil.walk_packages(tuningfork.__path__, "tuningfork."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        package, _, name = found.name.rpartition(".")
        assert getattr(sys.modules[package], name) is module, found.name
