"""The model card: what a user must know before trusting a model, beside its weights."""

from __future__ import annotations

from typing import Any

from tuningfork.models import HeadSpec
from tuningfork.packs import Pack
from tuningfork.training.tables import Recipe


def model_card(recipe: Recipe, record: dict[str, Any], data: Pack) -> str:
    """A model card in Markdown (after Mitchell et al. 2019, arXiv:1810.03993), of what the training knows."""
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in record["figures"].items())
    heads = "\n".join(f"- `{head.schema_name}`: {head.kind} head{_taught(head)}" for head in recipe.head)
    counts = ", ".join(f"{n:,} {split}" for split, n in record["data"]["n"].items())
    looks = f"the central {recipe.input.field:g} of the frame at {recipe.input.size} x {recipe.input.size} pixels"
    return f"""# Model card: {recipe.name}

{recipe.title or "A galaxy morphology model"}. Trained by `tuningfork train` with the recipe `{recipe.name}`.

**Answers.**
{heads}

**Sees.** {looks[0].upper()}{looks[1:]}, {data.geometry.channels} channels. Encoder `{recipe.encoder.name}`\
{_origin(recipe, record)}.

**Data.** Pack `{record["data"]["pack"]}` ({counts} galaxies), seed {recipe.run.seed}.

**Figures on the validation split**{_chosen(recipe)}:

| figure | value |
| --- | --- |
{figures}

**Limits.** The model knows only images like those it was trained on: the same survey, bands and stretch, the galaxy
centred and filling the frame alike. It repeats what its labels say, volunteers' biases included.
"""


def _origin(recipe: Recipe, record: dict[str, Any]) -> str:
    if recipe.encoder.start:
        return f", from the encoder of `{recipe.encoder.start}`"
    if weights := record["data"].get("weights"):
        return f", from `{weights['file']}` of the package `{weights['package']}`"
    return ", pretrained" if recipe.encoder.pretrained else ", from scratch"


def _chosen(recipe: Recipe) -> str:
    if recipe.run.keep == "last":
        return ", after the last epoch"
    return " (chosen on, so a little flattering; `tuningfork evaluate` gives honest ones)"


def _taught(head: HeadSpec) -> str:
    """Which galaxies a head learned from, where it is not all of them."""
    facts = [f"an epoch took {head.share:g} of the galaxies only it has labels for"] if head.share < 1 else []
    facts += [f"taught by galaxies with {condition}" for condition in head.where]
    return f" ({'; '.join(facts)})" if facts else ""
