"""What a run needs of its pack: schemas, rows, targets, and how the network is to see the pixels."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from tuningfork.errors import PackError, RecipeError
from tuningfork.models import (
    GalaxyModel,
    ModelSpec,
    PackagedWeights,
    View,
    architecture,
    build_encoder,
    crop,
    load_model,
    packaged_weights,
    pretrained_colours,
    read_manifest,
)
from tuningfork.models.heads.classes import ClassesHead
from tuningfork.packs import Pack
from tuningfork.schemas import QuantitySchema, Schema, TreeSchema
from tuningfork.training.additions import NONE, Additions
from tuningfork.training.tables import Recipe
from tuningfork.training.teacher import hashes_of_answers, teach
from tuningfork.training.transfer import layer_groups, phases

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """The network whose weights a run begins with, and the hashes in its manifest."""

    network: GalaxyModel
    hashes: dict[str, str]


@dataclass(frozen=True)
class Given:
    """What a recipe names outside itself, opened once.

    `encoder` and `options` are those of the network, which for a hub encoder come from the hub; `start` is the model to
    start from, `teachers` the SHA-256 of the answers that a head learns from, by schema name, `weights` those of an
    installed package that the encoder begins with.
    """

    encoder: str
    options: dict[str, Any]
    start: Start | None
    teachers: dict[str, str]
    weights: PackagedWeights | None


def resolve(recipe: Recipe) -> Given:
    """Open what a recipe names.

    Raises
    ------
    ModelError, RecipeError
        If the model to start from or a teacher's answers can't be read.
    """
    start = None
    if recipe.encoder.start:
        taken = load_model(recipe.encoder.start).members[0]
        start = Start(taken, read_manifest(recipe.encoder.start)["sha256"])
    table = recipe.encoder
    network = architecture(table.name, table.options) if table.pretrained else (table.name, table.options)
    weights = packaged_weights(table.name) if table.pretrained else None
    return Given(*network, start, hashes_of_answers(recipe.head), weights)


@dataclass(frozen=True)
class Material:
    """A pack as a recipe uses it: targets (N, T) of each schema, and the rows of the splits train and val.

    `shares` is the share of each training row that an epoch takes, as `BatchRows` reads it; `given` what the recipe
    names outside itself; `additions` are those of `train`.
    """

    pack: Pack
    spec: ModelSpec
    targets: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]
    shares: np.ndarray
    given: Given
    additions: Additions = NONE


def prepare(recipe: Recipe, pack: Pack, given: Given | None = None) -> Material:
    """Check that a recipe can be used with a pack, and take what it needs; `given` as `resolve` finds it.

    Raises
    ------
    RecipeError, PackError
        If a schema or a split is absent, no galaxy has a label, or the recipe judges by a figure it won't have.
    """
    given = given or resolve(recipe)
    schemas = _schemas(recipe, pack)
    view = View(recipe.input.field, recipe.input.size)
    if view.scale(pack.geometry) < 0.99:
        log.warning(
            "the network's %d pixels a side are blown up from %.0f of the pack's; for sharper ones pack again with "
            "--size %d",
            view.size,
            view.size * view.scale(pack.geometry),
            math.ceil(view.size * pack.geometry.field / view.field),
        )
    spec = ModelSpec(
        encoder=given.encoder,
        options=given.options,
        geometry=pack.geometry,
        reading=pack.reading,
        view=view,
        mean=(0.0,) * pack.geometry.channels,
        std=(1.0,) * pack.geometry.channels,
        heads=recipe.head,
        schemas=tuple(schemas),
    )
    model = GalaxyModel(spec)
    _check_monitor(recipe, model)
    phases(recipe.transfer, recipe.optim.epochs, len(layer_groups(model)) - 1)
    if given.start:
        _start(model, given.start.network, recipe)
    targets, shares = _targets(recipe, model, pack)
    rows = _rows(recipe, pack, targets)
    if recipe.input.normalise:
        mean, std = _normalisation(recipe, pack, view, rows["train"], given.start)
        spec = replace(spec, mean=mean, std=std)
    return Material(pack, spec, targets, rows, shares[rows["train"]], given)


def _targets(recipe: Recipe, model: GalaxyModel, pack: Pack) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The targets of each head, in the train split of the galaxies that it is to learn from, and the share of each row.

    An epoch takes of a row the largest share of the heads, and their teachers, that have a target for it.
    """
    targets = {}
    shares = np.zeros(len(pack.catalog))
    for head in recipe.head:
        built, train = model.head(head.schema_name), pack.rows("train", head.where)
        values = built.targets(pack.catalog, str(pack.path))
        values[np.setdiff1d(pack.rows("train"), train)] = np.nan
        labelled = _known(values)
        shares = np.maximum(shares, labelled * head.share)
        if head.teacher is not None:
            values = teach(built, values, pack.catalog, train, head.teacher)
            shares = np.maximum(shares, (_known(values) & ~labelled) * head.teacher.share)
        targets[head.schema_name] = values
    return targets, shares


