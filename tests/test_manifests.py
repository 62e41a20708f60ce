"""Manifests: read within bounds, refused in one line, and of files in their own folder alone."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuningfork.errors import ModelError, PackError, TuningforkError
from tuningfork.files import stamp, write_json
from tuningfork.manifests import (
    EvaluationManifest,
    ExplanationManifest,
    ExportManifest,
    Manifest,
    ModelManifest,
    PackManifest,
    RobustnessManifest,
    SimulationManifest,
    StudyManifest,
)
from tuningfork.models import load_model, make_ensemble, model_folder

GEOMETRY = {"field": 0.75, "size": 120, "channels": 3}
MODEL = {
    "encoder": {"name": "tuningfork/small", "options": {}},
    "geometry": GEOMETRY,
    "input": {"field": 0.5, "size": 64, "mean": [0.1, 0.1, 0.1], "std": [0.1, 0.1, 0.1]},
    "heads": [{"spec": {}, "schema": {}}],
}
EXPLAINED = {
    "id_str": "a", "answer": "Class1.1", "words": "smooth", "value": 0.5, "plots": ["a.png", "b.png"],
    "gradcam": {"centroid_offset": 0.1, "inner_half": None}, "occlusion": {"largest_drop": 0.1, "x": 0.5, "y": 0.5},
}  # fmt: skip
# The least that each holds beside its stamp.
SAMPLES: dict[type[Manifest], dict[str, Any]] = {
    PackManifest: {"n": 3, "geometry": GEOMETRY, "schemas": [], "splits": {"train": 3}, "errors": [{"id_str": "a"}]},
    ModelManifest: MODEL | {"members": ["members/1", "members/2"]},
    EvaluationManifest: {
        "where": "val", "schemas": {}, "n_bootstrap": 1000, "seed": 0, "plots": ["a.png"], "captions": {"a.png": "A"},
    },
    ExplanationManifest: {
        "model": "default", "view": {"field": 0.5, "size": 64, "patch": 8}, "galaxies": [EXPLAINED], "errors": [],
    },
    RobustnessManifest: {
        "where": "val", "n": 3, "views": 1, "n_bootstrap": 500, "seed": 0, "curves": {}, "plots": {"a.png": "A"},
    },
    StudyManifest: {
        "title": "T", "source": "", "split": "val", "rows": [], "pack": "p", "plots": [],
        "runs": [{"label": "a", "folder": "01-a"}],
    },
    ExportManifest: {
        "to": "onnx", "int8": False, "model": {"name": "default", "sha256": {}}, "networks": [{"file": "model.onnx"}],
        "against_torch": {},
    },
    SimulationManifest: {"n": 3, "seed": 1, "size": 48, "fits": False, "mix": {"ring": 1.0}},
}  # fmt: skip
KINDS = pytest.mark.parametrize("kind", list(SAMPLES), ids=lambda kind: kind.FORMAT)
HOSTILE_NAMES = [
    "/etc/passwd", "../thesis", "a/../../thesis", "..", ".", "", "a\0b", "C:\\thesis", "C:thesis", "\\\\host\\share",
    "..\\thesis", "a\nb", "\x1b[2J", "x" * 5000,
]  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(HOSTILE_NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def sample(kind: type[Manifest]) -> dict[str, Any]:
    return stamp(kind.FORMAT, 1) | copy.deepcopy(SAMPLES[kind])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in nested values: what holds it, and under which key."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries):
        yield value, key
        yield from places(inner)


def refused(kind: type[Manifest], folder: Path) -> str:
    """What is said of the manifest of a folder that can't be read: one printable line that names the file."""
    with pytest.raises(kind.ERROR) as caught:
        kind.read(folder)
    text = str(caught.value)
    assert kind.NAME in text
    assert text.isprintable()
    return text


@KINDS
def test_what_is_written_is_read(tmp_path: Path, kind: type[Manifest]) -> None:
    (tmp_path / "file").write_text("text")
    kind.write(tmp_path, SAMPLES[kind], ["file"])
    manifest = kind.read(tmp_path)
    manifest.check(tmp_path)
    assert manifest.content == json.loads((tmp_path / kind.NAME).read_text())
    assert manifest.made_by.startswith("tuningfork ")
    assert SAMPLES[kind].items() <= manifest.content.items()
    (tmp_path / "file").write_text("another")
    with pytest.raises(kind.ERROR, match="is not the file its manifest speaks of"):
        manifest.check(tmp_path)


@KINDS
@given(data=st.data(), value=ANYTHING)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_anywhere_is_read_or_refused_in_one_line(
    tmp_path: Path, kind: type[Manifest], data: st.DataObject, value: Any
) -> None:
    content = sample(kind)
    holder, key = data.draw(st.sampled_from(list(places(content))))
    holder[key] = value
    (tmp_path / kind.NAME).write_text(json.dumps(content))
    try:
        kind.read(tmp_path)
    except kind.ERROR as error:
        assert kind.NAME in str(error)
        assert str(error).removeprefix(str(tmp_path)).isprintable()


