"""A learned head as a model folder: the encoder that made the features, and a linear layer on them.

It answers any image as `tuningfork predict` asks it, with the probabilities that stand beside the catalogue.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuningfork.errors import ModelError, TuningforkError
from tuningfork.explore.learn import Head
from tuningfork.files import whole_folder, write_text
from tuningfork.schemas import ClassSchema

if TYPE_CHECKING:
    from tuningfork.explore.features import Features
    from tuningfork.explore.learner import Fit
    from tuningfork.models import GalaxyModel

WEIGHTS = "model.safetensors"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True)
class Origin:
    """What a head was learned from: labels of a schema in a journal (a file), on an embedding, and the head itself."""

    schema: ClassSchema
    journal: Path
    embedding: Features
    fit: Fit


def folder_name(asked: str) -> str:
    """A name for a model folder beside the journal.

    Raises
    ------
    TuningforkError
        If it could lead elsewhere.
    """
    if not NAME.fullmatch(asked):
        raise TuningforkError(
            "the name of a model has letters, digits, dots, - and _, begins with a letter, and no folders"
        )
    return asked


def make_model(origin: Origin, out: Path, model: str | None = None) -> Path:
    """Write a model folder of the encoder that made the features and the learned head.

    Parameters
    ----------
    origin
        What was learned, and from what.
    out
        The folder to write.
    model
        The model whose encoder it is. Default: the one that the embedding names.

    Raises
    ------
    ModelError
        If a class of the schema was not learned, or the model is not the one that made the embedding.
    OutputError
        If `out` exists or can't be written.
    """
    from tuningfork.models import save_model

    missing = [name for name in origin.schema.class_names if name not in origin.fit.learned.head.classes]
    if missing:
        raise ModelError(
            f"a model answers all classes of its schema, and {', '.join(missing)} has too few labels to learn; "
            "label some, or make a list of classes without it"
        )
    base, hashes = _base(origin.embedding, model)
    network = _with_head(base, origin.schema, origin.fit.learned.head)
    with whole_folder(out) as making:
        write_text(making / "card.md", _card(origin, out.name, hashes[0]))
        save_model(network, making, _record(origin, hashes))
    return out


def _base(embedding: Features, model: str | None) -> tuple[GalaxyModel, tuple[str, dict[str, str]]]:
    """The network that made an embedding, its name and the hashes of its files."""
    from tuningfork.models import load_model, read_manifest

    made_by = embedding.manifest["inputs"].get("model") or {}
    name = model or str(made_by.get("name", ""))
    try:
        hashes = read_manifest(name)["sha256"]
    except ModelError as error:
        raise ModelError(
            f"the model that made {embedding.path} is not found ({error}); name it with --model"
        ) from error
    if hashes != made_by.get("sha256"):
        raise ModelError(
            f"{embedding.path} was made by another model than {name} (its own is {made_by.get('name')}, perhaps an "
            "earlier state of it); name that with --model, or embed again"
        )
    members = load_model(name).members
    network = members[0]  # of an ensemble the first, whose features these are
    if embedding.manifest.get("n_features", network.n_features) != network.n_features:
        raise ModelError(f"{embedding.path} holds other features than {name} makes; embed again")
    if len(members) > 1:
        name = f"{name}/members/1"
        hashes = read_manifest(name)["sha256"]
    return network, (name, hashes)


def _with_head(base: GalaxyModel, schema: ClassSchema, head: Head) -> GalaxyModel:
    """The network with one linear head in the place of its own."""
    import torch

    from tuningfork.models import HeadSpec

    network = base.with_heads([HeadSpec(schema=schema.name, kind="classes")], [schema])
    order = [head.classes.index(name) for name in schema.class_names]
    layer = network.head(schema.name).layers[-1]
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(head.weights[order]))  # type: ignore[operator]
        layer.bias.copy_(torch.from_numpy(head.bias[order]))  # type: ignore[operator]
    return network.eval()


def _record(origin: Origin, base: tuple[str, dict[str, str]]) -> dict[str, Any]:
    """What the manifest tells of how it was made."""
    learned, judged = origin.fit.learned, origin.fit.learned.validation
    return {
        "data": {
            "labels": {
                "journal": origin.journal.name,
                "sha256": origin.fit.journal,
                "counts": learned.counts,
            },
            "embedding": origin.embedding.path.name,
            "n": {"train": learned.n, "val": judged.n if judged else 0},
            "start": base[1],
        },
        "figures": {"val_accuracy": judged.accuracy} if judged else {},
        "training": {"seconds": round(learned.seconds, 1), "device": "cpu"},
    }


def _card(origin: Origin, name: str, base: str) -> str:
    learned, schema = origin.fit.learned, origin.schema
    counts = "\n".join(f"| {entry.label} | {learned.counts[entry.name]} |" for entry in schema.classes)
    return f"""# Model card: {name}

{schema.title}. The encoder of `{base}` and a linear head, learned with `tuningfork explore` by logistic regression.

**Answers.** `{schema.name}`: {", ".join(entry.label for entry in schema.classes)}.

**Data.** {learned.n} labels of the journal `{origin.journal.name}` (SHA-256 {origin.fit.journal}):

| class | labels |
| --- | --- |
{counts}

Every class counts alike, however many labels it has: where one is rare, fewer galaxies are of it than its probabilities
say.

**Validation.** {_validation(origin.fit)}

**Limits.** It knows only images like those that were labelled. The encoder was not changed; with some hundred labels a
`tuningfork train` run that starts from it may do better.
"""


def _validation(fit: Fit) -> str:
    judged = fit.learned.validation
    if judged is None:
        return "No galaxy that was set aside is labelled: how good it is, is not known."
    classes = "\n".join(
        f"- {name}: {each['found']} of {each['n']} found; {each['called']} called so"
        for name, each in judged.classes.items()
    )
    return (
        f"Accuracy {judged.accuracy:.3f} (95 % interval {judged.low:.3f} to {judged.high:.3f}) on {judged.n} galaxies "
        f"set aside at random, which it did not learn from. {_drawn_from(fit.filtered)}:\n\n{classes}"
    )


def _drawn_from(filtered: int) -> str:
    """What the validation set is a sample of."""
    if not filtered:
        return "They are a sample of the whole catalogue, less the galaxies that somebody chose or skipped"
    return (
        f"{filtered} of them are a sample of what a filter kept of the catalogue: the accuracy holds for such "
        "galaxies, not for the whole catalogue"
    )
