"""Jobs: one run at a time, known by its inputs, and whole after a crash at any file operation."""

from __future__ import annotations

import datetime
import errno
import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Counted
from tuningfork.errors import MachineError, ModelError, OutputError
from tuningfork.files import (
    TEMPORARY,
    clear_abandoned,
    read_json,
    read_text,
    read_toml,
    refuse_existing,
    refuse_fault,
    sha256,
    stamp,
    whole_file,
    whole_folder,
    write_json,
    write_text,
)
from tuningfork.jobs import Inputs, Job, Journal, beside, fingerprint, make_at_once, within

CRASHES = "kills and injected crashes"
INPUTS = Inputs("count", 1, {"to": 3, "how": {"slowly": True}})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def run_script(script: str, *arguments: object) -> str:
    """A script that may import `crashes`, in a process without threads."""
    result = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]), "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


DELIVERED = """
import sys
from pathlib import Path
from crashes import everywhere
from tuningfork.files import write_text
from tuningfork.jobs import Inputs, Job, Journal, beside

def count(folder):
    target = folder / "numbers.txt"
    job = Job(Inputs("count", 1, {"to": 3}), target, beside(target))
    if job.settled("f" * 64):
        return
    with job.run():
        if not job.made("f" * 64):
            journal = Journal(job.work / "journal")
            for number in range(len(journal.read()), 3):
                write_text(job.work / f"part-{number}", str(number))
                journal.add(number)
            with job.making("f" * 64) as made:
                write_text(made / "numbers.txt", "".join((job.work / f"part-{n}").read_text() for n in range(3)))
                write_text(made / "beside.txt", "more")
        job.deliver("f" * 64, folder, "numbers.txt")

print(everywhere(count, Path(sys.argv[1])))
"""

GROWN = """
import sys
from pathlib import Path
from crashes import everywhere
from tuningfork.files import write_text
from tuningfork.jobs import Inputs, Job, within

def count(folder):
    out = folder / "out"
    job = Job(Inputs("count", 1, {"to": 3}), out, within(out))
    if (out / "manifest").exists():
        job.clear()
        return
    job.refuse_others()
    with job.run():
        for number in range(3):
            write_text(out / f"{number}.txt", str(number))
        write_text(out / "manifest", job.fingerprint)
        job.finish()

print(everywhere(count, Path(sys.argv[1])))
"""

AT_ONCE = """
import sys
from pathlib import Path
from crashes import everywhere
from tuningfork.files import write_text
from tuningfork.evaluation.place import Place
from tuningfork.manifests import StudyManifest

CONTENT = {"where": "here", "seed": 0, "n_bootstrap": 1, "inputs": {}, "plots_as": "png", "title": "a",
           "source": "", "split": "val", "rows": [], "pack": "pack", "plots": [], "runs": [], "created": "now"}

def make(making):
    for name in ("1.txt", "2.txt"):
        write_text(making / name, name)
    StudyManifest.write(making, CONTENT, ["1.txt", "2.txt"])

def count(folder):
    Place(StudyManifest, folder / "out", CONTENT).write(make)

def again(folder):
    count(folder)
    Place(StudyManifest, folder / "out", CONTENT, overwrite=True).write(make)

print(everywhere(again, Path(sys.argv[1])))
"""

SIMULATED = """
import sys
from pathlib import Path
import astropy.io.fits, pandas, pyarrow.parquet  # here, not in each of the processes that crash
from crashes import everywhere
from tuningfork.simulate import simulate_galaxies

def simulate(folder):
    simulate_galaxies(folder / "out", 2, 1, size=40, fits=True, workers=1)

print(everywhere(simulate, Path(sys.argv[1])))
"""

PACKED = """
import sys
from pathlib import Path
import numpy, pandas, PIL.Image, pyarrow.parquet, rich.progress  # here, not in each of the processes that crash
from crashes import everywhere
from tuningfork.images import Geometry, decode
from tuningfork.packs import make

make.CHUNK = 2
noise = numpy.random.default_rng(0).integers(0, 256, (72, 72, 3), numpy.uint8)
decode(noise, Geometry(0.9, 12, 3))  # so that Numba has its functions at hand

def same(found):
    return {name: bytes_ for name, bytes_ in found.items() if name != "out/pack.json"}, "out/pack.json" in found

pack = lambda folder: make.make_pack(sys.argv[2], folder / "out", geometry=Geometry(0.9, 12, 3), workers=1)
print(everywhere(pack, Path(sys.argv[1]), same=same))
"""

