"""A script as users write it, which `make check` reads under mypy's strict rules: what comes back has a type."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor, nn

import tuningfork as tf
from tuningfork.schemas import TreeSchema


def look_up() -> None:
    assert_type(tf.bundled_models() + tf.bundled_recipes() + tf.bundled_schemas(), list[str])
    assert_type(tf.load_schema("gz-challenge"), tf.Schema)
    assert_type(tf.load_schema("gz-challenge").columns, tuple[str, ...])
    schema = tf.load_schema("gz-challenge")
    if isinstance(schema, TreeSchema):
        assert_type(schema.questions[0].answers[0].name, str)
    assert_type(tf.load_recipe("tuningfork/fractions", ["optim.epochs=5"]), tf.Recipe)
    assert_type(tf.load_recipe("tuningfork/fractions").optim.epochs, int)


def predict(folder: Path, pixels: np.ndarray) -> None:
    model = tf.load_model("default")
    assert_type(model, tf.TrainedModel)
    assert_type(model.predict(folder, tta=1, field="30arcsec"), pd.DataFrame)
    assert_type(model.predict(pixels)["spiral_arms_yes"].mean(), float)
    assert_type(model.predict(folder, "catalogue.parquet"), Path)
    assert_type(model.encode(pixels), np.ndarray)
    assert_type(model.explain(pixels), tf.Explanation)
    assert_type(model.explain(pixels).plot(), Figure)
    assert_type(model.evaluate("pack").plot()["gz-challenge-questions.png"], Figure)
    assert_type(tf.explain_images("default", folder, "explained"), Path)
    assert_type(tf.draw_preview(folder, "look.png", n=12), Path)
    assert_type(tf.export_model("default", "exported", to="onnx"), Path)


def embed(folder: Path) -> None:
    embedding = tf.load_model().embed(folder, maps=["pca"])
    assert_type(embedding, tf.Embedding)
    assert_type(embedding.similar("g1", n=3), pd.DataFrame)
    assert_type(embedding.features, np.ndarray)
    assert_type(embedding.positions("pca"), np.ndarray)
    assert_type(embedding.plot(), Figure)
    assert_type(embedding.to_frame(), pd.DataFrame)
    assert_type(embedding.save("features.parquet"), Path)
    assert_type(tf.read_embedding("features.parquet"), tf.Embedding)
    assert_type(tf.anomalies("features.parquet", "strange.csv"), Path)


def make(folder: Path, labels: pd.DataFrame) -> None:
    data = tf.pack(folder, labels=labels, schema="simulated-classes", size=48, field=0.85)
    assert_type(data, tf.Pack)
    assert_type(data.catalog, pd.DataFrame)
    assert_type(tf.open_pack("pack"), tf.Pack)
    mine = tf.train("tuningfork/fractions", data, epochs=1, changes={"input.size": 32}, augmentation=dimmer)
    assert_type(mine, tf.TrainedModel)
    assert_type(mine.calibrate(data), tf.TrainedModel)
    assert_type(mine.save("my-model"), Path)
    assert_type(tf.make_ensemble(["one", "two"], "both"), Path)
    assert_type(tf.run_study(tf.load_study("serrano/approaches"), "pack", "study"), Path)


def judge(data: tf.Pack) -> None:
    evaluation = tf.load_model().evaluate(data, split="test")
    assert_type(evaluation, tf.Evaluation)
    assert_type(evaluation.to_frame(), pd.DataFrame)
    assert_type(evaluation.save("evaluation"), Path)
    assert_type(tf.evaluate_file("predictions.csv", "labels.csv", "evaluation"), Path)
    assert_type(tf.measure_robustness("default", "pack", "robustness"), Path)
    assert_type(tf.write_report(["evaluation"], "report.html"), Path)


def dimmer(images: Tensor) -> Tensor:
    return images / 2


def build(channels: int, width: int = 8) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def refused() -> None:
    """Mistakes that mypy finds before anything runs; an ignored error that is none would be one."""
    tf.register_encoder("tiny", build)
    tf.register_head("tiny", nn.Module)  # type: ignore[arg-type]
    tf.load_model().predict("galaxies", zero_pont=22.5)  # type: ignore[call-overload]
    tf.train("tuningfork/fractions", "pack", epoch=1)  # type: ignore[call-arg]
    tf.load_galaxies("galaxies")  # type: ignore[attr-defined]
