"""The command as a whole: quick help, one line for an error, names in Python, the house's own rules."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tuningfork
from tuningfork.cli.app import VERBS as GROUPS
from tuningfork.text import shown

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


SLIPS = {
    "optim.lrr=1": "unknown key 'optim.lrr'; did you mean 'lr'?",
    "encoder.foo=1": "unknown key 'encoder.foo'",
    "head.0.los=mse": "unknown key 'head.0.los'; did you mean 'loss'?",
    "head.0.kind=tre": "one of classes, sigmoid, tree, dirichlet, quantities is needed",
    "augmentation.rotations=3": "did you mean 'rotation'?",
    "augmentation.zoom=[2, 1]": "0 < low <= high",
    "transfer.unfreeze=2": "unfreeze needs a number of frozen epochs",
    "optim.epochs=many": "optim.epochs: input should be a valid integer",
    "optim": "write it as key=value",
}


def without_torch(*arguments: str, folder: Path) -> str:
    """What the command says on standard error where torch, timm and lightning can't be imported."""
    code = (
        "import sys; sys.modules.update(torch=None, timm=None, lightning=None); from tuningfork.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=folder)
    return result.stderr


@pytest.mark.parametrize(("change", "says"), SLIPS.items())
def test_a_slip_in_a_recipe_is_told_before_torch_is_imported(change: str, says: str, tmp_path: Path) -> None:
    message = without_torch("train", "tuningfork/small", "pack", "out", "--set", change, folder=tmp_path)
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert says in message


def test_a_slip_in_a_file_or_a_study_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("optim = [")
    (tmp_path / "study.toml").write_text('title = "t"\n[[run]]\nrecipe = "tuningfork/small"\nsett = ["a=1"]\n')
    slips = {
        "train bad.toml pack out": "bad.toml",
        "train nowhere.toml pack out": "nowhere.toml",
        "train tuningfork/smal pack out": "did you mean 'tuningfork/small'?",
        "study study.toml pack out": "run.0.sett",
        "study serrano/approach pack out": "did you mean 'serrano/approaches'?",
        "study serrano/approaches pack out --set optim.lrr=1": "unknown key 'optim.lrr'; did you mean 'lr'?",
    }
    for arguments, says in slips.items():
        message = without_torch(*arguments.split(), folder=tmp_path)
        assert message.startswith("error: ")
        assert message.count("\n") == 1
        assert says in message


@pytest.mark.parametrize("verb", ["train tuningfork/small", "study serrano/approaches"])
def test_a_slip_in_the_places_is_reported_before_torch_is_imported(verb: str, pack: Path, tmp_path: Path) -> None:
    (tmp_path / "begun" / ".partial").mkdir(parents=True)
    (tmp_path / "images").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").touch()
    (tmp_path / "file").touch()
    slips = {
        "nowhere out": "no pack at nowhere; make it with `tuningfork pack`",
        "begun out": "work has not finished there; run the same command again",
        "images out": "images holds no pack.json: it is not a pack; make one with `tuningfork pack`",
        "file out": "holds no pack.json",
        f"{pack} taken": "holds something else (thesis.tex); choose an empty or a new folder",
        f"{pack} file": "file is a file; name a folder",
    }
    for places, says in slips.items():
        message = without_torch(*verb.split(), *places.split(), folder=tmp_path)
        assert message.startswith("error: ")
        assert message.count("\n") == 1
        assert says in message
    assert "ModuleNotFoundError" in without_torch(*verb.split(), str(pack), "begun", folder=tmp_path)


def test_a_model_of_another_recipe_is_reported_before_torch_is_imported(
    model: Path, pack: Path, recipe_file: Path, tmp_path: Path
) -> None:
    other = without_torch("train", str(recipe_file), str(pack), str(model), "--set", "run.seed=99", folder=tmp_path)
    assert other.startswith("error: ") and other.count("\n") == 1
    assert "holds the work of another training run (recipe has changed)" in other
    same = without_torch("train", str(recipe_file), str(pack), str(model), folder=tmp_path)
    assert "ModuleNotFoundError" in same


def test_another_study_is_reported_before_torch_is_imported(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    from tuningfork.manifests import PackManifest
    from tuningfork.study.study import Rows, load_study, study_job
    from tuningfork.training.places import fixed

    (tmp_path / "s.toml").write_text(f'title = "t"\n[[run]]\nrecipe = "{recipe_file}"\n')
    (recipe,) = load_study(tmp_path / "s.toml").recipes()
    run = fixed(recipe, PackManifest.read(pack).sha256) | {"weights": "0"}  # which only torch can tell
    job = study_job([run], Rows("val"), tmp_path / "out")
    with pytest.raises(KeyboardInterrupt), job.run():
        (job.work / "models").mkdir()
        raise KeyboardInterrupt
    study = ("study", "s.toml", str(pack), "out")
    for other in (["--set", "run.seed=99"], ["--split", "test"], ["--where", "five_class=cigar"]):
        message = without_torch(*study, *other, folder=tmp_path)
        assert message.startswith("error: ") and message.count("\n") == 1
        assert "holds the work of another study" in message
    assert "ModuleNotFoundError" in without_torch(*study, folder=tmp_path)


def test_public_names_are_those_of_all() -> None:
    for name in tuningfork.__all__:
        assert getattr(tuningfork, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'predikt'"):
        _ = tuningfork.predikt
    assert set(tuningfork.__all__) <= set(dir(tuningfork))


def test_every_setting_of_a_recipe_is_documented() -> None:
    from tuningfork.models import HeadSpec
    from tuningfork.training.tables import Augmentation, EncoderTable, InputTable, OptimTable, Recipe, RunTable

    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    for table in (Recipe, EncoderTable, InputTable, HeadSpec, Augmentation, OptimTable, RunTable):
        for name, field in table.model_fields.items():
            assert f"`{field.alias or name}`" in text, f"docs/recipes.md does not speak of {name}"


def test_names_of_files_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    names = ["\x1b[31mred.jpg", "two\nerror: lines.jpg", "\u202egpj.exe.jpg", "\x9b2J.jpg"]
    for name in names:
        (folder / name).write_bytes(b"no image")
    seen = run("predict", str(folder), str(tmp_path / "out.parquet"))
    assert seen.returncode == 2
    assert not set("\x1b\x9b\u202e") & set(seen.stdout + seen.stderr)
    assert "\\x1b[31mred.jpg" in seen.stderr and "\\x9b2J.jpg" in seen.stderr
    assert not [line for line in seen.stderr.splitlines() if line.startswith("error: lines")]


@given(st.text())
def test_shown_text_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    written = shown(text)
    assert not [c for c in written if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    turns = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not turns & set(map(unicodedata.bidirectional, written))
    assert all(line.startswith("  ") for line in written.split("\n")[1:])
    if text.isprintable():
        assert written == text
    written.encode()  # whole characters


def test_a_working_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); sys.argv[1:] = ['recipes']; from tuningfork.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=gone)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "the working folder is gone" in result.stderr


def test_a_closed_pipe_and_a_plain_terminal_are_no_errors() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tuningfork", "recipes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as listed:
        assert listed.stdout is not None and listed.stderr is not None
        listed.stdout.close()
        assert listed.stderr.read() == b""
    plain = subprocess.run(
        [sys.executable, "-m", "tuningfork", "schemas", "show", "gz-challenge"],
        capture_output=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    )
    assert plain.returncode == 0 and plain.stderr == b""


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
@pytest.mark.parametrize("seconds", [0.15, 0.4, 0.8])
def test_ctrl_c_is_one_line_whenever_it_comes(seconds: float, tmp_path: Path) -> None:
    code = (
        "import signal, sys; from tuningfork.cli import main; sys.argv[0] = 'tuningfork'; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a shell's background has it ignored
        "print('here', flush=True); main()"
    )
    verb = [sys.executable, "-c", code, "predict", str(ROOT / "docs"), str(tmp_path / "out.parquet")]
    with subprocess.Popen(
        verb,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as job:
        assert job.stdout is not None and job.stdout.readline() == "here\n"
        time.sleep(seconds)
        job.send_signal(signal.SIGINT)
        _, said = job.communicate(timeout=60)
    if job.returncode != 2:  # over before it came: there are no galaxies in that folder
        assert said == "interrupted; run the same command again to go on\n"
        assert job.returncode in (130, -signal.SIGINT)  # 130 to a shell, either way