PREDICTED = """
import io, sys
from pathlib import Path
import astropy.io.votable, pandas
from astropy.table import Table
from crashes import everywhere
from tuningfork.inference import predict, shards

shards.BATCH = shards.ROWS_A_SHARD = 2
images, model, out = sys.argv[2:]

def rows(name, content):
    file, kind = io.BytesIO(content), Path(name).suffix
    if kind in (".fits", ".vot"):
        return Table.read(file, format="fits" if kind == ".fits" else "votable").to_pandas()
    return pandas.read_parquet(file) if kind == ".parquet" else pandas.read_csv(file)

def tables(found):
    return {name: rows(name, content).round(5).to_csv() for name, content in found.items() if Path(name).suffix}

def work(folder):
    predict(images, folder / out, model=model, device="cpu", engine="torch", workers=1)

print(everywhere(work, Path(sys.argv[1]), same=tables))
"""
OUTPUTS = ("out.parquet", "out.csv", "out.fits", "out.vot", "out")


@pytest.mark.parametrize(("script", "least"), [(DELIVERED, 40), (GROWN, 20), (AT_ONCE, 60), (SIMULATED, 25)])
def test_after_a_crash_at_any_operation_the_next_run_ends_the_same(
    tmp_path: Path, script: str, least: int, counted: Counted
) -> None:
    """With the same result, nothing left, and no error."""
    assert counted(CRASHES, int(run_script(script, tmp_path / "runs"))) >= least


def test_after_a_crash_at_any_operation_a_pack_is_whole(galaxies: Path, tmp_path: Path, counted: Counted) -> None:
    assert counted(CRASHES, int(run_script(PACKED, tmp_path / "runs", few(galaxies, tmp_path)))) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("out", OUTPUTS)
def test_after_a_crash_at_an_operation_predictions_are_whole(
    galaxies: Path, model: Path, tmp_path: Path, out: str, counted: Counted
) -> None:
    images = few(galaxies, tmp_path)
    assert counted(CRASHES, int(run_script(PREDICTED, tmp_path / "runs", images, model, out))) >= 48


VERBS = """
import json, shutil, sys
from pathlib import Path
import matplotlib.figure, pandas, pyarrow.parquet, sklearn.neighbors, torch  # not in each of the processes that crash
from crashes import everywhere
from tuningfork.adaptation import adapt
from tuningfork.evaluation import evaluate_file
from tuningfork.explain import explain_images
from tuningfork.inference import calibrate, embed, expected_errors, export_model, shards
from tuningfork.report import write_report
from tuningfork.robustness import measure_robustness
from tuningfork.study import load_study, run_study

shards.BATCH = shards.ROWS_A_SHARD = 2
expected_errors.ENOUGH = 60
verb, root, images, model, pack, predictions, study, step = sys.argv[1:]

def calibrated(folder):
    if not (folder / "model").exists():
        shutil.copytree(model, folder / "new", dirs_exist_ok=True)
        (folder / "new").rename(folder / "model")
    calibrate(folder / "model", pack, split="train", tta=1)

WORK = {
    "embed": lambda folder: embed(images, folder / "out.parquet", model=model, maps=[], device="cpu", workers=1),
    "explain": lambda folder: explain_images(model, images, folder / "out", limit=2),
    "export": lambda folder: export_model(model, folder / "out"),
    "evaluate": lambda folder: evaluate_file(predictions, pack, folder / "out", split="val", n_bootstrap=20),
    "robustness": lambda folder: measure_robustness(model, pack, folder / "out", limit=4),
    "calibrate": calibrated,
    "adapt": lambda folder: adapt(model, pack, folder / "out", split="train"),
    "report": lambda folder: write_report([model], folder / "out.html", overwrite=True),
    "study": lambda folder: run_study(load_study(study), pack, folder / "out"),
    "seeds": lambda folder: run_study(load_study(study), pack, folder / "out", seeds=2),
}

TIMED = ("created", "seconds", "sha256", "runs", "training", *(["inputs"] if verb in ("study", "seeds") else []))

def plain(name, content):
    # Tables and graphs hold the date, histories and what is drawn of them seconds; of JSON all else is compared, and
    # every plot and all weights.
    if name.endswith(".json"):
        return {key: value for key, value in json.loads(content).items() if key not in TIMED}
    drawn = name.endswith(".png") and verb not in ("study", "seeds")
    return content if drawn or name.endswith("model.safetensors") else None

def same(found):
    return {name.split(".tfevents.")[0]: plain(name, content) for name, content in found.items()}

print(everywhere(WORK[verb], Path(root), same=same, numbers=range(0, 100_000, int(step))))
"""

