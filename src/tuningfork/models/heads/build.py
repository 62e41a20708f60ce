"""Heads by kind."""

from __future__ import annotations

from tuningfork.errors import RecipeError
from tuningfork.models.heads.base import Head
from tuningfork.models.heads.classes import ClassesHead
from tuningfork.models.heads.dirichlet import DirichletHead
from tuningfork.models.heads.quantities import QuantitiesHead
from tuningfork.models.heads.sigmoid import SigmoidHead
from tuningfork.models.heads.spec import KINDS, HeadSpec
from tuningfork.models.heads.tree import TreeHead
from tuningfork.schemas import Schema

HEADS: dict[str, type[Head]] = {  # one a name of `KINDS`
    "classes": ClassesHead,
    "sigmoid": SigmoidHead,
    "tree": TreeHead,
    "dirichlet": DirichletHead,
    "quantities": QuantitiesHead,
}


def register_head(kind: str, head: type[Head]) -> None:
    """Let recipes use a head of your own as ``head.0.kind = kind``.

    Parameters
    ----------
    kind : str
        Its name. A program that loads a model with this head registers it first.
    head : type
        A subclass of `Head`: it says which kinds of schema it answers (`schema_kinds`), its losses, and how raw outputs
        become answers.

    Raises
    ------
    RecipeError
        If another head has this name, or it is no `Head`.
    """
    if not issubclass(head, Head):
        raise RecipeError(f"{head.__name__} is no Head; derive it from tuningfork.models.Head")
    if HEADS.get(kind, head).__qualname__ != head.__qualname__:
        raise RecipeError(f"there is a head called {kind!r} already; choose another name")
    if kind not in HEADS:
        KINDS.append(kind)
    HEADS[kind] = head


def build_head(features: int, schema: Schema, spec: HeadSpec) -> Head:
    """Build the head that `spec` asks for.

    Raises
    ------
    RecipeError
        If that kind of head can't answer this schema, or has no such loss.
    """
    kind = HEADS[spec.kind]
    if schema.kind not in kind.schema_kinds:
        fitting = ", ".join(name for name, head in HEADS.items() if schema.kind in head.schema_kinds)
        raise RecipeError(f"a {spec.kind} head can't answer schema {schema.name!r} (kind {schema.kind}); use {fitting}")
    if spec.loss and spec.loss not in kind.losses:
        raise RecipeError(f"a {spec.kind} head has no loss {spec.loss!r}; it has {', '.join(kind.losses)}")
    if spec.quantity_weights and kind is not QuantitiesHead:
        raise RecipeError(f"quantity_weights are for quantities; schema {schema.name!r} has {schema.kind}")
    return kind(features, schema, spec)  # type: ignore[call-arg]