@KINDS
@pytest.mark.parametrize("missing", [0, 1, 2, 3])
def test_a_missing_key_is_named(tmp_path: Path, kind: type[Manifest], missing: int) -> None:
    content = sample(kind)
    key = list(SAMPLES[kind])[missing % len(SAMPLES[kind])]
    del content[key]
    write_json(tmp_path / kind.NAME, content)
    optional = not kind.model_fields[key].is_required()
    if optional:
        kind.read(tmp_path)
    else:
        assert f"{key}: field required; {kind.AGAIN}" in refused(kind, tmp_path)


@KINDS
def test_what_is_another_format_or_version_is_refused(tmp_path: Path, kind: type[Manifest]) -> None:
    assert "holds no" in refused(kind, tmp_path)
    for change, says in (
        ({"format": "x"}, f"is not the manifest of {kind.WHAT}"),
        ({"version": 2}, "has format version 2; this software reads 1"),
        ({"version": True}, "has format version True"),
        ({"version": "1"}, "has format version 1"),
    ):
        write_json(tmp_path / kind.NAME, sample(kind) | change)
        assert says in refused(kind, tmp_path)


@pytest.mark.parametrize("text", ["", "null", "[]", "[" * 100_000, "{", "\0", '{"format": '])
def test_what_is_no_manifest_at_all_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "pack.json").write_text(text)
    refused(PackManifest, tmp_path)


def test_what_is_nested_deeply_too_large_or_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pack.json"
    path.write_text(json.dumps(sample(PackManifest) | {"x": json.loads("[" * 60 + "]" * 60)}))
    assert "nested too deeply" in refused(PackManifest, tmp_path)
    path.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refused(PackManifest, tmp_path)
    path.unlink()
    os.mkfifo(path)
    assert "no regular file" in refused(PackManifest, tmp_path)
    path.unlink()
    path.mkdir()
    refused(PackManifest, tmp_path)
    path.rmdir()
    path.symlink_to("/dev/zero")
    assert "no regular file" in refused(PackManifest, tmp_path)
    path.unlink()
    monkeypatch.setattr("tuningfork.manifests.base.LARGEST", 1000)
    path.write_text(" " * 1001)
    assert "has 1,001 bytes; at most 1,000 are read" in refused(PackManifest, tmp_path)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    for kind, change in (
        (PackManifest, {"sha256": {name: "0" * 64}}),
        (ModelManifest, {"members": [name, "members/2"]}),
        (EvaluationManifest, {"plots": [name]}),
        (ExplanationManifest, {"galaxies": [EXPLAINED | {"plots": [name, "b.png"]}]}),
        (RobustnessManifest, {"plots": {name: "A"}}),
        (StudyManifest, {"runs": [{"label": "a", "folder": name}]}),
        (ExportManifest, {"networks": [{"file": name}]}),
    ):
        write_json(tmp_path / kind.NAME, sample(kind) | change)
        assert "a file outside the folder" in (says := refused(kind, tmp_path)) or "no name of a file" in says


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("ten years")
    folder = tmp_path / "pack"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text("ten years")
    PackManifest.write(folder, SAMPLES[PackManifest], ["file"])
    manifest = PackManifest.read(folder)
    manifest.check(folder)
    (folder / "file").unlink()
    with pytest.raises(PackError, match=r"file is missing; pack again"):
        manifest.check(folder)
    (folder / "file").symlink_to(tmp_path / "thesis")
    with pytest.raises(PackError, match="is a link"):
        manifest.check(folder)
    (folder / "away").symlink_to(tmp_path)
    with pytest.raises(PackError, match="is a link"):
        manifest.file(folder, "away/thesis")


def test_a_manifest_is_written_last_and_only_if_it_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PackManifest.write(tmp_path, SAMPLES[PackManifest], ["absent"])
    with pytest.raises(PackError, match=r"n: input should be greater than or equal to 0"):
        PackManifest.write(tmp_path, SAMPLES[PackManifest] | {"n": -1})
    assert not list(tmp_path.iterdir())


def test_an_ensemble_that_contains_itself_or_ensembles_is_refused(model: Path, tmp_path: Path) -> None:
    made = make_ensemble([model, model], tmp_path / "two")
    load_model(made)
    nested = made / "members" / "1"
    for path in nested.iterdir():
        path.unlink()
    for path in (made / "members" / "2").iterdir():
        (nested / path.name).write_bytes(path.read_bytes())
    content = json.loads((nested / "model.json").read_text())
    write_json(nested / "model.json", content | {"members": [".", "."]})
    with pytest.raises(ModelError):
        load_model(made)


def test_the_card_of_a_model_is_its_own(model: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from tuningfork.cli.app import build

    folder = tmp_path / "model"
    folder.mkdir()
    for path in model.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    (tmp_path / "thesis").write_text("ten years")
    (folder / "card.md").unlink()
    (folder / "card.md").symlink_to(tmp_path / "thesis")
    done = CliRunner().invoke(build(), ["models", "show", str(folder)])
    assert isinstance(done.exception, TuningforkError)
    assert "ten years" not in done.output


def test_the_bundled_model_is_read() -> None:
    folder = model_folder("default")
    ModelManifest.read(folder).check(folder)
