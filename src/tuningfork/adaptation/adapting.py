"""Adapting a model to other images by some labels: a model folder in, a model folder out."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.adaptation.card import card
from tuningfork.adaptation.choice import FOLDS, STEPS, choose, deal_folds
from tuningfork.adaptation.correction import one_thread
from tuningfork.adaptation.figures import Answered, answers_of, compare, curve, observed
from tuningfork.adaptation.intervals import Labelled, adapted_intervals, held_out_ends
from tuningfork.adaptation.new_heads import one_answer, with_heads
from tuningfork.adaptation.sampling import Seen, last_layer, look
from tuningfork.catalogs import find_position_columns, joined_groups, sky_groups
from tuningfork.errors import CatalogError, ModelError, PackError
from tuningfork.files import write_text
from tuningfork.inference.calibration import flag_of
from tuningfork.inference.expected_errors import Truth, expected_errors
from tuningfork.jobs import Inputs, Job, make_at_once, within
from tuningfork.manifests import ModelManifest
from tuningfork.manifests.models import AdaptationEntry, AdaptedEntry
from tuningfork.models import GalaxyModel, load_model, model_folder, read_manifest, save_model
from tuningfork.models.folder import TRAINING, UNCERTAINTY
from tuningfork.models.views import check_views
from tuningfork.packs import Pack, PackSource, open_pack
from tuningfork.packs.splitting import SKY_RADIUS
from tuningfork.packs.twins import MARK, twins
from tuningfork.progress import progress_bar
from tuningfork.schemas import ClassSchema, Schema, TreeSchema
from tuningfork.uncertainty import FEWEST, Intervals, Uncertainty, write_uncertainty

log = logging.getLogger(__name__)

VERSION = 2  # of what is written
FEWEST_GALAXIES = 20  # with a label, for a head to be adapted
VIEWS = 8  # of a model that was not calibrated
MOST = 4000  # galaxies without a label that are looked at
KEPT = ("data", "recipe", "training")  # of what a model says of itself


def adapt(
    model: str | Path,
    pack: str | Path,
    out: str | Path,
    *,
    split: str = "all",
    where: Sequence[str] = (),
    tta: int | None = None,
    seed: int = 0,
) -> Path:
    """Adapt a model to galaxies of another survey, or other images, by some labels of them.

    The last layer of each head that the pack has labels for is corrected (`correction`), as far as cross-validation
    shows that it helps and no further: not at all where it does not. A schema of the pack that the model does not
    answer yet gets a head, linear in the features, that is learned from its labels in the same way. Class probabilities
    get another temperature, intervals are made to hold for these galaxies (`uncertainty.conform`), so is the expected
    RMSE of trees with 50 labelled galaxies, and the flag is fitted to their images, for which no labels are needed. The
    encoder stays as it is.

    Parameters
    ----------
    model : str or path
        A model folder, or the name of a bundled model; a single network.
    pack : str or path
        Galaxies, packed at the geometry of a model that does not look for them, some of them with labels.
    out : str or path
        The model folder to write.
    split : {'all', 'train', 'val', 'test'}
        The galaxies of the pack to learn from. Keep some apart if you mean to evaluate the adapted model on them.
    where : sequence of str
        Of these the rows that have these values, each written ``column=value``.
    tta : int, optional
        Test-time augmentation: views that answers and intervals hold for. Default: as the model was calibrated, else 8.
    seed : int
        Of the folds of cross-validation.

    Returns
    -------
    Path
        The folder. Its ``model.json`` holds under ``adaptation`` what it was before and is after, by galaxies that it
        was not fitted to: the figures, how far each answer is off on average, and the figure by the number of labels.

    Raises
    ------
    ModelError
        If the model can't be opened or is an ensemble, or `out` holds something else.
    PackError
        If the pack can't be opened, its geometry is another, or it has too few galaxies or labels.
    """
    target, folder = Path(out), model_folder(model)
    data, network = open_pack(pack), load_model(folder)
    if not isinstance(network, GalaxyModel):
        raise ModelError(
            f"{model} is an ensemble; adapt its members one by one ({model}/members/1 ...), make an ensemble of these, "
            "and calibrate it"
        )
    views = tta or (network.uncertainty.views if network.uncertainty else VIEWS)
    check_views(views)
    asked = {"split": split, "rows": list(where), "views": views, "seed": seed}
    inputs = Inputs("adapt", VERSION, asked, images=data.manifest["sha256"], model=read_manifest(folder)["sha256"])
    job = Job(inputs, target, within(target), error=ModelError, anew="choose another folder")
    if _finished(target, job):
        return target
    source = PackSource(data, network.spec.geometry, data.rows(split, where), located=network.spec.located)
    data, rows = source.pack, source.rows
    said = f"{' and '.join([f'{split} split', *where])} of {data.path.name}"
    if len(rows) < FEWEST:
        raise PackError(f"the {said} has {len(rows)} galaxies; {FEWEST} are needed, with labels or without")
    new = _unanswered(network, data, rows, said)
    network = with_heads(network, new)
    schemas = _labelled(network, data.catalog.iloc[rows], said)
    looked = _looked_at(data, rows, schemas)
    calibration = asked | {"pack": data.path.name, "sha256": data.manifest["sha256"], "n": len(rows)}
    origin = AdaptationEntry(
        model=folder.name,
        sha256=dict(inputs.model or {}),
        pack=data.path.name,
        where=said,
        data=data.manifest["sha256"],
        split=split,
        rows=list(where),
        job=job.fingerprint,
    )

    def make(made: Path) -> None:
        entries, uncertainty = _fit(network, schemas, How(data, looked, views, seed, frozenset(s.name for s in new)))
        write_uncertainty(uncertainty, made / UNCERTAINTY)
        _write(network, made, folder, origin.model_copy(update={"schemas": entries}), calibration)

    make_at_once(job, ModelManifest.NAME, make)
    return target


def _finished(target: Path, job: Job) -> bool:
    """Whether this was done already; an error where the folder holds something else."""
    if not (target / ModelManifest.NAME).exists():
        job.refuse_others()
        return False
    done = ModelManifest.read(target).adaptation
    if done is None or done.job != job.fingerprint:
        raise ModelError(f"{target} holds another model; choose another folder")
    job.clear()
    log.info("%s is already adapted so; nothing to do", target)
    return True


def _fit(network: GalaxyModel, schemas: Sequence[Schema], how: How) -> tuple[dict[str, AdaptedEntry], Uncertainty]:
    """Correct the heads of a network; what has become of each, and how sure the network is now."""
    labels = how.pack.catalog.iloc[how.rows].reset_index(drop=True)
    seen = look(network, how.pack, how.rows, schemas, how.views)
    with one_thread(), progress_bar("adapt", STEPS * len(schemas)) as advance:
        heads = {schema.name: _adapted(network, schema, seen, labels, how, advance) for schema in schemas}
    known = _uncertainty(network, heads, how.views, flag_of(network, how.pack, how.rows, seen.features))
    trees = {name: head.truth for name, head in heads.items() if head.truth is not None}
    known = replace(known, expected=expected_errors(network, how.pack, how.rows, trees, known))
    lost = set(network.uncertainty.expected if network.uncertainty else ()) - set(known.expected)
    for name in sorted(lost):
        log.warning("%s has no expected RMSE any more: that takes %d galaxies with labels for it", name, FEWEST)
    return {name: head.entry for name, head in heads.items()}, known


@dataclass(frozen=True)
class How:
    """How heads are adapted: by which rows of a pack, to the mean of how many views, and by which seed of the folds.

    Those that are `new` know nothing yet.
    """

    pack: Pack
    rows: np.ndarray
    views: int
    seed: int
    new: frozenset[str] = frozenset()


def _unanswered(network: GalaxyModel, data: Pack, rows: np.ndarray, said: str) -> list[Schema]:
    """The schemas of a pack that the model does not answer, and enough of the galaxies have labels for."""
    answered = {schema.name for schema in network.schemas}
    labels = data.catalog.iloc[rows]
    found = []
    for schema in data.schemas:
        if schema.name not in answered:
            n = int(labels.filter(items=schema.columns).notna().any(axis=1).sum())
            if n >= FEWEST_GALAXIES:
                found.append(schema)
            else:
                log.warning("%s has labels for %s of %d galaxies: it gets no head", said, schema.name, n)
    return found


def _labelled(network: GalaxyModel, labels: pd.DataFrame, said: str) -> list[Schema]:
    """The schemas that the model answers and enough galaxies have labels for."""
    counts = {schema.name: _known(network, schema, labels, said) for schema in network.schemas}
    enough = [schema for schema in network.schemas if counts[schema.name] >= FEWEST_GALAXIES]
    named = ", ".join(f"{name} {n}" for name, n in counts.items())
    if not enough:
        raise PackError(
            f"the {said} has too few labels for what the model answers ({named}); {FEWEST_GALAXIES} galaxies are "
            "needed at the least: label some more, or pack again with --schema"
        )
    for schema in network.schemas:
        if schema not in enough:
            log.warning("%s stays as it is: %d galaxies have labels for it", schema.name, counts[schema.name])
    return enough


def _looked_at(data: Pack, rows: np.ndarray, schemas: Sequence[Schema]) -> np.ndarray:
    """The rows with a label, and some of the others, for the flag."""
    columns = [column for schema in schemas for column in schema.columns if column in data.catalog]
    labelled = rows[data.catalog[columns].iloc[rows].notna().any(axis=1).to_numpy()]
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(int)]
    return np.union1d(labelled, some)


def _groups(pack: Pack, rows: np.ndarray, labels: pd.DataFrame) -> np.ndarray:
    """The group of each of N rows, which no fold may part: twins, and neighbours on the sky where it is known."""
    sky = None
    if find_position_columns(labels) is not None:
        with suppress(CatalogError):  # most are neighbours: a small field has no groups
            sky = sky_groups(labels, SKY_RADIUS, str(pack.path))
    joined = joined_groups(sky, twins(pack.pixels[rows], np.empty(0, MARK)), len(rows))
    return np.arange(len(rows)) if joined is None else joined


def _known(network: GalaxyModel, schema: Schema, labels: pd.DataFrame, said: str) -> int:
    if not set(schema.columns) & set(labels.columns):
        return 0
    return int(np.isfinite(network.head(schema.name).targets(labels, said)).any(axis=1).sum())


@dataclass(frozen=True)
class Adapted:
    """A head after it was adapted: what is said of it, its temperature and its intervals; classes have none.

    Of a tree, `truth` is what is known of all galaxies looked at.
    """

    entry: AdaptedEntry
    temperature: float
    intervals: Intervals | None
    truth: Truth | None


def _adapted(
    network: GalaxyModel,
    schema: Schema,
    seen: Seen,
    labels: pd.DataFrame,
    how: How,
    advance: Callable[[int], None],
) -> Adapted:
    """Correct a head, and measure what has become of it."""
    head, own = network.head(schema.name), network.uncertainty
    temperature = own.temperatures.get(schema.name, 1.0) if own else 1.0
    sample, rows = seen.sample(schema.name, head.targets(labels, "the labels"), temperature)
    if new := schema.name in how.new:
        sample = one_answer(head, last_layer(network, schema.name), sample)
    groups = _groups(how.pack, how.rows[rows], labels.iloc[rows])
    folds = deal_folds(groups, how.seed)
    if len(np.unique(folds)) < FOLDS:
        raise PackError(f"{schema.name}: all labelled galaxies are of {len(np.unique(groups))} groups; label others")
    choice = choose(head, sample, folds, advance)
    table = labels.iloc[rows].reset_index(drop=True)
    truth = observed(schema, table, sample.targets.numpy())
    before, after = answers_of(head, sample.raw), answers_of(head, choice.unseen)
    begun = own.intervals.get(schema.name) if own and own.views == how.views else None
    intervals, ends = None, None
    if not isinstance(schema, ClassSchema):
        labelled = Labelled(after, truth, folds)
        intervals = adapted_intervals(begun, labelled, schema.limits)
        ends = held_out_ends(begun, labelled, schema.limits)
    was = Answered(before, begun.of(before, schema.limits) if begun else None)
    figures, bias = compare(schema, table, truth, was, Answered(after, ends))
    found, further = curve(schema, table, {n: answers_of(head, raw) for n, raw in choice.held_out.items()})
    entry = AdaptedEntry(
        n=len(rows), penalty=choice.penalty, new=new, figures=figures, bias=bias, curve=found, further=further
    )
    known = None
    if isinstance(schema, TreeSchema):
        fractions, unseen = (np.full((len(how.rows), truth.shape[1]), np.nan) for _ in range(2))
        fractions[rows], unseen[rows] = truth, after
        known = Truth(fractions, unseen=unseen)
    if choice.correction is None:
        return Adapted(entry, temperature, intervals, known)
    choice.correction.into(last_layer(network, schema.name), temperature)
    return Adapted(entry, 1.0, intervals, known)


def _uncertainty(network: GalaxyModel, heads: Mapping[str, Adapted], views: int, flag: tuple[Any, ...]) -> Uncertainty:
    """That of the adapted model; what it knew of heads that stay as they were is kept where it holds for the views."""
    own = network.uncertainty
    kept = own.intervals if own and own.views == views else {}
    classes = [schema.name for schema in network.schemas if isinstance(schema, ClassSchema)]
    warmth = {name: own.temperatures.get(name, 1.0) if own else 1.0 for name in classes}
    return Uncertainty(
        views,
        warmth | {name: head.temperature for name, head in heads.items() if name in warmth},
        {**kept, **{name: head.intervals for name, head in heads.items() if head.intervals is not None}},
        *flag,
    )


def _write(
    network: GalaxyModel, folder: Path, origin: Path, adaptation: AdaptationEntry, calibration: dict[str, Any]
) -> None:
    """The folder of the adapted model, its manifest last."""
    manifest = read_manifest(origin)
    if (origin / TRAINING).exists():
        shutil.copyfile(origin / TRAINING, folder / TRAINING)
    write_text(folder / "card.md", card(adaptation) + _card_of(origin))
    kept = {key: manifest[key] for key in KEPT if key in manifest}
    save_model(network, folder, kept | {"calibration": calibration, "adaptation": adaptation.model_dump()})


def _card_of(origin: Path) -> str:
    path = origin / "card.md"
    if not path.is_file():
        return ""
    return f"\n\n---\n\nThe card of the model that it was made from:\n\n{path.read_text('utf-8')}"
