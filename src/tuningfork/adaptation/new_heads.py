"""Heads for what a model does not answer yet: linear ones on its features, which begin with knowing nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch

import torch

from tuningfork.adaptation.correction import Sample, correct
from tuningfork.adaptation.sampling import last_layer
from tuningfork.errors import PackError
from tuningfork.models import GalaxyModel
from tuningfork.models.heads import Head, HeadSpec
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, TreeSchema

NEXT_TO_NOTHING = 1e-6  # the penalty on a shift that is all that can be learned


def with_heads(network: GalaxyModel, schemas: Sequence[Schema]) -> GalaxyModel:
    """The network with heads for more schemas, whose raw outputs are 0 for every galaxy.

    Raises
    ------
    PackError
        If two schemas would answer in columns of the same name.
    """
    if not schemas:
        return network
    taken = {column: schema.name for schema in network.schemas for column in schema.prediction_columns}
    for schema in schemas:
        for column in schema.prediction_columns:
            if taken.setdefault(column, schema.name) != schema.name:
                raise PackError(
                    f"the schemas {taken[column]} and {schema.name} both answer in a column {column!r}; pack again "
                    "without one of them, or give the answer another name"
                )
    specs = (*network.spec.heads, *map(_spec, schemas))
    made = network.with_heads(specs, (*network.schemas, *schemas))
    made.heads.load_state_dict(network.heads.state_dict(), strict=False)
    for schema in schemas:
        layer = last_layer(made, schema.name)
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    made.uncertainty = network.uncertainty
    return made.eval()


def one_answer(head: Head, layer: torch.nn.Linear, sample: Sample) -> Sample:
    """What a new head makes of galaxies once it gives all of them the one answer that suits their labels best."""
    shift = correct(head, replace(sample, inputs=torch.zeros_like(sample.inputs)), [NEXT_TO_NOTHING])[0].shift
    with torch.no_grad():
        layer.bias.copy_(shift)
    return replace(sample, raw=sample.raw + shift)


@singledispatch
def _spec(schema: Schema) -> HeadSpec:
    raise NotImplementedError(schema.kind)


@_spec.register(ClassSchema)
def _(schema: ClassSchema) -> HeadSpec:
    return HeadSpec(schema=schema.name, kind="classes")


@_spec.register(TreeSchema)
def _(schema: TreeSchema) -> HeadSpec:
    return HeadSpec(schema=schema.name, kind="tree")


@_spec.register(QuantitySchema)
def _(schema: QuantitySchema) -> HeadSpec:
    """Steps have a probability each where all quantities go in steps."""
    stepped = all(quantity.step is not None for quantity in schema.quantities)
    return HeadSpec(schema=schema.name, kind="quantities", loss="ordinal" if stepped else "mse")
