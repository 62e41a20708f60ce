"""The section of an embedding: its maps, how well classes keep together on them and in the features, and which mix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tuningfork.embeddings import Embedding, read_embedding, read_purity
from tuningfork.embeddings.draw import NAMES, maps_figure, mixing_figure
from tuningfork.embeddings.purity import EVERY, most_mixed
from tuningfork.embeddings.summary import colourings
from tuningfork.plotting.style import SINGLE, styled
from tuningfork.report.blocks import Block, Card, Facts, Note, Picture, Pictures, Section, Summary, Table
from tuningfork.report.gallery import Gallery
from tuningfork.report.pictures import plot_uri
from tuningfork.report.provenance import flat, provenance
from tuningfork.report.summary import ASKED, BREAKS, GOOD, SURE
from tuningfork.report.thumbnails import Crop, Finder

PAIRS_SHOWN = 6
FIRST = 8  # galaxies that the section begins with


def embedding_section(path: Path, finder: Finder) -> Section:
    """Galaxies and a summary; maps; purity and mixing from the file beside the embedding; where it comes from.

    `finder` finds the galaxies' pictures.
    """
    embedding = read_embedding(path)
    n = len(embedding.table)
    blocks: list[Block] = [*_galaxies(embedding, finder), _summary(embedding), Facts(list(_settings(embedding)))]
    with styled():
        if embedding.maps:
            blocks.append(Pictures(list(_maps(embedding)), "Maps"))
        if embedding.schemas:
            blocks += _purity(path)
    blocks.append(provenance(embedding.manifest | {"sha256": {}}))
    return Section("Embedding", path.name, f"{n:,} galaxies", blocks)


def _galaxies(embedding: Embedding, finder: Finder) -> Iterator[Block]:
    """Some galaxies, from one end of the first map to the other."""
    table = embedding.table.iloc[embedding.readable].reset_index(drop=True)
    across = [f"{name}_x" for name in embedding.maps]
    order = np.argsort(table[across[0]].to_numpy()) if across else np.arange(len(table))
    rows = order[np.unique(np.linspace(0, len(order) - 1, min(FIRST, len(order))).astype(int))] if len(order) else order
    known = [schema.label_column for schema in embedding.schemas if schema.label_column in table]
    known += [column for column in embedding.manifest.get("predicted", {}) if column in table]
    said = [next((str(table[c].iloc[row]) for c in known if pd.notna(table[c].iloc[row])), "") for row in rows]
    gallery = Gallery(table, finder, embedding.path.parent, Crop(embedding.manifest["geometry"]["field"]))
    if pictures := gallery.pictures(rows.tolist(), said, FIRST):
        note = f"From one end of {NAMES[embedding.maps[0]]} to the other." if across else ""
        yield Pictures(pictures, note=note, thumbnails=True)


def _summary(embedding: Embedding) -> Summary:
    """How well classes keep together among the features, and which mix most."""
    n, unread = len(embedding.table), len(embedding.table) - len(embedding.readable)
    asked = [f"features of {embedding.manifest['inputs']['model']['name']}, {embedding.manifest['n_features']:,} each"]
    good, sure, breaks = [], [], []
    for name, result in ((read_purity(embedding.path) or {}).get("schemas") or {}).items():
        if not result["splits"]:  # none has two galaxies with a label
            continue
        split, group = list(result["splits"].items())[-1]  # test, where there is one
        purity = group["spaces"]["features"]["purity"]
        of = f"{name}{'' if split == EVERY else f', {split}'}, n = {group['n']:,}"
        if purity["value"] is not None:
            good.append(f"{purity['value']:.0%} of the {group['k']} nearest neighbours are of a galaxy's class ({of})")
        if purity["interval"]:
            sure.append(f"95 %: {purity['interval'][0]:.1%} to {purity['interval'][1]:.1%} ({of})")
        for pair in most_mixed(group, result["classes"])[:1]:
            breaks.append(f"{pair['share']:.0%} of the neighbours of {pair['class']} are {pair['neighbour']} ({of})")
    breaks += [f"{unread:,} images could not be read"] if unread else []
    good = good or ["not known: there are no class labels"]
    answers = ((GOOD, good), (SURE, sure), (BREAKS, breaks))
    cards = [Card(question, lines[0], lines[1:]) for question, lines in answers if lines]
    return Summary([Card(ASKED, f"{n:,} galaxies", asked), *cards])


def _settings(embedding: Embedding) -> Iterator[tuple[str, str]]:
    for name, settings in embedding.manifest["maps"].items():
        if name == "pca":
            yield NAMES[name], f"{100 * sum(settings['explained_variance']):.0f} % of the variance on two axes"
        else:
            shown = {key.replace("_", " "): value for key, value in settings.items() if key != "library"}
            shown["explained variance"] = f"{100 * settings['explained_variance']:.0f} %"
            yield NAMES[name], f"{settings['library']}; " + ", ".join(f"{key} {value}" for key, value in flat(shown))


def _maps(embedding: Embedding) -> Iterator[Picture]:
    names = ", ".join(NAMES[name] for name in embedding.maps)
    for colours in colourings(embedding).values():
        how = colours.title if colours else "by the number of galaxies on a spot"
        yield _picture(maps_figure(embedding, colours), f"{names} of the features, {how}")


def _purity(path: Path) -> Iterator[Block]:
    manifest = read_purity(path)
    if manifest is None:
        yield Note("How well its classes keep together is not known: embed again.", warning=True)
        return
    for name, result in manifest["schemas"].items():
        pictures = []
        for split, group in result["splits"].items():
            of_split = "" if split == EVERY else f", {split}"
            yield _table(f"Purity of {name}{of_split}", group, result["classes"])
            yield _pairs(f"Classes of {name} that mix most{of_split}", group, result["classes"])
            drawn = mixing_figure(group, result["classes"], split)
            caption = f"Mean share of each class (column) among the {group['k']} nearest neighbours of each class (row)"
            pictures.append(_picture(drawn, caption + of_split))
        yield Pictures(pictures, f"Who mixes with whom: {name}")


def _table(title: str, group: dict[str, Any], classes: list[str]) -> Table:
    spaces = group["spaces"]
    chance = sum(count * share for count, share in zip(group["counts"], group["chance"], strict=True) if count)
    everyone = [
        "all",
        f"{group['n']:,}",
        f"{chance / group['n']:.3f}",
        *(_cell(space["purity"]["value"], space["purity"]["interval"]) for space in spaces.values()),
    ]
    rows = [everyone]
    for index, label in enumerate(classes):
        if group["counts"][index]:
            figures = [space["class_purity"] for space in spaces.values()]
            cells = [_cell(figure["value"][index], figure["interval"][index]) for figure in figures]
            rows.append([label, f"{group['counts'][index]:,}", f"{group['chance'][index]:.3f}", *cells])
    note = (
        f"The share of a galaxy's {group['k']} nearest neighbours that are of its class, itself excluded, in the space "
        "of features and on each map; below it the 95 % interval. By chance: what galaxies at random would give."
    )
    if any(most is not None and most < 1 for most in group["most"]):
        note += f" A class of n galaxies can reach (n - 1) / {group['k']} at most, if that is below 1."
    return Table(title, ("class", "galaxies", "by chance", *(NAMES[space] for space in spaces)), rows, note=note)


def _pairs(title: str, group: dict[str, Any], classes: list[str]) -> Table:
    rows = [
        (pair["class"], pair["neighbour"], f"{pair['share']:.1%}", f"{pair['chance']:.1%}")
        for pair in most_mixed(group, classes)[:PAIRS_SHOWN]
    ]
    header = ("class", "has neighbours of", "share", "by chance")
    return Table(title, header, rows or [("none mix", "", "", "")], texts=2, folded=True)


def _cell(value: float | None, interval: list[float] | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" + (f"\n{interval[0]:.3f}–{interval[1]:.3f}" if interval else "")


def _picture(drawn: Figure, caption: str) -> Picture:
    return Picture(plot_uri(drawn), caption, wide=drawn.get_figwidth() > SINGLE)
