"""Exported models: read by others, measured against torch, taken by predict, never half-made."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from typer.testing import CliRunner

from conftest import as_labels
from tuningfork.cli.app import build
from tuningfork.engines import formats
from tuningfork.engines.agree import TOLERANCE, differences, largest
from tuningfork.engines.exported import load_export
from tuningfork.errors import ModelError, OutputError, PackError, TuningforkError
from tuningfork.files import read_json, sha256, write_json
from tuningfork.images import Geometry
from tuningfork.inference import export, export_model, predict
from tuningfork.models import GalaxyModel, load_model, make_ensemble
from tuningfork.packs import make_pack, open_pack
from tuningfork.schemas import check_labels, load_schema

CHALLENGE = load_schema("gz-challenge")
FILES = {"onnx": {"model.onnx"}, "openvino": {"model.xml", "model.bin"}}


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(build(), list(map(str, arguments)))
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def exported(model: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny model in 32 bits (`onnx`, `openvino`) and in integers (`onnx-int8`, `openvino-int8`)."""
    folder = tmp_path_factory.mktemp("exported")
    for to in ("onnx", "openvino"):
        said = invoke("export", model, folder / to, "--to", to)
        assert "largest difference of an answer from torch's: " in said
        invoke("export", model, folder / f"{to}-int8", "--to", to, "--int8", "--pack", pack)
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize("kind", ["onnx", "openvino", "onnx-int8", "openvino-int8"])
def test_the_manifest_says_what_it_is(kind: str, exported: dict[str, Path], model: Path) -> None:
    folder, to = exported[kind], kind.removesuffix("-int8")
    assert {path.name for path in folder.iterdir()} == {"export.json", *FILES[to]}
    manifest = read_json(folder / "export.json", ModelError)
    assert manifest["sha256"] == {name: sha256(folder / name) for name in FILES[to]}
    assert (manifest["format"], manifest["to"], manifest["int8"]) == ("tuningfork-export", to, kind != to)
    (network,) = manifest["networks"]
    assert network["input"]["shape"] == ["N", 3, 32, 32]
    assert network["outputs"] == {"features": ["N", 32], "gz-challenge": ["N", 37], "five-classes": ["N", 5]}
    change = manifest["against_torch"]
    if kind == to:
        assert 0 <= change["largest"] <= change["tolerance"] == TOLERANCE
        assert manifest["galaxies"] == {"from": "noise", "compared": 32}
        assert change["rmse"] == change["rmse_of_torch"] == {}
    else:
        assert change["tolerance"] is None
        assert 0 < change["rms"]["gz-challenge"] <= change["largest"] < 0.2
        assert (manifest["galaxies"]["calibrated"], manifest["galaxies"]["compared"]) == (48, 48)
        assert change["rmse"].keys() == change["rmse_of_torch"].keys() == {"gz-challenge"}


@pytest.mark.parametrize("n", [1, 7])
def test_anyone_s_runtime_gives_the_networks_outputs(
    n: int, exported: dict[str, Path], model: Path, pack: Path
) -> None:
    """ONNX's own evaluator, which is written in NumPy alone, on any number of galaxies."""
    network = load_model(model)
    assert isinstance(network, GalaxyModel)
    images = next(network.images(torch.from_numpy(np.array(open_pack(pack).pixels[:n]))))
    graph = onnx.load(exported["onnx"] / "model.onnx")
    onnx.checker.check_model(graph, full_check=True)
    assert [output.name for output in graph.graph.output] == ["features", "gz-challenge", "five-classes"]
    found = ReferenceEvaluator(graph).run(None, {"images": images.contiguous().numpy()})
    with torch.inference_mode():
        features, raw = network.outputs(images)
    for ours, theirs in zip(found, [features, *raw.values()], strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["onnx", "openvino", "onnx-int8", "openvino-int8"])
def test_predict_takes_the_folder_as_its_engine(
    kind: str, exported: dict[str, Path], model: Path, pack: Path, tmp_path: Path
) -> None:
    invoke("predict", pack, tmp_path / "o.parquet", "--model", model, "--engine", exported[kind])
    table = pd.read_parquet(tmp_path / "o.parquet")
    expected = pd.read_parquet(predict(pack, tmp_path / "torch.parquet", model=model, engine="torch"))
    check_labels(as_labels(table, CHALLENGE), CHALLENGE, "predictions")  # the tree is obeyed, whatever the arithmetic
    change = (
        np.abs(table[list(CHALLENGE.prediction_columns)] - expected[list(CHALLENGE.prediction_columns)])
        .to_numpy()
        .max()
    )
    assert (TOLERANCE < change < 0.2) if kind.endswith("int8") else (change < TOLERANCE)


def test_rows_of_another_engine_are_not_gone_on_with(
    exported: dict[str, Path], model: Path, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuningfork.inference import streaming

    def full(*_: object) -> None:
        raise OutputError("no space")

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="no space"):
        patch.setattr(streaming, "write_output", full)
        predict(pack, tmp_path / "o.parquet", model=model, engine="torch")
    assert list((tmp_path / ".o.parquet.partial").glob("0*.parquet"))
    int8 = exported["onnx-int8"]
    with pytest.raises(OutputError, match=r"another predict \(engine .*begin anew with --overwrite"):
        predict(pack, tmp_path / "o.parquet", model=model, engine=int8)
    resumed = pd.read_parquet(predict(pack, tmp_path / "o.parquet", model=model, engine=int8, overwrite=True))
    alone = pd.read_parquet(predict(pack, tmp_path / "alone.parquet", model=model, engine=exported["onnx-int8"]))
    pd.testing.assert_frame_equal(resumed, alone)


