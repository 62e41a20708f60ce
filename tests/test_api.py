"""The library as a notebook uses it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from astropy.io import fits
from astropy.table import Table
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from torch import nn
from torch.utils.data import Dataset

import tuningfork as tf
from conftest import draw_galaxy
from tuningfork.api.messages import as_arguments
from tuningfork.models.heads import ClassesHead, masked_sum

ANSWER = "smooth_or_featured_smooth"


@pytest.fixture(scope="module")
def model() -> tf.TrainedModel:
    return tf.load_model("default")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten galaxies as PNG, so that pixels are the same from a file and from memory."""
    folder = tmp_path_factory.mktemp("pictures")
    places = [folder / f"g{row}.png" for row in range(10)]
    for row, place in enumerate(places):
        Image.fromarray(draw_galaxy(0.3 + 0.07 * row, 0.5 * row, np.random.default_rng(row))).save(place)
    return places


def test_every_form_of_the_same_images_has_the_same_answers(model: tf.TrainedModel, pictures: list[Path]) -> None:
    arrays = np.stack([np.asarray(Image.open(place)) for place in pictures])
    frame = pd.DataFrame({"id_str": [f"a{row}" for row in range(10)], "file_loc": list(map(str, pictures))})
    expected = model.predict(pictures[0].parent, tta=1)
    assert list(expected["id_str"]) == [f"g{row}" for row in range(10)]
    forms = {
        "a list of files": pictures,
        "a Series of files": pd.Series(list(map(str, pictures)), index=range(5, 15)),
        "an array of files": np.array(list(map(str, pictures))),
        "a column of files": Table.from_pandas(frame)["file_loc"],
        "an array": arrays,
        "channels first": np.moveaxis(arrays, 3, 1),
        "a list of arrays": list(arrays),
        "a list of tensors, channels first": list(torch.from_numpy(arrays).movedim(3, 1)),
        "pictures": [Image.open(place) for place in pictures],
        "a DataFrame": frame,
        "a Table": Table.from_pandas(frame),
    }
    for name, images in forms.items():
        found = model.predict(images, tta=1)
        np.testing.assert_array_equal(found[ANSWER], expected[ANSWER], err_msg=name)
    alone = model.predict(arrays[2], tta=1)[ANSWER]  # another number of images: sums in another order
    np.testing.assert_allclose(alone, expected[ANSWER][2:3], atol=1e-6)


def test_images_of_any_size_are_brought_to_the_geometry(model: tf.TrainedModel, pictures: list[Path]) -> None:
    small = Image.open(pictures[0])
    large = small.resize((450, 450), Image.Resampling.BICUBIC)
    found = model.predict([np.asarray(small), np.asarray(large)], tta=1)[ANSWER]
    assert abs(found[0] - found[1]) < 0.05


def test_a_fits_unit_in_memory_is_read_as_its_file(model: tf.TrainedModel, tmp_path: Path) -> None:
    y, x = np.mgrid[:80, :80] - 39.5
    flux = np.stack([np.exp(-np.hypot(x, y) / 6)] * 3).astype(np.float32)
    unit = fits.PrimaryHDU(flux, fits.Header({"BUNIT": "nanomaggy", "BANDS": "grz"}))
    unit.writeto(tmp_path / "g.fits")
    of_file, of_unit = model.predict(tmp_path / "g.fits", tta=1), model.predict(unit, tta=1)
    np.testing.assert_array_equal(of_file[ANSWER], of_unit[ANSWER])
    assert of_file["note"][0] == of_unit["note"][0]
    assert len(model.predict(fits.HDUList([unit]), tta=1)) == 1


@pytest.mark.parametrize(
    ("images", "why"),
    [
        (np.full((2, 40, 40, 3), 2.0), r"float64.*black and white.*uint8 \(0 to 255\), or flux"),
        ([(torch.zeros(3, 40, 40), "spiral")], r"float32.*\(x \* 255\)\.to\(torch\.uint8\)"),
        (np.zeros((3, 40, 40), np.uint8), "channels or images.*in a list"),
        (np.zeros((2, 2, 40, 40, 3), np.uint8), "is no image"),
        ([], "no images"),
        ([np.zeros((2, 40, 40, 3), np.uint8)], "image 0 of the sequence is 2 images; give a flat sequence"),
        ([np.zeros((40, 40, 3), np.uint8), np.zeros((40, 3), float)], "image 1 of the sequence: an array of float64"),
        ([np.zeros((40, 40, 3), np.uint8), np.zeros(40, np.uint8)], "image 1 .*is no image"),
        (["a.png", None], "image 0 of the sequence: a str is no image"),
        ({"a": 1}, "a dict is no image"),
        (None, "a NoneType is no image: give a path, a list of files"),
        ((name for name in ["a.png"]), "a generator is no image: give a path, a list of files"),
        ([np.zeros((40, 40, 2), np.uint8)], "^none of 1 image could be read; the first, 0: [^/]*$"),
        (pd.DataFrame({"id_str": []}), "no rows"),
    ],
)
def test_images_that_can_t_be_told_are_refused(model: tf.TrainedModel, images: object, why: str) -> None:
    with pytest.raises(tf.TuningforkError, match=why):
        model.predict(images)