def _known(targets: np.ndarray) -> np.ndarray:
    """Which rows have a target, (N,)."""
    known: np.ndarray = ~np.isnan(targets).all(axis=1)
    return known


def build_model(recipe: Recipe, material: Material) -> GalaxyModel:
    """The model at the start of the run, its class weights taken from the training labels.

    Raises
    ------
    RecipeError, ModelError
        If the encoder to start from is another one, or can't be read.
    """
    encoder = None
    if recipe.encoder.pretrained:
        encoder = build_encoder(
            recipe.encoder.name,
            channels=material.spec.geometry.channels,
            size=material.spec.view.size,
            pretrained=True,
            options=recipe.encoder.options,
        )
    model = GalaxyModel(material.spec, encoder)
    if material.given.start:
        _start(model, material.given.start.network, recipe)
    for name, head in model.heads.items():
        if isinstance(head, ClassesHead):
            head.balance(material.targets[name][material.rows["train"]])
    # As images come: plain convolutions would else turn their weights around in every step.
    return model.to(memory_format=torch.channels_last)


def _start(model: GalaxyModel, other: GalaxyModel, recipe: Recipe) -> None:
    """Take the weights of another model's encoder."""
    spec = model.spec
    if other.spec.encoder != spec.encoder or other.spec.options != spec.options:
        raise RecipeError(
            f"the encoder of encoder.start = {recipe.encoder.start!r} is {other.spec.encoder!r} with "
            f"{other.spec.options}; the recipe's is {spec.encoder!r} with {spec.options}: set it alike"
        )
    if other.spec.located:
        log.info(
            "%s looks for the galaxy in its frame first; the model trained from it does not: it sees the central %g of "
            "the frame",
            recipe.encoder.start,
            spec.view.field,
        )
    try:
        model.encoder.load_state_dict(other.encoder.state_dict())
    except RuntimeError as error:
        raise RecipeError(
            f"the encoder of encoder.start = {recipe.encoder.start!r} was trained at {other.spec.view.size} px with "
            f"{other.spec.geometry.channels} channels and can't be used at {model.spec.view.size} px with "
            f"{model.spec.geometry.channels}; set input.size alike, or choose another encoder"
        ) from error
    if recipe.transfer.heads:
        _start_heads(model, other, recipe)


def _start_heads(model: GalaxyModel, other: GalaxyModel, recipe: Recipe) -> None:
    """Take the weights of another model's heads."""
    for name, head in model.heads.items():
        if name not in other.heads:
            raise RecipeError(f"transfer.heads: {recipe.encoder.start!r} has no head for schema {name!r}; leave it out")
        ours, theirs = model.head(name), other.head(name)
        if ours.spec.kind != theirs.spec.kind or _asked(ours.schema) != _asked(theirs.schema):
            raise RecipeError(
                f"transfer.heads: the head of {recipe.encoder.start!r} for schema {name!r} is of another kind or of "
                "other answers; set kind alike, or leave transfer.heads out"
            )
        try:
            head.load_state_dict(other.heads[name].state_dict())
        except RuntimeError as error:
            raise RecipeError(
                f"transfer.heads: the head of {recipe.encoder.start!r} for schema {name!r} has other layers; set kind, "
                "loss and hidden alike, or leave transfer.heads out"
            ) from error