STEPS = {
    "embed": 1,
    "explain": 1,
    "export": 1,
    "evaluate": 1,
    "robustness": 1,
    "calibrate": 1,
    "adapt": 3,
    "report": 1,
    "study": 10,
    "seeds": 150,
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", STEPS)
def test_after_a_crash_every_verb_ends_the_same(
    galaxies: Path, model: Path, pack: Path, recipe_file: Path, tmp_path: Path, verb: str, counted: Counted
) -> None:
    """At every operation; at some of what takes long, such as a study, which trains anew."""
    from tuningfork.inference import predict

    predict(pack, tmp_path / "predictions.parquet", model=model, device="cpu", engine="torch")
    study = 'title = "One"\nset = ["optim.epochs=1"]\n[[run]]\nlabel = "one"\n' + f'recipe = "{recipe_file}"\n'
    (tmp_path / "study.toml").write_text(study)
    inputs = [few(galaxies, tmp_path), model, pack, tmp_path / "predictions.parquet", tmp_path / "study.toml"]
    said = run_script(VERBS, verb, tmp_path / "runs", *inputs, STEPS[verb])
    assert counted(CRASHES, int(said.split()[-1])) >= 2  # after what trainings say


def few(galaxies: Path, folder: Path) -> Path:
    """A folder of five images."""
    (folder / "images").mkdir()
    for path in sorted((galaxies.parent / "images").iterdir())[:5]:
        (folder / "images" / path.name).write_bytes(path.read_bytes())
    return folder / "images"


# --- inputs


@given(asked=st.dictionaries(st.text(), JSON, max_size=3))
@settings(deadline=None)
def test_a_fingerprint_is_of_values_not_of_their_order(asked: dict[str, object]) -> None:
    backwards = dict(reversed(asked.items()))
    assert Inputs("x", 1, asked).fingerprint == Inputs("x", 1, backwards).fingerprint
    assert Inputs("x", 2, asked).fingerprint != Inputs("x", 1, asked).fingerprint
    assert Inputs("x", 1, asked | {"new": 1}).fingerprint != Inputs("x", 1, asked | {"new": 2}).fingerprint


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, Path("x"), b"x"])
def test_what_json_can_not_hold_has_no_fingerprint(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        fingerprint([value])


def test_images_model_and_version_count(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = [
        INPUTS,
        Inputs("count", 1, INPUTS.asked, images="a"),
        Inputs("count", 1, INPUTS.asked, model={"model.safetensors": "0"}),
        Inputs("count", 1, INPUTS.asked, made_by="another"),
    ]
    assert len({each.fingerprint for each in inputs}) == 4


# --- what is left by others


def begun(target: Path, inputs: Inputs = INPUTS) -> Job:
    """A job that has done something and was killed."""
    job = Job(inputs, target, beside(target))
    with pytest.raises(KeyboardInterrupt), job.run():
        (job.work / "part").write_text("hours of work")
        raise KeyboardInterrupt
    return job


def test_work_of_other_inputs_is_kept_and_what_changed_is_said(tmp_path: Path) -> None:
    target = tmp_path / "out"
    work = begun(target).work
    other = Job(Inputs("count", 1, {"to": 4, "how": {"slowly": True}}), target, beside(target))
    says = r"another count \(to was 3, is 4\); ask as before to go on .* or remove"
    with pytest.raises(OutputError, match=says), other.run():
        pass
    assert (work / "part").read_text() == "hours of work"
    with Job(INPUTS, target, beside(target)).run() as goes_on:
        assert goes_on


def test_it_is_removed_where_the_user_says_so(tmp_path: Path) -> None:
    target = tmp_path / "out"
    begun(target)
    other = Job(Inputs("count", 1, {"to": 4}), target, beside(target))
    with other.run(overwrite=True) as goes_on:
        assert not goes_on
        assert not (other.work / "part").exists()


def test_the_same_inputs_go_on_whatever_may_be_removed(tmp_path: Path) -> None:
    job = begun(tmp_path / "out")
    with job.run(overwrite=True) as goes_on:
        assert goes_on
        assert (job.work / "part").exists()


def test_a_job_that_has_done_nothing_leaves_nothing_and_hinders_none(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(ZeroDivisionError), Job(INPUTS, target, beside(target)).run():
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


def test_only_what_was_delivered_is_settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that goes on is left alone by the question; what a kill left of clearing up is cleared."""
    job, outcome = begun(tmp_path / "out"), "f" * 64
    assert not job.settled(outcome)
    assert (job.work / "part").read_text() == "hours of work"

    def killed(_: Job) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Job, "_empty", killed)
    with pytest.raises(KeyboardInterrupt), job.run():
        with job.making(outcome) as making:
            (making / "out").write_text("whole")
        job.deliver(outcome, tmp_path, "out")
    monkeypatch.undo()
    assert job.settled(outcome)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not job.settled(outcome)


def test_what_another_machine_left_in_the_making_in_a_folder_that_grows_is_cleared(tmp_path: Path) -> None:
    """Of this machine's dead processes whoever writes there clears it; nobody else knows of others."""
    out = tmp_path / "out"
    out.mkdir()
    (out / f"{TEMPORARY}plot-abcdef-1-12345678.png").touch()
    job = Job(INPUTS, out, within(out))
    with job.run():
        assert not list(out.glob(f"{TEMPORARY}*"))
        job.finish()


def test_a_second_run_is_kept_out(tmp_path: Path) -> None:
    job = Job(INPUTS, tmp_path / "out", within(tmp_path / "out"), error=ModelError)
    second = Job(INPUTS, tmp_path / "out", within(tmp_path / "out"), error=ModelError)
    with job.run(), pytest.raises(ModelError, match=r"another run is at work in .*out; wait for it"), second.run():
        pass


def at_once(out: Path, verb: str = "evaluate") -> Job:
    return Job(Inputs(verb, 1, {}), out, within(out))


@pytest.mark.parametrize("verb", ["evaluate", "robustness"])
def test_two_runs_do_not_write_one_folder(tmp_path: Path, verb: str) -> None:
    out = tmp_path / "out"

    def make(making: Path) -> None:
        (making / "m.json").write_text("first")
        with pytest.raises(OutputError, match="another run is at work"):
            make_at_once(at_once(out, verb), "m.json", make)

    make_at_once(at_once(out, verb), "m.json", make)
    assert (out / "m.json").read_text() == "first"
    assert [path.name for path in out.iterdir()] == ["m.json"]


def test_what_is_made_at_once_removes_no_work_of_another_kind(tmp_path: Path) -> None:
    job = Job(INPUTS, tmp_path / "out", within(tmp_path / "out"))
    with pytest.raises(KeyboardInterrupt), job.run():
        (job.work / "part").write_text("hours of work")
        raise KeyboardInterrupt
    with pytest.raises(OutputError, match="holds the work of another"):
        make_at_once(at_once(job.output), "m.json", lambda making: (making / "m.json").touch())
    assert (job.work / "part").read_text() == "hours of work"


def test_what_is_made_at_once_replaces_no_file_unasked(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("ten years")

    def make(making: Path) -> None:
        for name in ("thesis.tex", "m.json"):
            (making / name).write_text("new")

    with pytest.raises(OutputError, match=r"thesis\.tex exists"):
        make_at_once(at_once(tmp_path), "m.json", make)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"thesis.tex": "ten years"}
    make_at_once(at_once(tmp_path), "m.json", make, overwrite=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"thesis.tex": "new", "m.json": "new"}


def test_a_link_in_place_of_the_work_folder_or_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "job.json").write_text("{}")
    target = tmp_path / "out"
    beside(target).symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match="is a link"), Job(INPUTS, target, beside(target)).run():
        pass
    beside(target).unlink()
    beside(target).mkdir()
    (tmp_path / "thesis").write_text("ten years")
    (beside(target) / "lock").symlink_to(tmp_path / "thesis")
    with pytest.raises(OutputError, match="is a link"), Job(INPUTS, target, beside(target)).run():
        pass
    assert (tmp_path / "thesis").read_text() == "ten years"
    assert (tmp_path / "precious" / "job.json").read_text() == "{}"


def test_a_result_replaces_files_and_no_link(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "thesis").write_text("ten years")
    job = Job(INPUTS, out, within(out))

    def make(folder: Path) -> None:
        (folder / "parts").mkdir()
        for name in ("a.txt", "parts/b.txt", "last.txt"):
            (folder / name).write_text("new")

    out.mkdir()
    (out / "a.txt").symlink_to(tmp_path / "thesis")
    with pytest.raises(OutputError, match=r"a\.txt is a link"):
        make_at_once(job, "last.txt", make, overwrite=True)
    assert (tmp_path / "thesis").read_text() == "ten years"
    (out / "a.txt").unlink()
    (out / "a.txt").write_text("old")
    make_at_once(job, "last.txt", make, overwrite=True)
    assert {path.relative_to(out).as_posix() for path in out.rglob("*")} == {
        *("a.txt", "last.txt", "parts", "parts/b.txt")
    }
    assert (out / "a.txt").read_text() == "new"


def test_a_folder_with_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("ten years")
    with pytest.raises(OutputError, match=r"holds something else \(thesis.tex\)"):
        Job(INPUTS, tmp_path, within(tmp_path)).refuse_others()
    with pytest.raises(OutputError, match="is a file; name a folder"):
        Job(INPUTS, tmp_path / "thesis.tex", within(tmp_path / "thesis.tex")).refuse_others()


def test_a_record_that_is_no_json_is_an_error_that_names_it(tmp_path: Path) -> None:
    job = begun(tmp_path / "out")
    job.record.write_text("{")
    with pytest.raises(OutputError, match=r"job.json is not valid JSON"), job.run():
        pass


def test_an_error_after_all_was_cleared_up_is_said_as_it_is(tmp_path: Path) -> None:
    job = Job(INPUTS, tmp_path / "out", beside(tmp_path / "out"))
    with pytest.raises(ZeroDivisionError), job.run():
        job.finish()
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


def test_a_record_that_outlives_the_work_folder_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = Job(INPUTS, out, within(out), record=out / "asked.json")
    with pytest.raises(KeyboardInterrupt), job.run():
        raise KeyboardInterrupt
    assert job.begun and job.matches
    other = Job(Inputs("count", 1, {"to": 9}), out, within(out), record=out / "asked.json")
    assert other.begun and not other.matches
    with pytest.raises(OutputError, match=r"to was 3, is 9.*remove .*out to begin anew"):
        other.refuse_others()
    with job.run() as goes_on:
        assert goes_on
        job.finish()
    assert [path.name for path in out.iterdir()] == ["asked.json"]


def test_changes_are_named_as_long_as_they_are_few_and_short() -> None:
    def changes(was: dict[str, object], now: dict[str, object], **other: object) -> str:
        earlier = json.loads(json.dumps(asdict(Inputs("x", 1, was))))
        return Inputs("x", 1, now, **other).changes(earlier)

    assert changes({"a": 1, "b": {"c": "d"}}, {"a": 1, "b": {"c": "e"}}) == 'b.c was "d", is "e"'
    assert changes({"a": 1}, {"b": 2}) == "a was 1, is null, b was null, is 2"
    assert changes({}, {}, made_by="9").endswith('is "9"')
    few, many = dict.fromkeys("abc", 1), dict.fromkeys("abcde", 1)
    assert changes(few, dict.fromkeys("abc", 2)) == ", ".join(f"{name} was 1, is 2" for name in "abc")
    assert changes(many, dict.fromkeys("abcde", 2)).endswith("c was 1, is 2 and 2 more")
    assert changes({"a": "x" * 38}, {"a": ""}) == f'a was "{"x" * 38}", is ""'
    assert changes({"a": ""}, {"a": "x" * 39}) == "a has changed"
    assert Inputs("x", 1, {}).changes(None) == "made by an earlier version"


# --- the journal


def test_a_record_is_on_the_disk_when_it_was_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, synced = Journal(tmp_path / "journal"), []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    journal.add({"n": 1})
    journal.add(2)
    assert synced == [9, 11]
    assert journal.path.read_text() == '{"n": 1}\n2\n'
    assert Journal(tmp_path / "none").read() == []


@given(records=st.lists(JSON, max_size=5), torn=st.integers(0, 30))
@settings(deadline=None)
def test_a_torn_record_was_never_there(tmp_path_factory: pytest.TempPathFactory, records: list, torn: int) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal")
    for record in records:
        journal.add(record)
    whole = journal.path.read_bytes() if records else b""
    journal.path.write_bytes(whole + b'{"half": "' + b"x" * torn)
    assert journal.read() == records
    assert journal.path.read_bytes() == whole
    journal.add("next")
    assert journal.read() == [*records, "next"]


# --- files


def test_folders_on_the_way_to_a_file_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "out.txt", "text")
    with whole_folder(tmp_path / "c" / "d" / "out") as making:
        (making / "file").touch()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["file", "out.txt"]