@pytest.mark.parametrize("verb", ["predict", "embed", "encode", "explain", "pack"])
def test_an_argument_that_there_is_not_is_refused(model: tf.TrainedModel, verb: str) -> None:
    call, pixels = tf.pack if verb == "pack" else getattr(model, verb), np.zeros((1, 40, 40, 3), np.uint8)
    with pytest.raises(TypeError, match=rf"^{verb}\(\) got an unexpected .* 'zeropoint'; did you mean 'zero_point'\?$"):
        call(pixels, zeropoint=22.5)
    with pytest.raises(TypeError, match=rf"^{verb}\(\) got an unexpected keyword argument 'blubb'$"):
        call(pixels, blubb=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'said'"):
        call(pixels, said={"zero_point": 22.5})


def test_an_argument_of_its_own_is_suggested_too(model: tf.TrainedModel) -> None:
    with pytest.raises(TypeError, match="did you mean 'overwrite'"):
        model.predict("images", overwrit=True)
    with pytest.raises(TypeError, match="did you mean 'split'"):
        model.evaluate("pack", splits="val")


def test_the_table_has_the_same_columns_whatever_the_views(
    model: tf.TrainedModel, pictures: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    calibrated, other = model.predict(pictures[:2]), model.predict(pictures[:2], tta=2)
    assert dict(calibrated.dtypes) == dict(other.dtypes)
    assert other["ood"].isna().all() and not len(other[other["ood"]]) and not len(other[~other["ood"]])
    assert other[[f"{ANSWER}_low", f"{ANSWER}_high", "ood_score"]].isna().all(axis=None)
    assert len(calibrated[~calibrated["ood"]]) + len(calibrated[calibrated["ood"]]) == 2
    assert "no ood flag" in caplog.text and "not calibrated" in caplog.text


def test_a_device_that_there_is_not_is_refused(model: tf.TrainedModel, pictures: list[Path]) -> None:
    with pytest.raises(tf.TuningforkError, match=r"^no device 'gpu' here; use cpu, cuda, mps or auto$"):
        model.predict(pictures, device="gpu")


def test_errors_speak_of_arguments() -> None:
    assert as_arguments("say which with --bands, such as g,r,z") == "say which with bands, such as g,r,z"
    assert as_arguments("give --field such as 30arcsec") == "give field such as 30arcsec"
    assert as_arguments("give --zero-point 22.5") == "give zero_point=22.5"
    assert (
        as_arguments("choose another, or replace it with --overwrite") == "choose another, or replace it with overwrite"
    )
    assert as_arguments("/data/a--b.fits: 1 = 1; ./--c.png") == "/data/a--b.fits: 1 = 1; ./--c.png"
    said = as_arguments("with --set head.0.kind=classes --set optim.lr=1e-3, or --set encoder.name=plain.")
    assert said == 'with changes={"head.0.kind": "classes", "optim.lr": 1e-3}, or changes={"encoder.name": "plain"}.'


def test_rows_and_logged_lines_speak_of_arguments(model: tf.TrainedModel, caplog: pytest.LogCaptureFixture) -> None:
    factory = logging.getLogRecordFactory()
    counts = fits.PrimaryHDU(np.full((40, 40), 9.0, np.float32), fits.Header({"BUNIT": "adu"}))
    images = [counts, Image.fromarray(draw_galaxy(0.5, 0.5, np.random.default_rng(0)))]
    for found in (model.predict(images, tta=1), model.embed(images).table):
        assert "give zero_point, the AB magnitude" in found["error"][0] and pd.isna(found["error"][1])
        assert found["note"].isna()[0]
    said = [record.getMessage() for record in caplog.records]
    assert any("give zero_point, the AB magnitude" in line for line in said)
    assert not any("--" in line for line in said)
    assert logging.getLogRecordFactory() is factory
    with pytest.raises(tf.TuningforkError):
        model.predict("no such folder")
    assert logging.getLogRecordFactory() is factory


def test_what_an_error_says_to_change_is_right() -> None:
    data = tf.pack(Pairs(), label="label", size=40)
    small = {"encoder.options": {"width": 4}, "input.field": 0.9, "input.size": 32}
    with pytest.raises(tf.TuningforkError, match="or train with changes=") as error:
        tf.train("tuningfork/fractions", data, epochs=1, changes=small, accelerator="cpu")
    changes = json.loads(str(error.value).partition("train with changes=")[2])
    trained = tf.train("tuningfork/fractions", data, epochs=1, changes=small | changes, accelerator="cpu")
    assert trained.schemas[0].name == data.schemas[0].name and trained.spec.heads[0].loss == ""


def test_an_output_is_written_and_resumed(model: tf.TrainedModel, pictures: list[Path], tmp_path: Path) -> None:
    out = model.predict(pictures, tmp_path / "cat.parquet", tta=1, columns="schema")
    assert out == tmp_path / "cat.parquet"
    table = pd.read_parquet(out)
    assert "Class1.1" in table and ANSWER not in table


def test_the_model_says_what_it_is(model: tf.TrainedModel) -> None:
    said = repr(model)
    for word in ("37 vote fractions", "64 x 64 pixels", "calibrated", "BSD 3-Clause", "Sloan Digital Sky Survey"):
        assert word in said
    assert "<table" in model._repr_html_()


def test_an_embedding_in_memory(model: tf.TrainedModel, pictures: list[Path], tmp_path: Path) -> None:
    found = model.embed(pictures, maps="pca")
    assert found.maps == ("pca",)
    assert found.features.shape == (10, model.network.n_features)
    image = np.asarray(Image.open(pictures[3]))
    for query in (str(pictures[3]), image):
        near = found.similar(query, n=2)
        assert near["id_str"][0] == "g3" and near["distance"][0] < 1e-3
    assert "g3" not in set(found.similar("g3", n=4)["id_str"])
    assert found.to_frame().shape[0] == 10
    assert found.plot().axes
    again = tf.read_embedding(found.save(tmp_path / "e.parquet"))
    np.testing.assert_array_equal(again.features, found.features)
    with pytest.raises(tf.TuningforkError, match="without its model"):
        again.similar(image)


def test_from_images_to_a_model_to_its_figures(galaxies: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(galaxies)
    data = tf.pack(
        galaxies.parent / "images",
        tmp_path / "<img src=x onerror=alert(1)>",  # a name that a notebook must show and not run
        labels=frame.drop(columns="file_loc"),
        schema=["gz-challenge", tf.load_schema("five-classes")],
        size=40,
        field=0.9,
    )
    assert data.pixels.shape[1:] == (40, 40, 3)
    changes = {"encoder.options": {"width": 4}, "input.field": 0.9, "input.size": 32}
    model = tf.train("tuningfork/fractions", data, epochs=1, lr=1e-3, changes=changes, accelerator="cpu")
    assert model.manifest["recipe"]["optim"]["lr"] == 1e-3
    found = model.evaluate(data, split="val")
    table = found.to_frame()
    assert {"value", "low", "high", "n"} <= set(table) and len(table)
    assert "95 %" in found._repr_html_()
    plots = found.plot()
    assert plots["gz-challenge-questions.png"].axes
    assert plots._repr_html_().count("data:image/png;base64,") == len(plots)
    assert (found.save(tmp_path / "e") / "evaluation.json").exists()
    explained = model.explain(data.pixels[0], answer="spiral_arms_yes")
    assert explained.column == "spiral_arms_yes" and explained.plot().axes and explained.plot_features().axes
    results = [data, model, found, plots, explained, model.embed(data)]
    for result in results:
        assert len(repr(result)) < 1500 and "array(" not in repr(result)
        assert "<" in result._repr_html_() and "<img src=x" not in result._repr_html_()
    assert repr(data).startswith("Pack: ") and "40 x 40" in repr(data) and "five-classes" in repr(data)
    assert repr(explained).startswith("Explanation: 0: what ")
    calibrated = model.calibrate(data, split="all", tta=1)
    assert f"{ANSWER}_low" in calibrated.predict(data.pixels[:2])
    with pytest.raises(tf.TuningforkError, match=r"optim\.speed"):
        tf.train("tuningfork/fractions", data, changes={"optim.speed": 3})


def test_the_import_changes_nothing_and_is_quick() -> None:
    code = (
        "import gc, os, sys; before = (dict(os.environ), sys.getswitchinterval(), gc.get_threshold());"
        "import tuningfork; assert tuningfork.__version__;"
        "assert before == (dict(os.environ), sys.getswitchinterval(), gc.get_threshold());"
        "assert not {'torch', 'pandas', 'astropy', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_prediction_waits_for_nothing_that_it_does_not_use() -> None:
    code = (
        "import sys, numpy as np, tuningfork as tf;"
        "galaxy = np.pad(np.full((1, 20, 20, 3), 200, np.uint8), [(0, 0), (30, 30), (30, 30), (0, 0)]);"
        "tf.load_model().predict(galaxy);"
        "found = {'lightning', 'torchmetrics', 'sklearn', 'scipy.stats', 'matplotlib.pyplot'} & set(sys.modules);"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_is_there() -> None:
    for name in tf.__all__:
        assert getattr(tf, name).__doc__, name


class Halves(nn.Module):
    """An encoder of a user's own: the mean colour of each half."""

    def __init__(self, channels: int, parts: int = 2) -> None:
        super().__init__()
        self.pool, self.scale = nn.AdaptiveAvgPool2d((1, parts)), nn.Parameter(torch.ones(channels * parts))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.pool(images).flatten(1) * self.scale


class Focal(ClassesHead):
    """A head of a user's own: it minds easy galaxies less."""

    losses = ("focal",)

    def loss(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        known = ~torch.isnan(targets[:, 0])
        chosen = raw.log_softmax(1).gather(1, targets.nan_to_num().long())[:, 0]
        return masked_sum(-((1 - chosen.exp()) ** 2) * chosen, known)


class Pairs(Dataset):
    """Pairs of a picture and a label."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, row: int) -> tuple[torch.Tensor, str]:
        pixels = draw_galaxy(0.9 if row % 2 else 0.3, row, np.random.default_rng(row))
        return torch.from_numpy(pixels), "round" if row % 2 else "cigar"


class Counted(Callback):
    """Counts epochs."""

    epochs = 0

    def on_train_epoch_end(self, *_: object) -> None:
        self.epochs += 1


@pytest.mark.parametrize(
    ("augmentation", "came"),
    [
        (lambda images: images[:, :, :5], r"images \(\d+, 3, 5, 32\) float32"),
        (lambda images: images.double(), r"images \(\d+, 3, 32, 32\) float64"),
        (lambda images: images.numpy(), "a ndarray"),
        (lambda images: None, "a NoneType"),
    ],
)
def test_an_augmentation_that_gives_something_else_is_an_error(augmentation: object, came: str) -> None:
    data = tf.pack(Pairs(), label="label", size=40)
    changes = {"encoder.options": {"width": 4}, "input": {"field": 0.9, "size": 32}}
    changes |= {"head.0.schema": data.schemas[0].name, "head.0.kind": "classes"}
    with pytest.raises(tf.TuningforkError, match=rf"gave {came} for images \(\d+, 3, 32, 32\) float32"):
        tf.train("tuningfork/fractions", data, epochs=1, changes=changes, augmentation=augmentation, accelerator="cpu")


def test_encoder_head_augmentation_data_set_and_callback_of_one_s_own(tmp_path: Path) -> None:
    tf.register_encoder("halves", Halves)
    tf.register_head("focal", Focal)
    data = tf.pack(Pairs(), label="label", size=40, field=0.9)
    assert data.schemas[0].class_names == ("cigar", "round")
    pairs = [Pairs()[row] for row in range(40)]
    np.testing.assert_array_equal(tf.pack(pairs, label="label", size=40, field=0.9).pixels, data.pixels)
    seen: list[torch.Size] = []

    def darker(images: torch.Tensor) -> torch.Tensor:
        seen.append(images.shape)
        return images * 0.9

    counted, logger = Counted(), CSVLogger(tmp_path)
    changes = {
        "encoder": {"name": "halves", "options": {"parts": 3}},
        "input": {"field": 0.9, "size": 32},
        "head": [{"schema": data.schemas[0].name, "kind": "focal"}],
        "run.ema": None,
    }
    model = tf.train(
        "tuningfork/fractions",
        data,
        tmp_path / "model",
        epochs=2,
        changes=changes,
        augmentation=darker,
        callbacks=[counted],
        loggers=[logger],
        accelerator="cpu",
    )
    assert counted.epochs == 2 and seen[0][1:] == (3, 32, 32)
    assert len(model.predict(data)) == 40
    assert list(tmp_path.glob("lightning_logs/*/metrics.csv"))
    with pytest.raises(tf.TuningforkError, match="augmentation"):  # it is another run without the augmentation
        tf.train("tuningfork/fractions", data, tmp_path / "model", epochs=2, changes=changes, accelerator="cpu")
    with pytest.raises(tf.TuningforkError, match="already"):
        tf.register_encoder("plain", Halves)
    with pytest.raises(tf.TuningforkError, match="register_encoder"):
        tf.train("tuningfork/fractions", data, changes=changes | {"encoder": {"name": "unheard-of"}})