def _asked(schema: Schema) -> list[object]:
    """What a head answers, but for the words it is asked in."""
    asked: list[object] = [schema.kind, schema.prediction_columns]
    if isinstance(schema, TreeSchema):
        asked += [schema.votes, schema.relative_to, [(q.name, q.parents) for q in schema.questions]]
    elif isinstance(schema, QuantitySchema):
        asked += [(q.low, q.high, q.step) for q in schema.quantities]
    return asked


def _schemas(recipe: Recipe, pack: Pack) -> list[Schema]:
    held = {schema.name: schema for schema in pack.schemas}
    for head in recipe.head:
        if head.schema_name not in held:
            other = next((f"--set head.0.schema={s.name} --set head.0.kind={s.kind}" for s in pack.schemas), None)
            raise RecipeError(
                f"recipe {recipe.name!r} asks for labels of schema {head.schema_name!r}; {pack.path} holds "
                f"{', '.join(held) or 'none'}: pack again with --schema {head.schema_name}"
                f"{f', or train with {other}' if other else ', or with --label and a column'}"
            )
    names = [head.schema_name for head in recipe.head]
    if len(set(names)) != len(names):
        raise RecipeError(f"recipe {recipe.name!r} has two heads for one schema")
    return [held[name] for name in names]


def _check_monitor(recipe: Recipe, model: GalaxyModel) -> None:
    """The figure that the fit is judged by must be one it will have."""
    figures = ["val_loss"]
    for name in model.heads:
        figures += [f"val_{name}_loss", f"val_{name}_{model.head(name).metric}"]
    if recipe.run.monitor not in figures:
        raise RecipeError(f"run.monitor = {recipe.run.monitor!r} is not a figure of this run: {', '.join(figures)}")


def _rows(recipe: Recipe, pack: Pack, targets: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rows of the train and val splits that have a label to learn from; each schema needs some in both."""
    rows = {}
    for split in ("train", "val"):
        found = pack.rows(split)
        if len(found) == 0:
            raise PackError(f"{pack.path} has no galaxies in its {split} split; pack again with --split 0.8/0.1/0.1")
        rows[split] = found[np.logical_or.reduce([_known(values[found]) for values in targets.values()])]
        if split == "train" and recipe.run.galaxies is not None:
            # The first of one shuffled order, so that a larger sample holds the smaller ones.
            shuffled = np.random.default_rng(recipe.run.seed).permutation(rows[split])
            rows[split] = np.sort(shuffled[: recipe.run.galaxies])
        for name, values in targets.items():
            if np.isnan(values[rows[split]]).all():
                raise PackError(f"{pack.path}: no galaxy of the {split} split has a label of schema {name!r}")
    return rows


def _normalisation(
    recipe: Recipe, pack: Pack, view: View, rows: np.ndarray, start: Start | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in 0 to 1: those that the encoder's weights were trained with.

    From scratch, those of the training galaxies.
    """
    if start:
        return start.network.spec.mean, start.network.spec.std
    if recipe.encoder.pretrained and pack.geometry.channels == 3:
        known = pretrained_colours(recipe.encoder.name)
        if known is not None:
            return known
    return _colours(pack, view, rows, recipe.run.seed)


def _colours(pack: Pack, view: View, rows: np.ndarray, seed: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over a thousand of these galaxies, in 0 to 1."""
    sample = np.sort(np.random.default_rng(seed).permutation(rows)[:1000])
    sums = torch.zeros(2, pack.geometry.channels, dtype=torch.float64)
    for part in np.array_split(sample, -(-len(sample) // 50)):
        images = crop(torch.from_numpy(pack.pixels[part]), view, pack.geometry).double()
        sums += torch.stack([images.sum(dim=(0, 2, 3)), images.square().sum(dim=(0, 2, 3))])
    mean, square = sums / (len(sample) * view.size**2)
    std = (square - mean**2).clamp(min=1e-6).sqrt()
    return tuple(round(float(x), 4) for x in mean), tuple(round(float(x), 4) for x in std)
