"""A stranger's model, recipe, study or export runs no code, opens no other file and asks nothing of the network."""

from __future__ import annotations

import copy
import json
import math
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from conftest import Counted
from hostile import MODELS, OPTIONS, UNCERTAINTIES, Change, Executed, Trap, copied, key, mostly_slow, trap
from tuningfork.cli import main
from tuningfork.errors import ModelError, RecipeError, TuningforkError
from tuningfork.files import sha256
from tuningfork.inference import calibrate, export_model
from tuningfork.manifests import (
    EvaluationManifest,
    ExplanationManifest,
    Manifest,
    RobustnessManifest,
    StudyManifest,
)
from tuningfork.models import build_encoder, hub, load_model
from tuningfork.models.bounds import Bounded
from tuningfork.models.options import LARGEST, TIMM
from tuningfork.report import write_report
from tuningfork.training import load_recipe, train

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def trapped(tmp_path: Path) -> Iterator[Trap]:
    (tmp_path / "trap").mkdir()
    with trap(tmp_path / "trap") as made:
        yield made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: its exit code, and what it says on standard error."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tuningfork", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, capsys.readouterr().err

    return run


@pytest.fixture(scope="module")
def images(galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two galaxies."""
    folder = tmp_path_factory.mktemp("two")
    for path in sorted((galaxies.parent / "images").iterdir())[:2]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def calibrated(model: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied(model, tmp_path_factory.mktemp("calibrated") / "model")
    calibrate(folder, pack, split="all", tta=2)
    return folder


@pytest.fixture(scope="module")
def exports(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    for to in ("onnx", "openvino"):
        export_model(model, folder / to, to=to)
    return folder


def refused(code: int, said: str) -> str:
    """An error of one printable line; what it says."""
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert code == 2, said
    assert "Traceback" not in said
    assert len(errors) == 1
    assert said.rstrip().endswith(errors[0]), said
    assert errors[0].isprintable()
    return errors[0]


@pytest.mark.parametrize("name", mostly_slow(MODELS))
def test_a_hostile_model_is_an_error_in_one_line(
    name: str, model: Path, images: Path, trapped: Trap, run: Run, tmp_path: Path, counted: Counted
) -> None:
    counted("hostile models and exports")
    folder = copied(model, tmp_path / "model")
    MODELS[name](folder)
    with trapped.watched():
        refused(*run("predict", images, tmp_path / "out.csv", "--model", folder, "--engine", "torch"))
    assert not (tmp_path / "out.csv").exists()
    assert not (folder / "executed").exists()


@pytest.mark.parametrize("name", mostly_slow(MODELS, 30))
def test_no_verb_comes_to_harm_by_a_hostile_model(
    name: str,
    model: Path,
    images: Path,
    pack: Path,
    recipe_file: Path,
    trapped: Trap,
    run: Run,
    tmp_path: Path,
    counted: Counted,
) -> None:
    counted("hostile models and exports")
    folder, out = copied(model, tmp_path / "model"), tmp_path / "out"
    MODELS[name](folder)
    start = ["--set", f"encoder.start={folder}"]
    with trapped.watched():
        for arguments in (
            ("embed", images, tmp_path / "out.parquet", "--model", folder),
            ("evaluate", folder, pack, out, "--split", "test"),
            ("export", folder, out),
            ("explain", folder, images, out),
            ("robustness", folder, pack, out),
            ("ensemble", out, folder, model),
            ("calibrate", folder, pack),
            ("train", recipe_file, pack, out, *start),
        ):
            refused(*run(*arguments))
        for arguments in (("models", "show", folder), ("report", folder, "--out", tmp_path / "out.html")):
            code, said = run(*arguments)  # which look at no weights
            if code:
                refused(code, said)


FIGURE = {"value": 0.5, "n": 3, "interval": [0.1, 0.2]}
QUESTION = dict.fromkeys(("rmse", "baseline_rmse", "rmse_where_asked", "accuracy", "ece", "coverage"), FIGURE)
WHOLE: dict[type[Manifest], dict[str, Any]] = {
    EvaluationManifest: {
        "where": "val", "n_bootstrap": 10, "seed": 0, "plots": ["a.png"], "captions": {"a.png": "A"},
        "n": {"evaluated": 3, "predictions": 3}, "inputs": {"model": {"spec": "0"}},
        "schemas": {
            "votes": {
                "figures": {"rmse": FIGURE, "rmse_complete": FIGURE}, "questions": {"smooth": QUESTION},
                "top_losses": [
                    {"id_str": "a", "question": "q", "answer": "b", "true": 1.0, "predicted": 0.1, "loss": 1}
                ],
            },
            "kinds": {
                "figures": {"accuracy": FIGURE | {"interval": None}},
                "classes": {"disc": {"precision": FIGURE, "recall": FIGURE, "f1": FIGURE, "support": 3}},
                "most_confused": [{"true": "a", "predicted": "b", "count": 1, "share": 0.5}],
                "top_losses": [{"id_str": "a", "true": "a", "predicted": "b", "probability": 0.1, "loss": 1.0}],
            },
            "sizes": {"figures": {}, "quantities": {"radius": {"mae": FIGURE, "pearson": FIGURE}}},
        },
    },
    RobustnessManifest: {
        "where": "val", "n": 3, "views": 1, "n_bootstrap": 10, "seed": 0, "plots": {},
        "curves": {"votes": {"noise": {"title": "Noise", "points": [
            {"level": 1.0, "figure": "rmse", "value": 0.1, "interval": [0.1, 0.2], "change": 0.1},
        ]}}},
    },
    ExplanationManifest: {
        "model": "default", "view": {"field": 0.5, "size": 64, "patch": 8},
        "galaxies": [{
            "id_str": "a", "answer": "b", "words": "smooth", "value": 0.5, "plots": ["a.png", "b.png"], "note": "n",
            "gradcam": {"centroid_offset": 0.1, "inner_half": 0.5},
            "occlusion": {"largest_drop": 0.1, "x": 0.5, "y": 0.5},
        }],
        "errors": [{"id_str": "b", "error": "e"}],
    },
    StudyManifest: {
        "title": "T", "source": "", "split": "val", "rows": [], "pack": "p", "plots": [],
        "runs": [
            {
                "label": label, "recipe": "r", "changes": ["a=1"], "folder": "01",
                "reported": [{"figure": "rmse", "value": 0.1, "on": "test"}], "galaxies": 3, "parameters": 3, "lr": 0.1,
                "batch_size": 1, "epochs": 1, "best_epoch": 1, "seconds": 1.0, "device": "d",
                "figures": [FIGURE | {"schema": "votes", "figure": "rmse"}],
                "differences": [FIGURE | {"schema": "votes", "figure": "rmse"}],
            }
            for label in ("a", "b")
        ] + [{"label": "c", "error": "it failed"}],
    },
}  # fmt: skip
ODD = [None, 5, -1, 1e300, math.nan, True, "", "x", "\x1b[2J", "../x", [], [5], {}, {"x": 5}]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in nested values: what holds it, and under which key."""
    for place, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, place
        if isinstance(inner, dict | list):
            yield from places(inner)


@pytest.mark.parametrize("share", [0.02, pytest.param(1.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", WHOLE, ids=lambda kind: kind.FORMAT)
def test_a_report_of_a_hostile_folder_is_drawn_or_refused_in_one_line(
    kind: type[Manifest], share: float, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    kind.write(folder, WHOLE[kind])
    write_report([folder], tmp_path / "out.html")
    whole, chosen = json.loads((folder / kind.NAME).read_text()), random.Random(0)
    for place in range(len(list(places(whole)))):
        for value in ODD:
            if chosen.random() < share:
                content = copy.deepcopy(whole)
                holder, name = list(places(content))[place]
                holder[name] = value
                (folder / kind.NAME).write_text(json.dumps(content))
                try:
                    write_report([folder], tmp_path / "out.html")
                except TuningforkError as error:
                    assert str(error).isprintable(), (name, value)


@pytest.mark.parametrize("name", mostly_slow(UNCERTAINTIES))
def test_a_hostile_uncertainty_is_an_error_in_one_line(
    name: str, calibrated: Path, images: Path, run: Run, tmp_path: Path, counted: Counted
) -> None:
    counted("hostile models and exports")
    folder = copied(calibrated, tmp_path / "model")
    UNCERTAINTIES[name](folder)
    refused(*run("predict", images, tmp_path / "out.csv", "--model", folder, "--engine", "torch"))


@pytest.mark.parametrize("name", mostly_slow(OPTIONS))
@pytest.mark.parametrize("encoder", ["resnet18", "plain"])
def test_no_option_but_numbers_reaches_a_network(
    encoder: str, name: str, model: Path, images: Path, trapped: Trap, run: Run, tmp_path: Path
) -> None:
    value = {"checkpoint_path": str(trapped.pickled), "pretrained_cfg_overlay": {"url": f"{trapped.url}/x"}}.get(
        name, OPTIONS[name]
    )
    folder = copied(model, tmp_path / "model")
    key("encoder.name", encoder)(folder)
    key("encoder.options", {name: value})(folder)
    with trapped.watched():
        said = refused(*run("predict", images, tmp_path / "out.csv", "--model", folder))
        assert name in said
        with pytest.raises(ModelError, match=name):
            build_encoder(encoder, channels=3, size=32, options={name: value})


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)


@pytest.mark.parametrize("name", ["checkpoint_path", "pretrained_cfg_overlay", "pretrained", "features_only"])
def test_a_recipe_and_a_study_reach_no_other_file(
    name: str, recipe_file: Path, pack: Path, trapped: Trap, run: Run, tmp_path: Path
) -> None:
    overlay = {"url": f"{trapped.url}/x", "custom_load": True}
    value = {"checkpoint_path": str(trapped.pickled), "pretrained_cfg_overlay": overlay}.get(name, OPTIONS[name])
    recipe = tmp_path / "recipe.toml"
    text = recipe_file.read_text().replace('"plain"', '"resnet18"')
    recipe.write_text(text.replace("{ width = 4 }", toml({name: value})))
    study = tmp_path / "study.toml"
    study.write_text(f'title = "S"\n[[run]]\nrecipe = "{recipe}"\n')
    with trapped.watched():
        assert name in refused(*run("train", recipe, pack, tmp_path / "out"))
        assert name in refused(*run("study", study, pack, tmp_path / "out"))
    assert not list((tmp_path / "out").rglob("*.safetensors"))


@pytest.mark.parametrize("name", ["hf_hub:evil/net", "hf-hub:evil/net"])
def test_the_hub_is_asked_only_where_pretrained_weights_are_wanted(
    name: str, recipe_file: Path, pack: Path, trapped: Trap, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    asked: list[str] = []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", trapped.url)
    monkeypatch.setattr(hub, "_answers", lambda address: bool(asked.append(address)))
    changes = ["--set", f"encoder.name={name}", "--set", "encoder.options={}"]
    with trapped.watched():
        said = refused(*run("train", recipe_file, pack, tmp_path / "out", *changes))
    assert "set encoder.pretrained = true" in said
    assert not asked
    refused(*run("train", recipe_file, pack, tmp_path / "out", *changes, "--set", "encoder.pretrained=true"))
    assert set(asked) == {trapped.url}


def test_a_model_of_a_hub_encoder_is_opened_without_the_hub(
    recipe_file: Path, pack: Path, images: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm
    from huggingface_hub import constants
    from safetensors.torch import save_file

    snapshot = tmp_path / "hub" / "models--someone--net" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    torch.manual_seed(5)
    network = timm.create_model("mobilenetv3_small_050", num_classes=0)
    save_file(network.state_dict(), snapshot / "model.safetensors")
    described = {"architecture": "mobilenetv3_small_050", "num_classes": 0, "pretrained_cfg": {"num_classes": 0}}
    (snapshot / "config.json").write_text(json.dumps(described))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    changes = ["encoder.name=hf_hub:someone/net", "encoder.pretrained=true", "optim.epochs=1", "transfer.frozen=all"]
    out = train(load_recipe(recipe_file, changes), pack, tmp_path / "model", accelerator="cpu")
    shutil.rmtree(tmp_path / "hub")
    (member,) = load_model(out).members
    assert member.spec.encoder == "mobilenetv3_small_050"
    torch.testing.assert_close(member.encoder.conv_stem.weight, network.conv_stem.weight)
    assert run("predict", images, tmp_path / "out.csv", "--model", out)[0] == 0
    described["model_args"] = {"checkpoint_path": "/etc/passwd"}
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    (snapshot / "config.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match="no option 'checkpoint_path'"):
        train(load_recipe(recipe_file, changes), pack, tmp_path / "other", accelerator="cpu")


def test_every_option_that_is_allowed_is_one_of_timms_and_names_nothing_to_load() -> None:
    import inspect

    import timm

    known = set()
    for name in timm.list_modules():
        for each in vars(sys.modules[f"timm.models.{name}"]).values():
            if inspect.isclass(each) and issubclass(each, torch.nn.Module):
                known |= set(inspect.signature(each.__init__).parameters)
    assert known >= TIMM
    builders = (timm.create_model, timm.models.build_model_with_cfg)
    named = {name for builder in builders for name in inspect.signature(builder).parameters}
    assert not named & TIMM
    assert not [name for name in TIMM if re.search("path$|url|file|dir|cfg|pretrain|layer$|fn$|act$", name)]


def test_a_network_is_no_larger_than_its_weights_allow() -> None:
    with Bounded(1 << 20), pytest.raises(ModelError, match=r"more than 1,048,576 numbers"):
        build_encoder("plain", channels=3, size=32, options={"width": LARGEST})
    with Bounded(1000), pytest.raises(ModelError, match=r"more than 1,000 numbers"):
        build_encoder("resnet18", channels=3, size=32)
    with pytest.raises(ModelError, match=r"can't be built"):
        build_encoder("vit_tiny_patch16_224", channels=3, size=32, options={"num_heads": 5})


def test_hostile_checkpoints_are_not_executed(
    model: Path, recipe_file: Path, pack: Path, trapped: Trap, run: Run, tmp_path: Path
) -> None:
    """A half-done training run whose checkpoint is another's."""
    from tuningfork.training import trainer

    for value in (Executed(trapped.mark), {"epoch": Executed(trapped.mark)}, {"epoch": 1}, [1], "x"):
        torch.save(value, tmp_path / "last.ckpt")
        with trapped.watched(), pytest.raises(ModelError, match=r"last\.ckpt"):
            trainer.read_checkpoint(tmp_path / "last.ckpt")


def graph(change: Callable[[onnx.ModelProto], Any]) -> Change:
    """A change of an ONNX graph, whose hash is then that of the manifest."""

    def apply(folder: Path) -> None:
        read = onnx.load(folder / "model.onnx")
        change(read)
        (folder / "model.onnx").write_bytes(read.SerializeToString())
        rehashed(folder)

    return apply


def rehashed(folder: Path) -> None:
    content = json.loads((folder / "export.json").read_text())
    content["sha256"] = {path.name: sha256(path) for path in folder.iterdir() if path.name != "export.json"}
    (folder / "export.json").write_text(json.dumps(content))


def external(location: str) -> Change:
    """The first weights lie in another file."""

    def change(read: onnx.ModelProto) -> None:
        tensor = read.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return graph(change)


def inside_a_branch(read: onnx.ModelProto) -> None:
    attribute = read.graph.node[0].attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH)
    tensor = attribute.g.initializer.add(name="hidden", data_type=1)
    tensor.external_data.add(key="location", value="/etc/passwd")


def other_bytes(name: str, data: bytes) -> Change:
    def apply(folder: Path) -> None:
        (folder / name).write_bytes(data)
        rehashed(folder)

    return apply


def moved(name: str, target: str) -> Change:
    def apply(folder: Path) -> None:
        (folder / name).rename(folder.parent / "kept")
        (folder / name).symlink_to(folder.parent / "kept" if target == "same" else target)

    return apply


def weights_as_text(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"short")
    rehashed(folder)


def entity(folder: Path) -> None:
    text = (folder / "model.xml").read_text()
    head = '<?xml version="1.0"?>\n<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'
    (folder / "model.xml").write_text(head + text.partition("?>")[2].replace('name="', 'name="&x;', 1))
    rehashed(folder)


def renamed(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "model.pb")
    rehashed(folder)
    key("networks.0.file", "model.pb", "export.json")(folder)


EXPORTS: dict[str, tuple[str, Change]] = {
    **{f"weights in {place}": ("onnx", external(place)) for place in ("/etc/passwd", "../secret", "model.onnx", "")},
    "weights elsewhere in a branch": ("onnx", graph(inside_a_branch)),
    "another domain": ("onnx", graph(lambda read: setattr(read.graph.node[0], "domain", "evil"))),
    "a compiled context": (
        "onnx", graph(lambda read: read.graph.node.add(op_type="EPContext", domain="com.microsoft")),
    ),
    "an unknown operation": ("onnx", graph(lambda read: setattr(read.graph.node[0], "op_type", "Evil"))),
    "fewer outputs": ("onnx", graph(lambda read: read.graph.output.pop())),
    "no nodes": ("onnx", graph(lambda read: read.graph.ClearField("node"))),
    "no ONNX": ("onnx", other_bytes("model.onnx", b"none" * 99)),
    "empty": ("onnx", other_bytes("model.onnx", b"")),
    "of ONNX Runtime's own": ("onnx", other_bytes("model.onnx", b"\x1c\0\0\0ORTM" + b"\0" * 99)),
    "linked": ("onnx", moved("model.onnx", "same")),
    "a device": ("onnx", moved("model.onnx", "/dev/zero")),
    "another name": ("onnx", renamed),
    **{f"file {name!r}": ("onnx", key("networks.0.file", name, "export.json")) for name in (
        "../model.onnx", "/etc/passwd", "", 5, None, "C:\\x", "absent.onnx", "a\0b", "export.json",
    )},
    "no networks": ("onnx", key("networks", [], "export.json")),
    "many networks": ("onnx", key("networks", [{"file": "model.onnx"}] * 65, "export.json")),
    "two networks": ("onnx", key("networks", [{"file": "model.onnx"}] * 2, "export.json")),
    **{f"to {name!r}": ("onnx", key("to", name, "export.json")) for name in ("tensorflow", 5, None, "openvino")},
    "model": ("onnx", key("model", {}, "export.json")),
    "model's hashes": ("onnx", key("model.sha256", {"spec": "0"}, "export.json")),
    "int8 of text": ("onnx", key("int8", "no", "export.json")),
    "nested": ("onnx", key("x", [[[[[[]]]]]] * 3, "export.json")),
    "hashes": ("onnx", key("sha256", {"model.onnx": "0" * 64}, "export.json")),
    "short weights": ("openvino", weights_as_text),
    "an entity": ("openvino", entity),
    "no XML": ("openvino", other_bytes("model.xml", b"no graph")),
    "another XML": ("openvino", other_bytes("model.xml", b"<?xml version='1.0'?><svg/>")),
    "ONNX as XML": ("openvino", other_bytes("model.xml", b"\x08\x07")),
    "linked weights": ("openvino", moved("model.bin", "same")),
    "weights of a device": ("openvino", moved("model.bin", "/dev/zero")),
    "no weights": ("openvino", lambda folder: (folder / "model.bin").unlink()),
}  # fmt: skip
HARMLESS = {"nested", "an entity"}  # OpenVINO reads no entities


@pytest.mark.parametrize("name", mostly_slow(EXPORTS))
def test_a_hostile_export_is_an_error_in_one_line(
    name: str, model: Path, exports: Path, images: Path, trapped: Trap, run: Run, tmp_path: Path, counted: Counted
) -> None:
    counted("hostile models and exports")
    to, change = EXPORTS[name]
    folder = Path(shutil.copytree(exports / to, tmp_path / "export"))
    (tmp_path / "secret").write_bytes(b"\0" * 10_000)
    change(folder)
    with trapped.watched():
        code, said = run("predict", images, tmp_path / "out.csv", "--model", model, "--engine", folder)
        if name in HARMLESS:
            assert code == 0, said
        else:
            refused(code, said)


def test_there_are_enough_of_them() -> None:
    assert len(MODELS) + len(UNCERTAINTIES) + len(EXPORTS) + 2 * len(OPTIONS) >= 90


def test_engines_whose_answers_are_no_numbers_are_refused(model: Path) -> None:
    network = load_model(model)
    (member,) = network.members

    def broken(images: torch.Tensor) -> Any:
        features, raw = member.outputs(images)
        return features * torch.nan, raw

    member.engine = broken
    blank = torch.zeros(1, 36, 36, 3, dtype=torch.uint8)
    with pytest.raises(ModelError, match="no finite number"):
        network.infer(blank)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[encoder]\nname = 'plain'", "input is missing"),
        ("encoder = 5", "encoder"),
        ("[encoder]\nname = 5", "encoder.name"),
        ("[" * 5000, "TOML"),
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("\0", "TOML"),
    ],
)
def test_a_broken_recipe_is_an_error_in_one_line(text: str, says: str, run: Run, pack: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    assert says in refused(*run("train", tmp_path / "recipe.toml", pack, tmp_path / "out"))
    with pytest.raises(RecipeError):
        load_recipe(tmp_path / "recipe.toml")