def test_an_export_of_another_model_or_altered_is_refused(
    exported: dict[str, Path], galaxies: Path, pack: Path, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="exported from another model"):
        predict(galaxies, tmp_path / "o.csv", model="default", engine=exported["onnx"])
    folder = tmp_path / "altered"
    shutil.copytree(exported["onnx"], folder)
    (folder / "model.onnx").write_bytes(b"rubbish")
    with pytest.raises(ModelError, match=r"model\.onnx is not the file its manifest speaks of .*; export again"):
        predict(pack, tmp_path / "o.csv", model=model, engine=folder)
    manifest = read_json(folder / "export.json", ModelError)
    for change, says in (({"version": 2}, "format version 2"), ({"format": "x"}, "not the manifest of an exported")):
        write_json(folder / "export.json", manifest | change)
        with pytest.raises(ModelError, match=says):
            predict(pack, tmp_path / "o.csv", model=model, engine=folder)


def test_the_errors_are_those_of_the_predictions(
    exported: dict[str, Path], pack: Path, model: Path, tmp_path: Path
) -> None:
    data = open_pack(pack)
    rows = np.random.default_rng(0).permutation(np.concatenate([data.rows("train"), data.rows("val")]))[48:]
    truth = data.catalog.iloc[rows][list(CHALLENGE.columns)].to_numpy(float)
    change = read_json(exported["onnx-int8"] / "export.json", ModelError)["against_torch"]
    for key, engine in (("rmse", exported["onnx-int8"]), ("rmse_of_torch", "torch")):
        table = pd.read_parquet(predict(pack, tmp_path / f"{key}.parquet", model=model, engine=engine))
        errors = table.iloc[rows][list(CHALLENGE.prediction_columns)].to_numpy(float) - truth
        assert change[key]["gz-challenge"] == pytest.approx(np.sqrt(np.mean(errors**2)), abs=1e-6)


def test_calibrating_a_model_does_not_spoil_its_export(exported: dict[str, Path], pack: Path, model: Path) -> None:
    from tuningfork.engines.exported import read_export
    from tuningfork.models import read_manifest

    hashes = read_manifest(model)["sha256"] | {"uncertainty.safetensors": "0"}
    assert read_export(exported["onnx"], hashes)["to"] == "onnx"


def test_no_galaxy_of_test_is_looked_at(pack: Path, model: Path) -> None:
    data = open_pack(pack)
    rows = export._rows(data)
    assert set(rows) == set(data.rows("train")) | set(data.rows("val"))
    assert len(set(rows)) == len(rows)
    seen = export._galaxies(load_model(model), pack, int8=True)
    assert {len(seen.calibrate), len(seen.compare)} == {len(rows) // 2}
    both = {pixels.tobytes() for pixels in seen.calibrate} & {pixels.tobytes() for pixels in seen.compare}
    assert not both, "integers are judged by galaxies that they were not fitted to"


def test_an_ensemble_is_a_graph_each(model: Path, pack: Path, tmp_path: Path) -> None:
    ensemble = load_model(make_ensemble([model, model], tmp_path / "both"))
    pixels = torch.from_numpy(np.array(open_pack(pack).pixels[:5]))
    expected = ensemble.infer(pixels, 2)
    folder = export_model(tmp_path / "both", tmp_path / "exported")
    assert {path.name for path in folder.iterdir()} == {"export.json", "member-1.onnx", "member-2.onnx"}
    load_export(ensemble, folder, read_json(folder / "export.json", ModelError), torch.device("cpu"))
    assert largest(differences(ensemble, ensemble.infer(pixels, 2), expected)) < TOLERANCE


def test_what_cannot_be_exported_is_said(
    galaxies: Path, pack: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ModelError, match="no format 'tensorrt' to export to; use onnx or openvino"):
        invoke("export", model, out, "--to", "tensorrt")
    with pytest.raises(PackError, match="name a pack with --pack"):
        invoke("export", model, out, "--int8")
    other = make_pack(galaxies, tmp_path / "other", geometry=Geometry(0.5, 36, 3)).path
    with pytest.raises(PackError, match="pack again with"):
        invoke("export", model, out, "--pack", other)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(TuningforkError, match=r'pip install "tuningfork\[fast\]"'):
        invoke("export", model, out, "--to", "openvino")
    out.mkdir()
    with pytest.raises(OutputError, match="exists; choose another folder"):
        invoke("export", model, out)
    assert {path.name for path in tmp_path.iterdir()} == {"other", "out"}


def test_a_graph_that_answers_otherwise_is_not_written(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = formats.OnnxFile.run
    monkeypatch.setattr(formats.OnnxFile, "run", lambda self, images: [-one for one in right(self, images)])
    with pytest.raises(ModelError, match="gives other answers than torch"):
        invoke("export", model, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_a_kill_left_is_cleared(model: Path, tmp_path: Path) -> None:
    left = tmp_path / ".out.partial"
    (left / "making").mkdir(parents=True)
    (left / "making" / "model.xml").write_text("half")
    export_model(model, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.onnx", "export.json"}