def test_a_temporary_is_private_and_can_not_be_foreseen(tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        with whole_file(tmp_path / "out.csv") as temporary:
            names.append(temporary.name)
            assert temporary.stat().st_mode & 0o077 == 0
            assert temporary.suffix == ".csv"
    assert len(set(names)) == 2
    assert (tmp_path / "out.csv").stat().st_mode & 0o044


def test_it_is_on_the_disk_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append((tmp_path / "out").exists()), real(handle)))
    write_text(tmp_path / "out", "text")
    assert synced == [False]


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_only_regular_files_are_replaced(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    (tmp_path / "thesis").write_text("ten years")
    {"link": lambda: out.symlink_to(tmp_path / "thesis"), "folder": out.mkdir, "pipe": lambda: os.mkfifo(out)}[kind]()
    with pytest.raises(OutputError, match="only regular files are replaced"):
        write_text(out, "text")
    assert (tmp_path / "thesis").read_text() == "ten years"
    assert {path.name for path in tmp_path.iterdir()} == {"out", "thesis"}


def test_what_dead_processes_left_is_cleared_and_what_living_ones_make_is_not(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from tuningfork.files import whole_file, whole_folder
with whole_file(Path(sys.argv[1]) / "out.csv"), whole_folder(Path(sys.argv[1]) / "folder") as making:
    (making / "file").touch()
    os._exit(0)
"""
    run_script(script, tmp_path)
    (dead, *_) = lefts = list(tmp_path.glob(f"{TEMPORARY}*"))
    assert len(lefts) == 2
    mine = tmp_path / f"{TEMPORARY}mine"
    mine.write_text("of no known process")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        theirs = tmp_path / re.sub(r"-\d+-([a-z0-9_]{8}[^-]*)$", rf"-{living.pid}-\1", dead.name)
        theirs.write_text("in the making")
        write_text(tmp_path / "out.csv", "text")
        assert living.poll() is None
        living.communicate(b"\n")
    assert living.returncode == 0  # asked for, and not harmed
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv", mine.name, theirs.name}


FAULTS = [OSError(number, "x") for number in (errno.EIO, errno.EMFILE, errno.ENOSPC, errno.ENOMEM)]


@pytest.mark.parametrize("problem", [*FAULTS, MemoryError()])
def test_what_fails_for_any_file_is_the_machines_fault(problem: Exception) -> None:
    with pytest.raises(MachineError, match=r"^galaxy\.jpg"):
        refuse_fault(problem, "galaxy.jpg")


@pytest.mark.parametrize("problem", [OSError(errno.EACCES, "x"), OSError("truncated"), ValueError("no JPEG")])
def test_what_fails_for_one_file_is_not(problem: Exception) -> None:
    refuse_fault(problem, "galaxy.jpg")


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "out") as making:
        (making / "file").write_text("half")
        _ = 1 / 0
    assert not list(tmp_path.iterdir())
    with whole_folder(tmp_path / "out") as making:
        (making / "file").write_text("whole")
    assert (tmp_path / "out" / "file").read_text() == "whole"
    with pytest.raises(OutputError, match="exists"), whole_folder(tmp_path / "out"):
        pass


def test_an_output_is_permitted_what_any_new_file_would_be(tmp_path: Path) -> None:
    before, opened = os.umask(0o020), len(list(Path("/proc/self/fd").iterdir()))
    try:
        for name in ("first", "second"):  # what is asked of the process is as it was
            write_text(tmp_path / name, "text")
            with whole_folder(tmp_path / f"{name} folder"):
                pass
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o646
            assert (tmp_path / f"{name} folder").stat().st_mode & 0o777 == 0o757
        assert os.umask(0o020) == 0o020
        assert len(list(Path("/proc/self/fd").iterdir())) == opened
    finally:
        os.umask(before)


@pytest.mark.parametrize(("answer", "cleared"), [(ProcessLookupError(), True), (PermissionError(), False)])
def test_only_what_no_process_of_this_machine_makes_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: OSError, cleared: bool
) -> None:
    """A process of somebody else can't be asked, and is there."""

    def asked(process: int, signal: int) -> None:
        assert (process, signal) == (4321, 0)
        raise answer

    with whole_folder(tmp_path / "out.d") as making:
        name = making.name.replace(f"-{os.getpid()}-", "-4321-")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(platform, "node", lambda: "another machine")
        with whole_file(tmp_path / "other") as making:
            theirs = making.name.replace(f"-{os.getpid()}-", "-4321-")
    (tmp_path / name).mkdir()
    for other in (theirs, f"{name}.more.endings", name.removeprefix(TEMPORARY)):
        (tmp_path / other).touch()
    before = {path.name for path in tmp_path.iterdir()}
    monkeypatch.setattr(os, "kill", asked)
    clear_abandoned.cache_clear()
    clear_abandoned(tmp_path)
    assert before - {path.name for path in tmp_path.iterdir()} == ({name} if cleared else set())


def test_a_very_long_name_is_still_written(tmp_path: Path) -> None:
    write_text(tmp_path / f"{'n' * 240}.csv", "text")
    assert (tmp_path / f"{'n' * 240}.csv").read_text() == "text"


def test_json_is_written_to_be_read_by_people_and_says_when_it_was_made(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"é": [1, None]})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "é": [\n    1,\n    null\n  ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert read_json(tmp_path / "a.json", ModelError) == {"é": [1, None]}
    begins = stamp("tuningfork-pack", 3)
    assert begins["format"] == "tuningfork-pack" and begins["version"] == 3
    assert begins["made_by"].startswith("tuningfork ")
    made = datetime.datetime.fromisoformat(begins["created"])
    assert made.utcoffset() == datetime.timedelta(0) and made.microsecond == 0
    assert abs(datetime.datetime.now(datetime.UTC) - made) < datetime.timedelta(seconds=60)


def test_what_can_not_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    cases = {
        b"[1, 2]": None,
        b"[1, 23]": "has 7 bytes; at most 6 are read",
        b"\xff": "is not UTF-8 text",
        b"[1": "is not valid JSON",
    }
    for content, says in cases.items():
        path.write_bytes(content)
        if says is None:
            assert read_json(path, ModelError, 6) == [1, 2]
        else:
            with pytest.raises(ModelError, match=rf"a\.json.* {says}"):
                read_json(path, ModelError, 6)
    path.write_text("[" * 100_000)
    with pytest.raises(ModelError, match=r"a\.json is nested too deeply"):
        read_json(path, ModelError)
    path.write_text("a = 1\nb =")
    with pytest.raises(ModelError, match=r"a\.json is not valid TOML"):
        read_toml(path, ModelError)
    os.mkfifo(tmp_path / "pipe")
    opened = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(ModelError, match=r"cannot read .*pipe: it is no regular file"):
            read_text(tmp_path / "pipe", ModelError)
        with pytest.raises(OSError, match="it is no regular file"):
            sha256(tmp_path / "pipe")
    assert len(list(Path("/proc/self/fd").iterdir())) == opened
    path.write_bytes(b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    refuse_existing([path], overwrite=True)
    refuse_existing([tmp_path / "none"], overwrite=False)
    with pytest.raises(OutputError, match=r"a\.json exists"):
        refuse_existing([tmp_path / "none", path], overwrite=False)


def test_without_the_modules_of_unix_all_is_imported_and_a_job_runs(tmp_path: Path) -> None:
    script = """
import sys
sys.modules["fcntl"] = sys.modules["resource"] = None
import os
for name in ("O_DIRECT", "O_NONBLOCK"):
    if hasattr(os, name):
        delattr(os, name)
from pathlib import Path
import tuningfork.cli, tuningfork.packs, tuningfork.jobs as jobs, tuningfork.packs.direct
from tuningfork.files import write_text
out = Path(sys.argv[1]) / "out"
job = jobs.Job(jobs.Inputs("count", 1, {}), out, jobs.within(out))
with job.run():
    write_text(out / "file", "text")
    job.finish()
assert [path.name for path in out.iterdir()] == ["file"], list(out.iterdir())
"""
    run_script(script, tmp_path)
